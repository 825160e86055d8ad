//! The writer of the process, the events reported to it, and the counters. A separate process, and one test after the
//! other, since there is only one writer.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::large_futures,
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_imports,
    unused_macros
)]

#[path = "../suite/entity/mod.rs"]
mod entity;
#[macro_use]
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;

#[path = "../suite/logged.rs"]
mod logged;

mod lockout;
mod migration_mode;
mod migrator;
mod refused;

use std::time::Duration;

use sea_orm::{ConnectionTrait, EntityTrait, TransactionTrait};
use sea_orm_audit::config::RequireActor;
use sea_orm_audit::context::migration_mode;
use sea_orm_audit::event::{EventType, EventWriter, SystemEvent};
use sea_orm_audit::{Action, Actor, AuditConfig, AuditStats, entity::audit_system_event};
use serde_json::{Value, json};

use entity::{comment, post};
use logged::Logged;
use support::{TestDb, TestResult, refuse_rows};

fn event(title: impl Into<String>) -> SystemEvent {
    SystemEvent::new(EventType::Info, title)
}

fn dropped() -> u64 {
    AuditStats::now().events_dropped
}

async fn forget_events(db: &TestDb) -> TestResult {
    audit_system_event::Entity::delete_many()
        .exec(&db.conn)
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_writer_receives_every_event_and_counts_lost_ones() -> TestResult {
    let databases = [
        TestDb::sqlite().await?,
        TestDb::postgres().await?,
        TestDb::mariadb().await?,
    ];
    assert!(EventWriter::installed().is_none());
    let log = Logged::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber)?;
    for db in databases.iter().flatten() {
        db.create(post::Entity).await?;
        migrator::audited_migrator_records_where_no_writer_is_installed(db).await?;
    }
    reports_wait_for_the_first_writer(&databases).await?;
    for db in databases.into_iter().flatten() {
        db.create(comment::Entity).await?;
        let writer = EventWriter::start(db.conn.clone());
        writer.install();
        migration_mode::migration_mode_is_reported_when_entered_and_when_left(&db).await?;
        migration_mode::migration_mode_that_is_dropped_is_left(&db).await?;
        migration_mode::migration_mode_of_a_configuration_is_reported(&db).await?;
        migrator::the_audited_migrator_is_reported(&db).await?;
        installed_configuration_is_reported(&db).await?;
        writer.shutdown().await;
        forget_events(&db).await?;

        events_without_space_are_counted(&db).await?;
        last_dropped_event_is_logged_although_none_follows(&db, &log).await?;
        refused::refused_events_are_logged_once_a_second_with_their_number(&db, &log).await?;
        poisoned_event_is_given_up_after_three_tries(&db).await?;
        events_lost_at_shutdown_are_counted(&db).await?;
        unprepared_write_without_actor_is_counted_once(&db).await?;
        lockout::reservation_that_has_its_outcome_is_neither_overwritten_nor_deleted(&db).await?;
        lockout::account_with_an_id_that_is_stored_otherwise_is_found_again(&db).await?;
        lockout::failures_that_are_skipped_are_not_counted(&db).await?;
        db.remove().await?;
    }
    the_end_of_a_runtime_is_the_end_of_its_writer().await?;
    closed_pool_blocks_no_shutdown().await
}

/// The events as title, metadata and number of occurrences.
async fn recorded_events(db: &TestDb) -> TestResult<Vec<(String, Value, i64)>> {
    if let Some(writer) = EventWriter::installed() {
        writer.flush().await;
    }
    let rows = db.events().await?;
    assert!(rows.iter().all(|row| row.event_type == "MAINTENANCE"));
    Ok(rows
        .into_iter()
        .map(|row| (row.title, row.metadata.unwrap_or_default(), row.occurrences))
        .collect())
}

