//! Events of the system that are written in the background. Tests of the process's counters are in a separate program
//! (`tests/events`).
//!
//! One file, because its cases share a slow connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use chrono::Timelike;
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};
use sea_orm_audit::context::WithAuditContext;
use sea_orm_audit::event::{EventType, EventWriter, SystemEvent};
use sea_orm_audit::{Actor, AuditConfig, AuditContext};
use sea_orm_migration::MigratorTrait;
use serde_json::json;
use tokio::sync::{Semaphore, oneshot};

use crate::support::{HandClock, TestDb, TestResult, refuse_rows};

on_every_database! {
    submitted_event_is_written_at_flush,
    flood_is_one_row_with_the_exact_count,
    the_context_and_the_time_are_those_of_who_submits,
    secrets_are_those_of_who_submits,
    equal_events_in_two_rounds_are_one_row,
    window_of_its_own_begins_a_new_row_sooner,
    events_wait_for_a_table_that_is_away,
    poisoned_events_do_not_block_the_others,
    shutdown_writes_everything_and_refuses_the_rest,
    the_task_ends_with_its_last_handle,
    submitting_does_not_wait_for_the_database,
    security_events_leave_space_for_others,
    new_events_are_written_in_one_statement,
    flood_that_does_not_pause_begins_a_new_row_after_the_window,
    events_together_read_no_rows_of_windows_before,
    bound_connection_writes_under_its_configuration,
}

fn event(title: &str) -> SystemEvent {
    SystemEvent::new(EventType::Info, title)
}

async fn submitted_event_is_written_at_flush(db: &TestDb) -> TestResult {
    let writer = EventWriter::start(db.conn.clone());
    writer.flush().await;
    for title in ["a", "b", "c"] {
        assert!(writer.submit(event(title)));
    }
    writer.flush().await;
    assert_eq!(
        db.counted_events().await?,
        ["INFO a 1", "INFO b 1", "INFO c 1"]
    );
    Ok(())
}

async fn flood_is_one_row_with_the_exact_count(db: &TestDb) -> TestResult {
    let writer = EventWriter::builder(db.conn.clone()).capacity(2).start();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let writer = writer.clone();
            std::thread::spawn(move || {
                (0..25_000).all(|number: u32| {
                    writer.submit(event("flood").description(number.to_string()))
                })
            })
        })
        .collect();
    for thread in threads {
        assert!(thread.join().expect("no panic"));
    }
    writer.flush().await;
    assert_eq!(db.counted_events().await?, ["INFO flood 100000"]);
    Ok(())
}

async fn the_context_and_the_time_are_those_of_who_submits(db: &TestDb) -> TestResult {
    let writer = EventWriter::start(db.conn.clone());
    let clock = HandClock::at("2026-11-23T12:00:00Z")?;
    let submit = async {
        writer.submit(event("a"));
        clock.forward(Duration::from_hours(7));
        let another = writer.clone();
        tokio::spawn(async move { another.submit(event("b")) }.with_audit_context()).await
    };
    let context = AuditContext::new()
        .actor(Actor::user(7))
        .ip_address("192.0.2.7".parse()?)
        .request_id("request");
    let config = clock.config().build()?;
    assert!(config.scope(context.scope(submit)).await?);
    writer.flush().await;
    let rows = db.events().await?;
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!(row.actor_id.as_deref(), Some("7"));
        assert_eq!(row.ip_address.as_deref(), Some("192.0.2.7"));
        assert_eq!(row.request_id.as_deref(), Some("request"));
    }
    let times: Vec<_> = rows
        .iter()
        .map(|row| row.occurred_at.to_rfc3339())
        .collect();
    assert_eq!(
        times,
        ["2026-11-23T12:00:00+00:00", "2026-11-23T19:00:00+00:00"]
    );
    Ok(())
}

async fn secrets_are_those_of_who_submits(db: &TestDb) -> TestResult {
    let writer = EventWriter::start(db.conn.clone());
    let config = AuditConfig::builder().sensitive("ticket").build()?;
    let recorded = event("a").metadata("ticket", "s3cret").metadata("plain", 1);
    assert!(config.scope(async { writer.submit(recorded) }).await);
    writer.flush().await;
    assert_eq!(
        db.events().await?[0].metadata,
        Some(json!({"ticket": "[redacted]", "plain": 1}))
    );
    Ok(())
}

