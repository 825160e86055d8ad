//! The fields that a record takes from its context.

use sea_orm::ActiveModelTrait;
use sea_orm_audit::config::HashKey;
use sea_orm_audit::{Actor, AuditConfig, AuditContext};
use serde_json::json;

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    every_field_of_the_context_is_recorded,
    scopes_nest_and_merge,
    actor_that_is_known_late_is_recorded_from_then_on,
    text_that_is_too_long_or_holds_nul_does_not_fail_the_write,
    labels_and_names_are_harmless_to_show_and_changes_are_as_they_were,
    anonymous_request_and_job_are_distinguished,
}

async fn every_field_of_the_context_is_recorded(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    AuditContext::new()
        .actor(Actor::user(7).named("Ann").impersonated_by(1))
        .ip_address("2001:db8::1".parse()?)
        .user_agent("curl/8")
        .session_key("the session's key")
        .request_id("request")
        .trace_id("trace")
        .tenant("tenant")
        .reason("because")
        .module("billing")
        .metadata("ticket", 42)
        .metadata("api_key", "s3cret")
        .scope(post::new("a").insert(&db.conn))
        .await?;
    let record = db.record().await?;
    let text = |field: Option<String>| field.unwrap_or_default();
    assert_eq!(record.actor_type, "USER");
    assert_eq!(text(record.actor_id), "7");
    assert_eq!(text(record.actor_name), "Ann");
    assert_eq!(text(record.impersonator_id), "1");
    assert_eq!(text(record.ip_address), "2001:db8::1");
    assert_eq!(text(record.user_agent), "curl/8");
    assert_eq!(text(record.request_id), "request");
    assert_eq!(text(record.trace_id), "trace");
    assert_eq!(text(record.tenant), "tenant");
    assert_eq!(text(record.reason), "because");
    assert_eq!(text(record.module), "billing");
    assert_eq!(
        record.metadata,
        Some(json!({"ticket": 42, "api_key": "[redacted]"}))
    );
    assert!(text(record.session_key).starts_with("sha256:"));
    assert!(!db.dump().await?.contains("the session's key"));
    assert!(!db.dump().await?.contains("s3cret"));

    db.forget().await?;
    let keyed = AuditConfig::builder()
        .hash_key(HashKey::from_bytes("k1", &[1; 32])?)
        .build()?;
    keyed
        .scope(
            AuditContext::new()
                .session_key("the session's key")
                .scope(post::new("b").insert(&db.conn)),
        )
        .await?;
    assert!(text(db.record().await?.session_key).starts_with("hmac-sha256:k1:"));
    Ok(())
}

async fn scopes_nest_and_merge(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    AuditContext::new()
        .actor(Actor::user(7))
        .request_id("request")
        .metadata("outer", 1)
        .scope(async {
            AuditContext::new()
                .reason("inner")
                .metadata("inner", 2)
                .scope(post::new("inside").insert(&db.conn))
                .await?;
            post::new("outside").insert(&db.conn).await
        })
        .await?;
    let seen: Vec<_> = (db.records().await?.into_iter())
        .map(|r| (r.actor_id, r.request_id, r.reason, r.metadata))
        .collect();
    let (actor, request) = (Some("7".to_owned()), Some("request".to_owned()));
    assert_eq!(
        seen,
        [
            (
                actor.clone(),
                request.clone(),
                Some("inner".to_owned()),
                Some(json!({"inner": 2, "outer": 1})),
            ),
            (actor, request, None, Some(json!({"outer": 1}))),
        ]
    );
    Ok(())
}

async fn actor_that_is_known_late_is_recorded_from_then_on(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    assert!(!AuditContext::set_actor(Actor::user(
        "outside of any scope"
    )));
    AuditContext::new()
        .request_id("request")
        .scope(async {
            post::new("before").insert(&db.conn).await?;
            assert!(AuditContext::set_actor(Actor::user(7)));
            post::new("after").insert(&db.conn).await
        })
        .await?;
    let actors: Vec<_> = (db.records().await?.into_iter())
        .map(|r| (r.actor_type, r.actor_id))
        .collect();
    assert_eq!(
        actors,
        [
            ("UNKNOWN".to_owned(), None),
            ("USER".to_owned(), Some("7".to_owned()))
        ]
    );
    Ok(())
}

async fn text_that_is_too_long_or_holds_nul_does_not_fail_the_write(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    AuditContext::new()
        .actor(Actor::user("u".repeat(10_000)).named("n\0".repeat(300)))
        .user_agent("a\0gent ".repeat(2_000))
        .request_id("r".repeat(300))
        .reason("\0")
        .metadata("k\0ey", "v\0alue")
        .scope(post::new("a").insert(&db.conn))
        .await?;
    let record = db.record().await?;
    let id = record.actor_id.unwrap();
    assert_eq!(id.len(), 255);
    assert!(id.contains("~sha256:"));
    assert_eq!(record.user_agent.unwrap(), "a␀gent ".repeat(2_000));
    assert_eq!(record.reason.unwrap(), "␀");
    assert_eq!(
        record.metadata,
        Some(json!({"k\u{FFFD}ey": "v\u{FFFD}alue"}))
    );
    Ok(())
}

async fn labels_and_names_are_harmless_to_show_and_changes_are_as_they_were(
    db: &TestDb,
) -> TestResult {
    db.create(post::Entity).await?;
    let title = "a\r\n\u{1b}[2Jb\u{202e}c";
    AuditContext::new()
        .actor(Actor::user(7).named(title))
        .scope(post::new(title).insert(&db.conn))
        .await?;
    let record = db.record().await?;
    let harmless = "a␍␊␛[2Jb\u{FFFD}c";
    assert_eq!(record.actor_name.as_deref(), Some(harmless));
    assert_eq!(record.object_repr, Some(format!("{harmless} (#1)")));
    assert_eq!(record.changes.unwrap()["title"]["new"], title);
    Ok(())
}

async fn anonymous_request_and_job_are_distinguished(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    for (title, actor) in [
        ("a", Actor::anonymous()),
        ("b", Actor::service("import")),
        ("c", Actor::system()),
    ] {
        AuditContext::new()
            .actor(actor)
            .scope(post::new(title).insert(&db.conn))
            .await?;
    }
    let kinds: Vec<_> = (db.records().await?.into_iter())
        .map(|r| r.actor_type)
        .collect();
    assert_eq!(kinds, ["ANONYMOUS", "SERVICE", "SYSTEM"]);
    Ok(())
}
