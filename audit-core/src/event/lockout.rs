//! Whether to refuse an attempt to sign in, by the recorded attempts.
//!
//! The result is advice: the application refuses. Blocked attempts do not count, so that a client that waits is
//! admitted, however often it tried meanwhile. Attempts under way count, so that parallel ones do not pass the
//! threshold.

mod attempt_order;
pub(super) mod key;
mod reservation;

use std::sync::Once;
use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{ExprTrait, SimpleExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use self::key::{known_key, known_name, network, unknown_name};
use self::reservation::WHILE_BUSY;
pub(super) use self::reservation::is_pending;
pub use self::reservation::{LoginAdmission, LoginReservation};
use super::login::{LoginStatus, stored_name};
use crate::actor::Actor;
use crate::binding::Binding;
use crate::config::AuditConfig;
use crate::context::AuditContext;
use crate::entity::audit_login_attempt::{Column, Entity};
use crate::record::timestamp;

/// How many failed logins are too many.
///
/// [`reserve`](Self::reserve) admits an attempt or refuses it, and counts it from then on: until its outcome is
/// recorded it counts as a failure. Where it is refused because others are under way, the client may try again in a
/// second, or when a lease ends. [`check`](Self::check) reads the state without an attempt: for a form that shows
/// beforehand how long to wait. It must not decide about an attempt, since it would admit all parallel ones.
///
/// It counts what is recorded: where `LOGIN_FAILED` is left out
/// ([`skip_action`](crate::AuditConfigBuilder::skip_action)), nothing is counted and no attempt is blocked.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use sea_orm_audit_core::{Actor, Lockout, LoginAdmission, LoginAttempt};
/// # use sea_orm::DatabaseConnection;
/// # async fn verify(_: &str) -> std::io::Result<bool> { Ok(true) }
/// # async fn login(db: &DatabaseConnection) -> Result<(), Box<dyn std::error::Error>> {
/// // five failures within a quarter of an hour, by one name from one address
/// let lockout = Lockout::per_user_and_address(5, Duration::from_mins(15));
/// let ann = Actor::user(7);
/// let reservation = match lockout.reserve(db, "ann", Some(&ann)).await? {
///     LoginAdmission::Admitted(reservation) => reservation,
///     LoginAdmission::Blocked { retry_after } | LoginAdmission::Busy { retry_after } => {
///         return Ok(()); // 429, Retry-After
///     }
/// };
/// let attempt = match verify("the password").await {
///     Ok(true) => LoginAttempt::succeeded("ann", ann),
///     Ok(false) => LoginAttempt::failed("ann", "wrong password").account(ann),
///     Err(error) => {
///         reservation.release(db).await?; // neither right nor wrong
///         return Err(error.into());
///     }
/// };
/// attempt.settles(reservation).record(db).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lockout {
    failures: u32,
    window: Duration,
    cool_down: Duration,
    lease: Duration,
    by_user: bool,
}

/// Whether an attempt should be let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockoutDecision {
    /// It should.
    Allowed,
    /// It should be refused.
    Blocked {
        /// How long until the next attempt is let through.
        retry_after: Duration,
    },
}

impl Lockout {
    /// Blocks one name from one address after so many failures in a row within a rolling window. A client cannot lock
    /// out another one that comes from elsewhere.
    #[must_use]
    pub const fn per_user_and_address(failures: u32, window: Duration) -> Self {
        Self::new(failures, window, true)
    }

    /// Blocks an address, whatever the name, after so many failures in a row within a rolling window.
    /// It blocks all clients behind the address.
    #[must_use]
    pub const fn per_address(failures: u32, window: Duration) -> Self {
        Self::new(failures, window, false)
    }

    const fn new(failures: u32, window: Duration, by_user: bool) -> Self {
        Self {
            failures: if failures == 0 { 1 } else { failures },
            window,
            cool_down: window,
            lease: Duration::from_mins(1),
            by_user,
        }
    }

    /// How long it blocks after the last failure; by default as long as the window.
    #[must_use]
    pub const fn cool_down(mut self, time: Duration) -> Self {
        self.cool_down = time;
        self
    }

