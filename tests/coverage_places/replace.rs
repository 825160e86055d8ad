//! `REPLACE` on SQLite, which fires delete triggers only with `recursive_triggers`.

use sea_orm::ConnectionTrait;
use sea_orm_audit::AuditConfig;
use sea_orm_audit::migration::{Finding, coverage};

use crate::build;
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on! { sqlite: rows_deleted_by_replace_are_found }
}

async fn rows_deleted_by_replace_are_found(db: &TestDb) -> TestResult {
    build(db).await?;
    let replaced = |finding: &Finding| match finding {
        Finding::ReplaceNotCaptured { table } => Some(table.clone()),
        _ => None,
    };
    let found = async |one: &_| -> TestResult<Vec<String>> {
        let report = coverage(one).await?;
        Ok(report.findings.iter().filter_map(replaced).collect())
    };
    let one = db.another().await?;
    assert_eq!(found(&one).await?, ["metered", "shelf", "ware"]);
    for sql in [
        "INSERT INTO ware VALUES (1, 'a', 1)",
        "REPLACE INTO ware VALUES (1, 'b', 1)",
    ] {
        one.execute_unprepared(sql).await?;
    }
    let actions = async || -> TestResult<Vec<String>> {
        let log = db.records().await?;
        Ok(log.into_iter().map(|record| record.action).collect())
    };
    assert_eq!(actions().await?, ["CREATE", "CREATE"]);
    // The configuration skips deletes.
    let config = AuditConfig::builder()
        .skip_action(sea_orm_audit::Action::Delete)
        .build()?;
    assert_eq!(config.scope(found(&one)).await?, [""; 0]);

    db.forget().await?;
    for sql in [
        "PRAGMA recursive_triggers = ON",
        "REPLACE INTO ware VALUES (1, 'c', 1)",
    ] {
        one.execute_unprepared(sql).await?;
    }
    assert_eq!(found(&one).await?, [""; 0]);
    assert_eq!(actions().await?, ["DELETE", "CREATE"]);
    one.close().await?;
    Ok(())
}
