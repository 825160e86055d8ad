//! `LAST_INSERT_ID()` of MySQL and MariaDB, which an application's next statement may use.
//!
//! The log's own INSERT changes it, as every INSERT of a generated key does. It belongs to the connection, so it can
//! only be kept where the statements share one: in a transaction. On a pool each may run on another connection, and the
//! application cannot use the function there either. The key that the driver reports for an INSERT comes from that
//! statement's own result, and is not affected.
//!
//! `lastval()` of PostgreSQL and `last_insert_rowid()` of SQLite cannot be set back by any statement.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use crate::connection_kind::ConnectionKind;

/// Runs statements that may change `LAST_INSERT_ID()`, and sets it to what it was before.
pub(crate) async fn keeping_last_insert_id<C, F>(db: &C, work: F) -> F::Output
where
    C: ConnectionTrait,
    F: Future,
{
    if in_transaction(db) == Some(false) {
        return work.await;
    }
    with_last_insert_id(db, work).await
}

/// The same where all statements are known to share one connection.
pub(crate) async fn with_last_insert_id<C, F>(db: &C, work: F) -> F::Output
where
    C: ConnectionTrait,
    F: Future,
{
    if db.get_database_backend() != DbBackend::MySql {
        return work.await;
    }
    // Where it cannot be read, the work fails, too.
    let before = last_insert_id(db).await.ok().flatten();
    let done = work.await;
    if let Some(id) = before
        && let Err(error) = set_last_insert_id(db, id).await
    {
        // Only a lost connection refuses this. The application receives that error itself.
        tracing::warn!(%error, "LAST_INSERT_ID() could not be restored");
    }
    done
}

/// Whether the statements are of one transaction, or each may run on another connection; `None` where the type of the
/// connection does not say.
pub(crate) fn in_transaction<C: ConnectionTrait>(db: &C) -> Option<bool> {
    #[cfg(feature = "statements")]
    if let Some(probed) = crate::binding::probe(db) {
        return Some(probed.transaction_id.is_some());
    }
    #[cfg(not(feature = "statements"))]
    let _ = db;
    match ConnectionKind::of::<C>() {
        ConnectionKind::Pool => Some(false),
        ConnectionKind::Transaction => Some(true),
        ConnectionKind::Other => None,
    }
}

/// Reads `LAST_INSERT_ID()`.
async fn last_insert_id<C: ConnectionTrait>(db: &C) -> Result<Option<u64>, DbErr> {
    // MySQL and MariaDB give the number different types; its text is one.
    let sql = "SELECT CAST(LAST_INSERT_ID() AS CHAR)";
    let row = db.query_one_raw(Statement::from_string(DbBackend::MySql, sql));
    let Some(row) = row.await? else {
        return Ok(None);
    };
    let text: String = row.try_get_by_index(0)?;
    Ok(text.parse().ok())
}

/// Sets `LAST_INSERT_ID()`: with an argument the function stores it.
async fn set_last_insert_id<C: ConnectionTrait>(db: &C, id: u64) -> Result<(), DbErr> {
    let sql = "SELECT LAST_INSERT_ID(?)";
    let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, [id.into()]);
    db.query_one_raw(statement).await.map(|_| ())
}
