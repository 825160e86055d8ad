//! Transactions that the application begins and ends by text, on an `AuditedConnection`.
//!
//! That works on a pool of one connection, as used by migrations, scripts and SQLite's `:memory:`. While such a
//! transaction is open, the log must not begin another: MySQL's BEGIN commits the open one, PostgreSQL's COMMIT ends
//! it.

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
    /// SQLite: the current savepoints, if the first of them began the transaction.
    savepoints: Vec<String>,
    /// MySQL: statements do not commit by themselves.
    is_manual: bool,
    /// What was reported in the transaction.
    frames: Option<Arc<Frames>>,
    /// A text failed half way, or was dropped before its result: only the database knows whether a transaction is
    /// open.
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
            // It commits, unless the setting was so before.
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

    /// The reports of the open transaction, if one is open.
    pub(super) fn open(&self) -> Option<Arc<Frames>> {
        self.state().frames.clone()
    }

    /// Whether it is unknown if a transaction is open.
    pub(super) fn is_uncertain(&self) -> bool {
        let state = self.state();
        state.is_uncertain && state.frames.is_some()
    }

    /// Sets the state that the database reported.
    pub(super) fn is_known(&self, is_open: bool) {
        let mut state = self.state();
        state.is_uncertain = false;
        if !is_open {
            state.is_manual = false;
            state.end();
        }
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
        Step::Begin | Step::Savepoint(_) | Step::Autocommit(false)
    )
}