    /// How long an attempt that was [reserved](Self::reserve), and has no recorded outcome, counts as a failure.
    /// One minute by default; longer than the application takes to verify a password.
    #[must_use]
    pub const fn lease(mut self, time: Duration) -> Self {
        self.lease = time;
        self
    }

    /// Whether a name may try to sign in from the current context's address: reads the state, without an attempt.
    ///
    /// Runs one query on an index, and a second one at the threshold. Upper and lower case are equal, and so are the
    /// addresses of a /64 of IPv6. A success ends the count of a name, but not that of an address: a success of the
    /// account, where that is known, else one under exactly the same name. Without an address in the context no attempt
    /// is blocked, and a warning is logged: failures from anywhere would lock out every client. An attempt under way
    /// counts as a failure, a later one does not: [`reserve`](Self::reserve) admits it.
    ///
    /// # Errors
    /// Returns the database's error; the application decides whether it then admits clients.
    pub async fn check<C: ConnectionTrait>(
        &self,
        db: &C,
        username: &str,
    ) -> Result<LockoutDecision, DbErr> {
        Binding::to(db)
            .scope(self.check_here(db, username, None))
            .await
    }

    /// As [`check`](Self::check), for a name of which the account is known before: what was tried with other
    /// names of the account counts, too, and a success of another account does not end the count.
    ///
    /// # Errors
    /// Returns the database's error; the application decides whether it then admits clients.
    pub async fn check_account<C: ConnectionTrait>(
        &self,
        db: &C,
        username: &str,
        account: &Actor,
    ) -> Result<LockoutDecision, DbErr> {
        Binding::to(db)
            .scope(self.check_here(db, username, Some(account)))
            .await
    }

    async fn check_here<C: ConnectionTrait>(
        &self,
        db: &C,
        username: &str,
        account: Option<&Actor>,
    ) -> Result<LockoutDecision, DbErr> {
        let Some(address) = counted_address() else {
            return Ok(LockoutDecision::Allowed);
        };
        let network = network(&address);
        let refusal = self.refusal(db, &network, username, account).await?;
        Ok(match refusal {
            Some(Refusal { retry_after, .. }) => LockoutDecision::Blocked { retry_after },
            None => LockoutDecision::Allowed,
        })
    }

    /// Why an attempt should be refused; `None` where it should not.
    async fn refusal<C: ConnectionTrait>(
        &self,
        db: &C,
        network: &str,
        username: &str,
        account: Option<&Actor>,
    ) -> Result<Option<Refusal>, DbErr> {
        let (backend, now) = (db.get_database_backend(), AuditConfig::current().now());
        let before = |time: Duration| now.checked_sub_signed(span(time));
        let since = |time: Option<DateTimeUtc>| {
            time.map(|time| Column::OccurredAt.gt(timestamp(backend, time)))
        };
        // Attempts that are under way count as failures, until their lease ends.
        let is_failed = Column::Status.eq(LoginStatus::Failed.as_str());
        let is_pending = Column::Status.eq(LoginStatus::Pending.as_str());
        let is_pending = match since(before(self.lease)) {
            Some(recent) => is_pending.and(recent),
            None => is_pending,
        };
        let mut failures = Entity::find()
            .select_only()
            .columns([Column::OccurredAt, Column::Id, Column::Status])
            .filter(Column::Network.eq(network))
            .filter(is_failed.or(is_pending))
            .order_by_desc(Column::OccurredAt)
            .order_by_desc(Column::Id)
            .limit(u64::from(self.failures));
        if let Some(recent) = since(before(self.window.saturating_add(self.cool_down))) {
            failures = failures.filter(recent);
        }
        if self.by_user {
            // Whether the name belongs to an account is not known yet.
            let mut same = Column::UsernameKey.is_in([known_key(username), unknown_name(username)]);
            if let Some(account) = account.and_then(is_of) {
                same = same.or(account);
            }
            failures = failures.filter(same);
        }
        let failures: Vec<(DateTimeUtc, i64, String)> = failures.into_tuple().all(db).await?;
        let (Some(last), Some(first)) = (failures.first(), failures.last()) else {
            return Ok(None);
        };
        if failures.len() < self.failures as usize || last.0 - first.0 > span(self.window) {
            return Ok(None);
        }
        if self.by_user && ended_since(db, network, username, account, first).await? {
            return Ok(None);
        }
        // A place is free when the first lease ends, or the outcome is known.
        let mut pending =
            (failures.iter()).filter(|(.., status)| status == LoginStatus::Pending.as_str());
        let newest = pending.next();
        let end = match pending.next_back().or(newest) {
            Some((begun, ..)) => begun.checked_add_signed(span(self.lease)),
            None => last.0.checked_add_signed(span(self.cool_down)),
        };
        let left = end.map_or(TimeDelta::MAX, |end| end - now);
        let left = left.to_std().ok().filter(|left| !left.is_zero());
        Ok(left.map(|retry_after| Refusal {
            retry_after,
            newest_age: newest.map(|(begun, ..)| now - *begun),
        }))
    }
}

