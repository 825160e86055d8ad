//! A single write outside of any transaction of the application's: one transaction with its record.
//!
//! It runs as a task of its own: a caller that drops its future, or does not go on polling it, neither
//! stops it half way nor keeps it in its transaction with the row locked.

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionSession, TransactionTrait,
};

use super::batch_answer::BatchAnswer;
use super::detached::detached;
use super::error_variant::as_sent;
use super::route::{Captured, Reported, Route};
use super::{AuditedConnection, Frames, last_insert_id, run};
use crate::auditable::has_triggers;
use crate::begin::MayStream;
use crate::capture::{Answer, Call, Engine, Problem, Server};
use crate::config::{AuditConfig, FailurePolicy};
use crate::error::AuditError;
use crate::recorder::{is_read_only, missing_table};
use crate::sql::{Understood, outline_of};

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
    let db = &connection.db;
    if let Some(reported) = captured.whole_batch(db.get_database_backend(), call) {
        report_on_pool(&reported?, db).await;
        return run(db, call, statement).await;
    }
    let begun = db.begin_with_options(options()).await;
    let tx = begun.map_err(|error| as_sent(call, error))?;
    let frames = Frames::new();
    frames.has_write_lock();
    frames.is_called(call);
    let each_commits = tx.get_database_backend() != DbBackend::Postgres;
    let server = &connection.server;
    let done = statements(
        &tx,
        &frames,
        server,
        call,
        statement,
        captured,
        each_commits,
    )
    .await;
    end(tx, &frames, done).await
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
/// What SQLite keeps of a statement that failed is committed, as it is without audit log.
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
            // A deferred constraint fails here: the statement's own error, without audit log.
            Err(error) => Err(match frames.last_call() {
                Some(call) => as_sent(call, error),
                None => error,
            }),
        },
        Err(error) => {
            if tx.get_database_backend() == DbBackend::Sqlite {
                // SQLite has perhaps ended the transaction, which the driver does not see: the pooled
                // connection would stay in one for its next user. Inside a transaction it is refused.
                let _ = tx.execute_unprepared("BEGIN").await;
            }
            // That error matters more than whether this succeeds: the pool then gives the connection up.
            if let Err(error) = tx.rollback().await {
                tracing::warn!(%error, "a failed audited write could not be rolled back");
            }
            Err(AuditError::rolled_back(error))
        }
    }
}

/// Writes what must be written before COMMIT.
async fn records<C: ConnectionTrait>(db: &C, frames: &Frames) -> Result<(), DbErr> {
    frames.flush(db).await?;
    frames.take_back(db).await?;
    match frames.failure() {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// Runs a statement inside a transaction, the way that was found for it.
pub(super) async fn follow<C: ConnectionTrait + MayStream>(
    route: Route,
    db: &C,
    frames: &Frames,
    server: &Server,
    call: Call,
    statement: Statement,
) -> Result<Answer, DbErr> {
    frames.is_called(call);
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
            report(&reported, db, frames).await?;
            run(db, call, statement).await
        }
        Route::Captured(captured) => {
            if let Some(reported) = captured.whole_batch(db.get_database_backend(), call) {
                report(&reported?, db, frames).await?;
                return run(db, call, statement).await;
            }
            let answer = statements(db, frames, server, call, statement, &captured, false).await?;
            if frames.is_full(&captured.config) {
                frames.flush(db).await?;
            }
            Ok(answer)
        }
    }
}

