//! The state of one physical transaction: its unwritten records, and its outcome.
//!
//! There is one frame for each savepoint, as SeaORM nests them: the content of a frame is dropped when its savepoint
//! is rolled back. The records of any handle go to the innermost frame, since the database puts the change there,
//! too.

mod buffer;
mod trigger_context;
mod uncaptured;
mod unrecorded;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, IsolationLevel, Statement};

use crate::catalog::LiveTables;
use crate::error::{AuditError, Cause};
use crate::exec_method::ExecMethod;
use crate::record::{
    ending_error, has_ended_transaction, is_aborted, is_autocommit, may_have_ended_transaction,
    prepare_again,
};
use buffer::Frame;
use trigger_context::TriggerContext;
pub(crate) use uncaptured::UncapturedStatement;
pub(crate) use unrecorded::UnrecordedGuard;

#[derive(Debug)]
pub(crate) struct Frames {
    /// The id that groups the records of the transaction.
    id: Uuid,
    state: Mutex<State>,
    /// The level that the transaction was begun with, if one was set.
    pub(crate) isolation_level: Option<IsolationLevel>,
    /// What is known of tables in this transaction.
    pub(crate) live_tables: LiveTables,
}

#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // what has happened to the transaction, each by itself
struct State {
    frames: Vec<Frame>,
    /// Records are written at once: the application controls the transaction in a way that frames do not show.
    unbuffered: bool,
    write_lock: bool,
    /// A statement failed, so that PostgreSQL may refuse to commit without an error.
    suspect: bool,
    /// MySQL timed out waiting for a lock; the transaction may continue or be over.
    timed_out: Option<DbErr>,
    /// The database has ended the transaction: a further statement would commit at once.
    ended: Option<DbErr>,
    /// The context that the database's triggers have.
    triggers: TriggerContext,
    /// How the last statement was sent.
    call: Option<ExecMethod>,
    partial_change: bool,
    /// A write was left without record, and may be committed.
    unrecorded: bool,
    /// The rows of reports that this transaction wrote, by their fingerprints.
    reports: HashMap<String, i64>,
}

impl Frames {
    pub(crate) fn new() -> Self {
        Self::at(None)
    }

    /// The state of a transaction that was begun at this level.
    pub(crate) fn at(isolation_level: Option<IsolationLevel>) -> Self {
        Self {
            isolation_level,
            id: Uuid::now_v7(),
            state: Mutex::new(State {
                frames: vec![Frame::default()],
                ..State::default()
            }),
            live_tables: LiveTables::default(),
        }
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A statement failed.
    pub(crate) fn failed(&self, error: &DbErr) {
        let mut state = self.state();
        state.suspect = true;
        if state.ended.is_none() && has_ended_transaction(error) {
            state.ended = Some(error.clone());
        } else if may_have_ended_transaction(error) {
            state.timed_out = Some(error.clone());
        }
    }

    /// The database has ended the transaction.
    pub(crate) fn end(&self, error: DbErr) {
        self.state().ended.get_or_insert(error);
    }

    /// Clears the suspicion of an earlier failure.
    pub(crate) fn clear_suspicion(&self) {
        self.state().suspect = false;
    }

    /// Why no further statement can be sent.
    pub(crate) fn ended(&self) -> Option<DbErr> {
        self.state().ended.clone()
    }

    /// Fails once the database has ended the transaction.
    pub(crate) fn check_open(&self) -> Result<(), DbErr> {
        match self.ended() {
            Some(error) => {
                let reason = format!("the database has ended it ({error})");
                Err(AuditError::CommitRefused { reason }.into())
            }
            None => Ok(()),
        }
    }

    /// Whether statements can follow a failed internal one, which the application did not send.
    ///
    /// # Errors
    /// Returns the database's error if it has ended the transaction.
    pub(crate) async fn go_on_after<C: ConnectionTrait>(
        &self,
        error: &AuditError,
        db: &C,
    ) -> Result<(), DbErr> {
        if let Some(cause) = error.cause()
            && let Some(error) = ending_error(cause)
        {
            self.end(error.clone());
            return Err(error.clone());
        }
        match error.cause() {
            Some(Cause::Insert { error, .. }) => self.failed(error),
            // A trigger on an audit table may have ended it on SQLite.
            _ => self.suspect(),
        }
        self.look_whether_open(db).await
    }

    /// SQLite ends the transaction at `ON CONFLICT ROLLBACK` and `RAISE(ROLLBACK)`, which only shows if a new one can
    /// be begun: further statements would commit at once.
    ///
    /// The new one is left open, and is empty: the driver still counts one, and must find it when it rolls back, or
    /// the pooled connection would stay in a transaction for its next user.
    pub(crate) async fn look_whether_open<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        self.check_open()?;
        match db.get_database_backend() {
            DbBackend::Sqlite if self.is_suspect() => {}
            DbBackend::MySql => return self.look_after_timeout(db).await,
            _ => return Ok(()),
        }
        let mut look = Look {
            frames: self,
            is_done: false,
        };
        let begun = db.execute_unprepared("BEGIN").await;
        look.is_done = true;
        if begun.is_err() {
            self.clear_suspicion();
            return Ok(());
        }
        self.end(DbErr::Custom("a conflict rolled it back".into()));
        self.check_open()
    }

