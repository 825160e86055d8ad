//! The context of a request, for axum's handlers.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use sea_orm::prelude::Json;
use sea_orm_audit_core::{Actor, AuditContext, AuditScope};

/// The context of a request, as an extractor: that of the [`AuditLayer`](crate::AuditLayer), or of a scope that the
/// application put between it and the handler. Values that are set apply to the handler's writes.
///
/// It stays the same after it is moved, also into a spawned task. A middleware that moves the request itself to a
/// task keeps the context with [`with_audit_context`](sea_orm_audit_core::WithAuditContext::with_audit_context).
///
/// # Examples
/// ```
/// use sea_orm_audit_core::Actor;
/// use sea_orm_audit_web::Audit;
/// async fn handler(audit: Audit) {
///     audit.set_actor(Actor::user(7).named("Ann"));
///     audit.set_reason("asked for by telephone");
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Audit(AuditScope);

impl Audit {
    /// Sets the actor of all later writes in this context.
    pub fn set_actor(&self, actor: Actor) {
        self.0.run(|| AuditContext::set_actor(actor));
    }

    /// Sets the reason of all later writes in this context.
    pub fn set_reason(&self, reason: impl Into<String>) {
        self.0.run(|| AuditContext::set_reason(reason));
    }

    /// Adds an application value to all later writes in this context.
    pub fn set_metadata(&self, key: impl Into<String>, value: impl Into<Json>) {
        self.0.run(|| AuditContext::set_metadata(key, value));
    }

    /// The context as it is now.
    pub fn context(&self) -> AuditContext {
        self.0.context()
    }

    /// The scope, to run other code in.
    #[must_use]
    pub const fn scope(&self) -> &AuditScope {
        &self.0
    }
}

/// [`Audit`] was used outside of an [`AuditLayer`](crate::AuditLayer), or in a task that was spawned without its
/// context.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error(
    "`AuditLayer` is missing: put it around the router, with `.layer(AuditLayer::new())`, and call \
     `.with_audit_context()` on a future in between that is spawned"
)]
pub struct MissingAuditLayer;

impl IntoResponse for MissingAuditLayer {
    fn into_response(self) -> Response {
        tracing::error!(error = %self, "a request cannot be handled");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Audit {
    type Rejection = MissingAuditLayer;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, MissingAuditLayer> {
        AuditScope::current().map(Self).ok_or(MissingAuditLayer)
    }
}
