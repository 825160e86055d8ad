//! The session of a request, where tower-sessions keeps it.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Request;
use sea_orm_audit_core::AuditContext;
use tower_layer::Layer;
use tower_service::Service;
use tower_sessions::Session;

/// Gives the context the key of the session. Goes inside of tower-sessions' layer; who uses axum-login
/// needs it not, since [`AuditAuthLayer`](crate::login::AuditAuthLayer) does the same.
///
/// Only a digest of the key is stored, keyed when a hash key is configured. A session that is begun by the
/// request itself has no key yet, and a key that the store does not know is none: for that the session is loaded here,
/// once, and not again by who uses it.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditSessionLayer;

impl<S> Layer<S> for AuditSessionLayer {
    type Service = AuditSessionService<S>;

    fn layer(&self, inner: S) -> AuditSessionService<S> {
        AuditSessionService { inner }
    }
}

/// The service that [`AuditSessionLayer`] makes of another.
#[derive(Debug, Clone, Copy)]
pub struct AuditSessionService<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for AuditSessionService<S>
where
    S: Service<Request<B>, Future: Send> + Clone + Send + 'static,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was asked whether it is ready.
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        let session = request.extensions().get::<Session>().cloned();
        Box::pin(async move {
            if let Some(id) = known_id(session).await {
                AuditContext::set_session_key(id);
            }
            inner.call(request).await
        })
    }
}

/// The session's id, where there is such a session: anybody can send a cookie.
async fn known_id(session: Option<Session>) -> Option<String> {
    let session = session?;
    session.id()?;
    // Asked for anything, it looks itself up, and forgets an id that the store does not know.
    if let Err(error) = session.get_value("").await {
        tracing::warn!(%error, "the session of a request is not known to the audit log");
        return None;
    }
    Some(session.id()?.to_string())
}
