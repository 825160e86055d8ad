//! An unwritable temporary directory: statements are refused before they run, or run without records if the policy
//! refuses nothing. A separate process, since the directory is the process's.
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    dead_code,
    unused_imports,
    unused_macros,
    unreachable_pub
)]

#[macro_use]
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;

use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, Statement, TransactionTrait,
};
use sea_orm_audit::config::FailurePolicy;
use sea_orm_audit::error::{Cause, ChangeState};
use sea_orm_audit::{AuditConfig, AuditError};
use support::{TestDb, TestResult};

mod item {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "item")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

on_every_database! {
    failing_temporary_file_refuses_the_statement,
    failing_temporary_file_under_isolate_leaves_the_statement_without_records,
}

async fn fill(db: &TestDb) -> TestResult {
    // The first caller sets it for the whole process.
    let _ = tempfile::env::override_temp_dir(std::path::Path::new("/no/such/directory"));
    db.create(item::Entity).await?;
    let rows: Vec<_> = (1..=100).map(|n| format!("({n}, 'item {n}')")).collect();
    let insert = format!("INSERT INTO item (id, name) VALUES {}", rows.join(", "));
    db.execute_unprepared(&insert).await?;
    if db.backend() == DbBackend::Postgres {
        // PostgreSQL 18 returns old values where no AFTER trigger may change rows, and nothing is read before.
        db.execute_unprepared(
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; \
             CREATE TRIGGER after AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION nothing()",
        )
        .await?;
    }
    Ok(())
}

async fn failing_temporary_file_refuses_the_statement(db: &TestDb) -> TestResult {
    fill(db).await?;
    let config = AuditConfig::builder().before_row_bytes(1_000).build()?;
    let audited = db.audited().with_config(config);
    let tx = audited.begin().await?;
    let refused = tx
        .execute_raw(Statement::from_string(
            db.backend(),
            "UPDATE item SET name = 'x'",
        ))
        .await;
    let error = refused.err().ok_or("it ran")?;
    assert!(
        matches!(
            AuditError::of(&error),
            Some(AuditError::NotRecorded {
                state: ChangeState::NotTried,
                cause: Cause::TemporaryFile { .. },
                ..
            })
        ),
        "{error}"
    );
    // The transaction is still usable.
    tx.execute_unprepared("UPDATE item SET name = 'y' WHERE id = 1")
        .await?;
    tx.commit().await?;
    let names: Vec<String> = (item::Entity::find().all(&db.conn).await?.into_iter())
        .filter(|item| !item.name.starts_with("item"))
        .map(|item| item.name)
        .collect();
    assert_eq!(names, ["y"]);
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}

async fn failing_temporary_file_under_isolate_leaves_the_statement_without_records(
    db: &TestDb,
) -> TestResult {
    fill(db).await?;
    let config = AuditConfig::builder()
        .before_row_bytes(1_000)
        .failure_policy(FailurePolicy::Isolate)
        .build()?;
    let audited = db.audited().with_config(config);
    let done = audited
        .execute_unprepared("UPDATE item SET name = 'x'")
        .await?;
    assert_eq!(done.rows_affected(), 100);
    assert!(db.records().await?.is_empty());
    let events = db.counted_events().await?;
    assert_eq!(events.len(), 1, "{events:?}");
    Ok(())
}