async fn equal_events_in_two_rounds_are_one_row(db: &TestDb) -> TestResult {
    let writer = EventWriter::start(db.conn.clone());
    for _ in 0..3 {
        writer.submit(event("a"));
        writer.flush().await;
    }
    assert_eq!(db.counted_events().await?, ["INFO a 3"]);
    Ok(())
}

async fn window_of_its_own_begins_a_new_row_sooner(db: &TestDb) -> TestResult {
    let writer = EventWriter::builder(db.conn.clone())
        .window(Duration::from_mins(1))
        .start();
    let clock = HandClock::at("2026-11-23T12:00:00Z")?;
    let config = clock.config().build()?;
    for seconds in [0, 60, 1] {
        clock.forward(Duration::from_secs(seconds));
        config.scope(async { writer.submit(event("a")) }).await;
        writer.flush().await;
    }
    assert_eq!(db.counted_events().await?, ["INFO a 2", "INFO a 1"]);
    Ok(())
}

async fn events_wait_for_a_table_that_is_away(db: &TestDb) -> TestResult {
    let (away, back) = match db.backend() {
        DbBackend::MySql => (
            "RENAME TABLE audit_system_event TO away",
            "RENAME TABLE away TO audit_system_event",
        ),
        _ => (
            "ALTER TABLE audit_system_event RENAME TO away",
            "ALTER TABLE away RENAME TO audit_system_event",
        ),
    };
    let writer = EventWriter::builder(db.conn.clone())
        .capacity(10)
        .retry_after(Duration::from_millis(1))
        .start();
    db.execute_unprepared(away).await?;
    for number in 0..10 {
        assert!(writer.submit(event(&number.to_string())));
        writer.flush().await;
    }
    // The queue is full for another event, but not for one more occurrence of a queued event.
    assert!(!writer.submit(event("too many")));
    assert!(writer.submit(event("3")));
    db.execute_unprepared(back).await?;
    // The writer is not notified that the table is back.
    let all_there = async {
        while db.events().await?.len() < 11 {
            tokio::task::yield_now().await;
        }
        Ok::<_, DbErr>(())
    };
    tokio::time::timeout(Duration::from_mins(1), all_there).await??;
    let mut counted = db.counted_events().await?;
    counted.sort();
    let mut expected: Vec<_> = (0..10)
        .map(|number| format!("INFO {number} {}", if number == 3 { 2 } else { 1 }))
        .collect();
    expected.push("MAINTENANCE system events were dropped: too many waited to be written 1".into());
    assert_eq!(counted, expected);
    Ok(())
}

/// More poisoned events than the writer tries before it considers the database unavailable.
async fn poisoned_events_do_not_block_the_others(db: &TestDb) -> TestResult {
    let accept = refuse_rows(db, "audit_system_event", "title", "poison").await?;
    let writer = EventWriter::start(db.conn.clone());
    for number in 0..10 {
        writer.submit(event(&format!("poison {number}")));
    }
    writer.flush().await;
    writer.submit(event("good"));
    writer.flush().await;
    assert_eq!(db.counted_events().await?, ["INFO good 1"]);
    // The refused ones wait for their next try, and the last one is at the end of the queue.
    db.execute_unprepared(&accept).await?;
    writer.shutdown().await;
    assert_eq!(db.events().await?.len(), 11);
    Ok(())
}

async fn shutdown_writes_everything_and_refuses_the_rest(db: &TestDb) -> TestResult {
    refuse_rows(db, "audit_system_event", "title", "poison").await?;
    let writer = EventWriter::start(db.conn.clone());
    for number in 0..5 {
        writer.submit(event(&format!("poison {number}")));
    }
    for number in 0..50 {
        assert!(writer.submit(event(&number.to_string())));
    }
    let another = writer.clone();
    tokio::join!(writer.shutdown(), another.shutdown());
    assert_eq!(db.events().await?.len(), 50);
    assert!(!writer.submit(event("late")));
    writer.flush().await;
    another.shutdown().await;
    assert_eq!(db.events().await?.len(), 50);
    Ok(())
}