    /// Checks whether MySQL has ended the transaction after a timeout. Then a further statement commits by itself.
    async fn look_after_timeout<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        let Some(error) = self.state().timed_out.clone() else {
            return Ok(());
        };
        // If the application has committed by itself, there is no transaction to end.
        if !self.is_unbuffered() && is_autocommit(db).await {
            self.end(error);
        }
        self.state().timed_out = None;
        self.check_open()
    }

    /// Whether PostgreSQL has aborted the transaction, and accepts no record: the application's next statement gets
    /// the database's own error.
    pub(crate) async fn is_aborted<C: ConnectionTrait>(&self, db: &C) -> bool {
        let (is_suspect, is_held) = {
            let state = self.state();
            let is_held = (state.frames.iter())
                .any(|frame| !(frame.rows.is_empty() && frame.reports.is_empty()));
            (state.suspect, is_held)
        };
        if !(is_suspect && is_held) || db.get_database_backend() != DbBackend::Postgres {
            return false;
        }
        let look = prepare_again(Statement::from_string(DbBackend::Postgres, "SELECT 1"));
        let error = db.execute_raw(look).await.err();
        error.is_some_and(|error| is_aborted(&error))
    }

    /// An undetected failure is possible.
    pub(crate) fn suspect(&self) {
        self.state().suspect = true;
    }

    pub(crate) fn is_suspect(&self) -> bool {
        self.state().suspect
    }

    /// Records how the current statement is sent.
    pub(crate) fn is_called(&self, call: ExecMethod) {
        self.state().call = Some(call);
    }

    /// How the last statement was sent.
    pub(crate) fn last_call(&self) -> Option<ExecMethod> {
        self.state().call
    }

    /// A statement failed, and the database keeps a part of what it changed.
    pub(crate) fn note_partial_change(&self) {
        self.state().partial_change = true;
    }

    pub(crate) fn has_partial_change(&self) -> bool {
        self.state().partial_change
    }

    pub(crate) fn needs_write_lock(&self) -> bool {
        !self.state().write_lock
    }

    pub(crate) fn has_write_lock(&self) {
        self.state().write_lock = true;
    }
}

/// A check whether the transaction is open. Dropped half way, it may have begun a new one, which a second check would
/// mistake for the old one.
struct Look<'a> {
    frames: &'a Frames,
    is_done: bool,
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            let dropped = "a statement was dropped that looked whether it is open";
            self.frames.end(DbErr::Custom(dropped.to_owned()));
        }
    }
}
