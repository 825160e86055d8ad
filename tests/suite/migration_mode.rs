//! Migration mode in its four forms: configuration, environment, scope, and `AuditedMigrator`.

use sea_orm::{ActiveModelTrait, DatabaseExecutor, DbErr, EntityTrait, PaginatorTrait};
use sea_orm_audit::AuditConfig;
use sea_orm_audit::context::migration_mode;
use sea_orm_audit::migration::AuditedMigrator;
use sea_orm_migration::prelude::*;

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    migration_that_seeds_is_recorded_without_migration_mode,
    the_configurations_flag_keeps_seeds_out_of_the_log,
    the_scope_keeps_seeds_out_of_the_log,
    the_audited_migrator_keeps_seeds_out_of_the_log,
    applications_write_through_an_executor_is_recorded,
}

/// Creates the posts, seeds one through the audited entity, edits it, and deletes it on the way down.
struct Seed;

impl MigrationName for Seed {
    fn name(&self) -> &'static str {
        "m20200101_000001_seed"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Seed {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let schema = sea_orm::Schema::new(manager.get_database_backend());
        let table = schema.create_table_from_entity(post::Entity);
        manager.create_table(table).await?;
        let seeded = post::new("seeded").insert(manager.get_connection()).await?;
        post::retitle(seeded.id, "edited")
            .update(manager.get_connection())
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        post::retitle(1, "")
            .delete(manager.get_connection())
            .await?;
        let table = Table::drop().table(post::Entity).to_owned();
        manager.drop_table(table).await
    }
}

struct Application;

#[async_trait::async_trait]
impl MigratorTrait for Application {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Seed)]
    }
}

async fn seeded(db: &TestDb) -> Result<u64, DbErr> {
    post::Entity::find().count(&db.conn).await
}

async fn migration_that_seeds_is_recorded_without_migration_mode(db: &TestDb) -> TestResult {
    Application::up(&db.conn, None).await?;
    Application::down(&db.conn, None).await?;
    let actions: Vec<_> = (db.records().await?.into_iter())
        .map(|r| r.action)
        .collect();
    assert_eq!(actions, ["CREATE", "UPDATE", "DELETE"]);
    Ok(())
}

async fn the_configurations_flag_keeps_seeds_out_of_the_log(db: &TestDb) -> TestResult {
    let config = AuditConfig::builder().migration_mode(true).build()?;
    config.scope(Application::up(&db.conn, None)).await?;
    assert_eq!(seeded(db).await?, 1);
    config.scope(Application::down(&db.conn, None)).await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn the_scope_keeps_seeds_out_of_the_log(db: &TestDb) -> TestResult {
    migration_mode("release 7", Application::up(&db.conn, None)).await?;
    assert_eq!(seeded(db).await?, 1);
    assert_eq!(db.log().await?, [""; 0]);
    post::new("after").insert(&db.conn).await?;
    assert_eq!(db.log().await?.len(), 1);
    Ok(())
}

async fn the_audited_migrator_keeps_seeds_out_of_the_log(db: &TestDb) -> TestResult {
    type Quiet = AuditedMigrator<Application>;
    Quiet::up(&db.conn, None).await?;
    assert_eq!(seeded(db).await?, 1);
    assert_eq!(Quiet::get_pending_migrations(&db.conn).await?.len(), 0);
    assert_eq!(
        Application::get_pending_migrations(&db.conn).await?.len(),
        0
    );
    Quiet::refresh(&db.conn).await?;
    Quiet::down(&db.conn, None).await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

/// Migrations also get an executor; the executor does not turn recording off.
async fn applications_write_through_an_executor_is_recorded(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let executor = DatabaseExecutor::from(&db.conn);
    let post = post::new("a").insert(&executor).await?;
    post::retitle(post.id, "b").update(&executor).await?;
    assert_eq!(db.log().await?.len(), 2);
    Ok(())
}

/// The environment is read when a configuration is built, so this needs a process of its own: this
/// test program, run again for one test.
#[tokio::test]
async fn the_environment_keeps_seeds_out_of_the_log() -> TestResult {
    if std::env::var_os("AUDIT_MIGRATION_MODE").is_none() {
        let again = std::process::Command::new(std::env::current_exe()?)
            .args([
                "--exact",
                "migration_mode::the_environment_keeps_seeds_out_of_the_log",
            ])
            .env("AUDIT_MIGRATION_MODE", "1")
            .output()?;
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(
            again.status.success() && said.contains("1 passed"),
            "{said}"
        );
        return Ok(());
    }
    for db in [
        TestDb::sqlite().await?,
        TestDb::postgres().await?,
        TestDb::mariadb().await?,
    ] {
        let Some(db) = db else { continue };
        Application::up(&db.conn, None).await?;
        assert_eq!(seeded(&db).await?, 1);
        assert_eq!(db.log().await?, [""; 0]);
        db.remove().await?;
    }
    Ok(())
}
