//! Transactions that the application begins and ends by text, on an `AuditedConnection`.
//!
//! That works on a pool of one connection, as migrations, scripts and SQLite's `:memory:` have it. While such a transaction is open,
//! nothing of the log's own may begin one: MySQL's BEGIN commits the one that is open, PostgreSQL's COMMIT ends it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::DbBackend;

use crate::sql::Step;
use crate::transaction_state::Frames;

/// Why a write is not recorded meanwhile.
pub(super) const BY_TEXT: &str = "the application controls the transaction by text";

/// What is known of such a transaction; shared by all clones of a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct TextControl(Arc<Mutex<State>>);

#[derive(Debug, Clone, Default)]
struct State {
    is_begun: bool,
    /// SQLite: the savepoints that are set, where the first of them began the transaction.
    savepoints: Vec<String>,
    /// MySQL: statements do not commit by themselves.
    is_manual: bool,
    /// What was reported in the transaction.
    frames: Option<Arc<Frames>>,
    /// A text failed half way, or was given up before its answer: whether a transaction is open, only the database knows.
    is_uncertain: bool,
}

impl State {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Begin => {
                self.is_begun = true;
                self.savepoints.clear();
            }
            Step::End => self.end(),
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
            // It commits, unless that was so before.
            Step::Autocommit(true) if self.is_manual => {
                self.is_manual = false;
                self.end();
            }
            Step::Autocommit(true) => {}
        }
        if self.is_begun || self.is_manual {
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

    /// What was reported in the transaction that is open, if one is.
    pub(super) fn open(&self) -> Option<Arc<Frames>> {
        self.state().frames.clone()
    }

    /// Whether a transaction may be open, or may not be.
    pub(super) fn is_uncertain(&self) -> bool {
        let state = self.state();
        state.is_uncertain && state.frames.is_some()
    }

    /// The database was asked.
    pub(super) fn is_known(&self, is_open: bool) {
        let mut state = self.state();
        state.is_uncertain = false;
        if !is_open {
            state.is_manual = false;
            state.end();
        }
    }

    /// A text is sent that takes these steps. Until its answer is there, whatever it may begin counts as begun.
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
    /// It was answered.
    pub(super) fn answered(mut self, backend: DbBackend, is_ok: bool) {
        if !is_ok {
            match self.steps.as_slice() {
                // COMMIT that fails ends the transaction, but on SQLite.
                [Step::End] if backend != DbBackend::Sqlite => {}
                [_] => self.steps.clear(),
                // How far it came is unknown.
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
        Step::Begin | Step::Savepoint(_) | Step::Autocommit(false)
    )
}
