//! Detects changes of a session during a request, also during one that does not complete.

use std::sync::Once;

use axum_login::{AuthSession, AuthnBackend, UserId};
use http::{Response, StatusCode};
use sea_orm::prelude::Json;
use sea_orm::{ConnectionTrait, TransactionTrait};
use sea_orm_audit_core::panic::watched_future;
use sea_orm_audit_core::task::{self, Task};
use sea_orm_audit_core::{Actor, AuditContext, AuditError, AuditScope, LoginAttempt};
use tower_sessions::Session;
use tracing::{Instrument, Span};

use super::pending::Pending;
use super::session::user_of;
use super::{AuditLogin, LoginRecording};

/// Watches a session while a request is handled. If it is dropped early, since the client disconnects or the handler
/// panics, it checks the session in a separate task, and records by the same rules.
pub(super) struct Guard<B, C>
where
    B: AuditLogin + 'static,
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    watch: Option<Watch<B, C>>,
}

#[derive(Clone)]
struct Watch<B, C> {
    db: C,
    session: Session,
    data_key: &'static str,
    /// The user who was signed in when the request came.
    actor: Option<Actor>,
    /// The id of that user in the session.
    before: Option<Json>,
    backend: B,
    /// Logins are recorded when a session is signed in.
    defers: bool,
    pending: Pending,
    /// The context and the span of the request.
    scope: AuditScope,
    span: Span,
}

/// A login or logout to record.
struct Change {
    attempt: Box<LoginAttempt>,
    /// The user who signed in; `None` for a logout.
    signed_in: Option<Actor>,
}

impl Change {
    async fn record<C: ConnectionTrait + TransactionTrait + 'static>(
        self,
        db: C,
    ) -> Result<(), AuditError> {
        self.attempt.record(&db).await.map(|_| ())
    }
}

impl<B, C> Guard<B, C>
where
    B: AuditLogin + 'static,
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    /// Starts to watch; `None` if there can be nothing to record.
    pub(super) fn new(db: &C, data_key: &'static str, auth: &AuthSession<B>) -> Option<Self> {
        let actor = auth.user.as_ref().map(B::actor);
        let defers = auth.backend.when_recorded() == LoginRecording::LoggedIn;
        if actor.is_none() && !defers {
            return None;
        }
        Some(Self {
            watch: Some(Watch {
                db: db.clone(),
                session: auth.session.clone(),
                data_key,
                actor,
                before: None,
                backend: auth.backend.clone(),
                defers,
                pending: Pending::default(),
                scope: AuditContext::new().into_scope(),
                span: Span::current(),
            }),
        })
    }

    /// Reads the signed-in user before the request is handled.
    pub(super) async fn begin(&mut self) {
        let Some(watch) = &mut self.watch else {
            return;
        };
        watch.before = user_of(&watch.session, watch.data_key).await.ok().flatten();
        if watch.actor.is_some() && watch.before.is_none() {
            static SAY_ONCE: Once = Once::new();
            SAY_ONCE.call_once(|| {
                tracing::error!(
                    data_key = watch.data_key,
                    "axum-login has its data elsewhere, and neither logouts nor deferred logins are \
                     recorded: call `AuditAuthLayer::data_key(..)` with the key that axum-login has"
                );
            });
        }
    }

    /// Runs the handler; the credentials that it finds valid are collected until the end.
    pub(super) async fn handle<F: Future>(&self, handler: F) -> F::Output {
        match &self.watch {
            Some(watch) if watch.defers => watch.pending.gather(handler).await,
            _ => handler.await,
        }
    }

    /// Records the change of the session when the handler is done.
    pub(super) async fn settle<T: Default, E>(
        mut self,
        answer: Result<Response<T>, E>,
    ) -> Result<Response<T>, E> {
        let Some(watch) = self.watch.clone() else {
            return answer;
        };
        // The session is saved afterwards, except if the response is an error.
        let is_saved = matches!(&answer, Ok(response) if !response.status().is_server_error());
        let change = watch.change(is_saved).await;
        self.watch = None;
        let Some(change) = change else {
            return answer;
        };
        let signed_in = change.signed_in.clone();
        // In a separate task, which continues if the client disconnects.
        let task = watch.scope.enter(change.record(watch.db));
        let recorded = watched_future(task::recorded(task.instrument(watch.span)));
        let (error, panicked) = match recorded.await {
            Ok(Ok(())) => {
                if let Some(actor) = signed_in {
                    // For later writes.
                    AuditContext::set_actor(actor);
                }
                return answer;
            }
            Ok(Err(error)) => (error.to_string(), None),
            Err(panicked) => ("it panicked".to_owned(), Some(panicked)),
        };
        if signed_in.is_some() {
            tracing::error!(%error, "a login could not be recorded, and was refused");
            if let Err(error) = watch.session.flush().await {
                tracing::error!(%error, "the session of a login without a record could not be ended");
            }
        } else {
            tracing::error!(%error, "a logout could not be recorded");
        }
        if let Some(panicked) = panicked {
            panicked.go_on();
        }
        answer.map(|_| withheld())
    }
}

