//! Records logins through axum-login without code in the handlers.
//!
//! One file, because it is the wrapped backend, whose parts are in `login/`.
//!
//! [`AuditedBackend`] wraps the application's backend and records every login and failed login. [`AuditAuthLayer`]
//! goes inside of axum-login's layer: it sets the actor to the user who is signed in, and detects when a session
//! loses its user, which is a logout.
//!
//! **By default a login is recorded when the credentials are found valid**, whatever the application does then: a
//! handler that authenticates and does not sign in, since it waits for a second factor or only confirms a password,
//! still leaves a LOGIN. With [`LoginRecording::LoggedIn`] a login is recorded with the session.
//!
//! | item | when |
//! |---|---|
//! | [`AuditedBackend`] | always: it wraps the application's backend |
//! | [`AuditLogin`] | always: it describes that backend to the log |
//! | [`AuditAuthLayer`] | always: inside of axum-login's layer |
//! | [`LoginRecording`] | to record logins when a session begins |
//! | [`LoginError`] | to answer a blocked attempt |
//! | [`AuditAuthService`] | never by name: the layer creates it |
//!
//! axum-login itself logs every error of a backend through `tracing`, a blocked attempt included, as an ERROR
//! of the target `axum_login::session`. Where an `AuditTracingLayer` turns errors into system events, leave
//! that target out of it with a filter.

mod auth_layer;
mod pending;
mod session;
mod session_watcher;

use std::fmt;
use std::future::Future;
#[cfg(feature = "security")]
use std::net::IpAddr;
use std::time::Duration;

use axum_login::{AuthUser, AuthnBackend, UserId};
use sea_orm::{ConnectionTrait, DbErr, TransactionTrait};
use sea_orm_audit_core::task::Task;
use sea_orm_audit_core::{
    Actor, AuditContext, AuditError, Lockout, LoginAdmission, LoginAttempt, LoginReservation, task,
};

pub use auth_layer::{AuditAuthLayer, AuditAuthService};

/// When a success is recorded as a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LoginRecording {
    /// When the credentials are found valid, before the result is returned. This is the default.
    #[default]
    Authenticated,
    /// When a session has a new user, detected by [`AuditAuthLayer`] when the handler is done; whether or not the
    /// same request sent the credentials.
    ///
    /// Valid credentials alone then leave no record: neither those before a second factor that fails, nor those of a
    /// client that is signed in as the same user already. Nor do they reset the count of a [`Lockout`]. Without an
    /// `AuditAuthLayer` around the handler, a login is recorded at once.
    LoggedIn,
}

/// Describes an application's backend to the log.
pub trait AuditLogin: AuthnBackend {
    /// The name from the login form.
    fn username(credentials: &Self::Credentials) -> String;

    /// The actor for a user. By default the user's id, without a name.
    fn actor(user: &Self::User) -> Actor {
        Actor::user(user.id())
    }

    /// The account of a name. It is called before an attempt if there is a lockout, and after a failed one. The name
    /// of a known account is stored unchanged; any other name only as a keyed hash, since people type passwords
    /// there. By default no name is known.
    fn account(&self, username: &str) -> impl Future<Output = Option<Actor>> + Send {
        let _ = username;
        async { None }
    }

    /// When a success is recorded.
    #[doc(hidden)]
    fn when_recorded(&self) -> LoginRecording {
        LoginRecording::Authenticated
    }

    /// Adds the known data of the current request's client to a login or logout.
    #[doc(hidden)]
    fn with_location(&self, attempt: LoginAttempt) -> LoginAttempt {
        attempt
    }
}

