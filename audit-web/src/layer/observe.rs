//! What a request did to the system: slowness, errors, panics.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::request::Parts;
use http::{Method, StatusCode, Uri};
use sea_orm_audit_core::{AuditScope, EventType, SystemEvent, clean_text};

use super::settings::Settings;
use crate::client::for_client;
use crate::panic::Panicked;

/// The longest path that is stored, in characters.
const PATH_LIMIT: usize = 512;

/// A request that is being handled.
pub(crate) struct Observed {
    pub(super) settings: Arc<Settings>,
    pub(super) scope: AuditScope,
    client: Option<IpAddr>,
    began: Instant,
    method: Method,
    uri: Uri,
    /// The pattern of the route, which is the same for all objects.
    route: Option<Arc<str>>,
    /// The future is done, or was dropped.
    ended: bool,
}

impl Observed {
    pub(super) fn new(
        parts: &Parts,
        settings: Arc<Settings>,
        scope: AuditScope,
        client: Option<IpAddr>,
    ) -> Self {
        Self {
            settings,
            scope,
            client,
            began: Instant::now(),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            route: route_of(parts),
            ended: false,
        }
    }

    /// Runs a function as a part of the request.
    pub(super) fn run<R>(&self, function: impl FnOnce() -> R) -> R {
        for_client(self.client, || self.scope.run(function))
    }

    /// The request was answered.
    pub(super) fn answered(&mut self, status: StatusCode) {
        if status.is_server_error() && self.settings.server_errors {
            let title = "a request was answered with a server error";
            let event = self
                .event(EventType::Error, title)
                .error_code(status.as_str());
            self.submit(event);
        }
        self.end("answered");
    }

    /// The handler panicked.
    pub(super) fn panicked(&mut self, panicked: Panicked) {
        let event = panicked.event("a handler panicked");
        let event = self.described(event, false);
        self.submit(event);
        self.end("panicked");
    }

    /// Looks at the time that it took.
    pub(super) fn end(&mut self, how: &str) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let took = self.began.elapsed();
        if self.settings.slow_after.is_some_and(|limit| took >= limit) {
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let event = self
                .event(EventType::Performance, "a request was slow")
                .metadata("milliseconds", millis)
                .metadata("ended", how);
            self.submit(event);
        }
    }

    fn event(&self, kind: EventType, title: &str) -> SystemEvent {
        self.described(SystemEvent::new(kind, title), true)
    }

    fn described(&self, event: SystemEvent, by_route: bool) -> SystemEvent {
        // Without the query, which may hold secrets.
        let path = clean_text(self.uri.path(), PATH_LIMIT).into_owned();
        let route = self.route.as_deref().unwrap_or(&path).to_owned();
        let method = self.method.as_str();
        let event = if by_route {
            event
                .description(format!("{method} {path}"))
                .function(route.clone())
        } else {
            event.metadata("path", path)
        };
        event.metadata("method", method).metadata("route", route)
    }

    fn submit(&self, event: SystemEvent) {
        let Some(writer) = self.settings.events() else {
            tracing::warn!(?event, "no writer is installed for this system event");
            return;
        };
        // In the request's scope, for its actor, address and id.
        self.scope.run(|| writer.submit(event));
    }
}

impl Drop for Observed {
    /// The client went away.
    fn drop(&mut self) {
        self.end("dropped");
    }
}

#[cfg(feature = "axum")]
fn route_of(parts: &Parts) -> Option<Arc<str>> {
    let route = parts.extensions.get::<axum::extract::MatchedPath>()?;
    Some(route.as_str().into())
}

#[cfg(not(feature = "axum"))]
fn route_of(_: &Parts) -> Option<Arc<str>> {
    None
}
