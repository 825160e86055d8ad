//! The log's own statements, prepared again.
//!
//! sqlx keeps a prepared statement for each text, by connection. `DEALLOCATE ALL` and `DISCARD ALL` drop those of one
//! connection of PostgreSQL, and sqlx does not notice: it uses one that does not exist any more. The connection is
//! unknown, so from then on the text of each of the log's own statements is a different one, on every connection.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sea_orm::{DbBackend, Statement};

/// How often prepared statements were dropped in this process.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The statement, with a text that no connection has prepared before the last time that such were dropped.
pub(crate) fn prepare_again(mut statement: Statement) -> Statement {
    let dropped = DROPPED.load(Relaxed);
    if dropped > 0 && statement.db_backend == DbBackend::Postgres {
        // Writing to a `String` cannot fail.
        let _ = write!(statement.sql, " /* {dropped} */");
    }
    statement
}

/// Records, on its own drop, that prepared statements were dropped: also where the future of the text is dropped.
#[cfg(feature = "statements")]
pub(crate) struct Dropping(pub(crate) bool);

#[cfg(feature = "statements")]
impl Drop for Dropping {
    fn drop(&mut self) {
        if self.0 {
            DROPPED.fetch_add(1, Relaxed);
        }
    }
}
