//! The events of a request: slowness, errors, panics, signs of an attack.

use std::sync::{Arc, Once};
use std::time::Instant;

use http::uri::PathAndQuery;
use http::{Extensions, HeaderValue, Method, Request, StatusCode};
use sea_orm_audit_core::panic::{Panicked, watched};
use sea_orm_audit_core::{Actor, AuditContext, AuditScope, EventType, SystemEvent, clean_text};

#[cfg(feature = "security")]
use super::order::Watched;
use super::order::{self, Seen};
use super::settings::Settings;
use super::{context, route};
use crate::request_id;

/// The longest path that is stored, in characters.
const PATH_LIMIT: usize = 512;

/// A request that is being handled.
pub(crate) struct Observed {
    pub(super) settings: Arc<Settings>,
    pub(super) scope: AuditScope,
    pub(super) request_id: HeaderValue,
    began: Instant,
    method: Method,
    target: Option<PathAndQuery>,
    route: Option<Route>,
    /// An outer layer reports the request.
    is_nested: bool,
    /// It inspects for signs of an attack, and no outer layer does.
    #[cfg(feature = "security")]
    watches: bool,
    /// The finding about the request, until it is reported.
    #[cfg(feature = "security")]
    finding: Option<Box<crate::security::Finding>>,
    /// The future is done, or was dropped.
    ended: bool,
}

impl Observed {
    /// Starts to observe a request, and sets its id if it has none.
    pub(super) fn beginning<B>(request: &mut Request<B>, settings: &Arc<Settings>) -> Self {
        let is_nested = request.extensions_mut().insert(Seen).is_some();
        #[cfg(feature = "tower-sessions")]
        if !is_nested && has_session(request.extensions()) {
            order::inside_of_sessions();
        }
        let incoming = settings.incoming_request_id;
        let request_id = request_id::settle(request, &settings.request_id_header, incoming);
        let target = target_of(request);
        #[cfg(feature = "security")]
        let watches =
            settings.security.is_some() && request.extensions_mut().insert(Watched).is_none();
        #[cfg(feature = "security")]
        let finding =
            (watches.then(|| settings.inspect(request.headers(), target.as_ref()))).flatten();
        // A nested layer uses the context of the outer one, also for its events.
        let around = AuditScope::current().filter(|_| is_nested);
        let scope = around.unwrap_or_else(|| scope_of(request, settings, &request_id));
        Self {
            scope,
            request_id,
            began: Instant::now(),
            method: request.method().clone(),
            target,
            route: route_of(request.extensions()),
            is_nested,
            #[cfg(feature = "security")]
            watches,
            #[cfg(feature = "security")]
            finding,
            settings: Arc::clone(settings),
            ended: false,
        }
    }

    /// Identifies the actor, within the request's context.
    pub(super) fn ask_actor(
        &self,
        who: &mut dyn FnMut() -> Option<Actor>,
    ) -> Result<(), Box<Panicked>> {
        self.run(&mut || {
            if let Some(actor) = who() {
                AuditContext::set_actor(actor);
            }
        })
    }

    /// Runs work within the request's context. Catches a panic, unless that is disabled.
    pub(super) fn run(&self, work: &mut dyn FnMut()) -> Result<(), Box<Panicked>> {
        let catches = self.settings.catches_panics && !self.is_nested;
        self.scope.run(|| {
            if catches {
                watched(work)
            } else {
                work();
                Ok(())
            }
        })
    }

    /// Records the status of the response.
    pub(super) fn answered(&mut self, status: StatusCode) {
        if status.is_server_error() && self.settings.server_errors && !self.is_nested {
            let title = "a request was answered with a server error";
            let event = self
                .event(EventType::Error, title, status.as_str())
                .error_code(status.as_str());
            self.submit(event);
        }
        #[cfg(feature = "security")]
        if let Some(monitor) = self.settings.security.as_ref().filter(|_| self.watches) {
            // A path that the application serves is no probing path.
            let is_served = status.is_success() || status == StatusCode::NOT_MODIFIED;
            if is_served && self.has_route() {
                let finding = self.finding.take();
                self.finding = finding.and_then(|finding| finding.served()).map(Box::new);
            }
            self.scope.run(|| monitor.answered(status));
        }
        self.end("answered");
    }

    /// Whether the application has a separate route for this path. A fallback may answer 200 to every path, and so
    /// may a route with a wildcard. Without axum the route is not known, and the status decides.
    #[cfg(feature = "security")]
    fn has_route(&self) -> bool {
        let is_own = |route: &Route| !route.as_str().contains("{*");
        !cfg!(feature = "axum") || self.route.as_ref().is_some_and(is_own)
    }

