//! The audit tables are created and dropped beside an application's own migrations.

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr};
use sea_orm_audit::migration::{Migrator, migrations};
use sea_orm_audit::{Actor, AuditConfig, AuditContext, entity};
use sea_orm_migration::prelude::*;
use tracing::instrument::WithSubscriber;

use crate::entity::post;
use crate::logged::Logged;
use crate::support::{TestDb, TestResult};

on_every_database! {
    the_audit_migrator_runs_beside_the_applications_own,
    the_audit_migrations_run_inside_the_applications_own,
    prefix_and_schema_can_be_chosen,
    all_four_tables_can_be_written_and_read,
}

mod only_mariadb {
    crate::support::tests_on!(mariadb: database_in_which_names_do_not_fit_is_reported);
}

/// A migration of an application's own that creates the posts.
struct CreatePosts;

impl MigrationName for CreatePosts {
    fn name(&self) -> &'static str {
        "m20200101_000001_create_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreatePosts {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let schema = sea_orm::Schema::new(manager.get_database_backend());
        let table = schema.create_table_from_entity(post::Entity);
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table(post::Entity).to_owned();
        manager.drop_table(table).await
    }
}

struct Beside;

#[async_trait::async_trait]
impl MigratorTrait for Beside {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreatePosts)]
    }
}

struct Composed;

#[async_trait::async_trait]
impl MigratorTrait for Composed {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all = migrations();
        all.push(Box::new(CreatePosts));
        all
    }
}

async fn has(db: &TestDb, table: &str) -> Result<bool, DbErr> {
    SchemaManager::new(&db.conn).has_table(table).await
}

async fn tables(db: &TestDb) -> Result<(bool, bool), DbErr> {
    Ok((has(db, "audit_log").await?, has(db, "post").await?))
}

async fn the_audit_migrator_runs_beside_the_applications_own(db: &TestDb) -> TestResult {
    // The test database begins with the audit tables.
    Beside::up(&db.conn, None).await?;
    Migrator::up(&db.conn, None).await?;
    assert_eq!(tables(db).await?, (true, true));
    assert!(has(db, "audit_migrations").await? && has(db, "seaql_migrations").await?);
    post::new("a").insert(&db.conn).await?;
    assert_eq!(db.log().await?.len(), 1);

    Migrator::refresh(&db.conn).await?;
    assert_eq!(tables(db).await?, (true, true));
    assert_eq!(db.log().await?.len(), 0);
    Migrator::fresh(&db.conn).await?;
    assert_eq!(
        tables(db).await?,
        (true, true),
        "fresh leaves the application's tables alone"
    );
    Beside::refresh(&db.conn).await?;
    Beside::down(&db.conn, None).await?;
    assert_eq!(tables(db).await?, (true, false));
    Beside::up(&db.conn, None).await?;
    Migrator::down(&db.conn, None).await?;
    assert_eq!(tables(db).await?, (false, true));
    Migrator::up(&db.conn, None).await?;
    assert_eq!(Migrator::get_pending_migrations(&db.conn).await?.len(), 0);
    Migrator::reset(&db.conn).await?;
    assert!(!has(db, "audit_migrations").await?);

    // The application's `fresh` drops everything, as SeaORM documents; ours is run again after it.
    Migrator::up(&db.conn, None).await?;
    Beside::fresh(&db.conn).await?;
    assert_eq!(tables(db).await?, (false, true));
    Migrator::up(&db.conn, None).await?;
    post::new("a").insert(&db.conn).await?;
    assert_eq!(db.log().await?.len(), 1);
    Ok(())
}

async fn the_audit_migrations_run_inside_the_applications_own(db: &TestDb) -> TestResult {
    Migrator::reset(&db.conn).await?;
    Composed::up(&db.conn, None).await?;
    assert_eq!(tables(db).await?, (true, true));
    post::new("a").insert(&db.conn).await?;
    assert_eq!(db.log().await?.len(), 1);
    Composed::down(&db.conn, Some(1)).await?;
    assert_eq!(tables(db).await?, (true, false));
    Composed::up(&db.conn, None).await?;
    Composed::refresh(&db.conn).await?;
    Composed::fresh(&db.conn).await?;
    assert_eq!(tables(db).await?, (true, true));
    post::new("a").insert(&db.conn).await?;
    assert_eq!(db.log().await?.len(), 1);
    Composed::reset(&db.conn).await?;
    assert_eq!(tables(db).await?, (false, false));
    Ok(())
}

