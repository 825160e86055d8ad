//! The writes that a period of migration mode keeps out of the log, as plain data.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A period of migration mode: its reason, and how many writes it has kept out of the log.
pub(crate) struct Suppression {
    pub(crate) reason: String,
    writes: AtomicU64,
    /// What is done at its end.
    ends: fn(&Self),
}

impl Suppression {
    pub(crate) fn new(reason: String, ends: fn(&Self)) -> Self {
        Self {
            reason,
            writes: AtomicU64::new(0),
            ends,
        }
    }

    pub(crate) fn count(&self) {
        self.writes.fetch_add(1, Relaxed);
    }

    /// How many writes were kept out so far.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Relaxed)
    }
}

impl Drop for Suppression {
    fn drop(&mut self) {
        (self.ends)(self);
    }
}
