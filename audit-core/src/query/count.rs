//! How many records a query finds: exactly, or about.

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, DbErr};

use super::AuditQuery;
use super::condition::Place;
use super::page::{BUDGET, Direction};
use super::walk::Walk;
use crate::binding::Binding;
use crate::config::AuditConfig;

/// About how many records a query finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Estimate {
    /// How many there are; if it is not exact, by extrapolation from the newest ones.
    pub count: u64,
    /// Whether all records were looked at.
    pub is_exact: bool,
}

impl AuditQuery {
    /// Counts the records. This reads all that the query may find: at ten million records it can take seconds.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn count<C: ConnectionTrait>(&self, db: &C) -> Result<u64, DbErr> {
        let count = async {
            let walk = Walk::new(db, self, place(db)).await?;
            walk.count(walk.ids).await
        };
        Binding::to(db).scope(count).await
    }

    /// Estimates how many records there are. This looks at 100,000 records at most, the newest.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn estimate<C: ConnectionTrait>(&self, db: &C) -> Result<Estimate, DbErr> {
        let estimate = async {
            let place = place(db);
            let mut walk = Walk::new(db, self, place).await?;
            let mut window = walk.window(walk.ids, Direction::Older, BUDGET).await?;
            if window.is_last {
                let count = walk.count(window.ids).await?;
                return Ok(Estimate {
                    count,
                    is_exact: true,
                });
            }
            // Only records of the period itself are typical of it.
            let typical = Walk::with_slack(db, self, place, TimeDelta::zero()).await?;
            if typical.ids != walk.ids {
                window = typical
                    .window(typical.ids, Direction::Older, BUDGET)
                    .await?;
                walk = typical;
            }
            let count = walk.count(window.ids).await?;
            let share = walk.share(window.ids).await?;
            Ok(Estimate {
                count: extrapolated(count, share),
                is_exact: false,
            })
        };
        Binding::to(db).scope(estimate).await
    }
}

fn place<C: ConnectionTrait>(db: &C) -> Place {
    Place {
        backend: db.get_database_backend(),
        now: AuditConfig::current().now(),
    }
}

/// The count of the whole, from that of a part.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, and not negative"
)]
fn extrapolated(count: u64, share: f64) -> u64 {
    (count as f64 / share.clamp(f64::MIN_POSITIVE, 1.0)).round() as u64
}