async fn reports_wait_for_the_first_writer(databases: &[Option<TestDb>]) -> TestResult {
    let Some(db) = databases.iter().flatten().next() else {
        return Ok(());
    };
    AuditConfig::builder().build()?.install()?;
    migration_mode("early", async {}).await;
    let before = dropped();
    for number in 0..70 {
        migration_mode(number.to_string(), async {}).await;
    }
    assert!(dropped() - before > 0);
    let writer = EventWriter::start(db.conn.clone());
    writer.install();
    let found_text = recorded_events(db).await?;
    let times: i64 = found_text.iter().map(|(.., times)| times).sum();
    assert_eq!(times, 64, "so many wait");
    let titles: Vec<_> = found_text
        .iter()
        .map(|(title, ..)| title.as_str())
        .collect();
    let first = titles
        .iter()
        .position(|title| title.contains("configuration"));
    // The reports of the migrations above come first.
    let first = first.ok_or("the configuration is not recorded")?;
    assert_eq!(titles[first + 1], "audit migration mode entered");
    assert_eq!(
        found_text[first + 2].1,
        json!({"reason": "early", "suppressed": 0})
    );
    writer.shutdown().await;
    forget_events(db).await
}

async fn installed_configuration_is_reported(db: &TestDb) -> TestResult {
    // Equal configurations have the same text in any order of their parts.
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    for _ in 0..5 {
        let config = (names.iter().rev()).fold(AuditConfig::builder(), |config, name| {
            config.redact_field(name).skip_field(name)
        });
        let config = config.skip_entity::<post::Entity>();
        let config = config.skip_action(Action::View).skip_action(Action::Login);
        config.build()?.install()?;
    }
    AuditConfig::builder()
        .no_secret_detection()
        .build()?
        .install()?;
    AuditConfig::builder().build()?.install()?;
    let title = "audit configuration installed".to_owned();
    let counts: Vec<_> = (recorded_events(db).await?.into_iter())
        .map(|(title, _, count)| (title, count))
        .collect();
    assert_eq!(counts, [(title.clone(), 5), (title.clone(), 1), (title, 1)]);
    let settings: Vec<_> = (db.events().await?.into_iter())
        .filter_map(|row| row.description)
        .collect();
    for part in [
        r#"skip_entities: {"post"}"#,
        r#"skip_actions: {"LOGIN", "VIEW"}"#,
        r#"redact_fields: {"a", "b", "c""#,
        "secret_detection: true",
    ] {
        assert!(settings[0].contains(part), "{part} in {}", settings[0]);
    }
    assert!(settings[1].contains("secret_detection: false"));
    forget_events(db).await
}

async fn events_without_space_are_counted(db: &TestDb) -> TestResult {
    let accept = refuse_rows(db, "audit_system_event", "title", "wait").await?;
    let writer = EventWriter::builder(db.conn.clone()).capacity(10).start();
    let before = dropped();
    for number in 0..25 {
        assert_eq!(writer.submit(event(format!("wait {number}"))), number < 10);
        writer.flush().await;
    }
    assert_eq!(dropped() - before, 15);
    db.execute_unprepared(&accept).await?;
    writer.shutdown().await;
    assert_eq!(dropped() - before, 15);
    let counted = db.counted_events().await?;
    assert_eq!(counted.len(), 11, "{counted:#?}");
    let notice = "MAINTENANCE system events were dropped: too many waited to be written";
    let found_text: i64 = (counted.iter())
        .filter_map(|line| line.strip_prefix(notice)?.trim().parse::<i64>().ok())
        .sum();
    assert_eq!(found_text, 15);
    // The writer is shut down: the event is counted, too.
    assert!(!writer.submit(event("late")));
    assert_eq!(dropped() - before, 16);
    forget_events(db).await
}

/// A flood ends one second after its last log line.
async fn last_dropped_event_is_logged_although_none_follows(
    db: &TestDb,
    log: &Logged,
) -> TestResult {
    let accept = refuse_rows(db, "audit_system_event", "title", "wait").await?;
    let hour = Duration::from_hours(1);
    let builder = EventWriter::builder(db.conn.clone()).capacity(1);
    let writer = builder.retry_after(hour).start();
    // It takes the only place in the queue.
    assert!(writer.submit(event("wait")));
    writer.flush().await;
    let logged = || -> TestResult<u64> {
        let lines = log.lines("system events were dropped: too many wait");
        let counts = lines.iter().map(|line| {
            let count = line
                .split_once("dropped=")
                .ok_or("a line without a number")?;
            Ok(count.1.trim().parse::<u64>()?)
        });
        counts.sum()
    };
    let before = logged()?;
    for number in 0..3 {
        assert!(!writer.submit(event(number.to_string())));
    }
    let all = async {
        while logged()? < before + 3 {
            tokio::task::yield_now().await;
        }
        TestResult::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(20), all).await??;
    db.execute_unprepared(&accept).await?;
    writer.shutdown().await;
    forget_events(db).await
}

