//! Logins, failed logins, blocked attempts and logouts.
//!
//! Each is a row of `audit_login_attempt` and a record in `audit_log`, linked by `log_id`, in one
//! transaction. The password is never requested. A typed name that belongs to no account is stored as a keyed hash
//! only: people type their passwords there.

use std::fmt;

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, TransactionTrait};

use super::linked_record::LinkedRecord;
use super::lockout::key::{network, stored_names};
use super::lockout::{LoginReservation, is_pending};
use crate::action::{Action, Outcome};
use crate::actor::Actor;
use crate::binding::Binding;
use crate::config::AuditConfig;
use crate::context::AuditContext;
use crate::entity::audit_login_attempt as row;
use crate::error::AuditError;
use crate::limits;
use crate::record::{address, insert_row, sanitize, strip_nul};
use crate::target::{shorten, truncate_hashed};

/// How an attempt to sign in ended, that it is under way, or that a user signed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoginStatus {
    /// A client signed in.
    Success,
    /// The credentials were refused.
    Failed,
    /// The attempt was refused before the credentials were verified; see [`Lockout`](crate::Lockout).
    Blocked,
    /// The attempt has begun, and its outcome is not known, or never will be; see
    /// [`Lockout::reserve`](crate::Lockout::reserve).
    Pending,
    /// A client signed out. It is no attempt, and not counted as one; it is stored beside them, so that the table shows
    /// when people signed in and out.
    Logout,
}

impl LoginStatus {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Blocked => "BLOCKED",
            Self::Pending => "PENDING",
            Self::Logout => "LOGOUT",
        }
    }
}

/// The longest reason that is stored, in characters.
const REASON: u32 = 1000;

/// An attempt to sign in, or a sign-out, to be recorded.
///
/// Address, agent and request come from the context that is bound to the connection, else from the
/// current [`AuditContext`].
///
/// # Examples
/// ```
/// use sea_orm_audit_core::{Actor, AuditError, LoginAttempt};
/// # use sea_orm::DatabaseConnection;
/// # async fn login(db: &DatabaseConnection) -> Result<(), AuditError> {
/// LoginAttempt::succeeded("ann", Actor::user(7).named("Ann")).record(db).await?;
/// LoginAttempt::failed("ann", "wrong password").account(Actor::user(7)).record(db).await?;
/// // no account has this name: only a hash of the name is stored
/// LoginAttempt::failed("hunter2", "no such user").record(db).await?;
/// LoginAttempt::signed_out(Actor::user(7).named("Ann")).record(db).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "an attempt is recorded only when `record` is awaited"]
pub struct LoginAttempt {
    status: LoginStatus,
    username: Option<String>,
    account: Option<Actor>,
    reason: Option<String>,
    country: Option<String>,
    city: Option<String>,
    context: AuditContext,
    reservation: Option<i64>,
}

impl LoginAttempt {
    fn of(status: LoginStatus) -> Self {
        Self {
            status,
            username: None,
            account: None,
            reason: None,
            country: None,
            city: None,
            context: AuditContext::new(),
            reservation: None,
        }
    }

    fn new(status: LoginStatus, username: impl Into<String>) -> Self {
        Self {
            username: Some(username.into()),
            ..Self::of(status)
        }
    }

    /// A successful attempt.
    pub fn succeeded(username: impl Into<String>, actor: Actor) -> Self {
        Self {
            account: Some(actor),
            ..Self::new(LoginStatus::Success, username)
        }
    }

