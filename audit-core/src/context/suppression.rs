//! Migration mode: stretches whose writes are kept out of the log, which is recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::scope::with_suppression;
use crate::event::{EventType, SystemEvent, report};

/// The title of the event that tells of the end of migration mode.
const LEFT: &str = "audit migration mode left";

/// A stretch of migration mode.
pub(crate) struct Suppression {
    reason: String,
    writes: AtomicU64,
    /// Whoever began it tells of it.
    is_told: AtomicBool,
}

impl Suppression {
    pub(crate) fn enter(reason: String) -> Self {
        report(
            SystemEvent::new(EventType::Maintenance, "audit migration mode entered")
                .fingerprint(format!("migration mode entered\n{reason}"))
                .metadata("reason", reason.as_str()),
        );
        Self::entered(reason)
    }

    fn entered(reason: String) -> Self {
        tracing::info!(reason = reason.as_str(), "audit migration mode entered");
        Self {
            reason,
            writes: AtomicU64::new(0),
            is_told: AtomicBool::new(false),
        }
    }

    pub(crate) fn count(&self) {
        self.writes.fetch_add(1, Relaxed);
    }

    /// How many writes it kept out of the log so far.
    pub(crate) fn so_far(&self, title: &str) -> SystemEvent {
        let writes = self.writes.load(Relaxed);
        SystemEvent::new(EventType::Maintenance, title)
            .fingerprint(format!("{title}\n{}\n{writes}", self.reason))
            .metadata("reason", self.reason.as_str())
            .metadata("suppressed", writes)
    }
}

impl Drop for Suppression {
    fn drop(&mut self) {
        tracing::info!(
            reason = self.reason.as_str(),
            suppressed = self.writes.load(Relaxed),
            "audit migration mode left"
        );
        if !self.is_told.load(Relaxed) {
            report(self.so_far(LEFT));
        }
    }
}

/// Runs a future whose writes are kept out of the log: seeds, backfills, repairs.
///
/// The reason, and in the end the number of writes that were kept out, are reported through `tracing`
/// and to the installed [`EventWriter`](crate::EventWriter), or the first one that is installed later, which records each
/// as a MAINTENANCE event;
/// they are counted in `AuditStats::suppressed`.
///
/// # Examples
/// ```
/// # async fn backfill() {}
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// sea_orm_audit_core::migration_mode("backfill 2026-11", async {
///     backfill().await;
/// })
/// .await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn migration_mode<F: Future>(
    reason: impl Into<String>,
    future: F,
) -> impl Future<Output = F::Output> {
    let reason = reason.into();
    with_suppression(|| Arc::new(Suppression::enter(reason)), future)
}

/// As [`migration_mode`], for whoever records the event that tells of it.
#[doc(hidden)]
pub async fn migration_mode_told<F: Future>(reason: String, future: F) -> (F::Output, SystemEvent) {
    let suppression = Arc::new(Suppression::entered(reason));
    let within = Arc::clone(&suppression);
    let output = with_suppression(|| within, future).await;
    // Where it does not come to this, it tells of itself.
    suppression.is_told.store(true, Relaxed);
    (output, suppression.so_far(LEFT))
}
