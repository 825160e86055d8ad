//! Events of the system: their stored fields, and how equal ones are counted.

use std::time::Duration;

use futures::future::try_join_all;
use sea_orm::TransactionTrait;
use sea_orm_audit::event::{EventType, SystemEvent};
use sea_orm_audit::{Actor, AuditConfig, AuditContext, AuditError};
use serde_json::json;

use crate::support::{HandClock, TestDb, TestResult};

on_every_database! {
    event_is_stored_as_it_was_built,
    event_takes_the_rest_from_the_context,
    text_that_is_too_long_or_holds_nul_is_recorded,
    secrets_in_the_metadata_are_redacted,
    equal_events_within_an_hour_are_one_row,
    difference_in_kind_or_place_makes_another_event,
    fingerprint_says_what_is_equal,
    resolved_event_is_counted_no_more,
    event_is_resolved_once,
    tasks_at_once_lose_no_count,
    event_rolls_back_with_its_transaction,
    event_that_cannot_be_written_says_so,
}

fn event(title: &str) -> SystemEvent {
    SystemEvent::new(EventType::Error, title)
}

async fn event_is_stored_as_it_was_built(db: &TestDb) -> TestResult {
    let id = event("it broke")
        .description("in two")
        .module("billing")
        .function("charge")
        .line(u32::MAX)
        .error_code("E42")
        .stack_trace("at charge\nat main")
        .actor(Actor::user(7).named("Ann"))
        .ip_address("192.0.2.7".parse()?)
        .request_id("request")
        .metadata("free", 12)
        .record(&db.conn)
        .await?;
    let row = db.events().await?.remove(0);
    assert_eq!(
        (row.id, &*row.event_type, &*row.title),
        (id, "ERROR", "it broke")
    );
    assert_eq!(row.description.as_deref(), Some("in two"));
    assert_eq!(row.module.as_deref(), Some("billing"));
    assert_eq!(row.function_name.as_deref(), Some("charge"));
    assert_eq!(row.line_number, Some(i64::from(u32::MAX)));
    assert_eq!(row.error_code.as_deref(), Some("E42"));
    assert_eq!(row.stack_trace.as_deref(), Some("at charge\nat main"));
    assert_eq!(row.actor_type, "USER");
    assert_eq!(row.actor_id.as_deref(), Some("7"));
    assert_eq!(row.actor_name.as_deref(), Some("Ann"));
    assert_eq!(row.ip_address.as_deref(), Some("192.0.2.7"));
    assert_eq!(row.request_id.as_deref(), Some("request"));
    assert_eq!((row.occurrences, row.resolved), (1, false));
    assert_eq!(row.metadata, Some(json!({"free": 12})));
    // It records no change.
    assert_eq!(db.records().await?.len(), 0);
    Ok(())
}

async fn event_takes_the_rest_from_the_context(db: &TestDb) -> TestResult {
    AuditContext::new()
        .actor(Actor::user(7))
        .ip_address("192.0.2.7".parse()?)
        .request_id("outer")
        .scope(event("it broke").request_id("inner").record(&db.conn))
        .await?;
    let row = db.events().await?.remove(0);
    assert_eq!(row.actor_id.as_deref(), Some("7"));
    assert_eq!(row.ip_address.as_deref(), Some("192.0.2.7"));
    assert_eq!(row.request_id.as_deref(), Some("inner"));
    Ok(())
}

async fn text_that_is_too_long_or_holds_nul_is_recorded(db: &TestDb) -> TestResult {
    let long = "\0ö😀".repeat(40_000);
    let long = &*long;
    let broken = event(long)
        .description(long)
        .module(long)
        .function(long)
        .error_code(long)
        .stack_trace(long)
        .actor(Actor::user(long).named(long))
        .request_id(long)
        .metadata(long, long);
    let id = AuditContext::new()
        .ip_address_as(long)
        .scope(broken.record(&db.conn))
        .await?;
    assert!(SystemEvent::resolve(&db.conn, id, long, long).await?);
    let row = db.events().await?.remove(0);
    let begins = |text: &str, with: &str| {
        assert!(text.starts_with(with), "{text}");
        text.chars().count()
    };
    assert_eq!(begins(&row.title, "␀ö😀"), 255);
    for (text, limit) in [
        (row.description, 32_000),
        (row.stack_trace, 32_000),
        (row.resolution_note, 32_000),
        (row.module, 255),
        (row.function_name, 255),
        (row.error_code, 255),
        (row.resolved_by, 255),
    ] {
        assert_eq!(begins(&text.unwrap_or_default(), "␀ö😀"), limit);
    }
    for (id, limit) in [
        (row.actor_id, 255),
        (row.request_id, 255),
        (row.ip_address, 64),
    ] {
        assert_eq!(begins(&id.unwrap_or_default(), "\u{FFFD}ö😀"), limit);
    }
    Ok(())
}

async fn secrets_in_the_metadata_are_redacted(db: &TestDb) -> TestResult {
    let config = AuditConfig::builder().sensitive("ticket").build()?;
    let recorded = event("it broke")
        .metadata("password", "s3cret-1")
        .metadata("request", json!({"ticket": "s3cret-2", "path": "/"}));
    assert!(!format!("{recorded:?}").contains("s3cret"));
    config.scope(recorded.record(&db.conn)).await?;
    assert_eq!(
        db.events().await?[0].metadata,
        Some(json!({
            "password": "[redacted]",
            "request": {"ticket": "[redacted]", "path": "/"},
        }))
    );
    Ok(())
}

