//! The records of one physical transaction that are still to be written.
//!
//! There is one frame for each savepoint, as SeaORM nests them: what a frame holds is dropped when its
//! savepoint is rolled back. Whichever handle writes, its records go to the innermost frame, since that
//! is where the database puts the change, too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::route::Reported;
use crate::capture::{Call, LiveTables, is_given_up, roll_back};
use crate::config::{AuditConfig, FailurePolicy, Tables};
use crate::context::AuditContext;
use crate::error::{AuditError, Cause};
use crate::recorder::{
    Record, Row, Told, cause, ending_error, has_ended_transaction, insert_rows, is_aborted,
    keeping_last_insert_id, restore, take_back, tell, told_before,
};
use crate::stats::{COUNTERS, count_many};

/// About how many bytes of records are held.
const MOST_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Frames {
    /// The id that groups the records of the transaction.
    id: Uuid,
    state: Mutex<State>,
    /// What is known of tables in this transaction.
    pub(crate) live_tables: LiveTables,
}

#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // what has happened to the transaction, each by itself
struct State {
    frames: Vec<Frame>,
    /// Records are written at once: the application controls the transaction in a way that frames do
    /// not show.
    unbuffered: bool,
    write_lock: bool,
    /// A statement failed, so that PostgreSQL may refuse to commit without saying so.
    suspect: bool,
    /// The database has ended the transaction: what is sent now would be committed at once.
    ended: Option<DbErr>,
    /// What the database's triggers know of who writes; lost when a savepoint is rolled back.
    told: Option<AuditContext>,
    /// Where that is to be taken back before COMMIT.
    take_back: Option<Tables>,
    before: Before,
    /// How the last statement was sent.
    call: Option<Call>,
    partial_change: bool,
    /// A write was left without record, and may be committed.
    unrecorded: bool,
    /// The rows of reports that this transaction wrote, by their fingerprints.
    reports: HashMap<String, i64>,
}

/// What triggers were told before the transaction began.
#[derive(Debug, Default, Clone)]
enum Before {
    /// Nothing: it is the database's own transaction.
    #[default]
    Nothing,
    /// It is a savepoint in somebody else's transaction, and what they were told there is not known yet.
    Unknown,
    /// That, if anything.
    Told(Option<Told>),
}

#[derive(Default)]
struct Frame {
    rows: Vec<Held>,
    bytes: usize,
    /// Why the frame must not be committed.
    failure: Option<AuditError>,
    /// The savepoint takes no writes (PostgreSQL).
    read_only: bool,
    /// What must be reported before it is committed.
    reports: Vec<Arc<Reported>>,
}

