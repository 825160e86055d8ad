//! The context of a request, for axum's handlers.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use sea_orm::prelude::Json;
use sea_orm_audit_core::{Actor, AuditContext, AuditScope};

/// The context of a request, as an extractor.
///
/// It stays the request's wherever it is taken, also into a spawned task.
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
    /// Sets the actor for what the request writes from now on.
    pub fn set_actor(&self, actor: Actor) {
        self.0.run(|| AuditContext::set_actor(actor));
    }

    /// Sets the reason for what the request writes from now on.
    pub fn set_reason(&self, reason: impl Into<String>) {
        self.0.run(|| AuditContext::set_reason(reason));
    }

    /// Adds a value of the application's own to what the request writes from now on.
    pub fn set_metadata(&self, key: impl Into<String>, value: impl Into<Json>) {
        self.0.run(|| AuditContext::set_metadata(key, value));
    }

    /// The context as it is now.
    pub fn context(&self) -> AuditContext {
        self.0.context()
    }

    /// The scope, to run something else in.
    #[must_use]
    pub const fn scope(&self) -> &AuditScope {
        &self.0
    }
}

/// The [`AuditLayer`](crate::AuditLayer) is missing around a handler that takes [`Audit`].
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("`AuditLayer` is missing: put it around the router, with `.layer(AuditLayer::new())`")]
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
