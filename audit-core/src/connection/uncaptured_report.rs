//! When an uncaptured statement is reported, and what a failed report means.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, TransactionTrait};

use super::detached::detached;
use crate::error::AuditError;
use crate::record::{is_syntax_error, with_last_insert_id};
use crate::transaction_state::Frames;
use crate::transaction_state::UncapturedStatement;

/// Reports a statement outside of any transaction, before it runs. It runs in a separate task: a caller that drops
/// the statement's future leaves the report, and no connection inside of a transaction.
pub(super) async fn report_detached(reported: UncapturedStatement, db: DatabaseConnection) {
    let reporting = detached(async move {
        report_on_pool(&reported, &db).await;
        Ok(())
    });
    if let Err(error) = reporting.await {
        tracing::error!(%error, "the system event of an uncaptured statement failed");
    }
}

pub(super) async fn report_on_pool(reported: &UncapturedStatement, db: &DatabaseConnection) {
    if db.get_database_backend() != DbBackend::MySql || reported.is_silent() {
        // Errors are logged.
        let _ = Box::pin(reported.report(db, None)).await;
        return;
    }
    // On one connection: the application's `LAST_INSERT_ID()` is preserved.
    let tx = match db.begin().await {
        Ok(tx) => tx,
        // MariaDB in Oracle's mode, where BEGIN is a block.
        Err(error) if is_syntax_error(&error) => {
            return report_keeping_id(reported, db, None).await;
        }
        Err(error) => {
            reported.warn();
            tracing::error!(%error, "the system event of an uncaptured statement failed");
            return;
        }
    };
    // Errors are logged.
    let _ = Box::pin(reported.report(&tx, None)).await;
    if let Err(error) = tx.commit().await {
        tracing::error!(%error, "the system event of an uncaptured statement failed");
    }
}

/// Reports without a transaction of the log's own, and keeps `LAST_INSERT_ID()`. Errors are logged.
async fn report_keeping_id(
    reported: &UncapturedStatement,
    db: &DatabaseConnection,
    frames: Option<&Frames>,
) {
    let _ = with_last_insert_id(db, Box::pin(reported.report(db, frames))).await;
}

/// Reports a statement in a transaction that the application controls by text, before it runs. No transaction is
/// begun; the savepoint lets PostgreSQL continue if the report fails.
pub(super) async fn report_by_text(
    reported: UncapturedStatement,
    db: DatabaseConnection,
    frames: Arc<Frames>,
) {
    if reported.is_silent() {
        return;
    }
    let reporting = detached(async move {
        if db.get_database_backend() != DbBackend::Postgres {
            report_keeping_id(&reported, &db, Some(&frames)).await;
            return Ok(());
        }
        guarded_report(&reported, &db, &frames).await?;
        Ok(())
    });
    if let Err(error) = reporting.await {
        tracing::error!(%error, "the report of an uncaptured statement could not be ended");
    }
}

/// Writes the reports that waited because tables were locked; `inside` is the transaction that is open now.
pub(super) async fn report_after_lock(
    waiting: Arc<Frames>,
    db: DatabaseConnection,
    inside: Option<Arc<Frames>>,
) {
    while let Some(reported) = waiting.next_report() {
        let reporting = (Arc::clone(&reported), db.clone(), inside.clone());
        let written = detached(async move {
            let (reported, db, inside) = reporting;
            match inside {
                Some(frames) => report_keeping_id(&reported, &db, Some(&frames)).await,
                None => report_on_pool(&reported, &db).await,
            }
            Ok(())
        });
        if let Err(error) = written.await {
            tracing::error!(%error, "the system event of an uncaptured statement failed");
        }
        waiting.remove_report();
    }
}

/// Submits the reports that waited to the writer of events: the only connection is inside of a transaction.
pub(super) fn submit_waiting(waiting: &Frames) {
    while let Some(reported) = waiting.next_report() {
        reported.warn();
        crate::system_event::report(reported.event());
        waiting.remove_report();
    }
}

