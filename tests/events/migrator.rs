//! The application's migrations, run by the audited migrator.

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, DbErr};
use sea_orm_audit::AuditConfig;
use sea_orm_audit::migration::AuditedMigrator;
use sea_orm_migration::prelude::*;
use serde_json::json;

use crate::entity::post;
use crate::support::{TestDb, TestResult, refuse_rows};
use crate::{forget_events, recorded_events};

/// As in a program that only migrates.
pub(crate) async fn audited_migrator_records_where_no_writer_is_installed(
    db: &TestDb,
) -> TestResult {
    AuditedMigrator::<Application>::up(&db.conn, None).await?;
    AuditedMigrator::<Application>::down(&db.conn, None).await?;
    let (up, down) = ("m20200101_000001_seed up", "m20200101_000001_seed down");
    let left = "audit migration mode left".to_owned();
    let writes = |reason, writes: u64| json!({"reason": reason, "suppressed": writes});
    assert_eq!(
        recorded_events(db).await?,
        [(left.clone(), writes(up, 2), 1), (left, writes(down, 0), 1)]
    );
    assert_eq!(db.records().await?.len(), 0);
    forget_events(db).await?;
    // A migration that fails half way has unrecorded writes, too; PostgreSQL rolls it back.
    let broken = AuditedMigrator::<Broken>::up(&db.conn, None).await;
    assert!(broken.is_err());
    let reason = "m20200101_000002_half up";
    let expected = [("audit migration mode left".to_owned(), writes(reason, 1), 1)];
    let kept = db.backend() != DbBackend::Postgres;
    assert_eq!(recorded_events(db).await?, expected[..usize::from(kept)]);
    forget_events(db).await?;
    // The result of a migration does not depend on its event.
    let accept = refuse_rows(
        db,
        "audit_system_event",
        "title",
        "audit migration mode left",
    )
    .await?;
    AuditedMigrator::<Application>::up(&db.conn, None).await?;
    AuditedMigrator::<Application>::down(&db.conn, None).await?;
    assert!(recorded_events(db).await?.is_empty());
    db.execute_unprepared(&accept).await?;
    // It migrates without the audit tables as well.
    let other = AuditConfig::builder().table_prefix("other_").build()?;
    let up = AuditedMigrator::<Application>::up(&db.conn, None);
    other.scope(up).await?;
    let down = AuditedMigrator::<Application>::down(&db.conn, None);
    other.scope(down).await?;
    forget_events(db).await
}

pub(crate) async fn the_audited_migrator_is_reported(db: &TestDb) -> TestResult {
    AuditedMigrator::<Application>::up(&db.conn, None).await?;
    AuditedMigrator::<Application>::down(&db.conn, None).await?;
    let recorded: Vec<_> = (recorded_events(db).await?.into_iter())
        .map(|(_, metadata, _)| metadata)
        .collect();
    let (up, down) = ("m20200101_000001_seed up", "m20200101_000001_seed down");
    assert_eq!(
        recorded,
        [
            json!({"reason": up}),
            json!({"reason": up, "suppressed": 2}),
            json!({"reason": down}),
            json!({"reason": down, "suppressed": 0}),
        ]
    );
    forget_events(db).await
}

/// Seeds a post and deletes it again.
struct Seed;

impl MigrationName for Seed {
    fn name(&self) -> &'static str {
        "m20200101_000001_seed"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Seed {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let seeded = post::new("seeded").insert(manager.get_connection()).await?;
        post::retitle(seeded.id, "edited")
            .delete(manager.get_connection())
            .await?;
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}

struct Application;

#[async_trait::async_trait]
impl MigratorTrait for Application {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Seed)]
    }
}

/// Seeds a post and fails.
struct Half;

impl MigrationName for Half {
    fn name(&self) -> &'static str {
        "m20200101_000002_half"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Half {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        post::new("half").insert(manager.get_connection()).await?;
        Err(DbErr::Migration("and then it broke".to_owned()))
    }
}

struct Broken;

#[async_trait::async_trait]
impl MigratorTrait for Broken {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Half)]
    }
}
