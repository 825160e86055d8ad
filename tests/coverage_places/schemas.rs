//! The schemas in which names are found.

use sea_orm::ConnectionTrait;
use sea_orm_audit::migration::Finding;

use crate::support::{TestDb, TestResult};
use crate::{build, coverage, found, is_elsewhere, is_in, is_view, not_captured};

mod sqlite {
    crate::support::tests_on! { sqlite:
        attached_databases_are_looked_at_where_an_entity_names_them,
        main_and_temp_may_be_named,
    }
}
mod postgres {
    crate::support::tests_on! { postgres:
        other_schemas_are_looked_at_where_an_entity_names_them,
        names_are_found_along_the_search_path,
        without_a_search_path_only_what_is_named_is_found,
    }
}
mod mariadb {
    crate::support::tests_on! { mariadb: other_databases_are_looked_at_where_an_entity_names_them }
}

/// Checks the table of the other schema, which exists by now, and a gap beside it.
async fn is_looked_at(db: &sea_orm::DatabaseConnection) -> TestResult {
    let open = async || -> TestResult<Vec<Finding>> {
        let mut findings = coverage(db).await?.findings;
        findings.retain(|finding| {
            let is_other = is_elsewhere(finding) && !is_in(finding, "elsewhere");
            !is_view(finding) && !is_other
        });
        Ok(findings)
    };
    assert_eq!(open().await?, []);
    for table in ["loose", "seaql_migrations", "audit_migrations", "audit_log"] {
        // The tables of the log and of migrations are in another schema.
        db.execute_unprepared(&format!("CREATE TABLE elsewhere.{table} (id INT)"))
            .await?;
    }
    db.execute_unprepared("ALTER TABLE elsewhere.item ADD COLUMN more INT")
        .await?;
    let more = Finding::ColumnNotCaptured {
        table: "elsewhere.item".into(),
        column: "more".into(),
    };
    assert_eq!(
        open().await?,
        [
            not_captured("elsewhere.audit_log"),
            not_captured("elsewhere.audit_migrations"),
            more,
            not_captured("elsewhere.loose"),
            not_captured("elsewhere.seaql_migrations"),
        ]
    );
    Ok(())
}

const ITEM: &str = "CREATE TABLE elsewhere.item (id INTEGER PRIMARY KEY, note VARCHAR(20))";

async fn attached_databases_are_looked_at_where_an_entity_names_them(db: &TestDb) -> TestResult {
    build(db).await?;
    // Only the connection that attaches the database sees it.
    let one = db.another().await?;
    for sql in ["ATTACH ':memory:' AS elsewhere", ITEM] {
        one.execute_unprepared(sql).await?;
    }
    is_looked_at(&one).await?;
    one.close().await?;
    Ok(())
}

async fn main_and_temp_may_be_named(db: &TestDb) -> TestResult {
    build(db).await?;
    let one = db.another().await?;
    let missing = async || -> TestResult<Vec<Finding>> {
        let mut findings = coverage(&one).await?.findings;
        findings.retain(|it| !is_view(it) && !is_in(it, "elsewhere"));
        Ok(findings)
    };
    let temp = Finding::TableMissing {
        model: "at_temp".into(),
        table: "temp.at_temp".into(),
    };
    assert_eq!(missing().await?, [temp]);
    for sql in [
        "CREATE TEMP TABLE at_temp (id INTEGER PRIMARY KEY, note TEXT)",
        "CREATE TEMP TABLE loose (id INTEGER PRIMARY KEY)",
        "ALTER TABLE at_main ADD COLUMN more INT",
    ] {
        one.execute_unprepared(sql).await?;
    }
    let more = Finding::ColumnNotCaptured {
        table: "at_main".into(),
        column: "more".into(),
    };
    assert_eq!(missing().await?, [more, not_captured("temp.loose")]);
    one.close().await?;
    Ok(())
}

async fn other_schemas_are_looked_at_where_an_entity_names_them(db: &TestDb) -> TestResult {
    build(db).await?;
    for sql in ["CREATE SCHEMA elsewhere", ITEM] {
        db.execute_unprepared(sql).await?;
    }
    is_looked_at(db).await
}

async fn other_databases_are_looked_at_where_an_entity_names_them(db: &TestDb) -> TestResult {
    build(db).await?;
    for sql in [
        "DROP DATABASE IF EXISTS elsewhere",
        "CREATE DATABASE elsewhere",
        // Another database, in upper case.
        "CREATE DATABASE IF NOT EXISTS ELSEWHERE",
        "CREATE TABLE IF NOT EXISTS ELSEWHERE.item (id INT PRIMARY KEY)",
        ITEM,
    ] {
        db.execute_unprepared(sql).await?;
    }
    let looked_at = is_looked_at(db).await;
    for sql in ["DROP DATABASE elsewhere", "DROP DATABASE ELSEWHERE"] {
        db.execute_unprepared(sql).await?;
    }
    looked_at
}

async fn names_are_found_along_the_search_path(db: &TestDb) -> TestResult {
    build(db).await?;
    for sql in [
        "CREATE SCHEMA second",
        "ALTER TABLE made SET SCHEMA second",
        // The table of the first schema hides it.
        "CREATE TABLE second.person (id INT PRIMARY KEY)",
    ] {
        db.execute_unprepared(sql).await?;
    }
    let missing = Finding::TableMissing {
        model: "made".into(),
        table: "made".into(),
    };
    assert_eq!(found(db).await?, [missing]);
    let one = db.another().await?;
    one.execute_unprepared("SET search_path = nowhere, public, second")
        .await?;
    assert_eq!(found(&one).await?, [not_captured("second.person")]);
    one.close().await?;
    Ok(())
}

async fn without_a_search_path_only_what_is_named_is_found(db: &TestDb) -> TestResult {
    build(db).await?;
    let one = db.another().await?;
    one.execute_unprepared("SET search_path = ''").await?;
    let report = coverage(&one).await?;
    let missing = |finding: &Finding| {
        matches!(
            finding,
            Finding::TableMissing { .. } | Finding::LogMissing { .. }
        )
    };
    assert!(report.tables.is_empty() && report.findings.iter().all(missing));
    assert!(report.findings.len() > 5);
    for sql in [
        "CREATE SCHEMA elsewhere",
        ITEM,
        "ALTER TABLE elsewhere.item ADD COLUMN more INT",
    ] {
        one.execute_unprepared(sql).await?;
    }
    let mut report = coverage(&one).await?;
    let names: Vec<_> = (report.tables.iter())
        .map(|row| row.table.as_str())
        .collect();
    assert_eq!(names, ["elsewhere.item"]);
    // A finding says that the log is missing.
    let log = Finding::LogMissing {
        table: "audit_log".into(),
    };
    assert!(report.findings.contains(&log));
    let more = Finding::ColumnNotCaptured {
        table: "elsewhere.item".into(),
        column: "more".into(),
    };
    report.findings.retain(|finding| !missing(finding));
    assert_eq!(report.findings, [more]);
    one.close().await?;
    Ok(())
}