/// Why an attempt is refused.
struct Refusal {
    /// How long until the next one is let through at the latest.
    retry_after: Duration,
    /// How long ago the newest of the counted attempts that are under way, and may succeed, began.
    newest_age: Option<TimeDelta>,
}

/// So long after its beginning an attempt's outcome is expected at any moment. Later its password may be one of many
/// that wait to be verified, or its process may have ended.
const RECENT: TimeDelta = TimeDelta::seconds(10);

impl From<Refusal> for LoginAdmission {
    fn from(refusal: Refusal) -> Self {
        let retry_after = refusal.retry_after;
        match refusal.newest_age {
            None => Self::Blocked { retry_after },
            Some(age) if age < RECENT => Self::Busy {
                retry_after: WHILE_BUSY,
            },
            Some(_) => Self::Busy { retry_after },
        }
    }
}

fn span(time: Duration) -> TimeDelta {
    TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX)
}

/// The address that attempts are counted by. Without one a warning is logged.
fn counted_address() -> Option<String> {
    let address = AuditContext::current().ip_address;
    if address.is_none() {
        // Otherwise all clients would share one address, and one client's failures would lock out every other one.
        static SAY_ONCE: Once = Once::new();
        SAY_ONCE.call_once(|| {
            tracing::warn!(
                "no attempt can be blocked: the context names no address; serve with \
                 `into_make_service_with_connect_info`, and store addresses, whole, truncated or hashed under \
                 a `HashKey`"
            );
        });
    }
    address
}

/// Whether an attempt is of this account, where that has an id.
fn is_of(account: &Actor) -> Option<SimpleExpr> {
    let id = account.id()?;
    let is_kind = Column::ActorType.eq(account.kind().as_str());
    // As it is stored: cut, and without NUL, which PostgreSQL refuses.
    Some(Column::ActorId.eq(stored_name(id)).and(is_kind))
}

/// Whether a success has ended the count since the first of the failures. A success of another account, whose name may
/// be equal but for case or blanks, does not end it: the owner of that account could guess on for ever.
async fn ended_since<C: ConnectionTrait>(
    db: &C,
    network: &str,
    username: &str,
    account: Option<&Actor>,
    (time, id, _): &(DateTimeUtc, i64, String),
) -> Result<bool, DbErr> {
    let time = timestamp(db.get_database_backend(), *time);
    let is_later = (Column::OccurredAt.gt(time.clone()))
        .or(Column::OccurredAt.eq(time).and(Column::Id.gt(*id)));
    let successes = Entity::find()
        .select_only()
        .column(Column::Username)
        .filter(Column::Network.eq(network))
        .filter(Column::Status.eq(LoginStatus::Success.as_str()))
        .filter(is_later)
        .limit(100);
    let name = known_name(username);
    let (successes, account) = match account.and_then(is_of) {
        Some(account) => (successes.filter(account), true),
        None => (successes.filter(Column::Username.eq(name.as_str())), false),
    };
    let names: Vec<Option<String>> = successes.into_tuple().all(db).await?;
    // To the database, names may be equal in any case.
    Ok((names.iter()).any(|known| account || known.as_deref() == Some(name.as_str())))
}
