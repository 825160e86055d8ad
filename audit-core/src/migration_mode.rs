//! Migration mode: periods whose writes are kept out of the log. The log records the periods.

use std::sync::Arc;

use crate::config::AuditConfig;
use crate::context::{current_suppression, with_suppression};
use crate::stats::{COUNTERS, count};
use crate::suppression::Suppression;
use crate::system_event::{EventType, SystemEvent, report};

/// The title of the event that is recorded at the end of migration mode.
const LEFT: &str = "audit migration mode left";

/// Begins a period whose end is reported.
fn entered(reason: String) -> Suppression {
    report(
        SystemEvent::new(EventType::Maintenance, "audit migration mode entered")
            .fingerprint(format!("migration mode entered\n{reason}"))
            .metadata("reason", reason.as_str()),
    );
    log_entered(&reason);
    Suppression::new(reason, |suppression| {
        log_left(suppression);
        report(so_far(suppression, LEFT));
    })
}

fn log_entered(reason: &str) {
    tracing::info!(reason, "audit migration mode entered");
}

fn log_left(suppression: &Suppression) {
    tracing::info!(
        reason = suppression.reason.as_str(),
        suppressed = suppression.writes(),
        "{LEFT}"
    );
}

/// How many writes it kept out of the log so far.
fn so_far(suppression: &Suppression, title: &str) -> SystemEvent {
    let (reason, writes) = (suppression.reason.as_str(), suppression.writes());
    SystemEvent::new(EventType::Maintenance, title)
        .fingerprint(format!("{title}\n{reason}\n{writes}"))
        .metadata("reason", reason)
        .metadata("suppressed", writes)
}

/// Runs a future whose writes are kept out of the log: seeds, backfills, repairs.
///
/// The reason, and in the end the number of writes that were kept out, are reported through `tracing` and to the
/// installed [`EventWriter`](crate::EventWriter), or the first one that is installed later, which records each as a
/// MAINTENANCE event; `AuditStats::suppressed` counts them.
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
    with_suppression(|| Arc::new(entered(reason)), future)
}

/// As [`migration_mode`], for a caller that records the event of its end.
#[doc(hidden)]
pub async fn recorded_migration_mode<F: Future>(
    reason: String,
    future: F,
) -> (F::Output, SystemEvent) {
    log_entered(&reason);
    let suppression = Arc::new(Suppression::new(reason, log_left));
    let inside = Arc::clone(&suppression);
    // Where the future is dropped, no caller records it.
    let mut unrecorded = ReportOnDrop(Some(&suppression));
    let output = with_suppression(|| inside, future).await;
    unrecorded.0 = None;
    let event = so_far(&suppression, LEFT);
    (output, event)
}

/// Reports the end of a period unless it is disarmed.
struct ReportOnDrop<'a>(Option<&'a Suppression>);

impl Drop for ReportOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(suppression) = self.0 {
            report(so_far(suppression, LEFT));
        }
    }
}

impl AuditConfig {
    /// Whether migration mode, of the scope or of this configuration, keeps writes out of the log.
    pub(crate) fn is_suppressed(&self) -> bool {
        self.migration_mode().is_some() || current_suppression().is_some()
    }

    /// Whether migration mode keeps a write out of the log; counts it then.
    pub(crate) fn suppresses_write(&self) -> bool {
        if let Some(suppression) = current_suppression() {
            suppression.count();
        } else if let Some(reason) = self.migration_mode() {
            let enter = || entered(reason.to_owned());
            self.suppression().get_or_init(enter).count();
        } else {
            return false;
        }
        count(&COUNTERS.suppressed);
        true
    }

    /// What its migration mode has kept out of the log so far, if anything.
    pub(crate) fn suppressed_so_far(&self) -> Option<SystemEvent> {
        let suppression = self.suppression().get()?;
        Some(so_far(
            suppression,
            "audit migration mode is on at shutdown",
        ))
    }
}
