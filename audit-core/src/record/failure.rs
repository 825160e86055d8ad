//! Classifies databases' errors when a record fails.
//!
//! The codes of the driver distinguish errors: messages depend on the server's language, and contain values of the
//! application. An error without a code only means that the more general one is returned.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use super::driver_error::DriverError;
use crate::config::AuditConfig;
use crate::connection_kind::ConnectionKind;
use crate::error::{AuditError, Cause};

/// Whether a database's error has one of these codes: SQLSTATEs of PostgreSQL, error numbers of
/// MySQL and MariaDB, result codes of SQLite.
fn has_code(error: &DbErr, sqlstates: &[&str], mysql: &[u16], sqlite: &[u8]) -> bool {
    match DriverError::of(error) {
        Some(DriverError::Postgres(code)) => sqlstates.contains(&code.as_str()),
        Some(DriverError::MySql(number)) => mysql.contains(&number),
        // Extended codes have the primary one in their lowest byte.
        Some(DriverError::Sqlite(code, _)) => sqlite.iter().any(|c| u32::from(*c) == code & 0xFF),
        Some(DriverError::Unreached | DriverError::Decode) | None => false,
    }
}

/// Converts the database's error about a record into a cause.
pub(crate) fn cause(config: &AuditConfig, error: DbErr) -> Cause {
    let tables = config.tables();
    cause_in(config, tables.qualified(tables.log()), error)
}

/// Converts the database's error about a row of an audit table into a cause.
pub(crate) fn cause_in(config: &AuditConfig, table: String, error: DbErr) -> Cause {
    match missing_table(config, &error) {
        Some(Cause::MissingTable { model, error, .. }) => Cause::MissingTable {
            model,
            table,
            error,
        },
        _ => Cause::Insert {
            model: None,
            table,
            error,
        },
    }
}

/// The cause, when what is missing is the audit table, or the schema it is in.
pub(crate) fn missing_table(config: &AuditConfig, error: &DbErr) -> Option<Cause> {
    let tables = config.tables();
    let missing = match DriverError::of(error) {
        // SQLite has no code for it, and its messages are always English.
        Some(DriverError::Sqlite(1, message)) => {
            message.starts_with("no such table: ") || message.starts_with("unknown database ")
        }
        _ => has_code(error, &["42P01", "3F000"], &[1146, 1049], &[]),
    };
    missing.then(|| Cause::MissingTable {
        model: None,
        table: tables.qualified(tables.log()),
        error: error.clone(),
    })
}

/// Errors after which the database has ended the whole transaction, so that nothing can continue.
pub(crate) fn ends_transaction(cause: &Cause) -> bool {
    ending_error(cause).is_some()
}

/// The database's error, where it has ended the whole transaction.
pub(crate) fn ending_error(cause: &Cause) -> Option<&DbErr> {
    match cause {
        Cause::Insert { error, .. }
        | Cause::Unconfirmed { error, .. }
        | Cause::Generated { error, .. } => has_ended_transaction(error).then_some(error),
        _ => None,
    }
}

/// MySQL's deadlock (1213), changed snapshot (1020); SQLite's lack of memory (7), I/O error (10), full disk (13).
pub(crate) fn has_ended_transaction(error: &DbErr) -> bool {
    match AuditError::of(error).and_then(AuditError::cause) {
        Some(cause) => ends_transaction(cause),
        None => has_code(error, &[], &[1213, 1020], &[7, 10, 13]),
    }
}

/// MySQL's lock wait timeout, which ends the whole transaction where `innodb_rollback_on_timeout` is set.
#[cfg(feature = "statements")]
pub(crate) fn may_have_ended_transaction(error: &DbErr) -> bool {
    has_code(error, &[], &[1205], &[])
}

/// Whether another client, or the server, kept a statement from being run: locks, deadlocks, changed snapshots,
/// a connection that is lost or ended, and errors that end the transaction. Any other statement on the same rows would
/// have failed in the same way.
#[cfg(feature = "statements")]
pub(crate) fn is_contention(error: &DbErr) -> bool {
    has_ended_transaction(error)
        || is_unreached(error)
        || has_code(
            error,
            &[
                "40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "57P05", "25P03",
            ],
            &[1205, 1213, 1020, 1317, 1969, 3024, 1053, 1927],
            &[5, 6, 7, 9, 10, 13],
        )
}

/// Whether the database was not reached, or did not answer.
fn is_unreached(error: &DbErr) -> bool {
    matches!(error, DbErr::Conn(_) | DbErr::ConnectionAcquire(_))
        || DriverError::of(error) == Some(DriverError::Unreached)
}

/// Whether nothing can be written: MySQL's read-only transaction (1792) and server (1290), SQLite's file (8).
#[cfg(feature = "statements")]
fn is_read_only(error: &DbErr) -> bool {
    has_code(of_database(error), &[], &[1792, 1290], &[8])
}

/// The database's error, also where it is the cause of one of ours.
#[cfg(feature = "statements")]
fn of_database(error: &DbErr) -> &DbErr {
    match AuditError::of(error).and_then(AuditError::cause) {
        Some(Cause::Insert { error, .. } | Cause::MissingTable { error, .. }) => error,
        _ => error,
    }
}

/// Whether the transaction refuses every write: it can only read, or PostgreSQL has aborted it.
#[cfg(feature = "statements")]
pub(crate) fn refuses_writes(error: &DbErr) -> bool {
    is_read_only(error) || is_aborted(of_database(error))
}