/// A backend of axum-login whose logins and failed logins are recorded.
///
/// A login that cannot be recorded fails, and does not count as a failed one. An error of the backend itself is no
/// failed login, and not recorded as one.
///
/// **A LOGIN means that the credentials were valid, not that a session was begun**: it is recorded in `authenticate`,
/// since every login passes there and a failure to record refuses the login. An application that authenticates
/// without signing in (a second factor that is requested later, "confirm your password") should call
/// [`record_success(LoginRecording::LoggedIn)`](Self::record_success).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// # use sea_orm::DatabaseConnection;
/// use sea_orm_audit_core::Lockout;
/// use sea_orm_audit_web::login::{AuditLogin, AuditedBackend};
/// # fn build<B: AuditLogin>(backend: B, db: DatabaseConnection) -> AuditedBackend<B, DatabaseConnection> {
/// AuditedBackend::new(backend, db)
///     .lockout(Lockout::per_user_and_address(5, Duration::from_secs(15 * 60)))
/// # }
/// ```
#[derive(Clone)]
pub struct AuditedBackend<B, C> {
    backend: B,
    db: C,
    lockout: Option<Lockout>,
    when: LoginRecording,
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
            when: LoginRecording::Authenticated,
            #[cfg(feature = "geoip")]
            places: None,
            #[cfg(feature = "security")]
            monitor: None,
        }
    }

    /// Refuses attempts by this policy, with [`LoginError::Blocked`], and records them as BLOCKED, with the reason
    /// "too many failed attempts". By default none is refused. An attempt counts from its beginning
    /// ([`Lockout::reserve`]), so parallel attempts cannot exceed the threshold. If other attempts are in progress,
    /// the reason is "too many attempts at once", the client may usually retry after a second
    /// ([`LoginAdmission::Busy`]), and the security monitor does not count it as a failure.
    #[must_use]
    pub const fn lockout(mut self, lockout: Lockout) -> Self {
        self.lockout = Some(lockout);
        self
    }

    /// When a success is recorded. By default when the credentials are found valid; with [`LoginRecording::LoggedIn`]
    /// when a session is signed in, which needs [`AuditAuthLayer`] around the handlers.
    ///
    /// With `LoggedIn`, `authenticate` does not set the actor either: the handler's writes have the actor of the
    /// context, until the application calls `AuditContext::set_actor`.
    #[must_use]
    pub const fn record_success(mut self, when: LoginRecording) -> Self {
        self.when = when;
        self
    }

    /// Stores country and city of the client's address. By default neither is stored.
    #[cfg(feature = "geoip")]
    #[must_use]
    pub fn places(mut self, places: crate::geoip::GeoIp) -> Self {
        self.places = Some(std::sync::Arc::new(places));
        self
    }

    /// Sends failed logins, and those that are blocked after too many failures, to this monitor, so that bursts of
    /// them become SECURITY events.
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

/// Why a login attempt ended with an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError<E> {
    /// The application's backend failed.
    #[error(transparent)]
    Backend(E),
    /// Too many attempts have failed, or too many are in progress; answer with 429 and `Retry-After`.
    #[error("too many attempts to sign in; try again in {} s", retry_after.as_secs().max(1))]
    Blocked {
        /// How long until the next attempt is allowed.
        retry_after: Duration,
    },
    /// The recorded attempts could not be read, so the login was refused.
    #[error("the recorded login attempts could not be read ({0})")]
    Lockout(DbErr),
    /// The attempt could not be recorded, so the login was refused.
    #[error(transparent)]
    NotRecorded(#[from] AuditError),
}

/// Why an attempt is refused before its credentials are verified.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Too many have failed.
    Failed,
    /// Too many are in progress.
    Busy,
}

impl Refusal {
    /// The stored reason.
    const fn reason(self) -> &'static str {
        match self {
            Self::Failed => "too many failed attempts",
            Self::Busy => "too many attempts at once",
        }
    }
}

