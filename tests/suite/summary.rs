//! The counts of a period.

use std::time::Duration;

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_audit::event::{DataExport, EventType, LoginAttempt, SystemEvent};
use sea_orm_audit::query::{ActorCount, Count, ObjectCount, Summary};
use sea_orm_audit::{Action, Actor, AuditEvent};

use crate::support::{HandClock, TestDb, TestResult};

on_every_database! {
    every_number_is_exact,
    the_numbers_of_one_actor_are_the_actors_only,
    only_as_many_are_named_as_asked_for,
    empty_database_has_an_empty_summary,
    the_last_days_end_now,
    day_is_utc_whatever_the_session_says,
    all_of_time_can_be_asked_for,
    sums_beyond_64_bits_are_as_large_as_can_be,
    summary_is_eight_statements,
}

fn time(text: &str) -> TestResult<DateTimeUtc> {
    Ok(text.parse()?)
}

fn ann() -> Actor {
    Actor::user(7)
}

/// Three days with records, and the times just before and after them.
async fn fill(db: &TestDb) -> TestResult {
    use Action::{Create, Update, View};
    let event = |action, model: &str, id: i32, actor: Actor| {
        AuditEvent::new(action).target_named(model, id).actor(actor)
    };
    for (at, record) in [
        ("2026-11-19T23:59:59.999999Z", event(View, "post", 1, ann())),
        (
            "2026-11-20T00:00:00Z",
            event(Create, "post", 1, ann().named("Ann")),
        ),
        (
            "2026-11-20T23:59:59.999999Z",
            event(Update, "post", 1, ann().named("Anne")),
        ),
        (
            "2026-11-22T10:00:00Z",
            event(Update, "post", 2, Actor::user(8)),
        ),
        (
            "2026-11-22T23:59:59.999999Z",
            event(Update, "comment", 1, ann()),
        ),
        ("2026-11-23T00:00:00Z", event(View, "post", 1, ann())),
    ] {
        let config = HandClock::at(at)?.config().build()?;
        config.scope(record.record(&db.conn)).await?;
    }
    for at in [
        "2026-11-19T23:59:59.999999Z",
        "2026-11-22T10:00:00Z",
        "2026-11-23T00:00:00Z",
    ] {
        let config = HandClock::at(at)?.config().build()?;
        config.scope(beside(db)).await?;
    }
    Ok(())
}

/// The rows of the other tables.
async fn beside(db: &TestDb) -> TestResult {
    let db = &db.conn;
    LoginAttempt::succeeded("ann", ann()).record(db).await?;
    let wrong = LoginAttempt::failed("ann", "wrong password").account(ann());
    wrong.record(db).await?;
    let export = || DataExport::new("customers").records(100);
    export().bytes(1_000).actor(ann()).record(db).await?;
    export().actor(Actor::user(8)).record(db).await?;
    for _ in 0..2 {
        let error = SystemEvent::new(EventType::Error, "it broke").actor(ann());
        error.record(db).await?;
    }
    let warning = SystemEvent::new(EventType::Warning, "nearly full");
    let id = warning.record(db).await?;
    SystemEvent::resolve(db, id, "Ann", "made room").await?;
    Ok(())
}

/// A missing name becomes an empty one.
fn counts(counts: &[Count]) -> Vec<(&str, i64)> {
    (counts.iter())
        .map(|count| (count.name.as_deref().unwrap_or_default(), count.count))
        .collect()
}

fn actors(actors: &[ActorCount]) -> Vec<(&str, &str, &str, i64)> {
    (actors.iter())
        .map(|actor| {
            let id = actor.actor_id.as_deref().unwrap_or("-");
            let name = actor.actor_name.as_deref().unwrap_or("-");
            (&*actor.actor_type, id, name, actor.count)
        })
        .collect()
}

fn objects(objects: &[ObjectCount]) -> Vec<(&str, &str, i64)> {
    (objects.iter())
        .map(|object| (&*object.model, &*object.object_id, object.count))
        .collect()
}

fn three_days() -> TestResult<(DateTimeUtc, DateTimeUtc)> {
    Ok((time("2026-11-20T00:00:00Z")?, time("2026-11-23T00:00:00Z")?))
}

async fn every_number_is_exact(db: &TestDb) -> TestResult {
    fill(db).await?;
    let (since, until) = three_days()?;
    let summary = Summary::between(since, until).fetch(&db.conn).await?;
    assert_eq!((summary.since, summary.until), (since, until));
    assert_eq!(
        counts(&summary.by_action),
        [
            ("UPDATE", 3),
            ("EXPORT", 2),
            ("CREATE", 1),
            ("LOGIN", 1),
            ("LOGIN_FAILED", 1)
        ]
    );
    assert_eq!(
        counts(&summary.by_model),
        [("", 4), ("post", 3), ("comment", 1)]
    );
    assert_eq!(
        actors(&summary.by_actor),
        [
            ("USER", "7", "Anne", 5),
            ("USER", "8", "-", 2),
            ("ANONYMOUS", "-", "-", 1),
        ]
    );
    assert_eq!(
        counts(&summary.by_day),
        [("2026-11-20", 2), ("2026-11-22", 6)]
    );
    assert_eq!(
        objects(&summary.top_objects),
        [("post", "1", 2), ("comment", "1", 1), ("post", "2", 1)]
    );
    assert_eq!(counts(&summary.logins), [("FAILED", 1), ("SUCCESS", 1)]);
    let exports = summary.exports;
    assert_eq!(
        (exports.count, exports.records, exports.bytes),
        (2, 200, 1_000)
    );
    assert_eq!(counts(&summary.open_events), [("ERROR", 1)]);
    Ok(())
}