fn withheld<T: Default>() -> Response<T> {
    let mut response = Response::new(T::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

impl<B, C> Drop for Guard<B, C>
where
    B: AuditLogin + 'static,
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    fn drop(&mut self) {
        let Some(watch) = self.watch.take() else {
            return;
        };
        if !watch.session.is_modified() {
            return;
        }
        let (scope, span) = (watch.scope.clone(), watch.span.clone());
        let task = scope.enter(async move {
            let Some(change) = watch.change_in_store().await else {
                return;
            };
            if let Err(error) = change.record(watch.db).await {
                tracing::error!(%error, "a login or logout of a request that was cut off could not be recorded");
            }
        });
        if let Err(error) = Task::spawn(task.instrument(span)) {
            tracing::error!(%error, "a login or logout of a request that was cut off could not be recorded");
        }
    }
}

impl<B, C> Watch<B, C>
where
    B: AuditLogin + 'static,
{
    /// The change of the session by a completed request.
    async fn change(&self, is_saved: bool) -> Option<Change> {
        let after = self.user().await?;
        // A session that has lost its id is deleted from the store, whatever the response is.
        if !is_saved && self.session.id().is_some() {
            return None;
        }
        self.change_to(after, is_saved).await
    }

    /// The change by a request that was cut off: only the state of the store persists.
    async fn change_in_store(&self) -> Option<Change> {
        let is_stored = self.session.id().is_some();
        if is_stored && let Err(error) = self.session.load().await {
            tracing::error!(%error, "a login or logout cannot be detected");
            return None;
        }
        let after = self.user().await?;
        self.change_to(after, is_stored).await
    }

    /// The signed-in user; `None` if it cannot be read.
    async fn user(&self) -> Option<Option<Json>> {
        match user_of(&self.session, self.data_key).await {
            Ok(user) => Some(user),
            Err(error) => {
                tracing::error!(%error, "a login or logout cannot be detected");
                None
            }
        }
    }

    async fn change_to(&self, after: Option<Json>, is_saved: bool) -> Option<Change> {
        match after {
            None if self.before.is_some() => {
                let attempt = LoginAttempt::signed_out(self.actor.clone()?);
                Some(self.to(attempt, None))
            }
            Some(id) if self.defers && is_saved && self.before.as_ref() != Some(&id) => {
                let (username, actor) = match self.pending.of(&id) {
                    Some(found) => found,
                    None => by_id(&self.backend, id).await,
                };
                let attempt = LoginAttempt::succeeded(username, actor.clone());
                Some(self.to(attempt, Some(actor)))
            }
            _ => None,
        }
    }

    fn to(&self, attempt: LoginAttempt, signed_in: Option<Actor>) -> Change {
        Change {
            attempt: Box::new(self.backend.with_location(attempt)),
            signed_in,
        }
    }
}

/// The name and the actor of a user who signed in without credentials, or with those of an earlier request.
async fn by_id<B: AuditLogin>(backend: &B, id: Json) -> (String, Actor) {
    let text = match &id {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let user = match serde_json::from_value::<UserId<B>>(id) {
        Ok(id) => AuthnBackend::get_user(backend, &id).await.ok().flatten(),
        Err(_) => None,
    };
    let actor = user.map_or_else(|| Actor::user(&text), |user| B::actor(&user));
    let username = actor.name().or(actor.id()).unwrap_or(&text).to_owned();
    (username, actor)
}