/// A connection that waits for a permit before each statement, and says when it is dropped.
struct Slow {
    db: DatabaseConnection,
    permits: Arc<Semaphore>,
    /// One permit for each received statement.
    asked: Arc<Semaphore>,
    /// How many rows were read so far.
    rows: Arc<AtomicUsize>,
    _dropped: oneshot::Sender<()>,
}

impl Slow {
    fn new(db: &TestDb, permits: usize) -> (Self, Arc<Semaphore>, oneshot::Receiver<()>) {
        let (dropped, is_dropped) = oneshot::channel();
        let permits = Arc::new(Semaphore::new(permits));
        let slow = Self {
            db: db.conn.clone(),
            permits: Arc::clone(&permits),
            asked: Arc::new(Semaphore::new(0)),
            rows: Arc::default(),
            _dropped: dropped,
        };
        (slow, permits, is_dropped)
    }

    async fn permit(&self) -> Result<(), DbErr> {
        self.asked.add_permits(1);
        let permit = self.permits.acquire().await;
        permit
            .map(tokio::sync::SemaphorePermit::forget)
            .map_err(|error| DbErr::Custom(error.to_string()))
    }
}

#[async_trait]
impl ConnectionTrait for Slow {
    fn get_database_backend(&self) -> DbBackend {
        self.db.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.permit().await?;
        self.db.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.permit().await?;
        self.db.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.permit().await?;
        self.db.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.permit().await?;
        let rows = self.db.query_all_raw(statement).await?;
        self.rows.fetch_add(rows.len(), Relaxed);
        Ok(rows)
    }
}

async fn the_task_ends_with_its_last_handle(db: &TestDb) -> TestResult {
    let (slow, _permits, mut dropped) = Slow::new(db, 100);
    let writer = EventWriter::start(slow);
    let another = writer.clone();
    writer.submit(event("a"));
    drop(writer);
    another.submit(event("b"));
    another.flush().await;
    assert!(dropped.try_recv() == Err(oneshot::error::TryRecvError::Empty));
    another.submit(event("c"));
    drop(another);
    // The task and its connection end after it has written the last event.
    assert!(dropped.await.is_err());
    assert_eq!(db.events().await?.len(), 3);
    Ok(())
}

async fn submitting_does_not_wait_for_the_database(db: &TestDb) -> TestResult {
    let (slow, permits, _dropped) = Slow::new(db, 0);
    let writer = EventWriter::builder(slow).capacity(3).start();
    for number in 0..3 {
        assert!(writer.submit(event(&number.to_string())));
    }
    // The database does not answer at all: the submitting caller continues.
    for _ in 0..1_000 {
        writer.submit(event("0"));
    }
    assert_eq!(permits.available_permits(), 0);
    permits.add_permits(1_000);
    writer.flush().await;
    let rows = db.events().await?;
    assert_eq!(rows.iter().map(|row| row.occurrences).sum::<i64>(), 1_003);
    Ok(())
}

async fn security_events_leave_space_for_others(db: &TestDb) -> TestResult {
    let (slow, permits, _dropped) = Slow::new(db, 0);
    let writer = EventWriter::builder(slow).capacity(10).start();
    let probe = |number: i32| SystemEvent::new(EventType::Security, format!("probe {number}"));
    let taken = (0..50).filter(|number| writer.submit(probe(*number)));
    assert_eq!(taken.count(), 5);
    // An event that is already queued is counted on.
    assert!(writer.submit(probe(0)));
    assert!((0..5).all(|number| writer.submit(event(&number.to_string()))));
    assert!(!writer.submit(event("5")));
    permits.add_permits(1_000);
    writer.flush().await;
    assert_eq!(db.events().await?.len(), 11, "and one that counts the rest");
    Ok(())
}

async fn new_events_are_written_in_one_statement(db: &TestDb) -> TestResult {
    let written = async {
        let (slow, permits, _dropped) = Slow::new(db, 0);
        let writer = EventWriter::start(slow);
        for number in 0..50 {
            writer.submit(event(&number.to_string()));
        }
        permits.add_permits(1_000);
        writer.flush().await;
    };
    let ((), statements) = db.statements_of(written).await;
    // The writer may have begun with the first ones before the others were there.
    assert!(statements.len() <= 8, "{statements:#?}");
    assert_eq!(db.events().await?.len(), 50);
    Ok(())
}