async fn the_numbers_of_one_actor_are_the_actors_only(db: &TestDb) -> TestResult {
    fill(db).await?;
    let (since, until) = three_days()?;
    let summary = Summary::between(since, until).actor(7);
    let summary = summary.fetch(&db.conn).await?;
    assert_eq!(
        counts(&summary.by_action),
        [("UPDATE", 2), ("CREATE", 1), ("EXPORT", 1), ("LOGIN", 1)]
    );
    assert_eq!(
        counts(&summary.by_model),
        [("", 2), ("post", 2), ("comment", 1)]
    );
    assert_eq!(actors(&summary.by_actor), [("USER", "7", "Anne", 5)]);
    assert_eq!(
        counts(&summary.by_day),
        [("2026-11-20", 2), ("2026-11-22", 3)]
    );
    assert_eq!(
        objects(&summary.top_objects),
        [("post", "1", 2), ("comment", "1", 1)]
    );
    // The attempts on the account.
    assert_eq!(counts(&summary.logins), [("FAILED", 1), ("SUCCESS", 1)]);
    let exports = summary.exports;
    assert_eq!(
        (exports.count, exports.records, exports.bytes),
        (1, 100, 1_000)
    );
    assert_eq!(counts(&summary.open_events), [("ERROR", 1)]);
    Ok(())
}

async fn only_as_many_are_named_as_asked_for(db: &TestDb) -> TestResult {
    fill(db).await?;
    let (since, until) = three_days()?;
    for top in [0, 1, 2] {
        let summary = Summary::between(since, until).top(top);
        let summary = summary.fetch(&db.conn).await?;
        let (actors, objects) = (summary.by_actor.len(), summary.top_objects.len());
        assert_eq!((actors as u64, objects as u64), (top, top));
        // A list with few possible values is never cut.
        assert_eq!(summary.by_action.len(), 5);
    }
    Ok(())
}

async fn empty_database_has_an_empty_summary(db: &TestDb) -> TestResult {
    let summary = Summary::last_days(30).fetch(&db.conn).await?;
    assert_eq!(summary.by_action, []);
    assert_eq!(summary.by_actor, []);
    assert_eq!(summary.top_objects, []);
    let exports = summary.exports;
    assert_eq!((exports.count, exports.records, exports.bytes), (0, 0, 0));
    Ok(())
}

async fn the_last_days_end_now(db: &TestDb) -> TestResult {
    fill(db).await?;
    let clock = HandClock::at("2026-11-23T00:00:00Z")?;
    let summary = async { Summary::last_days(1).fetch(&db.conn).await };
    let summary = clock.config().build()?.scope(summary).await?;
    assert_eq!(summary.since, time("2026-11-22T00:00:00Z")?);
    assert_eq!(counts(&summary.by_day), [("2026-11-22", 6)]);
    Ok(())
}

async fn day_is_utc_whatever_the_session_says(db: &TestDb) -> TestResult {
    fill(db).await?;
    // One connection, so that session settings stay.
    let elsewhere = db.another().await?;
    let set = match db.backend() {
        DbBackend::Postgres => "SET TIME ZONE 'Pacific/Auckland'",
        DbBackend::MySql => "SET time_zone = '+13:00'",
        _ => "SELECT 1",
    };
    elsewhere.execute_unprepared(set).await?;
    let (since, until) = three_days()?;
    let there = Summary::between(since, until).fetch(&elsewhere).await?;
    assert_eq!(there, Summary::between(since, until).fetch(&db.conn).await?);
    assert_eq!(
        counts(&there.by_day),
        [("2026-11-20", 2), ("2026-11-22", 6)]
    );
    // What is written there is of the same time.
    let clock = HandClock::at("2027-01-01T12:00:00.5Z")?;
    let config = clock.config().build()?;
    let write = async {
        LoginAttempt::succeeded("ann", ann())
            .record(&elsewhere)
            .await?;
        let event = SystemEvent::new(EventType::Info, "an event");
        event.record(&elsewhere).await
    };
    config.scope(write).await?;
    let at = Some(time("2027-01-01T12:00:00.5Z")?);
    assert_eq!(db.logins().await?.last().map(|row| row.occurred_at), at);
    assert_eq!(db.events().await?.last().map(|row| row.occurred_at), at);
    assert_eq!(db.records().await?.last().map(|row| row.occurred_at), at);
    elsewhere.close().await?;
    Ok(())
}

async fn all_of_time_can_be_asked_for(db: &TestDb) -> TestResult {
    fill(db).await?;
    let ever = Summary::between(DateTimeUtc::MIN_UTC, DateTimeUtc::MAX_UTC);
    let ever = ever.fetch(&db.conn).await?;
    assert_eq!(ever.by_day.iter().map(|day| day.count).sum::<i64>(), 18);
    let long = Summary::last_days(u32::MAX).fetch(&db.conn).await?;
    assert!(long.until > long.since);
    Ok(())
}

async fn sums_beyond_64_bits_are_as_large_as_can_be(db: &TestDb) -> TestResult {
    for _ in 0..3 {
        let export = DataExport::new("everything").records(u64::MAX).bytes(7);
        export.record(&db.conn).await?;
    }
    let now = Summary::last_days(1).fetch(&db.conn).await?.until;
    let hour = Duration::from_hours(1);
    let summary = Summary::between(now - hour, now + hour);
    let exports = summary.fetch(&db.conn).await?.exports;
    assert_eq!((exports.count, exports.bytes), (3, 21));
    assert_eq!(exports.records, i64::MAX);
    Ok(())
}

async fn summary_is_eight_statements(db: &TestDb) -> TestResult {
    let fetch = Summary::last_days(30).actor(7).fetch(&db.conn);
    let (summary, statements) = db.statements_of(fetch).await;
    summary?;
    assert_eq!(statements.len(), 8, "{statements:#?}");
    Ok(())
}