impl<B, C> AuditedBackend<B, C>
where
    B: AuditLogin + 'static,
    B::Error: 'static,
    C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
{
    /// Admits an attempt, unless a policy blocks it.
    async fn admit(&self, username: &str) -> Result<LoginAdmission, LoginError<B::Error>> {
        let Some(lockout) = self.lockout else {
            return Ok(LoginAdmission::Admitted(LoginReservation::none()));
        };
        // Attempts with other spellings of the name count for the account, too.
        let account = self.backend.account(username).await;
        let admission = lockout.reserve(&self.db, username, account.as_ref());
        admission.await.map_err(LoginError::Lockout)
    }

    /// Verifies the credentials of an admitted attempt, and records the outcome.
    async fn verify(
        &self,
        username: String,
        credentials: B::Credentials,
        reservation: LoginReservation,
    ) -> Result<Option<B::User>, LoginError<B::Error>> {
        let user = match self.backend.authenticate(credentials).await {
            Ok(user) => user,
            Err(error) => {
                self.release(reservation).await;
                return Err(LoginError::Backend(error));
            }
        };
        match &user {
            Some(user) => {
                let actor = B::actor(user);
                let deferred = self.when == LoginRecording::LoggedIn
                    && pending::keep(user.id(), username.clone(), actor.clone());
                if deferred {
                    self.release(reservation).await;
                } else {
                    let attempt = LoginAttempt::succeeded(username, actor.clone());
                    self.succeeded(self.with_location(attempt).settles(reservation))
                        .await?;
                    // For the handler's later writes.
                    AuditContext::set_actor(actor);
                }
            }
            None => self.failed(username, reservation).await?,
        }
        Ok(user)
    }

    /// Releases the reservation of an attempt without an outcome, in a separate task.
    async fn release(&self, reservation: LoginReservation) {
        const STAYS: &str = "an attempt to sign in stays counted until its lease ends";
        let db = self.db.clone();
        let release = Task::spawn(async move {
            if let Err(error) = reservation.release(&db).await {
                tracing::warn!(%error, "{STAYS}");
            }
        });
        match release {
            // `None` if it was stopped with its runtime.
            Ok(release) => release.await.unwrap_or_default(),
            Err(error) => tracing::warn!(%error, "{STAYS}"),
        }
    }

    /// Records a failed login, with all its data, in a separate task.
    async fn failed(
        &self,
        username: String,
        reservation: LoginReservation,
    ) -> Result<(), LoginError<B::Error>> {
        // The location is that of the current request.
        let attempt = LoginAttempt::failed(&*username, "the credentials were refused");
        let attempt = attempt.settles(reservation);
        let (this, attempt) = (self.clone(), self.with_location(attempt));
        #[cfg(feature = "security")]
        let client = crate::client_ip();
        task::recorded(async move {
            let account = this.backend.account(&username).await;
            #[cfg(feature = "security")]
            this.notify_monitor(&username, account.as_ref(), client);
            this.record_refused(attempt, account).await
        })
        .await
    }

    async fn blocked(
        &self,
        username: String,
        refusal: Refusal,
    ) -> Result<(), LoginError<B::Error>> {
        let attempt = LoginAttempt::blocked(&*username, refusal.reason());
        let (this, attempt) = (self.clone(), self.with_location(attempt));
        #[cfg(feature = "security")]
        let client = crate::client_ip();
        task::recorded(async move {
            let account = this.backend.account(&username).await;
            #[cfg(feature = "security")]
            if refusal == Refusal::Failed {
                this.notify_monitor(&username, account.as_ref(), client);
            }
            this.record_refused(attempt, account).await
        })
        .await
    }

    /// An attempt that is blocked after failures counts as a failure: continued guessing is worth an event.
    #[cfg(feature = "security")]
    fn notify_monitor(&self, username: &str, account: Option<&Actor>, client: Option<IpAddr>) {
        if let Some(monitor) = &self.monitor {
            monitor.login_failed_from(username, account, client);
        }
    }

    async fn record_refused(
        &self,
        attempt: LoginAttempt,
        account: Option<Actor>,
    ) -> Result<(), LoginError<B::Error>> {
        let attempt = match account {
            Some(account) => attempt.account(account),
            None => attempt,
        };
        let recorded = attempt.record(&self.db).await;
        recorded.map(|_| ()).map_err(LoginError::NotRecorded)
    }

    /// Records a success in a separate task.
    async fn succeeded(&self, attempt: LoginAttempt) -> Result<(), LoginError<B::Error>> {
        let db = self.db.clone();
        task::recorded(async move {
            let recorded = attempt.record(&db).await;
            recorded.map(|_| ()).map_err(LoginError::NotRecorded)
        })
        .await
    }
}

impl<B, C> AuthnBackend for AuditedBackend<B, C>
where
    B: AuditLogin + 'static,
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
        let (refusal, retry_after) = match self.admit(&username).await? {
            LoginAdmission::Admitted(reservation) => {
                return self.verify(username, credentials, reservation).await;
            }
            LoginAdmission::Blocked { retry_after } => (Refusal::Failed, retry_after),
            LoginAdmission::Busy { retry_after } => (Refusal::Busy, retry_after),
        };
        self.blocked(username, refusal).await?;
        Err(LoginError::Blocked { retry_after })
    }

    async fn get_user(&self, id: &UserId<Self>) -> Result<Option<Self::User>, Self::Error> {
        let user = self.backend.get_user(id).await;
        user.map_err(LoginError::Backend)
    }
}

impl<B, C> AuditLogin for AuditedBackend<B, C>
where
    B: AuditLogin + 'static,
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

    fn when_recorded(&self) -> LoginRecording {
        self.when
    }

    #[cfg(feature = "geoip")]
    fn with_location(&self, attempt: LoginAttempt) -> LoginAttempt {
        match (&self.places, crate::client_ip()) {
            (Some(places), Some(address)) => match places.lookup(address) {
                Some(place) => attempt.place(place.country, place.city),
                None => attempt,
            },
            _ => attempt,
        }
    }
}
