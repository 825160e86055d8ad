//! Who is signed in, and who signs out.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum_login::AuthSession;
use http::{Request, Response, StatusCode};
use sea_orm::ConnectionTrait;
use sea_orm_audit_core::{Actor, AuditContext, WithAuditContext, record_logout};
use tower_layer::Layer;
use tower_service::Service;
use tower_sessions::Session;

use super::AuditLogin;

/// Tells the log who is signed in, and records logouts. Goes inside of axum-login's `AuthManagerLayer`,
/// which goes inside of the [`AuditLayer`](crate::AuditLayer); `B` is the backend that axum-login has.
///
/// The session's key becomes the context's. A logout is a session that has no user any more when the
/// handler is done; one that cannot be recorded is answered with 500, and reported through `tracing`.
pub struct AuditAuthLayer<B, C> {
    db: C,
    data_key: &'static str,
    backend: PhantomData<fn() -> B>,
}

impl<B, C: Clone> Clone for AuditAuthLayer<B, C> {
    fn clone(&self) -> Self {
        Self {
            db: self.db.clone(),
            data_key: self.data_key,
            backend: PhantomData,
        }
    }
}

impl<B, C> std::fmt::Debug for AuditAuthLayer<B, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditAuthLayer").finish_non_exhaustive()
    }
}

impl<B: AuditLogin, C> AuditAuthLayer<B, C> {
    /// Logouts are recorded through this connection.
    pub const fn new(db: C) -> Self {
        Self {
            db,
            data_key: "axum-login.data",
            backend: PhantomData,
        }
    }

    /// The key that axum-login has its data under, where it was given one with `with_data_key`.
    #[must_use]
    pub const fn data_key(mut self, key: &'static str) -> Self {
        self.data_key = key;
        self
    }
}

impl<S, B, C: Clone> Layer<S> for AuditAuthLayer<B, C> {
    type Service = AuditAuthService<S, B, C>;

    fn layer(&self, inner: S) -> Self::Service {
        AuditAuthService {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`AuditAuthLayer`] makes of another.
pub struct AuditAuthService<S, B, C> {
    inner: S,
    layer: AuditAuthLayer<B, C>,
}

impl<S: Clone, B, C: Clone> Clone for AuditAuthService<S, B, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            layer: self.layer.clone(),
        }
    }
}

impl<S, B, C> std::fmt::Debug for AuditAuthService<S, B, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditAuthService").finish_non_exhaustive()
    }
}

/// Somebody who was signed in when the request came.
struct SignedIn {
    actor: Actor,
    session: Session,
}

impl<S, B, C, ReqBody, ResBody> Service<Request<ReqBody>> for AuditAuthService<S, B, C>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    ReqBody: Send + 'static,
    ResBody: Default + Send,
    B: AuditLogin + 'static,
    C: ConnectionTrait + Clone + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let auth = request.extensions().get::<AuthSession<B>>();
        if let Some(id) = auth.and_then(|auth| auth.session.id()) {
            AuditContext::set_session_key(id.to_string());
        }
        let signed_in = auth.and_then(|auth| {
            Some(SignedIn {
                actor: B::actor(auth.user.as_ref()?),
                session: auth.session.clone(),
            })
        });
        if let Some(signed_in) = &signed_in {
            AuditContext::set_actor(signed_in.actor.clone());
        }
        let answer = self.inner.call(request);
        let layer = self.layer.clone();
        Box::pin(async move {
            let response = answer.await?;
            let Some(SignedIn { actor, session }) = signed_in else {
                return Ok(response);
            };
            // Without a session there is no user either, whatever keeps it from being read.
            let data = session.get_value(layer.data_key).await;
            if data.is_ok_and(|data| data.is_some()) {
                return Ok(response);
            }
            let db = layer.db;
            let recorded = async move {
                AuditContext::new()
                    .actor(actor)
                    .scope(async { record_logout(&db).await })
                    .await
            };
            // As a task of its own, which a client that goes away does not take along.
            match tokio::spawn(recorded.with_audit_context()).await {
                Ok(Ok(())) => Ok(response),
                Ok(Err(error)) => {
                    tracing::error!(%error, "a logout could not be recorded");
                    Ok(withheld())
                }
                Err(error) => {
                    tracing::error!(%error, "a logout could not be recorded");
                    Ok(withheld())
                }
            }
        })
    }
}

fn withheld<B: Default>() -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