/// Reports a statement outside of any transaction, before it runs: a caller that drops the statement's
/// future leaves the report.
pub(super) async fn report_on_pool(reported: &Reported, db: &DatabaseConnection) {
    if db.get_database_backend() != DbBackend::MySql || reported.is_silent() {
        Box::pin(reported.report(db, None)).await;
        return;
    }
    // On one connection, whose `LAST_INSERT_ID()` is the application's.
    let tx = match db.begin().await {
        Ok(tx) => tx,
        Err(error) => {
            reported.warn();
            tracing::error!(%error, "the system event of an uncaptured statement failed");
            return;
        }
    };
    let done = match last_insert_id::read(&tx).await {
        Ok(value) => {
            Box::pin(reported.report(&tx, None)).await;
            last_insert_id::restore(&tx, value).await
        }
        Err(error) => Err(error),
    };
    let done = match done {
        Ok(()) => tx.commit().await,
        Err(error) => Err(error),
    };
    if let Err(error) = done {
        tracing::error!(%error, "the system event of an uncaptured statement failed");
    }
}

/// Reports a statement inside a transaction, before it runs. The transaction goes on whether that
/// succeeds or not: PostgreSQL would refuse what comes after an error.
async fn report<C: ConnectionTrait>(
    reported: &Reported,
    db: &C,
    frames: &Frames,
) -> Result<(), DbErr> {
    const POINT: &str = "sea_orm_audit_report";
    if reported.is_silent() {
        return Ok(());
    }
    if db.get_database_backend() != DbBackend::Postgres {
        let value = last_insert_id::read(db).await?;
        Box::pin(reported.report(db, Some(frames))).await;
        return last_insert_id::restore(db, value).await;
    }
    // It fails where there is no transaction any more, as after a COMMIT of the application's own.
    let guarded = db.execute_unprepared(&format!("SAVEPOINT {POINT}")).await;
    if guarded.is_err() {
        Box::pin(reported.report(db, Some(frames))).await;
        return Ok(());
    }
    if !Box::pin(reported.report(db, Some(frames))).await {
        (db.execute_unprepared(&format!("ROLLBACK TO SAVEPOINT {POINT}"))).await?;
    }
    db.execute_unprepared(&format!("RELEASE SAVEPOINT {POINT}"))
        .await
        .map(|_| ())
}

/// Runs the statements of one text inside a transaction, in which each may commit by itself, as it does
/// without audit log.
async fn statements<C: ConnectionTrait + MayStream>(
    db: &C,
    frames: &Frames,
    server: &Server,
    call: Call,
    statement: Statement,
    captured: &Captured,
    each_commits: bool,
) -> Result<Answer, DbErr> {
    let engine = Engine {
        db,
        stream: db.as_sea_orm(),
        frames,
        server,
        config: &captured.config,
        context: &captured.context,
        source: captured.source,
        gaps: std::sync::Mutex::default(),
        located: std::sync::Mutex::default(),
        followers: std::sync::Mutex::default(),
        has_run: std::sync::atomic::AtomicBool::new(false),
    };
    let mut whole = Some(statement);
    let backend = db.get_database_backend();
    let mut answers = BatchAnswer::new(backend);
    for (number, (sql, part, audited)) in captured.parts().enumerate() {
        let statement = match sql {
            Some(sql) => Statement::from_string(backend, sql),
            None => match whole.take() {
                Some(statement) => statement,
                None => break,
            },
        };
        frames.live_tables.observe(&statement.sql, part);
        if number > 0 && each_commits {
            records(db, frames).await?;
            commit_part(db)
                .await
                .map_err(|error| as_sent(call, error))?;
        }
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
                take_write_lock(db, frames, &captured.config)
                    .await
                    .map_err(|error| as_sent(call, error))?;
                let text = statement.clone();
                let outline = || outline_of(backend, &text.sql);
                match engine.capture(call, statement, write, audited).await {
                    Ok(answer) => {
                        for gap in engine.take_gaps() {
                            let reported = Reported::of_gap(captured, write, &gap, &outline());
                            report_gap(reported, db, frames).await?;
                        }
                        answer
                    }
                    Err(Problem::Failed(error)) => {
                        if keeps_part(db, &error).await {
                            let reported =
                                Reported::of_write(captured, write, FAILED_HALF_WAY, &outline());
                            report_partial(reported, db, frames).await?;
                        }
                        // Also an error of a read of ours: the statement would have met it.
                        return Err(as_sent(call, error));
                    }
                    Err(Problem::Uncapturable(why)) => {
                        let reported = Reported::of_write(captured, write, why, &outline());
                        let reported = reported.by_policy()?;
                        frames.flush(db).await?;
                        report(&reported, db, frames).await?;
                        let answer = run(db, call, text).await;
                        if let Err(error) = &answer
                            && keeps_part(db, error).await
                        {
                            frames.note_partial_change();
                        }
                        answer?
                    }
                }
            }
        };
        answers.add(next, part);
    }
    answers.into_answer()
}

