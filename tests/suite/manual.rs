//! Records that the application writes itself.

use sea_orm::{ActiveModelTrait, TransactionTrait};
use sea_orm_audit::context::migration_mode;
use sea_orm_audit::event::record_view;
use sea_orm_audit::{Action, Actor, AuditConfig, AuditContext, AuditError, AuditEvent};
use serde_json::json;

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    event_contains_its_values,
    event_takes_the_rest_from_the_context,
    view_is_recorded,
    secrets_in_an_event_are_redacted,
    entity_that_is_only_named_is_known_all_the_same,
    event_rolls_back_with_its_transaction,
    skipped_action_and_migration_mode_write_no_event,
    event_that_cannot_be_written_says_so,
}

async fn event_contains_its_values(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let post = post::new("a").insert(&db.conn).await?;
    db.forget().await?;
    AuditEvent::new(Action::custom("APPROVE")?)
        .target(&post)
        .actor(Actor::service("workflow"))
        .reason("within budget")
        .change("state", "open", "approved")
        .change("unchanged", 1, 1)
        .metadata("limit", 5000)
        .failed()
        .record(&db.conn)
        .await?;
    let record = db.record().await?;
    assert_eq!(record.action, "APPROVE");
    assert_eq!(record.outcome, "FAILURE");
    assert_eq!(record.source, "MANUAL");
    assert_eq!(record.model.as_deref(), Some("post"));
    assert_eq!(record.object_id.as_deref(), Some("1"));
    assert_eq!(record.object_repr.as_deref(), Some("a (#1)"));
    assert_eq!(record.actor_id.as_deref(), Some("workflow"));
    assert_eq!(record.reason.as_deref(), Some("within budget"));
    assert_eq!(
        record.changes,
        Some(json!({"state": {"old": "open", "new": "approved"}}))
    );
    assert_eq!(record.metadata, Some(json!({"limit": 5000})));
    Ok(())
}

async fn event_takes_the_rest_from_the_context(db: &TestDb) -> TestResult {
    AuditContext::new()
        .actor(Actor::user(7))
        .request_id("request")
        .reason("outer")
        .scope(async {
            AuditEvent::new(Action::Import)
                .target_named("price list", "2026")
                .reason("inner")
                .record(&db.conn)
                .await
        })
        .await?;
    let record = db.record().await?;
    assert_eq!(record.actor_id.as_deref(), Some("7"));
    assert_eq!(record.request_id.as_deref(), Some("request"));
    assert_eq!(record.reason.as_deref(), Some("inner"));
    assert_eq!(record.model.as_deref(), Some("price list"));
    assert_eq!((record.changes, record.metadata), (None, None));
    Ok(())
}

async fn view_is_recorded(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let post = post::new("a").insert(&db.conn).await?;
    db.forget().await?;
    record_view(&db.conn, &post).await?;
    assert_eq!(db.log().await?, ["VIEW post 1 null"]);
    Ok(())
}

async fn secrets_in_an_event_are_redacted(db: &TestDb) -> TestResult {
    AuditEvent::new(Action::Import)
        .change("password", "s3cret-1", "s3cret-2")
        .change(
            "settings",
            json!({"token": "s3cret-3"}),
            json!({"token": "s3cret-4", "a": 1}),
        )
        .metadata("authorization", "s3cret-5")
        .record(&db.conn)
        .await?;
    let record = db.record().await?;
    assert_eq!(
        record.changes,
        Some(json!({
            "password": {"redacted": true},
            "settings": {"old": {"token": "[redacted]"}, "new": {"token": "[redacted]", "a": 1}},
        }))
    );
    assert!(!db.dump().await?.contains("s3cret"));
    Ok(())
}

async fn entity_that_is_only_named_is_known_all_the_same(db: &TestDb) -> TestResult {
    let config = AuditConfig::builder().redact_field("body").build()?;
    let event = AuditEvent::new(Action::Import)
        .target_named("post", 7)
        .change("body", "s3cret", "s3cret too")
        .metadata("body", "s3cret");
    // The configuration that counts is the one that applies where it is recorded.
    config.scope(event.record(&db.conn)).await?;
    let record = db.record().await?;
    assert_eq!(record.changes, Some(json!({"body": {"redacted": true}})));
    assert_eq!(record.metadata, Some(json!({"body": "[redacted]"})));
    Ok(())
}

async fn event_rolls_back_with_its_transaction(db: &TestDb) -> TestResult {
    let tx = db.begin().await?;
    AuditEvent::new(Action::Import).record(&tx).await?;
    tx.rollback().await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn skipped_action_and_migration_mode_write_no_event(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let post = post::new("a").insert(&db.conn).await?;
    let skips = AuditConfig::builder().skip_action(Action::View).build()?;
    let (result, statements) = db
        .statements_of(skips.scope(record_view(&db.conn, &post)))
        .await;
    result?;
    assert_eq!(statements, [""; 0]);
    let (result, statements) = db
        .statements_of(migration_mode("test", record_view(&db.conn, &post)))
        .await;
    result?;
    assert_eq!(statements, [""; 0]);
    Ok(())
}

async fn event_that_cannot_be_written_says_so(db: &TestDb) -> TestResult {
    let elsewhere = AuditConfig::builder().table_prefix("nowhere_").build()?;
    let event = AuditEvent::new(Action::Import).record(&db.conn);
    let error = elsewhere.scope(event).await.unwrap_err();
    assert!(matches!(error, AuditError::NotRecorded { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("nowhere_log") && text.contains("Migrator::up"),
        "{text}"
    );
    Ok(())
}