    /// The credentials were refused.
    pub fn failed(username: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..Self::new(LoginStatus::Failed, username)
        }
    }

    /// The attempt was refused before the credentials were verified.
    pub fn blocked(username: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..Self::new(LoginStatus::Blocked, username)
        }
    }

    /// A sign-out. See [`record_logout`], too.
    pub fn signed_out(actor: Actor) -> Self {
        Self {
            account: Some(actor),
            ..Self::of(LoginStatus::Logout)
        }
    }

    /// The account that the name belongs to. Without one, the name is stored as a hash under the
    /// configured key, where there is none under one that ends with the process.
    pub fn account(mut self, account: Actor) -> Self {
        self.account = Some(account);
        self
    }

    /// Is the outcome of an attempt that was [reserved](crate::Lockout::reserve) before.
    pub fn settles(mut self, reservation: LoginReservation) -> Self {
        self.reservation = reservation.0;
        self
    }

    /// Where the address is: an ISO 3166 country code, and a city.
    pub fn place(mut self, country: Option<String>, city: Option<String>) -> Self {
        (self.country, self.city) = (country, city);
        self
    }

    /// Writes the attempt through this connection, in a transaction or savepoint of its own. Returns
    /// the id of its row.
    ///
    /// A successful login becomes a `LOGIN` by the account, a logout a `LOGOUT`, any other a `LOGIN_FAILED` by the
    /// context's actor, with the outcome FAILURE. Writes nothing, and returns 0, where the action is skipped, in
    /// migration mode, and on a mock connection. A success that cannot be written releases its
    /// [reservation](crate::Lockout::reserve); a failure that cannot be written counts until its lease ends.
    ///
    /// # Errors
    /// Returns [`AuditError::NotRecorded`] when it cannot be written, whatever the failure policy.
    pub async fn record<C>(self, db: &C) -> Result<i64, AuditError>
    where
        C: ConnectionTrait + TransactionTrait + 'static,
    {
        // Large, and seldom.
        Box::pin(Binding::to(db).scope(self.record_here(db))).await
    }

    async fn record_here<C>(self, db: &C) -> Result<i64, AuditError>
    where
        C: ConnectionTrait + TransactionTrait + 'static,
    {
        let config = AuditConfig::current();
        let (action, outcome) = match self.status {
            LoginStatus::Success => (Action::Login, Outcome::Success),
            LoginStatus::Logout => (Action::Logout, Outcome::Success),
            LoginStatus::Failed | LoginStatus::Blocked | LoginStatus::Pending => {
                (Action::LoginFailed, Outcome::Failure)
            }
        };
        let reservation = self.reservation;
        if config.skips_action(&action) || db.is_mock_connection() || config.suppresses_write() {
            release(reservation, db).await;
            return Ok(0);
        }
        let is_known = self.account.is_some();
        let names = self
            .username
            .map(|username| stored_names(&username, is_known));
        let (username, username_key) = names.unzip();
        let mut context = self.context.or(&AuditContext::current());
        let account = match (self.status, self.account) {
            (LoginStatus::Success | LoginStatus::Logout, Some(account)) => {
                context.actor = Some(account.clone());
                account
            }
            // The actor of the session; no other actor is known.
            (LoginStatus::Logout, None) => context.actor.clone().unwrap_or_else(Actor::unknown),
            // A client that knows the name need not own the account.
            (_, account) => {
                context.actor.get_or_insert_with(Actor::anonymous);
                account.unwrap_or_else(Actor::anonymous)
            }
        };
        let context = match &username {
            Some(username) => context
                .metadata("username", username.clone())
                .metadata("status", self.status.as_str()),
            None => context,
        };
        let reason = self.reason.map(|text| shorten(sanitize(text), REASON));
        let context = match &reason {
            Some(reason) => context.metadata("failure_reason", reason.clone()),
            None => context,
        };
        // A logout is no attempt: it has no keys for lockouts.
        let network = context.ip_address.as_deref().map(network);
        let network = network.filter(|_| self.status != LoginStatus::Logout);
        let place = |text: Option<String>| Set(text.map(|text| stored_name(&text)));
        let row = row::ActiveModel {
            username: Set(username),
            username_key: Set(username_key),
            failure_reason: Set(reason),
            network: Set(network),
            country: place(self.country),
            city: place(self.city),
            ..row_of(self.status, &account, &context)
        };
        let linked = LinkedRecord {
            config,
            action,
            outcome,
            context,
            table: |tables| tables.login_attempt(),
        };
        let written = linked.write(db, async |tx, log| {
            let row = row::ActiveModel {
                log_id: Set(Some(log)),
                ..row
            };
            match reservation {
                Some(id) => finish_attempt(tx, id, row).await,
                None => insert_row(tx, row).await,
            }
        });
        let written = written.await;
        if written.is_err() && self.status == LoginStatus::Success {
            // The credentials were right: their owner must not be locked out. A failure counts until its lease ends,
            // because no number of guesses may go without a record.
            release(reservation, db).await;
        }
        written
    }
}

/// Releases a reservation; where that fails, its lease ends it.
async fn release<C: ConnectionTrait>(reservation: Option<i64>, db: &C) {
    if let Err(error) = LoginReservation(reservation).release(db).await {
        tracing::warn!(%error, "an attempt to sign in stays counted until its lease ends");
    }
}

/// The part of an attempt's row that its account and its context provide.
pub(super) fn row_of(
    status: LoginStatus,
    account: &Actor,
    context: &AuditContext,
) -> row::ActiveModel {
    let actor_name = account
        .name()
        .map(|text| stored_name(&sanitize(text.to_owned())));
    row::ActiveModel {
        id: NotSet,
        occurred_at: Set(AuditConfig::current().now()),
        log_id: Set(None),
        username: Set(None),
        username_key: Set(None),
        status: Set(status.as_str().to_owned()),
        failure_reason: Set(None),
        actor_type: Set(account.kind().as_str().to_owned()),
        actor_id: Set(account.id().map(stored_name)),
        actor_name: Set(actor_name),
        ip_address: Set(context.ip_address.clone().map(address)),
        network: Set(None),
        user_agent: Set(context.user_agent.clone().map(sanitize)),
        country: Set(None),
        city: Set(None),
        request_id: Set(context.request_id.as_deref().map(stored_name)),
    }
}

/// A name or an id as it is stored.
pub(super) fn stored_name(text: &str) -> String {
    truncate_hashed(strip_nul(text.to_owned()), limits::NAME)
}

/// Updates a reservation's row to the outcome. Where the row is missing, or has an outcome, writes a new one.
async fn finish_attempt<C: ConnectionTrait>(
    tx: &C,
    id: i64,
    row: row::ActiveModel,
) -> Result<i64, DbErr> {
    let settled = row::Entity::update_many()
        .set(row.clone())
        .filter(is_pending(id))
        .exec(tx)
        .await?;
    if settled.rows_affected > 0 {
        return Ok(id);
    }
    insert_row(tx, row).await
}

impl fmt::Debug for LoginAttempt {
    /// Leaves the name out, which may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginAttempt")
            .field("status", &self.status)
            .field("account", &self.account)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// Records that the actor of the current context signed out, as [`LoginAttempt::record`] does.
///
/// # Errors
/// Returns [`AuditError::NotRecorded`] when it cannot be written, whatever the failure policy.
pub async fn record_logout<C>(db: &C) -> Result<(), AuditError>
where
    C: ConnectionTrait + TransactionTrait + 'static,
{
    let logout = LoginAttempt::of(LoginStatus::Logout);
    logout.record(db).await.map(|_| ())
}
