//! The actor of a request.

use http::request::Parts;
use sea_orm_audit_core::Actor;

/// Identifies the actor of a request from its head. Closures implement it.
///
/// Use it for what is known before the request is handled, such as an API key or a verified client certificate. A
/// login later in the stack sets the actor with
/// [`AuditContext::set_actor`](sea_orm_audit_core::AuditContext::set_actor) or the `Audit` extractor.
pub trait IdentifyActor: Send + Sync {
    /// The actor, or `None` where the request does not identify one.
    fn identify(&self, request: &Parts) -> Option<Actor>;
}

impl<F: Fn(&Parts) -> Option<Actor> + Send + Sync> IdentifyActor for F {
    fn identify(&self, request: &Parts) -> Option<Actor> {
        self(request)
    }
}
