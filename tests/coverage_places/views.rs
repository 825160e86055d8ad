//! Entities of views: the view exists, but its rows can change without SeaORM.

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_audit::AuditConfig;
use sea_orm_audit::migration::Finding;

use crate::entities::{person_name, words};
use crate::support::{TestDb, TestResult};
use crate::{build, coverage, found, is_elsewhere};

on_every_database! {
    the_view_of_an_entity_is_found_to_be_one,
    triggers_are_not_asked_for_where_none_can_stand,
}
mod sqlite_only {
    crate::support::tests_on! { sqlite: triggers_are_not_asked_for_on_virtual_tables }
}
mod postgres_only {
    crate::support::tests_on! { postgres: other_kinds_are_distinguished }
}

fn not_a_table(kind: &'static str, by_trigger: bool) -> Finding {
    Finding::NotATable {
        table: "person_name".into(),
        kind,
        by_trigger,
    }
}

async fn the_view_of_an_entity_is_found_to_be_one(db: &TestDb) -> TestResult {
    build(db).await?;
    let [view] = &coverage(&db.conn).await?.accept(is_elsewhere).findings[..] else {
        return Err("the view is the only finding".into());
    };
    assert_eq!(*view, not_a_table("view", false));
    assert_eq!(
        view.to_string(),
        "`person_name` is a view: only what is written to it through SeaORM is recorded"
    );
    // The entity is skipped and not recorded.
    let config = AuditConfig::builder()
        .skip_entity::<person_name::Entity>()
        .build()?;
    let report = config.scope(coverage(&db.conn)).await?;
    assert_eq!(report.accept(is_elsewhere).findings, []);
    Ok(())
}

async fn triggers_are_not_asked_for_where_none_can_stand(db: &TestDb) -> TestResult {
    build(db).await?;
    let config = AuditConfig::builder()
        .captured_by_trigger::<person_name::Entity>()
        .build()?;
    let report = config.scope(coverage(&db.conn)).await?;
    assert_eq!(
        report.accept(is_elsewhere).findings,
        [not_a_table("view", true)]
    );
    Ok(())
}

async fn triggers_are_not_asked_for_on_virtual_tables(db: &TestDb) -> TestResult {
    build(db).await?;
    assert_eq!(found(db).await?, []);
    let config = AuditConfig::builder()
        .captured_by_trigger::<words::Entity>()
        .build()?;
    let virtual_table = Finding::NotATable {
        table: "words".into(),
        kind: "virtual table",
        by_trigger: true,
    };
    assert_eq!(config.scope(found(db)).await?, [virtual_table]);
    Ok(())
}

async fn other_kinds_are_distinguished(db: &TestDb) -> TestResult {
    build(db).await?;
    assert_eq!(db.backend(), DbBackend::Postgres);
    db.execute_unprepared("DROP VIEW person_name").await?;
    for (sql, kind, undo) in [
        (
            "CREATE MATERIALIZED VIEW person_name AS SELECT id, name FROM person",
            "materialized view",
            "DROP MATERIALIZED VIEW person_name",
        ),
        (
            "CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER none FOREIGN DATA WRAPPER nothing; \
             CREATE FOREIGN TABLE person_name (id INT, name TEXT) SERVER none",
            "foreign table",
            "DROP FOREIGN TABLE person_name",
        ),
    ] {
        db.execute_unprepared(sql).await?;
        let report = coverage(&db.conn).await?;
        assert_eq!(
            report.accept(is_elsewhere).findings,
            [not_a_table(kind, false)]
        );
        db.execute_unprepared(undo).await?;
    }
    Ok(())
}
