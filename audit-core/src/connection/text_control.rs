//! Transactions that the application begins and ends by text, on an `AuditedConnection`.
//!
//! That works on a pool of one connection, as used by migrations, scripts and SQLite's `:memory:`. While such a
//! transaction is open, the log must not begin another: MySQL's BEGIN commits the open one, PostgreSQL's COMMIT ends
//! it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use super::detached::run_to_end;
use crate::record::commits;
use crate::sql::Step;
use crate::transaction_state::Frames;

/// Why a write is not recorded meanwhile.
pub(super) const BY_TEXT: &str = "the application controls the transaction by text";

/// What is known of such a transaction; shared by all clones of a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct TextControl(Arc<Mutex<State>>);

#[derive(Debug, Clone, Default)]
#[allow(clippy::struct_excessive_bools)] // what the texts have done, each by itself
struct State {
    is_begun: bool,
    /// SQLite: the current savepoints, if the first of them began the transaction.
    savepoints: Vec<String>,
    /// MySQL: statements do not commit by themselves.
    is_manual: bool,
    /// MySQL: the log's BEGIN would unlock tables that the application has locked.
    is_locked: bool,
    /// MySQL: the log's BEGIN would be the transaction that the application wants to only read.
    next_is_read_only: bool,
    /// What was reported in the transaction.
    frames: Option<Arc<Frames>>,
    /// A text failed half way, was dropped before its result, or has an unknown effect: only the database knows whether
    /// a transaction is open.
    is_uncertain: bool,
}

impl State {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Begin => {
                self.is_begun = true;
                self.is_locked = false;
                self.next_is_read_only = false;
                self.savepoints.clear();
            }
            Step::End => self.end(),
            Step::Unknown => {
                self.is_begun = true;
                self.is_uncertain = true;
            }
            // Both commit.
            Step::Lock => {
                self.end();
                self.is_locked = true;
            }
            Step::Unlock if self.is_locked => {
                self.end();
                self.is_locked = false;
            }
            // Inside a transaction it is refused.
            Step::NextIsReadOnly(is_set) => {
                self.next_is_read_only = *is_set && self.frames.is_none();
            }
            Step::Savepoint(name) => {
                if !self.is_begun || !self.savepoints.is_empty() {
                    self.savepoints.push(name.clone());
                }
                self.is_begun = true;
            }
            Step::Release(name) => {
                if let Some(at) = self.savepoints.iter().rposition(|set| set == name) {
                    self.savepoints.truncate(at);
                    if at == 0 {
                        self.end();
                    }
                }
            }
            Step::Autocommit(false) => self.is_manual = true,
            // It commits, unless the setting was so before.
            Step::Autocommit(true) if self.is_manual => {
                self.is_manual = false;
                self.end();
            }
            Step::Autocommit(true) | Step::Unlock => {}
        }
        self.has_frames();
    }

    fn has_frames(&mut self) {
        if self.is_begun || self.is_manual || self.is_locked {
            (self.frames).get_or_insert_with(|| Arc::new(Frames::new()));
        } else {
            self.frames = None;
        }
    }

    fn end(&mut self) {
        self.is_begun = false;
        self.savepoints.clear();
        self.frames = None;
    }
}

impl TextControl {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reports of the open transaction, if one is open.
    pub(super) fn open(&self) -> Option<Arc<Frames>> {
        self.state().frames.clone()
    }

    /// Whether tables are locked: only those can be written, so reports wait.
    pub(super) fn is_locked(&self) -> bool {
        self.state().is_locked
    }

    /// Whether the next transaction can only read.
    pub(super) fn is_read_only(&self) -> bool {
        self.state().next_is_read_only
    }

    /// That transaction was one of a statement. One that is refused leaves the setting.
    pub(super) fn has_been_read_only(&self) {
        self.state().next_is_read_only = false;
    }

    /// A transaction was begun by `begin()`, which unlocks tables. Returns the waiting reports.
    pub(super) fn begun(&self) -> Option<Arc<Frames>> {
        let mut state = self.state();
        state.next_is_read_only = false;
        if !std::mem::take(&mut state.is_locked) {
            return None;
        }
        let frames = state.frames.clone();
        state.has_frames();
        frames
    }

    /// Asks the database whether a transaction is open, where that is unknown.
    pub(super) async fn fetch(&self, db: &DatabaseConnection) {
        {
            let state = self.state();
            if !state.is_uncertain || state.frames.is_none() {
                return;
            }
        }
        let (db, is_mysql) = (db.clone(), db.get_database_backend() == DbBackend::MySql);
        let fetched = run_to_end(async move {
            let commits = commits(&db).await;
            let is_open = matches!(commits, Ok(false));
            (commits, is_mysql && is_open && is_manual(&db).await)
        });
        match fetched.await {
            (Ok(true), _) => self.is_known(false, false),
            // The database was not reached: the next statement asks again.
            (Err(_), _) if is_mysql => {}
            (_, is_manual) => self.is_known(true, is_manual),
        }
    }

    /// Sets the state that the database reported.
    fn is_known(&self, is_open: bool, is_manual: bool) {
        let mut state = self.state();
        state.is_uncertain = false;
        state.is_manual = is_manual;
        if is_open {
            state.is_begun = true;
        } else {
            state.end();
        }
        state.has_frames();
    }

    /// Sends a text with these steps. Until its result arrives, whatever it may begin counts as begun.
    pub(super) fn sent(&self, steps: Vec<Step>) -> Sent<'_> {
        let before = self.state().clone();
        let mut state = self.state();
        for step in steps.iter().filter(|step| begins(step)) {
            state.take(step);
        }
        drop(state);
        Sent {
            control: self,
            before,
            steps,
            is_answered: false,
        }
    }
}

/// A text that was sent.
pub(super) struct Sent<'a> {
    control: &'a TextControl,
    before: State,
    steps: Vec<Step>,
    is_answered: bool,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.control.state().is_uncertain = true;
        }
    }
}

impl Sent<'_> {
    /// The result has arrived.
    pub(super) fn answered(mut self, backend: DbBackend, is_ok: bool) {
        if !is_ok {
            match self.steps.as_slice() {
                // A failed COMMIT ends the transaction, except on SQLite.
                [Step::End] if backend != DbBackend::Sqlite => {}
                [Step::Unknown] => return,
                [_] => self.steps.clear(),
                // How far it ran is unknown.
                _ => return,
            }
        }
        for step in &self.steps {
            self.before.take(step);
        }
        *self.control.state() = std::mem::take(&mut self.before);
        self.is_answered = true;
    }
}

const fn begins(step: &Step) -> bool {
    matches!(
        step,
        Step::Begin | Step::Savepoint(_) | Step::Autocommit(false) | Step::Unknown | Step::Lock
    )
}

/// Whether a MySQL session commits nothing by itself.
async fn is_manual(db: &DatabaseConnection) -> bool {
    let sql = "SELECT 1 FROM DUAL WHERE @@autocommit = 0";
    let fetched = db.query_one_raw(Statement::from_string(DbBackend::MySql, sql));
    matches!(fetched.await, Ok(Some(_)))
}
