//! Whether an attempt to sign in should be refused, by the attempts on record.
//!
//! The answer is advice: the application refuses. Blocked attempts do not count, so that whoever waits
//! is let in, however often they tried meanwhile.

pub(super) mod key;

use std::sync::Once;
use std::time::Duration;

use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use self::key::{known_key, network, unknown_name};
use super::login::LoginStatus;
use crate::actor::Actor;
use crate::bound::Bound;
use crate::config::AuditConfig;
use crate::context::AuditContext;
use crate::entity::audit_login_attempt::{Column, Entity};
use crate::recorder::instant;

/// How many failed logins are too many.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use sea_orm_audit_core::{Lockout, LockoutDecision};
/// # use sea_orm::{DatabaseConnection, DbErr};
/// # async fn login(db: &DatabaseConnection) -> Result<(), DbErr> {
/// // five failures within a quarter of an hour, by one name from one address
/// let lockout = Lockout::per_user_and_address(5, Duration::from_mins(15));
/// match lockout.check(db, "ann").await? {
///     LockoutDecision::Allowed => { /* look at the password */ }
///     LockoutDecision::Blocked { retry_after } => { /* 429, Retry-After */ }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lockout {
    failures: u32,
    window: Duration,
    cool_down: Duration,
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
    /// Blocks one name from one address after so many failures in a row within a rolling window. Nobody
    /// can lock out another who comes from elsewhere.
    #[must_use]
    pub const fn per_user_and_address(failures: u32, window: Duration) -> Self {
        Self::new(failures, window, true)
    }

    /// Blocks an address, whatever the name, after so many failures in a row within a rolling window.
    /// People behind one address share their fate.
    #[must_use]
    pub const fn per_address(failures: u32, window: Duration) -> Self {
        Self::new(failures, window, false)
    }

    const fn new(failures: u32, window: Duration, by_user: bool) -> Self {
        Self {
            failures: if failures == 0 { 1 } else { failures },
            window,
            cool_down: window,
            by_user,
        }
    }

    /// How long it blocks after the last failure; by default as long as the window.
    #[must_use]
    pub const fn cool_down(mut self, time: Duration) -> Self {
        self.cool_down = time;
        self
    }

    /// Whether a name may try to sign in from the current context's address.
    ///
    /// Asks one question of an index. Upper and lower case are one, and so are the addresses of a /64 of IPv6. A
    /// success ends the count of a name, but not that of an address. Without an address in the context nobody is
    /// blocked, and a warning is logged: whoever fails anywhere would lock out everybody else. Several attempts at
    /// the same moment may each be let through.
    ///
    /// # Errors
    /// Returns the database's error; the application decides whether it then lets people in.
    pub async fn check<C: ConnectionTrait>(
        &self,
        db: &C,
        username: &str,
    ) -> Result<LockoutDecision, DbErr> {
        Bound::to(db)
            .scope(self.check_here(db, username, None))
            .await
    }

    /// As [`check`](Self::check), for a name of which the account is known before: what was tried with other
    /// names of the account counts, too.
    ///
    /// # Errors
    /// Returns the database's error; the application decides whether it then lets people in.
    pub async fn check_account<C: ConnectionTrait>(
        &self,
        db: &C,
        username: &str,
        account: &Actor,
    ) -> Result<LockoutDecision, DbErr> {
        Bound::to(db)
            .scope(self.check_here(db, username, Some(account)))
            .await
    }

    async fn check_here<C: ConnectionTrait>(
        &self,
        db: &C,
        username: &str,
        account: Option<&Actor>,
    ) -> Result<LockoutDecision, DbErr> {
        let config = AuditConfig::current();
        let now = config.now();
        let Some(address) = AuditContext::current().ip_address else {
            // All the world would be one address, and whoever fails would lock it out.
            static SAY_ONCE: Once = Once::new();
            SAY_ONCE.call_once(|| {
                tracing::warn!(
                    "nobody can be locked out: the context names no address; serve with \
                     `into_make_service_with_connect_info`, and store addresses, whole, truncated or hashed under \
                     a `HashKey`"
                );
            });
            return Ok(LockoutDecision::Allowed);
        };
        let span =
            |time: Duration| chrono::TimeDelta::from_std(time).unwrap_or(chrono::TimeDelta::MAX);
        let reach = span(self.window.saturating_add(self.cool_down));
        let mut attempts = Entity::find()
            .select_only()
            .columns([Column::OccurredAt, Column::Status])
            .filter(Column::Network.eq(network(&address)))
            .order_by_desc(Column::OccurredAt)
            .order_by_desc(Column::Id)
            .limit(u64::from(self.failures));
        if let Some(since) = now.checked_sub_signed(reach) {
            attempts =
                attempts.filter(Column::OccurredAt.gt(instant(db.get_database_backend(), since)));
        }
        attempts = if self.by_user {
            // Whether the name belongs to anybody is not known yet.
            let mut same = Column::UsernameKey.is_in([known_key(username), unknown_name(username)]);
            if let Some(id) = account.and_then(Actor::id) {
                same = same.or(Column::ActorId.eq(id));
            }
            attempts
                .filter(same)
                .filter(Column::Status.ne(LoginStatus::Blocked.as_str()))
        } else {
            // Whoever guesses at others may well sign in to an account of their own.
            attempts.filter(Column::Status.eq(LoginStatus::Failed.as_str()))
        };
        let attempts: Vec<(DateTimeUtc, String)> = attempts.into_tuple().all(db).await?;
        let failed = |status: &String| status == LoginStatus::Failed.as_str();
        let all_failed = attempts.len() >= self.failures as usize
            && attempts.iter().all(|(_, status)| failed(status));
        let (Some((last, _)), Some((first, _)), true) =
            (attempts.first(), attempts.last(), all_failed)
        else {
            return Ok(LockoutDecision::Allowed);
        };
        let end = last.checked_add_signed(span(self.cool_down));
        let left = end.map_or(chrono::TimeDelta::MAX, |end| end - now);
        Ok(match left.to_std() {
            Ok(retry_after) if !retry_after.is_zero() && *last - *first <= span(self.window) => {
                LockoutDecision::Blocked { retry_after }
            }
            _ => LockoutDecision::Allowed,
        })
    }
}
