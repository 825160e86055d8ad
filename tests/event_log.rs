//! What the event writer logs does not become an event, even if a layer makes events of warnings. A separate process,
//! since a subscriber stays and the counters are one for the process.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_imports,
    unused_macros
)]

#[macro_use]
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;

use std::sync::atomic::{AtomicUsize, Ordering};

use sea_orm_audit::AuditStats;
use sea_orm_audit::event::{EventType, EventWriter, SystemEvent};
use tracing_subscriber::layer::SubscriberExt;

use support::{TestDb, TestResult, refuse_rows};

fn event(title: &str) -> SystemEvent {
    SystemEvent::new(EventType::Info, title)
}

fn dropped() -> u64 {
    AuditStats::now().events_dropped
}

/// How many events the layer submitted, by result.
static ACCEPTED: AtomicUsize = AtomicUsize::new(0);
static REFUSED: AtomicUsize = AtomicUsize::new(0);

/// Makes an event of every warning.
struct Reporting;

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Reporting {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > tracing::Level::WARN
            || !metadata.target().starts_with("sea_orm_audit")
        {
            return;
        }
        if let Some(writer) = EventWriter::installed() {
            let event = SystemEvent::new(EventType::Warning, metadata.name());
            let counter = if writer.submit(event) {
                &ACCEPTED
            } else {
                &REFUSED
            };
            counter.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[tokio::test]
async fn writers_own_log_becomes_no_event() -> TestResult {
    let db = TestDb::sqlite().await?.ok_or("SQLite is always there")?;
    refuse_rows(&db, "audit_system_event", "title", "poison").await?;
    let writer = EventWriter::builder(db.conn.clone()).capacity(1).start();
    writer.install();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Reporting))?;
    let before = dropped();
    writer.submit(event("poison"));
    writer.flush().await;
    // The failed write was logged, and the log did not become an event.
    assert_eq!(ACCEPTED.load(Ordering::SeqCst), 0);
    assert!(REFUSED.load(Ordering::SeqCst) >= 1);
    // A dropped event is logged where it is submitted: that log must not become an event again.
    let refused = REFUSED.load(Ordering::SeqCst);
    assert!(!writer.submit(event("no room")));
    assert_eq!(REFUSED.load(Ordering::SeqCst) - refused, 1);
    assert_eq!(dropped() - before, 1);
    writer.shutdown().await;
    db.remove().await
}
