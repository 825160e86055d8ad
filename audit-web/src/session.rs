//! The session of a request, as tower-sessions stores it.

use std::sync::Once;
use std::task::{Context, Poll};

use http::Request;
use sea_orm_audit_core::AuditContext;
use tower_layer::Layer;
use tower_service::Service;
use tower_sessions::Session;

use crate::layer::order::{Seen, wrong};

/// Sets the key of the session in the context. It goes inside of tower-sessions' layer. Applications with axum-login
/// do not need it, since [`AuditAuthLayer`](crate::login::AuditAuthLayer) does the same.
///
/// Only a digest of the key is stored, keyed when a hash key is configured. A session that the request itself begins
/// has no key yet. The key comes from the request, and this layer does not look it up: an invented key belongs to no
/// session. (Behind axum-login it was looked up.)
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditSessionLayer;

impl<S> Layer<S> for AuditSessionLayer {
    type Service = AuditSessionService<S>;

    fn layer(&self, inner: S) -> AuditSessionService<S> {
        AuditSessionService { inner }
    }
}

/// The service that [`AuditSessionLayer`] creates.
#[derive(Debug, Clone, Copy)]
pub struct AuditSessionService<S> {
    inner: S,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for AuditSessionService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let session = request.extensions().get::<Session>();
        if session.is_none() || request.extensions().get::<Seen>().is_none() {
            static SAID: Once = Once::new();
            wrong(
                &SAID,
                "`AuditSessionLayer` is not inside of an `AuditLayer` and of the session layer, so that no session is recorded. \
                 From the innermost to the outermost layer: `.layer(AuditSessionLayer)`, `.layer(session_layer)`, \
                 `.layer(AuditLayer::new())`",
            );
        }
        if let Some(id) = session.and_then(Session::id) {
            AuditContext::set_session_key(id.to_string());
        }
        self.inner.call(request)
    }
}
