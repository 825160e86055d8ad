//! When a statement that is not captured is reported, and what a report that fails means.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, TransactionTrait};

use super::detached::detached;
use crate::error::AuditError;
use crate::record::with_last_insert_id;
use crate::transaction_state::Frames;
use crate::transaction_state::UncapturedStatement;

/// Reports a statement outside of any transaction, before it runs. As a task of its own: a caller that drops the
/// statement's future leaves the report, and no connection inside of a transaction.
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
        // An error is logged.
        let _ = Box::pin(reported.report(db, None)).await;
        return;
    }
    // On one connection, whose `LAST_INSERT_ID()` is the application's, and is kept.
    let tx = match db.begin().await {
        Ok(tx) => tx,
        Err(error) => {
            reported.warn();
            tracing::error!(%error, "the system event of an uncaptured statement failed");
            return;
        }
    };
    // An error is logged.
    let _ = Box::pin(reported.report(&tx, None)).await;
    if let Err(error) = tx.commit().await {
        tracing::error!(%error, "the system event of an uncaptured statement failed");
    }
}

/// Reports a statement in a transaction that the application controls by text, before it runs. Nothing is begun; the
/// savepoint is there so that PostgreSQL goes on where the report fails.
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
            // An error is logged.
            let report = Box::pin(reported.report(&db, Some(&frames)));
            let _ = with_last_insert_id(&db, report).await;
            return Ok(());
        }
        guarded_report(&reported, &db, &frames).await?;
        Ok(())
    });
    if let Err(error) = reporting.await {
        tracing::error!(%error, "the report of an uncaptured statement could not be ended");
    }
}

/// Reports a statement inside a transaction, before it runs. The transaction goes on whether that succeeds or not,
/// unless it is over: PostgreSQL would refuse what comes after an error.
///
/// Returns whether that could be done.
///
/// # Errors
/// Returns the database's error where it has ended the transaction: what is sent after it would be committed by
/// itself. The statement would have met that, too, had it come to the database first.
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

/// Reports under a savepoint, so that PostgreSQL goes on where that fails. Returns whether it could be done.
async fn guarded_report<C: ConnectionTrait>(
    reported: &UncapturedStatement,
    db: &C,
    frames: &Frames,
) -> Result<bool, DbErr> {
    const POINT: &str = "sea_orm_audit_report";
    // It fails on another connection of the pool, where PostgreSQL has aborted the transaction, and where there is none any
    // more, as after a COMMIT of the application's own.
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

/// Reports what may be committed without record although it was to be recorded. What cannot be written is left to the
/// writer of system events.
pub(super) async fn reports_before_commit<C: ConnectionTrait>(
    db: &C,
    frames: &Frames,
) -> Result<(), DbErr> {
    // What PostgreSQL has aborted is not committed.
    if frames.is_aborted(db).await {
        return Ok(());
    }
    while let Some(reported) = frames.next_report() {
        if !report(&reported, db, frames).await? {
            crate::system_event::report(reported.event());
        }
        // Only now: where this future is dropped, the next one writes it.
        frames.remove_report();
    }
    Ok(())
}

/// Reports a write before COMMIT that is left without record, as when its future is dropped.
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

/// Why there is no record of a write whose capture did not come to its end.
pub(super) const NOT_RECORDED: &str = "it was dropped or failed before it was recorded";

/// Reports what a statement did beyond what was recorded. Where the policy refuses that, so is its COMMIT.
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

/// Reports what a failed statement leaves. It cannot be refused any more: where the policy would, the
/// transaction must not be committed.
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