async fn poisoned_event_is_given_up_after_three_tries(db: &TestDb) -> TestResult {
    let accept = refuse_rows(db, "audit_system_event", "title", "poison").await?;
    let failed = || AuditStats::now().failed;
    let before = (dropped(), failed());
    let writer = EventWriter::builder(db.conn.clone())
        .retry_after(Duration::from_millis(1))
        .start();
    writer.submit(event("poison"));
    writer.submit(event("poison"));
    let given_up = async {
        // The event's failures do not count while the database refuses all events.
        while dropped() == before.0 {
            writer.submit(event("good"));
            writer.flush().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), given_up).await?;
    assert_eq!(dropped() - before.0, 2);
    assert!(failed() - before.1 >= 3);
    db.execute_unprepared(&accept).await?;
    writer.shutdown().await;
    let events = db.events().await?;
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0].title, "good");
    forget_events(db).await
}

async fn events_lost_at_shutdown_are_counted(db: &TestDb) -> TestResult {
    let accept = refuse_rows(db, "audit_system_event", "title", "poison").await?;
    let before = dropped();
    let writer = EventWriter::start(db.conn.clone());
    for _ in 0..5 {
        writer.submit(event("poison"));
    }
    writer.submit(event("good"));
    writer.shutdown().await;
    assert_eq!(dropped() - before, 5);
    assert_eq!(db.counted_events().await?, ["INFO good 1"]);
    db.execute_unprepared(&accept).await?;
    forget_events(db).await
}

async fn unprepared_write_without_actor_is_counted_once(db: &TestDb) -> TestResult {
    let config = AuditConfig::builder().require_actor(RequireActor::Warn);
    let config = config.build()?;
    let audited = db.audited().with_config(config);
    let counted = || AuditStats::now().without_actor;
    let insert = |title: &str| format!("INSERT INTO post (title, qty) VALUES ('{title}', 1)");
    let before = counted();
    let tx = audited.begin().await?;
    tx.execute_unprepared(&insert("a")).await?;
    assert_eq!(counted() - before, 1);
    tx.commit().await?;
    assert_eq!(counted() - before, 1);
    audited.execute_unprepared(&insert("b")).await?;
    assert_eq!(counted() - before, 2);
    // With an actor, and in migration mode, which is not recorded.
    audited
        .as_actor(Actor::user(7))
        .execute_unprepared(&insert("c"))
        .await?;
    migration_mode("test", audited.execute_unprepared(&insert("d"))).await?;
    assert_eq!(counted() - before, 2);
    assert_eq!(db.records().await?.len(), 3);
    Ok(())
}

async fn the_end_of_a_runtime_is_the_end_of_its_writer() -> TestResult {
    let db = TestDb::sqlite().await?.ok_or("SQLite is always there")?;
    let conn = db.conn.clone();
    let before = dropped();
    let writer = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let guard = runtime.enter();
        let writer = EventWriter::start(conn);
        drop(guard);
        // The runtime runs no more tasks.
        writer.submit(event("never written"));
        drop(runtime);
        Ok::<_, std::io::Error>(writer)
    });
    let writer = writer.join().map_err(|_| "a panic")??;
    assert!(!writer.submit(event("late")));
    writer.flush().await;
    writer.shutdown().await;
    assert_eq!(dropped() - before, 2);
    db.remove().await
}

async fn closed_pool_blocks_no_shutdown() -> TestResult {
    let db = TestDb::sqlite().await?.ok_or("SQLite is always there")?;
    let conn = db.another().await?;
    let before = dropped();
    let writer = EventWriter::start(conn.clone());
    conn.close().await?;
    for number in 0..100 {
        assert!(writer.submit(event(number.to_string())));
    }
    writer.flush().await;
    assert_eq!(dropped(), before);
    writer.shutdown().await;
    assert_eq!(dropped() - before, 100);
    db.remove().await
}