async fn flood_that_does_not_pause_begins_a_new_row_after_the_window(db: &TestDb) -> TestResult {
    let clock = HandClock::at("2026-11-23T12:00:00Z")?;
    let (slow, permits, _dropped) = Slow::new(db, 0);
    let asked = Arc::clone(&slow.asked);
    // A query and a write for each round, and `LAST_INSERT_ID()` read and set.
    let round = if db.backend() == DbBackend::MySql {
        4
    } else {
        2
    };
    let submitted = async {
        let writer = EventWriter::start(slow);
        writer.submit(event("flood"));
        for hour in 1..4 {
            // The last ones are being written while the next one comes.
            asked.acquire().await?.forget();
            clock.forward(Duration::from_hours(2));
            writer.submit(event("flood").description(hour.to_string()));
            permits.add_permits(round);
            asked
                .acquire_many(u32::try_from(round)? - 1)
                .await?
                .forget();
        }
        permits.add_permits(1_000);
        writer.shutdown().await;
        TestResult::Ok(())
    };
    clock.config().build()?.scope(submitted).await?;
    let recorded: Vec<_> = (db.events().await?.iter())
        .map(|row| (row.occurred_at.hour(), row.occurrences))
        .collect();
    assert_eq!(recorded, [(12, 1), (14, 1), (16, 1), (18, 1)]);
    Ok(())
}

async fn events_together_read_no_rows_of_windows_before(db: &TestDb) -> TestResult {
    let clock = HandClock::at("2026-11-23T12:00:00Z")?;
    let config = clock.config().build()?;
    for title in ["a", "b", "a", "b", "a", "b"] {
        config.scope(event(title).record(&db.conn)).await?;
        clock.forward(Duration::from_hours(1));
    }
    let (slow, permits, _dropped) = Slow::new(db, 0);
    let (asked, rows) = (Arc::clone(&slow.asked), Arc::clone(&slow.rows));
    clock.forward(Duration::from_hours(1));
    let submitted = async {
        let writer = EventWriter::start(slow);
        // These wait while the writer looks for the first one.
        writer.submit(event("first"));
        asked.acquire().await?.forget();
        writer.submit(event("a"));
        writer.submit(event("b"));
        permits.add_permits(1_000);
        writer.shutdown().await;
        TestResult::Ok(())
    };
    config.scope(submitted).await?;
    assert_eq!((db.events().await?.len(), rows.load(Relaxed)), (9, 0));
    Ok(())
}

async fn bound_connection_writes_under_its_configuration(db: &TestDb) -> TestResult {
    let config = AuditConfig::builder().table_prefix("other_").build()?;
    config
        .scope(sea_orm_audit::migration::Migrator::up(&db.conn, None))
        .await?;
    let bound = EventWriter::start(db.audited().with_config(config.clone()));
    let scoped = config
        .scope(async { EventWriter::start(db.conn.clone()) })
        .await;
    for (writer, title) in [(bound, "bound"), (scoped, "scoped")] {
        writer.submit(event(title));
        writer.shutdown().await;
    }
    assert_eq!(db.events().await?.len(), 0);
    assert_eq!(config.scope(db.events()).await?.len(), 2);
    Ok(())
}

/// On a runtime with one thread the writer cannot run before this code yields.
#[tokio::test]
async fn submitting_does_not_wait_for_the_runtime() -> TestResult {
    let db = TestDb::sqlite().await?.ok_or("SQLite is always there")?;
    let writer = EventWriter::builder(db.conn.clone()).capacity(4).start();
    let taken = (0..10).filter(|number| writer.submit(event(&number.to_string())));
    assert_eq!(taken.count(), 4);
    writer.flush().await;
    let dropped = "MAINTENANCE system events were dropped: too many waited to be written 6";
    assert_eq!(
        db.counted_events().await?,
        ["INFO 0 1", "INFO 1 1", "INFO 2 1", "INFO 3 1", dropped]
    );
    // The queue has free capacity again.
    assert!(writer.submit(event("4")));
    writer.shutdown().await;
    assert_eq!(db.events().await?.len(), 6);
    db.remove().await
}
