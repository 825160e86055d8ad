//! A single write outside of any transaction of the application's: one transaction with its record.
//!
//! It runs as a task of its own: a caller that drops its future, or does not go on polling it, neither
//! stops it half way nor keeps it in its transaction with the row locked.

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionSession, TransactionTrait,
};

use super::finish::detached;
use super::route::{Captured, Reported, Route};
use super::{AuditedConnection, Frames, run};
use crate::auditable::has_triggers;
use crate::capture::{Answer, Call, Engine, Problem, Server, result_of};
use crate::error::AuditError;
use crate::recorder::is_read_only;
use crate::sql::Understood;

/// Runs a write, or several that one text has, with their records.
pub(super) async fn write(
    connection: AuditedConnection,
    call: Call,
    statement: Statement,
    captured: Captured,
) -> Result<Answer, DbErr> {
    detached(async move { unit(&connection, call, statement, &captured).await }).await
}

async fn unit(
    connection: &AuditedConnection,
    call: Call,
    statement: Statement,
    captured: &Captured,
) -> Result<Answer, DbErr> {
    let tx = connection.db.begin_with_options(options()).await?;
    let frames = Frames::new();
    frames.has_write_lock();
    let done = statements(&tx, &frames, &connection.server, call, statement, captured).await;
    let (answer, reports) = end(tx, &frames, done).await?;
    for report in reports {
        Box::pin(report.report(&connection.db)).await;
    }
    Ok(answer)
}

/// How a transaction of our own begins: on SQLite, one that reads first loses to another writer. Other
/// databases ignore it.
pub(super) fn options() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

/// Ends a transaction of our own: what succeeded is committed with its records, else all is rolled back.
pub(super) async fn end<T, R>(tx: T, frames: &Frames, done: Result<R, DbErr>) -> Result<R, DbErr>
where
    T: ConnectionTrait + TransactionSession,
{
    let done = match done {
        Ok(done) => match frames.flush(&tx).await {
            Ok(()) => frames.take_back(&tx).await.map(|()| done),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    let done = match (done, frames.failure()) {
        (Ok(_), Some(error)) => Err(error.into()),
        (done, _) => done,
    };
    match done {
        Ok(done) => tx.commit().await.map(|()| done),
        Err(error) => {
            // That error matters more than whether this succeeds: the pool then gives the connection up.
            if let Err(error) = tx.rollback().await {
                tracing::warn!(%error, "a failed audited write could not be rolled back");
            }
            Err(AuditError::rolled_back(error))
        }
    }
}

/// Runs a statement inside a transaction, the way that was found for it.
pub(super) async fn follow<C: ConnectionTrait>(
    route: Route,
    db: &C,
    frames: &Frames,
    server: &Server,
    call: Call,
    statement: Statement,
) -> Result<Answer, DbErr> {
    match route {
        Route::Straight => run(db, call, statement).await,
        Route::Reported(reported) => {
            // What it does is not known: it may fire any of them.
            if let Some((config, context)) = reported.teller()
                && has_triggers(config)
                && let Err(error) = frames.tell_triggers(db, config, context).await
                // Where nothing can be written, nothing fires.
                && !is_read_only(&error)
            {
                return Err(error);
            }
            let answer = run(db, call, statement).await?;
            report(&reported, db).await?;
            Ok(answer)
        }
        Route::Captured(captured) => {
            let (answer, reports) =
                statements(db, frames, server, call, statement, &captured).await?;
            for reported in reports {
                report(&reported, db).await?;
            }
            if frames.is_full(&captured.config) {
                frames.flush(db).await?;
            }
            Ok(answer)
        }
    }
}

/// Reports a statement inside a transaction, which goes on whether that succeeds or not: PostgreSQL would refuse
/// what comes after an error.
async fn report<C: ConnectionTrait>(reported: &Reported, db: &C) -> Result<(), DbErr> {
    const POINT: &str = "sea_orm_audit_report";
    if db.get_database_backend() != DbBackend::Postgres || reported.is_silent() {
        Box::pin(reported.report(db)).await;
        return Ok(());
    }
    // It fails where there is no transaction any more, as after a COMMIT by hand.
    let guarded = db.execute_unprepared(&format!("SAVEPOINT {POINT}")).await;
    if guarded.is_err() {
        Box::pin(reported.report(db)).await;
        return Ok(());
    }
    if !Box::pin(reported.report(db)).await {
        (db.execute_unprepared(&format!("ROLLBACK TO SAVEPOINT {POINT}"))).await?;
    }
    db.execute_unprepared(&format!("RELEASE SAVEPOINT {POINT}"))
        .await
        .map(|_| ())
}

/// Runs the statements of one text inside a transaction.
async fn statements<C: ConnectionTrait>(
    db: &C,
    frames: &Frames,
    server: &Server,
    call: Call,
    statement: Statement,
    captured: &Captured,
) -> Result<(Answer, Vec<Reported>), DbErr> {
    let engine = Engine {
        db,
        frames,
        server,
        config: &captured.config,
        context: &captured.context,
        source: captured.source,
        gaps: std::sync::Mutex::default(),
    };
    let mut whole = Some(statement);
    let backend = db.get_database_backend();
    let mut answer = None;
    let mut affected = 0;
    let mut reports = Vec::new();
    let mut parts = 0;
    for (sql, part, audited) in captured.parts() {
        let statement = match sql {
            Some(sql) => Statement::from_string(backend, sql),
            None => match whole.take() {
                Some(statement) => statement,
                None => break,
            },
        };
        let audited = match (part, audited) {
            (Understood::Write(write), Some(audited)) => {
                if audited.fires_triggers() {
                    let (config, context) = (&captured.config, &captured.context);
                    frames.tell_triggers(db, config, context).await?;
                }
                audited.is_captured().then_some((write, audited))
            }
            _ => None,
        };
        let next = match audited {
            None => run(db, call, statement).await?,
            Some((write, audited)) => {
                let text = statement.clone();
                match engine.capture(call, statement, write, audited).await {
                    Ok(answer) => {
                        for gap in engine.take_gaps() {
                            let outline = crate::sql::outline_of(backend, &text.sql);
                            let reported = Reported::of_gap(captured, write, &gap, &outline);
                            reports.push(reported.by_policy()?);
                        }
                        answer
                    }
                    Err(Problem::Failed(error)) => return Err(error),
                    Err(Problem::Uncapturable(why)) => {
                        let outline = crate::sql::outline_of(backend, &text.sql);
                        let reported = Reported::of_write(captured, write, why, &outline);
                        reports.push(reported.by_policy()?);
                        frames.flush(db).await?;
                        run(db, call, text).await?
                    }
                }
            }
        };
        if let Answer::Executed(result) = &next {
            affected += result.rows_affected();
        }
        answer = Some(next);
        parts += 1;
    }
    let answer = match answer {
        Some(Answer::Executed(_)) if parts > 1 => Answer::Executed(result_of(0, affected)?),
        Some(answer) => answer,
        None => Answer::Rows(Vec::new()),
    };
    Ok((answer, reports))
}
