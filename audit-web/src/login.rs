//! Logins through axum-login, recorded without a line in the handlers.
//!
//! [`AuditedBackend`] wraps the application's backend: whoever authenticates through it, or fails to, is on
//! record. [`AuditAuthLayer`] stands inside of axum-login's layer: it tells the log who is signed in, and
//! sees when a session has lost its user, which is a logout.
//!
//! axum-login itself logs every error of a backend through `tracing`, a blocked attempt included, as an ERROR
//! of the target `axum_login::session`. Where an `AuditTracingLayer` turns errors into system events, leave
//! that target out of it with a filter.

mod layer;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use axum_login::{AuthUser, AuthnBackend, UserId};
use sea_orm::{ConnectionTrait, DbErr, TransactionTrait};
use sea_orm_audit_core::{
    Actor, AuditContext, AuditError, Lockout, LockoutDecision, LoginAttempt, WithAuditContext,
};

pub use layer::{AuditAuthLayer, AuditAuthService};

/// What the log must know of an application's backend.
pub trait AuditLogin: AuthnBackend {
    /// The name that somebody typed.
    fn username(credentials: &Self::Credentials) -> String;

    /// Who a user is in the log. By default the user's id, without a name.
    fn actor(user: &Self::User) -> Actor {
        Actor::user(user.id())
    }

    /// The account that a name belongs to, asked after a login failed. The name of a known account is
    /// stored as it is; any other only as a keyed hash, since people type passwords there. By default no
    /// name is known.
    fn account(&self, username: &str) -> impl Future<Output = Option<Actor>> + Send {
        let _ = username;
        async { None }
    }
}

/// A backend of axum-login whose logins and failed logins are recorded.
///
/// A login that cannot be recorded fails. An error of the backend itself is no failed login, and not
/// recorded as one.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use sea_orm_audit_core::{AuditedConnection, Lockout};
/// use sea_orm_audit_web::login::{AuditLogin, AuditedBackend};
/// # fn build<B: AuditLogin>(backend: B, db: AuditedConnection) -> AuditedBackend<B, AuditedConnection> {
/// AuditedBackend::new(backend, db)
///     .lockout(Lockout::per_user_and_address(5, Duration::from_secs(15 * 60)))
/// # }
/// ```
#[derive(Clone)]
pub struct AuditedBackend<B, C> {
    backend: B,
    db: C,
    lockout: Option<Lockout>,
    #[cfg(feature = "geoip")]
    places: Option<std::sync::Arc<crate::geoip::GeoIp>>,
    #[cfg(feature = "security")]
    monitor: Option<crate::security::SecurityMonitor>,
}

impl<B, C> AuditedBackend<B, C> {
    /// Wraps a backend. Attempts are recorded through this connection.
    pub const fn new(backend: B, db: C) -> Self {
        Self {
            backend,
            db,
            lockout: None,
            #[cfg(feature = "geoip")]
            places: None,
            #[cfg(feature = "security")]
            monitor: None,
        }
    }

    /// Refuses attempts by this policy, with [`LoginError::Blocked`], and records them as BLOCKED. By
    /// default none is refused.
    #[must_use]
    pub const fn lockout(mut self, lockout: Lockout) -> Self {
        self.lockout = Some(lockout);
        self
    }

    /// Stores country and city of the client's address. By default neither.
    #[cfg(feature = "geoip")]
    #[must_use]
    pub fn places(mut self, places: crate::geoip::GeoIp) -> Self {
        self.places = Some(std::sync::Arc::new(places));
        self
    }

    /// Tells this monitor of failed logins, so that bursts of them become SECURITY events.
    #[cfg(feature = "security")]
    #[must_use]
    pub fn monitor(mut self, monitor: crate::security::SecurityMonitor) -> Self {
        self.monitor = Some(monitor);
        self
    }

    /// The application's backend.
    pub const fn inner(&self) -> &B {
        &self.backend
    }
}

impl<B: fmt::Debug, C> fmt::Debug for AuditedBackend<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditedBackend")
            .field("backend", &self.backend)
            .field("lockout", &self.lockout)
            .finish_non_exhaustive()
    }
}

