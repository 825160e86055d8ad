//! A small log whose times are fixed: a shop in March 2026.

use std::time::Duration;

use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, ModelTrait, Set};
use sea_orm_audit::event::{AuditEvent, DataExport, EventType, LoginAttempt, SystemEvent};
use sea_orm_audit::{Action, Actor, AuditContext};

use crate::support::{HandClock, TestDb, TestResult};

pub(crate) mod product {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[audit(display = "{name}")]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
        pub price: i32,
        #[audit(redact)]
        pub supplier_code: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

fn ann() -> AuditContext {
    AuditContext::new()
        .actor(Actor::user(7).named("Ann Lee"))
        .request_id("req-1")
}

fn bob() -> AuditContext {
    AuditContext::new()
        .actor(Actor::user(8).named("Bob"))
        .request_id("req-2")
}

/// Fills the database.
pub(crate) async fn fill(db: &TestDb) -> TestResult {
    let clock = HandClock::at("2026-03-02T09:00:00Z")?;
    let config = clock.config().build()?;
    db.create(product::Entity).await?;
    Box::pin(config.scope(write(db, &clock))).await
}

async fn write(db: &TestDb, clock: &HandClock) -> TestResult {
    let conn = &db.conn;
    let new = |name: &str, price: i32| product::ActiveModel {
        name: Set(name.to_owned()),
        price: Set(price),
        supplier_code: Set("S-1".to_owned()),
        ..Default::default()
    };
    let tea = ann().scope(new("Tea", 450).insert(conn)).await?;
    clock.forward(Duration::from_mins(1));
    let mug = ann().scope(new("Mug", 900).insert(conn)).await?;
    clock.forward(Duration::from_hours(24));
    let mut change = tea.into_active_model();
    change.price = Set(490);
    let tea = bob()
        .reason("new prices")
        .scope(change.update(conn))
        .await?;
    clock.forward(Duration::from_hours(24));
    let mut change = tea.into_active_model();
    change.name = Set("Green tea".to_owned());
    change.supplier_code = Set("S-2".to_owned());
    ann().scope(change.update(conn)).await?;
    clock.forward(Duration::from_secs(5));
    bob().scope(mug.delete(conn)).await?;
    clock.forward(Duration::from_secs(5));
    let approved = AuditEvent::new(Action::custom("APPROVE")?)
        .target_named("invoice", "2026-17")
        .reason("within budget");
    Box::pin(ann().scope(approved.record(conn))).await?;
    let account = Actor::user(7).named("Ann Lee");
    let failed = LoginAttempt::failed("ann", "wrong password").account(account);
    ann().scope(failed.record(conn)).await?;
    clock.forward(Duration::from_secs(5));
    LoginAttempt::succeeded("ann", Actor::user(7).named("Ann Lee"))
        .record(conn)
        .await?;
    let export = DataExport::new("customers")
        .format("CSV")
        .records(100)
        .bytes(2048);
    bob().scope(export.record(conn)).await?;
    SystemEvent::new(EventType::Error, "the mail server is unavailable")
        .record(conn)
        .await?;
    Ok(())
}

/// Rows of the log itself, whatever the application would refuse.
pub(crate) async fn insert(
    db: &TestDb,
    record: sea_orm_audit::entity::audit_log::ActiveModel,
) -> TestResult<i64> {
    let done = sea_orm_audit::entity::audit_log::Entity::insert(record)
        .exec(&db.conn)
        .await?;
    Ok(done.last_insert_id)
}