async fn equal_events_within_an_hour_are_one_row(db: &TestDb) -> TestResult {
    let clock = HandClock::at("2026-11-23T12:00:00Z")?;
    let test = async {
        let first = event("it broke").description("1").record(&db.conn).await?;
        clock.forward(Duration::from_mins(30));
        let again = event("it broke").description("2").record(&db.conn).await?;
        // From the first occurrence on, not from the last.
        clock.forward(Duration::from_mins(30));
        let last = event("it broke").description("3").record(&db.conn).await?;
        assert_eq!((again, last), (first, first));
        clock.forward(Duration::from_micros(1));
        let next = event("it broke").description("4").record(&db.conn).await?;
        assert_ne!(next, first);
        assert_eq!(event("it broke").record(&db.conn).await?, next);
        let rows: Vec<_> = (db.events().await?.into_iter())
            .map(|row| (row.id, row.occurrences, row.description.unwrap_or_default()))
            .collect();
        assert_eq!(rows, [(first, 3, "1".into()), (next, 2, "4".into())]);
        TestResult::Ok(())
    };
    clock.config().build()?.scope(test).await
}

async fn difference_in_kind_or_place_makes_another_event(db: &TestDb) -> TestResult {
    let different = || {
        [
            event("it broke"),
            event("it broke again"),
            event("it broke").module("billing"),
            event("it broke").module("billing").line(1),
            event("it broke").module("billing").line(2),
            event("it broke").error_code("E42"),
            SystemEvent::new(EventType::Warning, "it broke"),
        ]
    };
    for recorded in different().into_iter().chain(different()) {
        recorded.description("whatever").record(&db.conn).await?;
    }
    let rows = db.events().await?;
    assert_eq!(rows.len(), 7);
    assert!(rows.iter().all(|row| row.occurrences == 2));
    Ok(())
}

async fn fingerprint_says_what_is_equal(db: &TestDb) -> TestResult {
    for (title, fingerprint) in [("a", "1"), ("b", "1"), ("a", "2")] {
        let recorded = event(title).fingerprint(fingerprint);
        recorded.record(&db.conn).await?;
    }
    assert_eq!(db.counted_events().await?, ["ERROR a 2", "ERROR a 1"]);
    Ok(())
}

async fn resolved_event_is_counted_no_more(db: &TestDb) -> TestResult {
    let first = event("it broke").record(&db.conn).await?;
    assert!(SystemEvent::resolve(&db.conn, first, "Ann", "glued").await?);
    let next = event("it broke").record(&db.conn).await?;
    assert_ne!(next, first);
    assert_eq!(
        db.counted_events().await?,
        ["ERROR it broke 1", "ERROR it broke 1"]
    );
    Ok(())
}

async fn event_is_resolved_once(db: &TestDb) -> TestResult {
    let id = event("it broke").record(&db.conn).await?;
    assert!(SystemEvent::resolve(&db.conn, id, "Ann", "glued").await?);
    let resolved = db.events().await?;
    assert!(!SystemEvent::resolve(&db.conn, id, "Bob", "glued again").await?);
    assert!(!SystemEvent::resolve(&db.conn, id + 1, "Bob", "").await?);
    assert_eq!(db.events().await?, resolved);
    assert!(resolved[0].resolved);
    assert!(resolved[0].resolved_at.is_some());
    assert_eq!(resolved[0].resolved_by.as_deref(), Some("Ann"));
    assert_eq!(resolved[0].resolution_note.as_deref(), Some("glued"));
    Ok(())
}

/// Each task may find no row and begin one; the sum of the counts is right all the same.
async fn tasks_at_once_lose_no_count(db: &TestDb) -> TestResult {
    let tasks = (0..2).map(|_| {
        let conn = db.conn.clone();
        tokio::spawn(async move {
            for _ in 0..30 {
                event("it broke").record(&conn).await?;
            }
            Ok::<_, AuditError>(())
        })
    });
    for task in try_join_all(tasks).await? {
        task?;
    }
    let rows = db.events().await?;
    assert!(rows.len() <= 2, "{rows:#?}");
    assert_eq!(rows.iter().map(|row| row.occurrences).sum::<i64>(), 60);
    Ok(())
}

async fn event_rolls_back_with_its_transaction(db: &TestDb) -> TestResult {
    let tx = db.begin().await?;
    event("it broke").record(&tx).await?;
    tx.rollback().await?;
    let tx = db.audited().begin().await?;
    event("it broke").record(&tx).await?;
    tx.rollback().await?;
    assert_eq!(db.events().await?.len(), 0);
    Ok(())
}

async fn event_that_cannot_be_written_says_so(db: &TestDb) -> TestResult {
    let nowhere = AuditConfig::builder().table_prefix("nowhere_").build()?;
    let error = nowhere.scope(event("it broke").record(&db.conn)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, AuditError::NotRecorded { .. }), "{error:?}");
    assert!(
        format!("{error:?}").contains("nowhere_system_event"),
        "{error:?}"
    );
    Ok(())
}
