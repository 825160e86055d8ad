//! Runs statements inside a transaction, each by its route.

use std::sync::{Mutex, PoisonError};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::batch_result::BatchResult;
use super::partial_failure::keeps_part;
use super::route::{Captured, Route};
use super::uncaptured_report::{
    NOT_RECORDED, ReportUnrecorded, report, report_gap, report_partial,
};
use super::{autocommit, run};
use crate::begin::MayStream;
use crate::capture::{CaptureError, Engine, ExecOutput, ServerInfo};
use crate::exec_method::ExecMethod;
use crate::sql::{ParsedStatement, outline_of};
use crate::transaction_state::Frames;
use crate::transaction_state::UncapturedStatement;

/// Runs a statement inside a transaction by its route. Errors of internal statements become the errors that the
/// application's statement would have returned.
pub(super) async fn follow<C: ConnectionTrait + MayStream>(
    route: Route,
    db: &C,
    frames: &Frames,
    server: &ServerInfo,
    call: ExecMethod,
    statement: Statement,
) -> Result<ExecOutput, DbErr> {
    frames.is_called(call);
    (followed(route, db, frames, server, call, statement).await)
        .map_err(|error| call.own_error(error))
}

async fn followed<C: ConnectionTrait + MayStream>(
    route: Route,
    db: &C,
    frames: &Frames,
    server: &ServerInfo,
    call: ExecMethod,
    statement: Statement,
) -> Result<ExecOutput, DbErr> {
    match route {
        Route::Straight => run(db, call, statement).await,
        Route::Uncaptured(reported) if reported.must_be_first() && !reported.is_silent() => {
            reported.warn();
            frames.report_before_commit(reported);
            run(db, call, statement).await
        }
        Route::Uncaptured(reported) => {
            report_before(&reported, db, frames).await?;
            run(db, call, statement).await
        }
        Route::Captured(captured) => {
            if let Some(reported) = captured.whole_batch(db.get_database_backend(), call) {
                report(&reported?, db, frames).await?;
                return run(db, call, statement).await;
            }
            if let Some(reported) =
                captured.without_values(db.get_database_backend(), call, &statement)
            {
                let reported = reported?;
                frames.flush(db).await?;
                report(&reported, db, frames).await?;
                return run(db, call, statement).await;
            }
            let inside = Outside::default();
            let answer = statements(db, frames, server, call, statement, &captured, inside).await?;
            if frames.is_full(&captured.config) {
                frames.flush(db).await?;
            }
            Ok(answer)
        }
    }
}

/// Reports a statement before it runs, and sets the trigger context: its effect is unknown, and it may fire any
/// trigger.
pub(super) async fn report_before<C: ConnectionTrait>(
    reported: &UncapturedStatement,
    db: &C,
    frames: &Frames,
) -> Result<(), DbErr> {
    if let Some((config, context)) = reported.trigger_context()
        && config.has_triggers()
    {
        frames.set_trigger_context(db, config, context).await?;
    }
    report(reported, db, frames).await.map(|_| ())
}

/// What differs outside of the application's transactions.
#[derive(Default, Clone, Copy)]
pub(super) struct Outside<'a> {
    /// Each statement of a text commits by itself.
    pub(super) each_commits: bool,
    /// Receives a statement that cannot be captured, and is not run then.
    pub(super) left: Option<&'a Mutex<Option<UncapturedStatement>>>,
}

/// Runs the statements of one text inside a transaction, in which each may commit by itself, as it does without audit
/// log.
pub(super) async fn statements<C: ConnectionTrait + MayStream>(
    db: &C,
    frames: &Frames,
    server: &ServerInfo,
    call: ExecMethod,
    statement: Statement,
    captured: &Captured,
    outside: Outside<'_>,
) -> Result<ExecOutput, DbErr> {
    let each_commits = outside.each_commits;
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
        shape: std::sync::atomic::AtomicU32::new(0),
    };
    let mut whole = Some(statement);
    let backend = db.get_database_backend();
    let mut answers = BatchResult::new(backend);
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
            autocommit::records(db, frames).await?;
            commit_part(db).await?;
        }
        let audited = match (part, audited) {
            (ParsedStatement::Write(write), Some(audited)) => {
                if audited.fires_triggers() {
                    let (config, context) = (&captured.config, &captured.context);
                    frames.set_trigger_context(db, config, context).await?;
                }
                audited.is_captured().then_some((write, audited))
            }
            _ => None,
        };
        let next = match audited {
            None => run(db, call, statement).await?,
            Some((write, audited)) => {
                let text = statement.clone();
                let outline = || outline_of(backend, &text.sql);
                let done = {
                    let _unrecorded = ReportUnrecorded {
                        frames,
                        reported: || {
                            UncapturedStatement::of_write(captured, write, NOT_RECORDED, &outline())
                        },
                    };
                    engine.capture(call, statement, write, audited).await
                };
                match done {
                    Ok(answer) => {
                        for gap in engine.take_gaps() {
                            let reported =
                                UncapturedStatement::of_gap(captured, write, &gap, &outline());
                            report_gap(reported, db, frames).await?;
                        }
                        answer
                    }
                    Err(CaptureError::Failed(error)) => {
                        if let Some(why) = keeps_part(db, &error, write, each_commits).await {
                            let reported =
                                UncapturedStatement::of_write(captured, write, why, &outline());
                            report_partial(reported, db, frames).await?;
                        }
                        // This may be an error of an internal read: the statement would have returned it, too.
                        return Err(error);
                    }
                    Err(CaptureError::Uncapturable(why)) => {
                        let reported =
                            UncapturedStatement::of_write(captured, write, why, &outline());
                        let reported = reported.by_policy()?;
                        if let Some(left) = outside.left {
                            *left.lock().unwrap_or_else(PoisonError::into_inner) = Some(reported);
                            return Err(DbErr::Custom("it is left to be run by itself".to_owned()));
                        }
                        frames.flush(db).await?;
                        report(&reported, db, frames).await?;
                        let answer = run(db, call, text).await;
                        if let Err(error) = &answer
                            && keeps_part(db, error, write, each_commits).await.is_some()
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

/// Commits one statement of several, and begins the next: without audit log they commit one by one, too.
async fn commit_part<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    db.execute_unprepared("COMMIT").await?;
    let begin = match db.get_database_backend() {
        DbBackend::Sqlite => "BEGIN IMMEDIATE",
        _ => "BEGIN",
    };
    db.execute_unprepared(begin).await.map(|_| ())
}
