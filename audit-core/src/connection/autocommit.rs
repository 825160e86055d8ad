//! A single write outside of the application's transactions: one transaction with its record.
//!
//! It runs in a separate task: a caller that drops its future, or stops polling it, neither stops it half way nor
//! keeps it in its transaction with the row locked.

use std::sync::{Mutex, PoisonError};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, TransactionSession, TransactionTrait};

use super::detached::detached;
use super::in_transaction::{Outside, statements};
use super::route::Captured;
use super::uncaptured_report::{report_on_pool, reports_before_commit};
use super::{AuditedConnection, run};
use crate::begin::{Begun, begin_if_ended, options};
use crate::capture::ExecOutput;
use crate::error::AuditError;
use crate::exec_method::ExecMethod;
use crate::record::is_syntax_error;
use crate::sql::outline_of;
use crate::transaction_state::Frames;

/// Runs a write, or several writes of one text, with their records.
pub(super) async fn write(
    connection: AuditedConnection,
    call: ExecMethod,
    statement: Statement,
    captured: Captured,
) -> Result<ExecOutput, DbErr> {
    // A task is on the heap anyway, so the waiting future stays small.
    let unit =
        Box::pin(async move { write_and_record(&connection, call, statement, &captured).await });
    detached(unit).await
}

async fn write_and_record(
    connection: &AuditedConnection,
    call: ExecMethod,
    statement: Statement,
    captured: &Captured,
) -> Result<ExecOutput, DbErr> {
    let db = &connection.db;
    if let Some(reported) = captured.whole_batch(db.get_database_backend(), call) {
        report_on_pool(&reported?, db).await;
        return run(db, call, statement).await;
    }
    if let Some(reported) = captured.without_values(db.get_database_backend(), call, &statement) {
        // The log sends nothing on the connection that the driver then loses.
        report_on_pool(&reported?, db).await;
        return run(db, call, statement).await;
    }
    let begun = db.begin_with_options(options()).await;
    let tx = match begun {
        Ok(tx) => Begun::on_pool(tx),
        Err(error) if is_syntax_error(&error) => {
            return without_transaction(connection, call, statement, captured).await;
        }
        Err(error) => return Err(call.own_error(error)),
    };
    let frames = Frames::new();
    frames.has_write_lock();
    frames.is_called(call);
    let each_commits = tx.get_database_backend() != DbBackend::Postgres;
    let server = &connection.server;
    let left = Mutex::new(None);
    // The context that triggers read belongs to this transaction.
    let leaves = captured.parts().count() == 1 && !captured.config.has_triggers();
    let done = statements(
        &tx,
        &frames,
        server,
        call,
        statement.clone(),
        captured,
        Outside {
            each_commits,
            left: leaves.then_some(&left),
        },
    )
    .await
    .map_err(|error| call.own_error(error));
    if let Some(reported) = left.into_inner().unwrap_or_else(PoisonError::into_inner) {
        // It is not captured, and has not run. Without a transaction it commits at once, and its report is counted
        // with equal ones.
        if let Err(error) = tx.rollback().await {
            tracing::warn!(%error, "an empty transaction could not be rolled back");
        }
        report_on_pool(&reported, db).await;
        return run(db, call, statement).await;
    }
    end(tx, &frames, done).await
}

/// Runs a write that cannot be captured, because the driver can begin no transaction: MariaDB reads its BEGIN as that
/// of a block where `sql_mode` has ORACLE.
async fn without_transaction(
    connection: &AuditedConnection,
    call: ExecMethod,
    statement: Statement,
    captured: &Captured,
) -> Result<ExecOutput, DbErr> {
    const WHY: &str = "the driver cannot begin a transaction in this sql_mode";
    let db = &connection.db;
    let outline = || outline_of(db.get_database_backend(), &statement.sql);
    if let Some(reported) = captured.reported(WHY, outline) {
        report_on_pool(&reported.by_policy()?, db).await;
    }
    run(db, call, statement).await
}

/// Ends an internal transaction: a success is committed with its records, else everything is rolled back. The part of
/// a failed statement that SQLite keeps is committed, as it is without audit log.
pub(super) async fn end<T, R>(tx: T, frames: &Frames, done: Result<R, DbErr>) -> Result<R, DbErr>
where
    T: ConnectionTrait + TransactionSession,
{
    let done = match done {
        Err(error) if !frames.has_partial_change() => Err(error),
        done => match records(&tx, frames).await {
            Ok(()) => Ok(done),
            Err(error) => Err(error),
        },
    };
    match done {
        Ok(done) => match tx.commit().await {
            Ok(()) => done,
            // A deferred constraint fails here; without audit log it is the statement's own error.
            Err(error) => Err(match frames.last_call() {
                Some(call) => call.own_error(error),
                None => error,
            }),
        },
        Err(error) => {
            begin_if_ended(&tx).await;
            // That error matters more than whether this succeeds: the pool then discards the connection.
            if let Err(error) = tx.rollback().await {
                tracing::warn!(%error, "a failed audited write could not be rolled back");
            }
            Err(AuditError::rolled_back(error))
        }
    }
}

/// Writes what must be written before COMMIT.
pub(super) async fn records<C: ConnectionTrait>(db: &C, frames: &Frames) -> Result<(), DbErr> {
    reports_before_commit(db, frames).await?;
    frames.flush(db).await?;
    frames.clear_context(db).await?;
    match frames.failure() {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}