async fn prefix_and_schema_can_be_chosen(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let mut config = AuditConfig::builder().table_prefix("my_");
    let schema = db.schema_beside();
    if let Some(schema) = &schema {
        config = config.table_schema(schema);
    }
    config
        .build()?
        .scope(async {
            Migrator::up(&db.conn, None).await?;
            post::new("a").insert(&db.conn).await?;
            // The entity follows the configuration.
            assert_eq!(db.log().await?.len(), 1);
            let table = match &schema {
                Some(schema) => format!("{schema}.my_log"),
                None => "my_log".to_owned(),
            };
            let rows = db
                .execute_unprepared(&format!("UPDATE {table} SET reason = 'seen'"))
                .await?;
            assert_eq!(rows.rows_affected(), 1);
            assert!(has(db, "my_migrations").await?);
            Migrator::refresh(&db.conn).await?;
            assert_eq!(db.log().await?.len(), 0);
            Migrator::down(&db.conn, None).await?;
            TestResult::Ok(())
        })
        .await?;
    if let Some(schema) = &schema {
        db.execute_unprepared(&format!("DROP SCHEMA {schema}"))
            .await?;
    } else {
        let config = AuditConfig::builder()
            .table_prefix("my_")
            .table_schema("elsewhere");
        let up = Migrator::up(&db.conn, None);
        let error = config.build()?.scope(up).await.unwrap_err().to_string();
        assert!(
            error.contains("SQLite has no schema `elsewhere`"),
            "{error}"
        );
    }
    assert_eq!(db.log().await?.len(), 0, "the default tables are others");
    Ok(())
}

async fn all_four_tables_can_be_written_and_read(db: &TestDb) -> TestResult {
    use sea_orm::{EntityTrait, Set};
    let now = AuditConfig::current().now();
    let login = entity::audit_login_attempt::ActiveModel {
        occurred_at: Set(now),
        status: Set("FAILED".into()),
        username: Set(Some("ann".into())),
        actor_type: Set("UNKNOWN".into()),
        ..Default::default()
    };
    let login = login.insert(&db.conn).await?;
    assert_eq!(login.occurred_at, now);
    let export = entity::audit_data_export::ActiveModel {
        occurred_at: Set(now),
        actor_type: Set("USER".into()),
        outcome: Set("SUCCESS".into()),
        export_type: Set("patients".into()),
        record_count: Set(Some(i64::MAX)),
        filters_applied: Set(Some(serde_json::json!({"city": "Bern"}))),
        download_count: Set(0),
        last_downloaded_at: Set(Some(now)),
        ..Default::default()
    };
    let export = export.insert(&db.conn).await?;
    assert_eq!(export.last_downloaded_at, Some(now));
    let event = entity::audit_system_event::ActiveModel {
        occurred_at: Set(now),
        event_type: Set("ERROR".into()),
        title: Set("out of paper".into()),
        stack_trace: Set(Some("🦀".repeat(50_000))),
        actor_type: Set("SYSTEM".into()),
        occurrences: Set(1),
        resolved: Set(false),
        ..Default::default()
    };
    let event = event.insert(&db.conn).await?;
    let found = entity::audit_system_event::Entity::find_by_id(event.id)
        .one(&db.conn)
        .await?;
    assert_eq!(found, Some(event));
    Ok(())
}

/// What a migration logs of the character set.
async fn warned_of_character_set(db: &TestDb) -> TestResult<usize> {
    let logged = Logged::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(logged.clone())
        .finish();
    let migrated = Migrator::refresh(&db.conn).with_subscriber(subscriber);
    migrated.await?;
    let lines = logged.lines("the default character set of this database is latin1");
    let warnings = lines.iter().filter(|line| line.contains("WARN"));
    Ok(warnings.count())
}

async fn database_in_which_names_do_not_fit_is_reported(db: &TestDb) -> TestResult {
    db.execute_unprepared("ALTER DATABASE CHARACTER SET utf8mb4")
        .await?;
    assert_eq!(warned_of_character_set(db).await?, 0);
    db.execute_unprepared("ALTER DATABASE CHARACTER SET latin1")
        .await?;
    assert_eq!(warned_of_character_set(db).await?, 1);
    // The audit tables have their own.
    db.create(post::Entity).await?;
    let context = AuditContext::new().actor(Actor::user(1).named("Łucja Żółć"));
    context.scope(post::new("a").insert(&db.conn)).await?;
    let record = db.records().await?.pop().ok_or("no record")?;
    assert_eq!(record.actor_name.as_deref(), Some("Łucja Żółć"));
    Ok(())
}
