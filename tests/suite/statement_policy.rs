//! Unparsed statements, and the effect of the policy on them.

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, TransactionTrait};
use sea_orm_audit::config::StatementPolicy;
use sea_orm_audit::{AuditConfig, AuditError, AuditStats};

use crate::entity::post;
use crate::statement_forms::posts;
use crate::support::{TestDb, TestResult};

on_every_database! {
    unsupported_statement_is_reported_and_counted,
    deny_refuses_what_is_not_understood,
    allow_is_silent,
}

/// A statement that no parser needs to support.
fn strange(db: &TestDb) -> &'static str {
    match db.backend() {
        DbBackend::Postgres => {
            "DO $$ BEGIN UPDATE post SET qty = 9 WHERE title <> 'secret'; END $$"
        }
        DbBackend::MySql => "BEGIN NOT ATOMIC UPDATE post SET qty = 9 WHERE title <> 'secret'; END",
        _ => "UPDATE OR IGNORE post SET qty = 9 WHERE title <> 'secret'",
    }
}

async fn unsupported_statement_is_reported_and_counted(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a"]).await?;
    let before = AuditStats::now().uncaptured;
    for _ in 0..3 {
        audited.execute_unprepared(strange(db)).await?;
    }
    assert!(AuditStats::now().uncaptured >= before + 3);
    let events = db.events().await?;
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0].occurrences, 3);
    assert_eq!(events[0].event_type, "WARNING");
    let description = events[0].description.clone().unwrap_or_default();
    assert!(!description.contains("secret"), "{description}");
    let tx = audited.begin().await?;
    tx.execute_unprepared(strange(db)).await?;
    tx.commit().await?;
    // In a transaction it has a row of its own.
    let occurrences: Vec<i64> = (db.events().await?.iter())
        .map(|event| event.occurrences)
        .collect();
    assert_eq!(occurrences, [3, 1]);
    Ok(())
}

async fn deny_refuses_what_is_not_understood(db: &TestDb) -> TestResult {
    posts(db, &["a"]).await?;
    let config = AuditConfig::builder()
        .statement_policy(StatementPolicy::Deny)
        .build()?;
    let audited = db.audited().with_config(config);
    let error = audited.execute_unprepared(strange(db)).await.unwrap_err();
    assert!(
        matches!(AuditError::of(&error), Some(AuditError::Refused { .. })),
        "{error}"
    );
    assert!(error.to_string().contains("audited_update_many"), "{error}");
    let error = audited
        .execute_unprepared("UPDATE post SET id = id + 100 WHERE id > 0")
        .await;
    // No database returns the new key of an unprepared text.
    assert!(error.is_err());
    post::new("b").insert(&audited).await?;
    let error = audited
        .execute_unprepared("UPDATE post SET id = id + 100")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("`post`"), "{error}");
    let posts = post::Entity::find().all(&db.conn).await?;
    assert!(posts.iter().all(|post| post.qty == 7 && post.id < 200));
    Ok(())
}

async fn allow_is_silent(db: &TestDb) -> TestResult {
    posts(db, &["a"]).await?;
    let config = AuditConfig::builder()
        .statement_policy(StatementPolicy::Allow)
        .build()?;
    let audited = db.audited().with_config(config);
    audited.execute_unprepared(strange(db)).await?;
    assert_eq!(db.events().await?.len(), 0);
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}