/// Whether MySQL refused a statement before it changed anything: a syntax error, no such table or column, no privilege,
/// another number of values than of columns, a value that is missing.
#[cfg(feature = "statements")]
pub(crate) fn is_never_begun(error: &DbErr) -> bool {
    const NUMBERS: &[u16] = &[1044, 1054, 1064, 1110, 1136, 1142, 1143, 1146, 1290, 1792];
    has_code(error, &[], NUMBERS, &[])
}

/// Whether MySQL could not parse a statement.
#[cfg(feature = "statements")]
pub(crate) fn is_syntax_error(error: &DbErr) -> bool {
    has_code(error, &[], &[1064], &[])
}

/// Whether SQLite refused what violates a constraint, or what a trigger of the application's refuses.
#[cfg(feature = "statements")]
pub(crate) fn is_sqlite_constraint(error: &DbErr) -> bool {
    has_code(error, &[], &[], &[19])
}

/// Whether SQLite refused what violates a foreign key.
#[cfg(feature = "statements")]
pub(crate) fn is_sqlite_foreign_key(error: &DbErr) -> bool {
    matches!(DriverError::of(error), Some(DriverError::Sqlite(787, _)))
}

/// Whether SQLite refused a key of integers that is none.
#[cfg(feature = "statements")]
pub(crate) fn is_sqlite_mismatch(error: &DbErr) -> bool {
    has_code(error, &[], &[], &[20])
}

/// Whether the database was not reached, or is too busy to answer: then its error is not about the row.
pub(crate) fn is_unavailable(cause: &Cause) -> bool {
    let (Cause::Insert { error, .. } | Cause::MissingTable { error, .. }) = cause else {
        return false;
    };
    is_unreached(error)
        // Shutting down or starting, no connection left, timeouts; SQLite's BUSY and LOCKED.
        || has_code(
            error,
            &["57P01", "57P02", "57P03", "53300", "55P03", "57014"],
            &[1040, 1053, 1205],
            &[5, 6],
        )
}

/// Whether PostgreSQL refused a savepoint because there is no transaction.
pub(crate) fn is_no_transaction(error: &DbErr) -> bool {
    has_code(error, &["25P01"], &[], &[])
}

/// Whether PostgreSQL refused a statement because an earlier one failed.
pub(crate) fn is_aborted(error: &DbErr) -> bool {
    has_code(error, &["25P02"], &[], &[])
}

/// Whether the connection itself, such as SeaORM's `RestrictedConnection`, refused a statement that it cannot parse.
/// The database has not received it.
pub(crate) fn is_refused(error: &DbErr) -> bool {
    matches!(error, DbErr::RbacError(_) | DbErr::AccessDenied { .. })
}

const PROBE: &str = "sea_orm_audit_probe";

/// Whether the change whose record failed is committed.
///
/// A plain pool always commits, SeaORM's own transaction never does, unless MySQL has ended it before; anything else is
/// queried. `None` where the query fails.
pub(super) async fn is_committed<C: ConnectionTrait>(db: &C, cause: &Cause) -> Option<bool> {
    match ConnectionKind::of::<C>() {
        ConnectionKind::Pool => Some(true),
        ConnectionKind::Transaction if db.get_database_backend() != DbBackend::MySql => Some(false),
        // A transaction that the database has ended looks like none.
        ConnectionKind::Transaction | ConnectionKind::Other => {
            if ends_transaction(cause) {
                return Some(false);
            }
            match commits(db).await {
                Err(error) if is_refused(&error) => None,
                commits => Some(commits.unwrap_or(false)),
            }
        }
    }
}

/// Whether a write is committed as soon as it is done. The query changes nothing inside a transaction:
///
/// - PostgreSQL refuses a savepoint outside of a transaction.
/// - SQLite refuses BEGIN inside a transaction; outside, the empty one is ended at once.
/// - MySQL drops a savepoint at once outside of a transaction, so its release fails.
///
/// Where the query is impossible the result is no: rolling back what is committed does no harm.
pub(crate) async fn is_autocommit<C: ConnectionTrait>(db: &C) -> bool {
    commits(db).await.unwrap_or(false)
}

/// The same, or the error of the query.
pub(crate) async fn commits<C: ConnectionTrait>(db: &C) -> Result<bool, DbErr> {
    let backend = db.get_database_backend();
    let question = match backend {
        DbBackend::Sqlite => "BEGIN; COMMIT".to_owned(),
        _ => format!("SAVEPOINT {PROBE}; RELEASE SAVEPOINT {PROBE}"),
    };
    match (db.execute_unprepared(&question).await, backend) {
        (Ok(_), _) => Ok(backend == DbBackend::Sqlite),
        (Err(error), DbBackend::Postgres) if is_no_transaction(&error) => Ok(true),
        (Err(error), DbBackend::MySql) if is_no_savepoint(&error) => Ok(true),
        (Err(error), _) => Err(error),
    }
}

/// Whether MySQL has no savepoint of this name, as outside of a transaction.
pub(crate) fn is_no_savepoint(error: &DbErr) -> bool {
    has_code(error, &[], &[1305], &[])
}

/// Whether a row cannot be read as the entity's model. The database made no error, and continues.
pub(crate) fn is_unreadable(error: &DbErr) -> bool {
    match error {
        DbErr::Type(_) | DbErr::Json(_) => true,
        DbErr::TryIntoErr { .. } => AuditError::of(error).is_none(),
        _ => DriverError::of(error) == Some(DriverError::Decode),
    }
}
