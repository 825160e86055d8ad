//! Strict configuration: a write without a recorded actor is refused.

use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, TransactionTrait};
use sea_orm_audit::config::{FailurePolicy, RequireActor, StatementPolicy};
use sea_orm_audit::error::{Cause, ChangeState};
use sea_orm_audit::{Actor, AuditConfig, AuditContext, AuditError, AuditStats};

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    write_without_actor_is_refused_where_one_is_required,
    write_without_actor_is_allowed_with_a_warning,
    strict_configuration_refuses_what_it_cannot_record,
}

fn is_refused_for_lack_of_an_actor(error: &sea_orm::DbErr) -> bool {
    matches!(
        AuditError::of(error),
        Some(AuditError::NotRecorded {
            state: ChangeState::NotTried,
            cause: Cause::NoActor,
        })
    )
}

async fn write_without_actor_is_refused_where_one_is_required(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let config = AuditConfig::builder()
        .require_actor(RequireActor::Deny)
        .build()?;
    let audited = db.audited().with_config(config.clone());
    let error = post::new("a").insert(&audited).await.unwrap_err();
    assert!(is_refused_for_lack_of_an_actor(&error), "{error}");
    let error = config
        .scope(post::new("a").insert(&db.conn))
        .await
        .unwrap_err();
    assert!(is_refused_for_lack_of_an_actor(&error), "{error}");
    let tx = audited.begin().await?;
    assert!(post::new("a").insert(&tx).await.is_err());
    tx.rollback().await?;
    assert_eq!(post::Entity::find().all(&db.conn).await?, []);
    post::new("a")
        .insert(&audited.as_actor(Actor::user(7)))
        .await?;
    let context = AuditContext::new().actor(Actor::anonymous());
    context.scope(post::new("b").insert(&audited)).await?;
    let actors: Vec<_> = db
        .records()
        .await?
        .into_iter()
        .map(|r| r.actor_type)
        .collect();
    assert_eq!(actors, ["USER", "ANONYMOUS"]);
    Ok(())
}

async fn write_without_actor_is_allowed_with_a_warning(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let config = AuditConfig::builder()
        .require_actor(RequireActor::Warn)
        .build()?;
    let before = AuditStats::now().without_actor;
    post::new("a")
        .insert(&db.audited().with_config(config))
        .await?;
    assert!(AuditStats::now().without_actor > before);
    assert_eq!(db.record().await?.actor_type, "UNKNOWN");
    Ok(())
}

async fn strict_configuration_refuses_what_it_cannot_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let config = AuditConfig::strict().build()?;
    assert_eq!(config.failure_policy(), FailurePolicy::Fail);
    assert_eq!(config.statement_policy(), StatementPolicy::Deny);
    let audited = db.audited().with_config(config).as_actor(Actor::user(7));
    post::new("a").insert(&audited).await?;
    let strange = match db.backend() {
        sea_orm::DbBackend::Sqlite => "UPDATE OR IGNORE post SET qty = 1",
        _ => "CALL anything()",
    };
    let error = audited.execute_unprepared(strange).await.unwrap_err();
    assert!(
        matches!(AuditError::of(&error), Some(AuditError::Refused { .. })),
        "{error}"
    );
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}