/// Why nobody could sign in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError<E> {
    /// The application's backend failed.
    #[error(transparent)]
    Backend(E),
    /// There were too many failed attempts; answer with 429 and `Retry-After`.
    #[error("too many failed logins; try again in {} s", retry_after.as_secs().max(1))]
    Blocked {
        /// How long until the next attempt is let through.
        retry_after: Duration,
    },
    /// The attempts on record could not be read, so that nobody can be let in.
    #[error("the login attempts on record could not be read ({0})")]
    Lockout(DbErr),
    /// The attempt could not be recorded, so that nobody was let in.
    #[error(transparent)]
    NotRecorded(AuditError),
}

impl<B, C> AuditedBackend<B, C>
where
    B: AuditLogin,
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    /// Records an attempt as a task of its own, so that a client that goes away does not take it along.
    async fn record(&self, attempt: LoginAttempt) -> Result<(), LoginError<B::Error>> {
        let attempt = self.placed(attempt);
        let db = self.db.clone();
        let task = async move { attempt.record(&db).await }.with_audit_context();
        match tokio::spawn(task).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(LoginError::NotRecorded(error)),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => Err(LoginError::Lockout(DbErr::Custom(error.to_string()))),
            },
        }
    }

    #[cfg(feature = "geoip")]
    fn placed(&self, attempt: LoginAttempt) -> LoginAttempt {
        match (&self.places, crate::client::current_client()) {
            (Some(places), Some(address)) => match places.lookup(address) {
                Some(place) => attempt.place(place.country, place.city),
                None => attempt,
            },
            _ => attempt,
        }
    }

    #[cfg(not(feature = "geoip"))]
    #[allow(clippy::unused_self)] // the other form needs it
    fn placed(&self, attempt: LoginAttempt) -> LoginAttempt {
        attempt
    }

    async fn failed(&self, username: String) -> Result<(), LoginError<B::Error>> {
        #[cfg(feature = "security")]
        if let Some(monitor) = &self.monitor {
            monitor.login_failed(&username);
        }
        let account = self.backend.account(&username).await;
        let attempt = LoginAttempt::failed(username, "the credentials were refused");
        self.record(with_account(attempt, account)).await
    }

    async fn blocked(&self, username: String) -> Result<(), LoginError<B::Error>> {
        let account = self.backend.account(&username).await;
        let attempt = LoginAttempt::blocked(username, "too many failed attempts");
        self.record(with_account(attempt, account)).await
    }
}

fn with_account(attempt: LoginAttempt, account: Option<Actor>) -> LoginAttempt {
    match account {
        Some(account) => attempt.account(account),
        None => attempt,
    }
}

impl<B, C> AuthnBackend for AuditedBackend<B, C>
where
    B: AuditLogin,
    B::Error: 'static,
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    type User = B::User;
    type Credentials = B::Credentials;
    type Error = LoginError<B::Error>;

    async fn authenticate(
        &self,
        credentials: Self::Credentials,
    ) -> Result<Option<Self::User>, Self::Error> {
        let username = B::username(&credentials);
        if let Some(lockout) = self.lockout {
            let decision = lockout.check(&self.db, &username).await;
            if let LockoutDecision::Blocked { retry_after } =
                decision.map_err(LoginError::Lockout)?
            {
                self.blocked(username).await?;
                return Err(LoginError::Blocked { retry_after });
            }
        }
        let user = self.backend.authenticate(credentials).await;
        let user = user.map_err(LoginError::Backend)?;
        match &user {
            Some(user) => {
                let actor = B::actor(user);
                self.record(LoginAttempt::succeeded(username, actor.clone()))
                    .await?;
                // For what the handler writes from now on.
                AuditContext::set_actor(actor);
            }
            None => self.failed(username).await?,
        }
        Ok(user)
    }

    async fn get_user(&self, id: &UserId<Self>) -> Result<Option<Self::User>, Self::Error> {
        let user = self.backend.get_user(id).await;
        user.map_err(LoginError::Backend)
    }
}

impl<B, C> AuditLogin for AuditedBackend<B, C>
where
    B: AuditLogin,
    B::Error: 'static,
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    fn username(credentials: &Self::Credentials) -> String {
        B::username(credentials)
    }

    fn actor(user: &Self::User) -> Actor {
        B::actor(user)
    }

    async fn account(&self, username: &str) -> Option<Actor> {
        self.backend.account(username).await
    }
}
