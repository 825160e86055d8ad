//! The layer that sets the signed-in user as the actor, and records logouts.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};

use axum_login::AuthSession;
use http::{Request, Response};
use sea_orm::{ConnectionTrait, TransactionTrait};
use sea_orm_audit_core::AuditContext;
use tower_layer::Layer;
use tower_service::Service;

use super::AuditLogin;
use super::session_watcher::Guard;
use crate::layer::order::{Seen, wrong};

/// Sets the signed-in user as the actor, and records logouts. It goes inside of axum-login's `AuthManagerLayer`,
/// which goes inside of the [`AuditLayer`](crate::AuditLayer); `B` is axum-login's backend. In any other order it
/// logs an error once, and fails the request in builds with debug assertions. If there are two, one records.
///
/// The session's key becomes the context's. A logout is a session that had a user when the request came, and has none
/// when the handler is done. If it cannot be recorded, the response is 500, and the error is logged through
/// `tracing`. It is recorded also if the handler fails or panics afterwards, or the client disconnects: then from the
/// state of the session store. If the session layer does not save a session's changes, as after a response with
/// status 500 and above, the session is unchanged.
///
/// With [`LoginRecording::LoggedIn`](super::LoginRecording::LoggedIn) logins are recorded here as well. If a login
/// cannot be recorded, the session ends, and the response is 500.
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
    /// Logouts, and deferred logins, are recorded through this connection.
    pub const fn new(db: C) -> Self {
        Self {
            db,
            data_key: "axum-login.data",
            backend: PhantomData,
        }
    }

    /// The key of axum-login's data, if it was set with `with_data_key`.
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

/// The service that [`AuditAuthLayer`] creates.
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

impl<S, B, C, ReqBody, ResBody> Service<Request<ReqBody>> for AuditAuthService<S, B, C>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send,
    ReqBody: Send + 'static,
    ResBody: Default + Send,
    B: AuditLogin + 'static,
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let is_nested = request.extensions().get::<AuthSession<B>>().is_some()
            && (request.extensions_mut())
                .insert(Watched::<B>(PhantomData))
                .is_some();
        let auth = request.extensions().get::<AuthSession<B>>();
        if request.extensions().get::<Seen>().is_none() {
            without_context();
        } else if auth.is_none() {
            outside_of_sessions();
        }
        if let Some(id) = auth.and_then(|auth| auth.session.id()) {
            AuditContext::set_session_key(id.to_string());
        }
        if let Some(user) = auth.and_then(|auth| auth.user.as_ref())
            && !AuditContext::set_actor(B::actor(user))
        {
            // For example behind a layer that moves requests to a separate task.
            without_context();
        }
        let AuditAuthLayer { db, data_key, .. } = &self.layer;
        // Of several layers, one detects logouts.
        let watched = auth.filter(|_| !is_nested);
        let guard = watched.and_then(|auth| Guard::new(db, data_key, auth));
        // Calls the service that is ready.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let Some(mut guard) = guard else {
                return inner.call(request).await;
            };
            guard.begin().await;
            let answer = guard.handle(async { inner.call(request).await }).await;
            guard.settle(answer).await
        })
    }
}

/// Marks a request whose session, of this backend, is watched.
struct Watched<B>(PhantomData<fn() -> B>);

impl<B> Clone for Watched<B> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

fn without_context() {
    static SAID: Once = Once::new();
    wrong(
        &SAID,
        "`AuditAuthLayer` is not inside of an `AuditLayer`, so that no record names the user. From the innermost to the \
         outermost layer: `.layer(AuditAuthLayer::<Backend, _>::new(db))`, `.layer(auth_manager_layer)`, \
         `.layer(AuditLayer::new())`",
    );
}

fn outside_of_sessions() {
    static SAID: Once = Once::new();
    wrong(
        &SAID,
        "`AuditAuthLayer` is not inside of axum-login's layer, or has another backend than that, so that everybody is anonymous and \
         logouts are not recorded. From the innermost to the outermost layer: \
         `.layer(AuditAuthLayer::<Backend, _>::new(db))`, `.layer(auth_manager_layer)`, `.layer(AuditLayer::new())`",
    );
}
