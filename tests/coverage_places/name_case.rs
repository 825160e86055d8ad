//! Names in another case than the entity's, and names that differ only in case.

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_audit::AuditConfig;
use sea_orm_audit::migration::AuditTriggers;

use crate::entities::mixed;
use crate::support::{TestDb, TestResult};
use crate::{build, coverage, found, not_captured};

on_every_database! {
    triggers_are_found_whatever_the_case,
    exception_matches_names_as_the_database_does,
}
mod postgres_only {
    crate::support::tests_on! { postgres: name_in_another_case_is_another_table }
}
mod mariadb_only {
    crate::support::tests_on! { mariadb: name_in_another_case_is_another_table }
}

async fn triggers_are_found_whatever_the_case(db: &TestDb) -> TestResult {
    build(db).await?;
    let config = AuditConfig::builder()
        .captured_by_trigger::<mixed::Entity>()
        .build()?;
    let triggers = AuditTriggers::of::<mixed::Entity>();
    config.scope(triggers.create(&db.conn)).await?;
    assert_eq!(config.scope(found(db)).await?, []);
    let check = config.scope(triggers.check(&db.conn)).await?;
    assert!(check.is_current(), "{check}");
    db.execute_unprepared(match db.backend() {
        DbBackend::Postgres => "INSERT INTO \"Mixed\" (id, \"Note\") VALUES (1, 'a')",
        DbBackend::Sqlite => "INSERT INTO mixed (id, note) VALUES (1, 'a')",
        _ => "INSERT INTO Mixed (id, note) VALUES (1, 'a')",
    })
    .await?;
    let log = db.log().await?;
    assert!(
        log.len() == 1 && log[0].contains(r#""Note":{"new":"a"}"#),
        "{log:?}"
    );
    config.scope(triggers.drop(&db.conn)).await?;
    assert_eq!(found(db).await?, []);
    Ok(())
}

async fn exception_matches_names_as_the_database_does(db: &TestDb) -> TestResult {
    build(db).await?;
    db.execute_unprepared("CREATE TABLE loose (id INTEGER PRIMARY KEY)")
        .await?;
    let report = coverage(&db.conn).await?.except(["LOOSE"]);
    let accepted = usize::from(db.backend() == DbBackend::Sqlite);
    assert_eq!(report.accepted.len(), accepted, "{report}");
    let report = report.except(["loose"]);
    assert_eq!(report.accepted, [not_captured("loose")]);
    Ok(())
}

async fn name_in_another_case_is_another_table(db: &TestDb) -> TestResult {
    build(db).await?;
    let quote = |name: &str| match db.backend() {
        DbBackend::Postgres => format!("\"{name}\""),
        _ => name.to_owned(),
    };
    for sql in [
        format!(
            "CREATE TABLE {} (id INTEGER PRIMARY KEY, other INT)",
            quote("Person")
        ),
        format!(
            "CREATE TABLE {} (id INTEGER PRIMARY KEY, x INT, y INT, CONSTRAINT of_guest \
             FOREIGN KEY (x, y) REFERENCES couple (b, a) ON DELETE CASCADE)",
            quote("Guest")
        ),
    ] {
        db.execute_unprepared(&sql).await?;
    }
    if db.backend() == DbBackend::MySql {
        // It belongs to the other table, so it is no trigger beside hooks.
        db.execute_unprepared(
            "CREATE TRIGGER sea_orm_audit_insert_other AFTER INSERT ON Person FOR EACH ROW SET @x = 1",
        )
        .await?;
    }
    assert_eq!(
        found(db).await?,
        [not_captured("Guest"), not_captured("Person")]
    );
    let tables = coverage(&db.conn).await?.tables;
    let person = (tables.iter()).filter(|row| row.table.eq_ignore_ascii_case("person"));
    assert_eq!(person.count(), 2, "{tables:#?}");
    Ok(())
}