/// A record of a frame.
struct Held {
    row: Row,
    /// The number of the inner frame in whose savepoint it was written, so that it comes before the
    /// records of that frame. It is lost when that is rolled back, and must then be written again.
    written_in: Option<usize>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("rows", &self.rows.len())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl State {
    fn merge_innermost(&mut self) {
        if self.frames.len() < 2 {
            return;
        }
        let Some(inner) = self.frames.pop() else {
            return;
        };
        let (inner_number, number) = (self.frames.len(), self.frames.len() - 1);
        for frame in &mut self.frames {
            for held in &mut frame.rows {
                if held.written_in == Some(inner_number) {
                    held.written_in = Some(number);
                }
            }
        }
        if let Some(outer) = self.frames.last_mut() {
            // What is written in the frame's own savepoint is as safe as the frame.
            outer.rows.retain(|held| held.written_in != Some(number));
            outer.rows.extend(inner.rows);
            outer.bytes = outer.rows.iter().map(|held| held.row.weight()).sum();
            outer.failure = outer.failure.take().or(inner.failure);
            outer.reports.extend(inner.reports);
        }
    }

    fn discard_innermost(&mut self) {
        let number = self.frames.len() - 1;
        if number == 0 {
            if let Some(frame) = self.frames.last_mut() {
                *frame = Frame::default();
            }
            return;
        }
        for held in self.frames.iter_mut().flat_map(|frame| &mut frame.rows) {
            if held.written_in == Some(number) {
                held.written_in = None;
            }
        }
        self.frames.pop();
    }

    /// What is to be written now: what the innermost frame holds, after what is older. Where the
    /// innermost frame holds nothing, what is older waits, unless everything is to be written.
    fn take(&mut self, everything: bool) -> Vec<Row> {
        if self.frames.iter().any(|frame| frame.read_only) {
            return Vec::new();
        }
        let Some((inner, outer)) = self.frames.split_last_mut() else {
            return Vec::new();
        };
        if inner.rows.is_empty() && !everything {
            return Vec::new();
        }
        let number = outer.len();
        let mut rows = Vec::new();
        for held in outer.iter_mut().flat_map(|frame| &mut frame.rows) {
            if held.written_in.is_none() {
                held.written_in = Some(number);
                rows.push(held.row.clone());
            }
        }
        inner.bytes = 0;
        rows.extend(inner.rows.drain(..).map(|held| held.row));
        rows
    }
}

impl Frames {
    pub(crate) fn new() -> Self {
        Self {
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

    /// The number of savepoints that are set, plus one for the transaction itself.
    pub(super) fn depth(&self) -> usize {
        self.state().frames.len()
    }

    /// A savepoint was set.
    pub(super) fn begin(&self, read_only: bool) {
        self.state().frames.push(Frame {
            read_only,
            ..Frame::default()
        });
    }

    /// The innermost savepoint was released.
    pub(super) fn merge(&self) {
        self.state().merge_innermost();
    }

    /// The innermost savepoint was rolled back.
    pub(super) fn discard(&self) {
        self.live_tables.clear();
        let mut state = self.state();
        state.discard_innermost();
        // It is there, so that the transaction is open; and PostgreSQL takes statements again.
        state.suspect = false;
        state.told = None;
    }

    /// The innermost frame must not be committed.
    pub(crate) fn fail(&self, error: AuditError) {
        if let Some(frame) = self.state().frames.last_mut() {
            frame.failure.get_or_insert(error);
        }
    }

    /// Why the innermost frame must not be committed.
    pub(super) fn failure(&self) -> Option<AuditError> {
        self.state()
            .frames
            .last()
            .and_then(|frame| frame.failure.clone())
    }

    /// A statement failed.
    pub(super) fn failed(&self, error: &DbErr) {
        let mut state = self.state();
        state.suspect = true;
        if state.ended.is_none() && has_ended_transaction(error) {
            state.ended = Some(error.clone());
        }
    }

    /// The database has ended the transaction.
    pub(super) fn end(&self, error: DbErr) {
        self.state().ended.get_or_insert(error);
    }

    /// The transaction is as it should be.
    pub(super) fn clear_suspicion(&self) {
        self.state().suspect = false;
    }

    /// Why nothing can be sent any more.
    pub(super) fn ended(&self) -> Option<DbErr> {
        self.state().ended.clone()
    }

    /// Fails once the database has ended the transaction.
    pub(super) fn check_open(&self) -> Result<(), DbErr> {
        match self.ended() {
            Some(error) => {
                let reason = format!("the database has ended it ({error})");
                Err(AuditError::CommitRefused { reason }.into())
            }
            None => Ok(()),
        }
    }

    /// Whether statements can follow one of ours that failed, and is no part of what the application sent.
    ///
    /// # Errors
    /// Returns the database's error where it has ended the transaction.
    pub(super) async fn go_on_after<C: ConnectionTrait>(
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
        // A trigger on an audit table may have ended it on SQLite.
        self.suspect();
        self.look_whether_open(db).await
    }

    /// SQLite ends the transaction at `ON CONFLICT ROLLBACK` and `RAISE(ROLLBACK)`, which only shows when
    /// a new one can be begun: what is sent then would be committed at once.
    ///
    /// The new one is left open, and is empty: the driver still counts one, and must find it when it
    /// rolls back, or the pooled connection would stay in a transaction for its next user.
    pub(super) async fn look_whether_open<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        self.check_open()?;
        if db.get_database_backend() != DbBackend::Sqlite || !self.is_suspect() {
            return Ok(());
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

    /// Something may have failed unseen.
    pub(super) fn suspect(&self) {
        self.state().suspect = true;
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.state().suspect
    }

    /// A statement is run that was sent in this way.
    pub(super) fn is_called(&self, call: Call) {
        self.state().call = Some(call);
    }

    /// How the last statement was sent.
    pub(super) fn last_call(&self) -> Option<Call> {
        self.state().call
    }

    /// A statement failed, and the database keeps a part of what it changed.
    pub(super) fn note_partial_change(&self) {
        self.state().partial_change = true;
    }

    pub(super) fn has_partial_change(&self) -> bool {
        self.state().partial_change
    }

    /// The row of an equal report that this transaction wrote, unless a savepoint took it back.
    pub(super) fn report_row(&self, fingerprint: &str) -> Option<i64> {
        self.state().reports.get(fingerprint).copied()
    }

    pub(super) fn note_report_row(&self, fingerprint: String, id: i64) {
        self.state().reports.insert(fingerprint, id);
    }

    /// From now on records are written at once.
    pub(super) fn stop_buffering(&self) {
        self.live_tables.clear();
        let mut state = self.state();
        state.unbuffered = true;
        state.told = None;
    }

    pub(crate) fn needs_write_lock(&self) -> bool {
        !self.state().write_lock
    }

    pub(crate) fn has_write_lock(&self) {
        self.state().write_lock = true;
    }

    /// Holds a record until it is written.
    pub(crate) fn keep(
        &self,
        config: &AuditConfig,
        backend: DbBackend,
        record: Result<Record, Cause>,
    ) -> Result<(), DbErr> {
        let row = record.and_then(|mut record| {
            record.transaction_id = Some(self.id);
            record.into_row(config, backend)
        });
        match row {
            Ok(row) => {
                if let Some(frame) = self.state().frames.last_mut() {
                    frame.bytes += row.weight();
                    frame.rows.push(Held {
                        row,
                        written_in: None,
                    });
                }
                Ok(())
            }
            Err(cause) => self.give_up(config.failure_policy(), cause, 1),
        }
    }

    /// Notes what must be reported before the innermost frame is committed.
    pub(super) fn report_before_commit(&self, reported: Reported) {
        if let Some(frame) = self.state().frames.last_mut() {
            frame.reports.push(Arc::new(reported));
        }
    }

    /// The oldest of them.
    pub(super) fn next_report(&self) -> Option<Arc<Reported>> {
        let state = self.state();
        let mut reports = state.frames.iter().flat_map(|frame| &frame.reports);
        reports.next().cloned()
    }

    /// That one is written.
    pub(super) fn remove_report(&self) {
        let mut state = self.state();
        let frame = (state.frames.iter_mut()).find(|frame| !frame.reports.is_empty());
        if let Some(frame) = frame {
            frame.reports.remove(0);
        }
    }

    /// Whether a write was left without record since this was last asked, and may be committed nevertheless.
    pub(super) fn take_unrecorded(&self) -> bool {
        std::mem::take(&mut self.state().unrecorded)
    }

    /// Says that records could not be written.
    fn give_up(&self, policy: FailurePolicy, cause: Cause, records: u64) -> Result<(), DbErr> {
        if is_given_up(policy, &cause) {
            // A trigger on the log may have ended the transaction on SQLite.
            self.suspect();
            count_many(&COUNTERS.isolated, records);
            tracing::error!(%cause, records, "changes go without their audit records");
            return Ok(());
        }
        count_many(&COUNTERS.failed, records);
        let error = roll_back(cause);
        self.fail(error.clone());
        Err(error.into())
    }

    /// Whether what is held is to be written now.
    pub(crate) fn is_full(&self, config: &AuditConfig) -> bool {
        let state = self.state();
        state.frames.last().is_some_and(|frame| {
            (state.unbuffered && !frame.rows.is_empty())
                || frame.rows.len() >= config.buffered_records()
                || frame.bytes >= MOST_BYTES
        })
    }

    /// Writes the buffered records, if the innermost frame holds any.
    pub(crate) async fn flush<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        if self.is_aborted(db).await {
            return Ok(());
        }
        let rows = self.state().take(false);
        self.write_rows(db, rows).await
    }

    /// Whether PostgreSQL has aborted the transaction, and takes no record: what the application sends next has
    /// the database's own error.
    pub(super) async fn is_aborted<C: ConnectionTrait>(&self, db: &C) -> bool {
        let (is_suspect, is_held) = {
            let state = self.state();
            let is_held = (state.frames.iter())
                .any(|frame| !(frame.rows.is_empty() && frame.reports.is_empty()));
            (state.suspect, is_held)
        };
        if !(is_suspect && is_held) || db.get_database_backend() != DbBackend::Postgres {
            return false;
        }
        let look = Statement::from_string(DbBackend::Postgres, "SELECT 1");
        let error = db.execute_raw(look).await.err();
        error.is_some_and(|error| is_aborted(&error))
    }

    /// Writes all buffered records, whichever frame holds them.
    pub(super) async fn flush_all<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        if self.is_aborted(db).await {
            return Ok(());
        }
        let rows = self.state().take(true);
        self.write_rows(db, rows).await
    }

    async fn write_rows<C: ConnectionTrait>(&self, db: &C, rows: Vec<Row>) -> Result<(), DbErr> {
        let Some(policy) = rows.first().map(|row| row.config.failure_policy()) else {
            return Ok(());
        };
        let mut doubt = self.doubt(policy);
        doubt.lost = rows.first().map(|row| (row.config.clone(), rows.len()));
        // `LAST_INSERT_ID()` is the application's.
        let written = keeping_last_insert_id(db, self.write_groups(db, rows)).await;
        doubt.settle();
        written
    }

    /// Writes records in groups that one statement takes.
    async fn write_groups<C: ConnectionTrait>(&self, db: &C, rows: Vec<Row>) -> Result<(), DbErr> {
        let mut rows = rows.into_iter().peekable();
        while let Some(first) = rows.next() {
            let config = first.config.clone();
            let mut group = vec![first];
            while let Some(row) = rows.next_if(|row| group[0].goes_with(row)) {
                group.push(row);
            }
            let records = group.len() as u64;
            match insert_rows(db, group).await {
                Ok(()) => count_many(&COUNTERS.recorded, records),
                Err(error) => {
                    self.give_up(config.failure_policy(), cause(&config, error), records)?;
                    // What is written next would be committed at once.
                    self.look_whether_open(db).await?;
                }
            }
        }
        Ok(())
    }

    /// They are of a savepoint in somebody else's transaction.
    pub(super) fn are_inner(&self) {
        self.state().before = Before::Unknown;
    }

    /// Whether triggers were told of somebody else than this.
    pub(super) fn tells_of_another(&self, context: impl FnOnce() -> AuditContext) -> bool {
        (self.state().told.as_ref()).is_some_and(|told| *told != context())
    }

    /// Whether what triggers are told must not outlive the statement: the application may have committed.
    pub(super) fn is_unbuffered(&self) -> bool {
        self.state().unbuffered
    }

    /// Whether triggers may know something that is to be taken back.
    pub(super) fn is_to_take_back(&self) -> bool {
        self.state().take_back.is_some()
    }

    /// Makes sure that the database's triggers know who writes now.
    pub(crate) async fn tell_triggers<C: ConnectionTrait>(
        &self,
        db: &C,
        config: &AuditConfig,
        context: &AuditContext,
    ) -> Result<(), DbErr> {
        let was_told = {
            let mut state = self.state();
            if state.told.as_ref() == Some(context) {
                return Ok(());
            }
            // Should this future be dropped, nobody knows what they know.
            state.told = None;
            state.take_back.replace(config.tables())
        };
        let asks = matches!(self.state().before, Before::Unknown);
        let telling = async {
            if asks {
                let before = told_before(db, config).await?;
                self.state().before = Before::Told(before);
            }
            tell(db, config, context.clone(), self.id).await
        };
        if let Err(error) = telling.await {
            self.state().take_back = was_told;
            return Err(error);
        }
        self.state().told = Some(context.clone());
        Ok(())
    }

    /// Takes back what the database's triggers were told, as the last thing before a COMMIT, or what may be
    /// one.
    ///
    /// What is dropped or fails here is still to be taken back.
    pub(super) async fn take_back<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        let (told, before, is_outermost) = {
            let mut state = self.state();
            state.told = None;
            if state.frames.len() > 1 {
                // Rolling back a savepoint brings back what was told before it.
                (state.take_back, Before::Nothing, false)
            } else {
                (state.take_back, state.before.clone(), true)
            }
        };
        match (told, before) {
            (None, _) => return Ok(()),
            (Some(tables), Before::Told(before)) => restore(db, tables, before).await?,
            (Some(tables), _) => take_back(db, tables).await?,
        }
        if is_outermost {
            let mut state = self.state();
            state.take_back = None;
            state.before = Before::Nothing;
        }
        Ok(())
    }