/// Why the part that SQLite keeps of a failed statement has no record.
const FAILED_HALF_WAY: &str = "it failed half way, and SQLite keeps what it had changed";

/// Reports what a statement did beyond what was recorded. Where the policy refuses that, so is its COMMIT.
async fn report_gap<C: ConnectionTrait>(
    reported: Reported,
    db: &C,
    frames: &Frames,
) -> Result<(), DbErr> {
    match reported.by_policy() {
        Ok(reported) => report(&reported, db, frames).await,
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
async fn report_partial<C: ConnectionTrait>(
    reported: Reported,
    db: &C,
    frames: &Frames,
) -> Result<(), DbErr> {
    match reported.by_policy() {
        Ok(reported) => {
            frames.note_partial_change();
            report(&reported, db, frames).await
        }
        Err(error) => {
            if let Some(error) = AuditError::of(&error) {
                frames.fail(error.clone());
            }
            Ok(())
        }
    }
}

/// Whether SQLite keeps a part of a statement that failed: `RAISE(FAIL)` and `ON CONFLICT FAIL` do not
/// undo it. `changes()` is then what it has changed, and 0 where it was undone.
async fn keeps_part<C: ConnectionTrait>(db: &C, error: &DbErr) -> bool {
    const CONSTRAINT: u32 = 19;
    if db.get_database_backend() != DbBackend::Sqlite || AuditError::of(error).is_some() {
        return false;
    }
    // Another error may come before the statement has begun, and `changes()` be an older one's. The
    // driver's type is there only where a driver is compiled in.
    let text = format!("{error:?}");
    let code = (text.split_once("SqliteError { code: "))
        .and_then(|(_, rest)| rest.split(',').next()?.trim().parse::<u32>().ok());
    if code.is_none_or(|code| code & 0xFF != CONSTRAINT) {
        return false;
    }
    let sql = Statement::from_string(DbBackend::Sqlite, "SELECT changes()");
    match db.query_one_raw(sql).await {
        Ok(Some(row)) => row.try_get_by_index::<i64>(0).is_ok_and(|rows| rows > 0),
        _ => false,
    }
}

/// Commits one statement of several, and begins the next: they are committed one by one without audit
/// log, too.
async fn commit_part<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    db.execute_unprepared("COMMIT").await?;
    let begin = match db.get_database_backend() {
        DbBackend::Sqlite => "BEGIN IMMEDIATE",
        _ => "BEGIN",
    };
    db.execute_unprepared(begin).await.map(|_| ())
}

/// A SQLite transaction that reads before it writes loses to another writer. Where records may fail,
/// writes go on without an audit table; else the engine takes the lock, and refuses them.
async fn take_write_lock<C: ConnectionTrait>(
    db: &C,
    frames: &Frames,
    config: &AuditConfig,
) -> Result<(), DbErr> {
    if db.get_database_backend() != DbBackend::Sqlite
        || !frames.needs_write_lock()
        || config.failure_policy() != FailurePolicy::Isolate
    {
        return Ok(());
    }
    let tables = config.tables();
    let mut nothing = Query::delete();
    nothing
        .from_table(tables.reference(tables.log()))
        .and_where(ExprTrait::eq(Expr::value(1), 0));
    match db.execute(&nothing).await {
        Err(error) if missing_table(config, &error).is_none() => Err(error),
        _ => {
            frames.has_write_lock();
            Ok(())
        }
    }
}