/// Reports a statement inside a transaction, before it runs. The transaction continues whether that succeeds or not,
/// unless it is over: PostgreSQL would refuse further statements after an error.
///
/// Returns whether that could be done.
///
/// # Errors
/// Returns the database's error if it has ended the transaction: a later statement would commit by itself. The
/// statement would have returned that error, too, if it had reached the database first.
pub(super) async fn report<C: ConnectionTrait>(
    reported: &UncapturedStatement,
    db: &C,
    frames: &Frames,
) -> Result<bool, DbErr> {
    if reported.is_silent() {
        return Ok(true);
    }
    if db.get_database_backend() != DbBackend::Postgres {
        let done = Box::pin(reported.report(db, Some(frames))).await;
        if let Err(error) = &done {
            frames.go_on_after(error, db).await?;
        }
        return Ok(done.is_ok());
    }
    guarded_report(reported, db, frames).await
}

/// Reports under a savepoint, so that PostgreSQL continues if that fails. Returns whether it could be done.
async fn guarded_report<C: ConnectionTrait>(
    reported: &UncapturedStatement,
    db: &C,
    frames: &Frames,
) -> Result<bool, DbErr> {
    const POINT: &str = "sea_orm_audit_report";
    // It fails on another connection of the pool, if PostgreSQL has aborted the transaction, and if there is no
    // transaction, as after a COMMIT by the application.
    let set = db.execute_unprepared(&format!("SAVEPOINT {POINT}")).await;
    let done = Box::pin(reported.report(db, Some(frames))).await;
    if set.is_ok() {
        let end = if done.is_ok() {
            format!("RELEASE SAVEPOINT {POINT}")
        } else {
            format!("ROLLBACK TO SAVEPOINT {POINT}; RELEASE SAVEPOINT {POINT}")
        };
        db.execute_unprepared(&end).await?;
    }
    Ok(done.is_ok())
}

/// Reports writes that may be committed without the record they require. The writer of system events handles a report
/// that cannot be written.
pub(super) async fn reports_before_commit<C: ConnectionTrait>(
    db: &C,
    frames: &Frames,
) -> Result<(), DbErr> {
    // PostgreSQL does not commit an aborted transaction.
    if frames.is_aborted(db).await {
        return Ok(());
    }
    while let Some(reported) = frames.next_report() {
        if !report(&reported, db, frames).await? {
            crate::system_event::report(reported.event());
        }
        // Removed only now: if this future is dropped, the next one writes the report.
        frames.remove_report();
    }
    Ok(())
}

/// Reports a write that has no record before COMMIT, such as one whose future was dropped.
pub(super) struct ReportUnrecorded<'a, F: Fn() -> UncapturedStatement> {
    pub(super) frames: &'a Frames,
    pub(super) reported: F,
}

impl<F: Fn() -> UncapturedStatement> Drop for ReportUnrecorded<'_, F> {
    fn drop(&mut self) {
        if self.frames.take_unrecorded() {
            self.frames.report_before_commit((self.reported)());
        }
    }
}

/// Why a write has no record if its capture did not finish.
pub(super) const NOT_RECORDED: &str = "it was dropped or failed before it was recorded";

/// Reports changes of a statement that were not recorded. If the policy refuses that, COMMIT is refused.
pub(super) async fn report_gap<C: ConnectionTrait>(
    reported: UncapturedStatement,
    db: &C,
    frames: &Frames,
) -> Result<(), DbErr> {
    match reported.by_policy() {
        Ok(reported) => report(&reported, db, frames).await.map(|_| ()),
        Err(error) => {
            if let Some(error) = AuditError::of(&error) {
                frames.fail(error.clone());
            }
            Err(error)
        }
    }
}

/// Reports the partial changes of a failed statement. They cannot be refused any more: if the policy would refuse
/// them, the transaction must not be committed.
pub(super) async fn report_partial<C: ConnectionTrait>(
    reported: UncapturedStatement,
    db: &C,
    frames: &Frames,
) -> Result<(), DbErr> {
    match reported.by_policy() {
        Ok(reported) => {
            frames.note_partial_change();
            report(&reported, db, frames).await.map(|_| ())
        }
        Err(error) => {
            if let Some(error) = AuditError::of(&error) {
                frames.fail(error.clone());
            }
            Ok(())
        }
    }
}
