//! Reads what databases say when a record fails.
//!
//! SeaORM hands errors on without their code unless a driver is compiled in, which this crate does
//! not force on anybody; so the messages are compared. A message in another language only means
//! that the more general error is returned.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use crate::capture::Handle;
use crate::config::AuditConfig;
use crate::error::Cause;

/// Turns what the database said about a record into a cause.
pub(super) fn cause(config: &AuditConfig, error: DbErr) -> Cause {
    let tables = config.tables();
    missing_table(config, &error).unwrap_or(Cause::Insert {
        table: tables.qualified(tables.log()),
        error,
    })
}

/// The cause, when what is missing is the audit table.
pub(crate) fn missing_table(config: &AuditConfig, error: &DbErr) -> Option<Cause> {
    let tables = config.tables();
    let text = error.to_string();
    let missing = text.contains("no such table")
        || text.contains("no such schema")
        || text.contains("unknown database")
        || text.contains("doesn't exist")
        || (text.contains("relation") && text.contains("does not exist"));
    (missing && text.contains(tables.log())).then(|| Cause::MissingTable {
        table: tables.qualified(tables.log()),
        error: error.clone(),
    })
}

/// Errors after which the database has ended the whole transaction, so that nothing can go on:
/// MySQL's deadlock, and SQLite's full disk, I/O error and lack of memory.
pub(super) fn ends_transaction(cause: &Cause) -> bool {
    let Cause::Insert { error, .. } = cause else {
        return false;
    };
    let text = error.to_string();
    [
        "Deadlock found when trying to get lock",
        "database or disk is full",
        "disk I/O error",
        "out of memory",
    ]
    .iter()
    .any(|end| text.contains(end))
}

/// Whether PostgreSQL refused a savepoint because there is no transaction.
pub(super) fn is_no_transaction(error: &DbErr) -> bool {
    error
        .to_string()
        .contains("SAVEPOINT can only be used in transaction blocks")
}

/// Whether PostgreSQL refused a statement because an earlier one failed.
pub(super) fn is_aborted(error: &DbErr) -> bool {
    error.to_string().contains("current transaction is aborted")
}

const PROBE: &str = "sea_orm_audit_probe";

/// Whether a write through `db` is committed as soon as it is done.
///
/// Asked only when a record failed and the caller must be told what became of the change. A plain
/// pool always commits, SeaORM's own transaction never does; anything else is asked, in a way that
/// changes nothing inside a transaction:
///
/// - PostgreSQL accepts a statement after a failed one only outside of a transaction.
/// - SQLite refuses BEGIN inside a transaction; outside, the empty one is ended at once.
/// - MySQL forgets a savepoint at once outside of a transaction, so its release fails.
pub(super) async fn is_autocommit<C: ConnectionTrait>(db: &C) -> bool {
    match Handle::of::<C>() {
        Handle::Pool => return true,
        Handle::Transaction => return false,
        Handle::Other => {}
    }
    match db.get_database_backend() {
        DbBackend::Postgres => {
            let savepoint = format!("SAVEPOINT {PROBE}; RELEASE SAVEPOINT {PROBE}");
            match db.execute_unprepared(&savepoint).await {
                Ok(_) => false,
                Err(error) => is_no_transaction(&error),
            }
        }
        DbBackend::Sqlite => db.execute_unprepared("BEGIN; COMMIT").await.is_ok(),
        _ => {
            let savepoint = format!("SAVEPOINT {PROBE}");
            let release = format!("RELEASE SAVEPOINT {PROBE}");
            db.execute_unprepared(&savepoint).await.is_ok()
                && db.execute_unprepared(&release).await.is_err()
        }
    }
}