    /// Reports a panic of the handler, or of other work for the request.
    pub(super) fn report(&mut self, title: &str, panicked: Panicked) {
        let event = panicked.event(title);
        let event = self.described(event);
        self.submit(event);
        self.end("panicked");
    }

    /// Checks the duration, and reports the finding: by now the actor is known.
    pub(super) fn end(&mut self, how: &str) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        #[cfg(feature = "security")]
        if let (Some(monitor), Some(finding)) = (&self.settings.security, self.finding.take()) {
            self.scope.run_at_end(|| monitor.report(*finding));
        }
        let Some(limit) = self.settings.slow_after.filter(|_| !self.is_nested) else {
            return;
        };
        let took = self.began.elapsed();
        if took >= limit {
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let event = self
                .event(EventType::Performance, "a request was slow", "")
                .metadata("milliseconds", millis)
                .metadata("ended", how);
            self.submit(event);
        }
    }

    /// An event of a route. Equal events are counted, for any object of the route.
    fn event(&self, kind: EventType, title: &str, status: &str) -> SystemEvent {
        let (method, route) = (self.method(), self.route());
        let event = SystemEvent::new(kind, title)
            .fingerprint(format!("{title}\n{method}\n{route}\n{status}"))
            .description(format!("{method} {}", self.path()))
            .function(route);
        self.described(event)
    }

    fn described(&self, event: SystemEvent) -> SystemEvent {
        event
            .metadata("path", self.path())
            .metadata("method", self.method())
            .metadata("route", self.route())
    }

    /// The path without the query, which may contain secrets.
    fn path(&self) -> String {
        let path = self.target.as_ref().map_or("", PathAndQuery::path);
        clean_text(path, PATH_LIMIT).into_owned()
    }

    fn method(&self) -> &str {
        route::method(&self.method)
    }

    /// The pattern of the route. Without one, it is derived from the path.
    fn route(&self) -> String {
        match &self.route {
            Some(route) => route.as_str().to_owned(),
            None => route::guessed(&self.path()),
        }
    }

    fn submit(&self, event: SystemEvent) {
        let Some(writer) = self.settings.events() else {
            // Clients control the number of events.
            static WARNED: Once = Once::new();
            let mut is_first = false;
            WARNED.call_once(|| is_first = true);
            if is_first {
                tracing::warn!(
                    ?event,
                    "no writer is installed for this system event; further ones are logged at DEBUG"
                );
            } else {
                tracing::debug!(?event, "no writer is installed for this system event");
            }
            return;
        };
        // In the request's scope, for its actor, address and id.
        self.scope.run_at_end(|| {
            writer.submit(event);
        });
    }
}

impl Drop for Observed {
    /// The client disconnected.
    fn drop(&mut self) {
        self.end("dropped");
    }
}

#[cfg(feature = "security")]
impl Settings {
    /// The finding about a request.
    fn inspect(
        &self,
        headers: &http::HeaderMap,
        target: Option<&PathAndQuery>,
    ) -> Option<Box<crate::security::Finding>> {
        let (monitor, target) = (self.security.as_ref()?, target?);
        let agent = headers.get(http::header::USER_AGENT);
        let agent = agent.map(HeaderValue::as_bytes);
        let finding = monitor.inspect(target.path(), target.query(), agent);
        finding.map(Box::new)
    }
}

/// The scope of a request's own context.
fn scope_of<B>(request: &Request<B>, settings: &Settings, request_id: &HeaderValue) -> AuditScope {
    let headers = request.headers();
    let peer = settings.peer(request.extensions());
    if peer.is_none() {
        order::without_peer();
    }
    let client = settings.address.of(peer, headers);
    context::of(settings, headers, client, request_id::text(request_id)).into_scope()
}

#[cfg(feature = "tower-sessions")]
fn has_session(extensions: &Extensions) -> bool {
    extensions.get::<tower_sessions::Session>().is_some()
}

/// The full request target: a nested router sees a shortened one.
fn target_of<B>(request: &Request<B>) -> Option<PathAndQuery> {
    #[cfg(feature = "axum")]
    if let Some(original) = request.extensions().get::<axum::extract::OriginalUri>() {
        return original.0.path_and_query().cloned();
    }
    request.uri().path_and_query().cloned()
}

/// The pattern of the route, which is the same for all objects.
#[cfg(feature = "axum")]
type Route = axum::extract::MatchedPath;

#[cfg(feature = "axum")]
fn route_of(extensions: &Extensions) -> Option<Route> {
    extensions.get().cloned()
}

/// Only axum provides the pattern of a route.
#[cfg(not(feature = "axum"))]
type Route = String;

#[cfg(not(feature = "axum"))]
fn route_of(_: &Extensions) -> Option<Route> {
    None
}
