//! What a request did to the system: slowness, errors, panics.

use std::time::Duration;

use coarsetime::Instant;
use http::uri::PathAndQuery;
use http::{Request, StatusCode};
use sea_orm_audit_core::{
    Actor, AuditScope, EventType, HeldScope, LateScope, SystemEvent, clean_text,
};

use super::origin::Origin;
use super::route;
use super::settings::Settings;
use sea_orm_audit_core::panic::{Panicked, watched};

/// The longest path that is stored, in characters.
const PATH_LIMIT: usize = 512;

/// A request that is being handled.
pub(crate) struct Observed {
    scope: LateScope<Origin>,
    /// The same, to enter.
    held: HeldScope,
    /// The future is done, or was dropped.
    ended: bool,
}

impl Observed {
    /// A request without an id is given one.
    #[inline]
    pub(super) fn beginning<B>(request: &mut Request<B>, settings: &Settings) -> Self {
        let scope = AuditScope::when_asked(|origin: &mut Origin| origin.fill(request, settings));
        Self {
            held: scope.scope().into(),
            scope,
            ended: false,
        }
    }

    /// Asks who sent the request, as a part of it.
    pub(super) fn ask_actor(
        &mut self,
        who: &mut dyn FnMut() -> Option<Actor>,
    ) -> Result<(), Box<Panicked>> {
        let mut actor = None;
        let asked = self.run(&mut || actor = who());
        if let Some(actor) = actor {
            self.origin().tell_actor(actor.clone());
            self.scope.set_actor_if_made(actor);
        }
        asked
    }

    pub(super) fn origin(&self) -> &Origin {
        self.scope.maker()
    }

    /// The scope, for whoever goes on with the request.
    pub(super) fn hand_over(&mut self) -> HeldScope {
        std::mem::take(&mut self.held)
    }

    /// Does work as a part of the request. A panic is caught, unless it is not to be.
    pub(super) fn run(&mut self, work: &mut dyn FnMut()) -> Result<(), Box<Panicked>> {
        let catches = self.origin().settings.catches_panics;
        self.within(|| {
            if catches {
                watched(work)
            } else {
                work();
                Ok(())
            }
        })
    }

    /// Runs a function as a part of the request.
    pub(super) fn within<R>(&mut self, function: impl FnOnce() -> R) -> R {
        self.held.run(function)
    }

    /// The request was answered.
    pub(super) fn answered(&mut self, status: StatusCode) {
        if status.is_server_error() && self.origin().settings.server_errors {
            let title = "a request was answered with a server error";
            let event = self
                .event(EventType::Error, title, status.as_str())
                .error_code(status.as_str());
            self.submit(event);
        }
        self.end("answered");
    }

    /// The handler panicked, or what is done for it.
    pub(super) fn report(&mut self, title: &str, panicked: Panicked) {
        let event = panicked.event(title);
        let event = self.described(event);
        self.submit(event);
        self.end("panicked");
    }

    /// Looks at the time that it took.
    pub(super) fn end(&mut self, how: &str) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let Some(limit) = self.origin().settings.slow_after else {
            return;
        };
        let now = Instant::now_without_cache_update();
        let took = Duration::from(now.duration_since(self.origin().began));
        if took >= limit {
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let event = self
                .event(EventType::Performance, "a request was slow", "")
                .metadata("milliseconds", millis)
                .metadata("ended", how);
            self.submit(event);
        }
    }

    /// An event of a route: one that counts, whichever of its objects was asked for.
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

    /// Without the query, which may hold secrets.
    fn path(&self) -> String {
        let path = self.origin().target.as_ref().map_or("", PathAndQuery::path);
        clean_text(path, PATH_LIMIT).into_owned()
    }

    fn method(&self) -> &str {
        route::method(&self.origin().method)
    }

    /// The pattern of the route. Where nobody tells it, one is made of the path.
    fn route(&self) -> String {
        match &self.origin().route {
            Some(route) => route.as_str().to_owned(),
            None => route::guessed(&self.path()),
        }
    }

    fn submit(&mut self, event: SystemEvent) {
        let Some(writer) = self.origin().settings.events() else {
            tracing::warn!(?event, "no writer is installed for this system event");
            return;
        };
        // In the request's scope, for its actor, address and id.
        self.within(|| writer.submit(event));
    }
}

impl Drop for Observed {
    /// The client went away.
    fn drop(&mut self) {
        self.end("dropped");
    }
}
