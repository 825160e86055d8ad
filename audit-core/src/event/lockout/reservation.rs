//! Attempts that are under way: counted when they begin, before anything shows how they end.

use std::time::Duration;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use super::attempt_order::wait_for_order;
use super::key::{network, stored_names};
use super::{Lockout, counted_address};
use crate::actor::Actor;
use crate::binding::Binding;
use crate::config::AuditConfig;
use crate::context::AuditContext;
use crate::entity::audit_login_attempt as row;
use crate::event::login::{LoginStatus, row_of};
use crate::record::insert_row;

/// The result of a reservation.
#[derive(Debug)]
#[must_use = "an attempt that is blocked must be refused"]
pub enum LoginAdmission {
    /// It may. Give the reservation to the [`LoginAttempt`](crate::LoginAttempt) that records the outcome.
    Admitted(LoginReservation),
    /// It should be refused: too many have failed.
    Blocked {
        /// How long until the next attempt is let through.
        retry_after: Duration,
    },
    /// It should be refused: attempts hold all places, and some of them are under way and may yet succeed; or the
    /// attempts of the same network that came before wait for the database. No attempt has failed too often, so it
    /// should not be treated as an attack.
    Busy {
        /// A second, as an outcome may be known then. Where no counted attempt began in the last ten seconds, the
        /// time until the first lease ends: their outcomes may never be known.
        retry_after: Duration,
    },
}

/// How long a client waits while others have just begun.
pub(super) const WHILE_BUSY: Duration = Duration::from_secs(1);

/// An attempt that has begun: a row of `audit_login_attempt` with the status `PENDING`, later that of the outcome.
///
/// It counts as a failure until [`LoginAttempt::settles`](crate::LoginAttempt::settles) or [`release`](Self::release),
/// and no longer than the [lease](Lockout::lease): an attempt whose outcome is never recorded, since the process ended
/// or the client disconnected, leaves a row that shows when it began.
#[derive(Debug)]
#[must_use = "without its outcome it counts as a failure until its lease ends"]
pub struct LoginReservation(pub(in crate::event) Option<i64>);

impl LoginReservation {
    /// Reserves nothing: for attempts that no [`Lockout`] counts.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Releases the reservation, for an attempt without an outcome: the credentials could not be verified. A row that
    /// has its outcome already stays.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn release<C: ConnectionTrait>(self, db: &C) -> Result<(), DbErr> {
        let Some(id) = self.0 else {
            return Ok(());
        };
        let release = row::Entity::delete_many().filter(is_pending(id));
        Binding::to(db)
            .scope(async { release.exec(db).await })
            .await?;
        Ok(())
    }
}

/// Whether it is the row of this reservation, still without an outcome: attempts may be recorded twice, ids reused.
pub(in crate::event) fn is_pending(id: i64) -> SimpleExpr {
    let is_pending = row::Column::Status.eq(LoginStatus::Pending.as_str());
    row::Column::Id.eq(id).and(is_pending)
}

impl Lockout {
    /// Admits or blocks an attempt of a name, by the recorded attempts and those that are under way. `account` is the
    /// account of the name, where it is known.
    ///
    /// However many attempts begin at once, the threshold is passed by at most one for each further process of the
    /// application: a process begins those of one network one after the other. One that has waited three seconds for
    /// those before it is [`Busy`](LoginAdmission::Busy). Nothing is locked once it has returned, while the password
    /// is verified. Give it a connection that commits at once, not a transaction, whose reservation
    /// other clients do not see. Without an address in the context, and in migration mode, nothing is reserved and no
    /// attempt is blocked.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use sea_orm_audit_core::{Actor, AuditError, Lockout, LoginAdmission, LoginAttempt};
    /// # use sea_orm::DatabaseConnection;
    /// # async fn verify(_: &str) -> bool { true }
    /// # async fn login(db: &DatabaseConnection) -> Result<(), Box<dyn std::error::Error>> {
    /// let lockout = Lockout::per_user_and_address(5, Duration::from_mins(15));
    /// let ann = Actor::user(7).named("Ann");
    /// match lockout.reserve(db, "ann", Some(&ann)).await? {
    ///     LoginAdmission::Admitted(reservation) => {
    ///         let attempt = if verify("password").await {
    ///             LoginAttempt::succeeded("ann", ann)
    ///         } else {
    ///             LoginAttempt::failed("ann", "wrong password").account(ann)
    ///         };
    ///         attempt.settles(reservation).record(db).await?;
    ///     }
    ///     LoginAdmission::Blocked { retry_after } | LoginAdmission::Busy { retry_after } => {
    ///         // 429, Retry-After
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the database's error; the application decides whether it then admits clients.
    pub async fn reserve<C: ConnectionTrait>(
        &self,
        db: &C,
        username: &str,
        account: Option<&Actor>,
    ) -> Result<LoginAdmission, DbErr> {
        (Binding::to(db).scope(self.reserve_here(db, username, account))).await
    }

    async fn reserve_here<C: ConnectionTrait>(
        &self,
        db: &C,
        username: &str,
        account: Option<&Actor>,
    ) -> Result<LoginAdmission, DbErr> {
        let nothing = LoginAdmission::Admitted(LoginReservation::none());
        if db.is_mock_connection() || AuditConfig::current().is_suppressed() {
            return Ok(nothing);
        }
        let Some(stored) = counted_address() else {
            return Ok(nothing);
        };
        let network = network(&stored);
        let Some(_turn) = wait_for_order(&network).await else {
            return Ok(LoginAdmission::Busy {
                retry_after: WHILE_BUSY,
            });
        };
        if let Some(refusal) = self.refusal(db, &network, username, account).await? {
            return Ok(refusal.into());
        }
        let id = insert_row(db, pending(username, account, network)).await?;
        Ok(LoginAdmission::Admitted(LoginReservation(Some(id))))
    }
}

fn pending(username: &str, account: Option<&Actor>, network: String) -> row::ActiveModel {
    let (username, username_key) = stored_names(username, account.is_some());
    let anonymous = Actor::anonymous();
    let account = account.unwrap_or(&anonymous);
    row::ActiveModel {
        username: Set(Some(username)),
        username_key: Set(Some(username_key)),
        network: Set(Some(network)),
        ..row_of(LoginStatus::Pending, account, &AuditContext::current())
    }
}
