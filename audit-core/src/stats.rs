//! Counters that show whether the log is complete.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What the audit log counted since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AuditStats {
    /// Records that the database accepted. Those of a transaction that was rolled back later
    /// count, too.
    pub recorded: u64,
    /// Records that failed and made their write fail (`FailurePolicy::Fail`), and system events that the
    /// database refused, each try of an `EventWriter` included.
    pub failed: u64,
    /// Records that failed and were dropped (`FailurePolicy::Isolate`).
    pub isolated: u64,
    /// Writes that migration mode kept out of the log.
    pub suppressed: u64,
    /// Statements that an `AuditedConnection` ran although their changes could not be captured (`StatementPolicy`).
    pub uncaptured: u64,
    /// Writes without an actor that ran with a warning (`RequireActor::Warn`).
    pub without_actor: u64,
    /// System events that an `EventWriter`'s full queue dropped, or that the database refused; and of those that are
    /// reported while no writer is installed, all but the first 64.
    pub events_dropped: u64,
    /// Before-images that were dropped for lack of space: those of failed writes, which are not needed any more, and of
    /// writes under way, whose records then have the old values marked unknown.
    pub evicted: u64,
    /// Before-images that wait for their write to finish, now.
    pub before_images: usize,
}

pub(crate) struct Counters {
    pub(crate) recorded: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) isolated: AtomicU64,
    pub(crate) suppressed: AtomicU64,
    pub(crate) uncaptured: AtomicU64,
    pub(crate) without_actor: AtomicU64,
    pub(crate) events_dropped: AtomicU64,
}

pub(crate) static COUNTERS: Counters = Counters {
    recorded: AtomicU64::new(0),
    failed: AtomicU64::new(0),
    isolated: AtomicU64::new(0),
    suppressed: AtomicU64::new(0),
    uncaptured: AtomicU64::new(0),
    without_actor: AtomicU64::new(0),
    events_dropped: AtomicU64::new(0),
};

pub(crate) fn count(counter: &AtomicU64) {
    count_many(counter, 1);
}

pub(crate) fn count_many(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}