    /// Begins something that is to be told. Unless it is settled, the innermost frame must not be
    /// committed, or only with a report under [`FailurePolicy::Isolate`]: when a future is dropped in between,
    /// or fails, nobody tells what was done.
    pub(crate) fn doubt(&self, policy: FailurePolicy) -> Doubt<'_> {
        Doubt {
            frames: self,
            policy,
            lost: None,
            settled: false,
        }
    }
}

/// A look whether the transaction is open. Dropped half way, it may have begun a new one, which a second look would
/// take for the old one.
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

/// Something that is not told yet.
#[must_use = "what is in doubt must be settled"]
pub(crate) struct Doubt<'a> {
    frames: &'a Frames,
    policy: FailurePolicy,
    /// The records that are being written; else it is a write of the application's.
    lost: Option<(AuditConfig, usize)>,
    settled: bool,
}

impl Doubt<'_> {
    /// It is told, or was not done.
    pub(crate) fn settle(mut self) {
        self.settled = true;
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if self.settled || self.frames.failure().is_some() {
            return;
        }
        let records = self.lost.as_ref().map_or(1, |(_, records)| *records as u64);
        let given_up = (self.frames).give_up(self.policy, Cause::Dropped, records);
        // An error that is not given up has failed the frame; a given-up one may be committed.
        if given_up.is_err() {
            return;
        }
        match self.lost.take() {
            Some((config, records)) => {
                let reported = Reported::of_lost_records(config, records);
                self.frames.report_before_commit(reported);
            }
            None => self.frames.state().unrecorded = true,
        }
    }
}
