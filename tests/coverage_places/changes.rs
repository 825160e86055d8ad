//! A table that changes under its triggers: both `check` and `coverage` report it.

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_audit::migration::{AuditTriggers, Finding, TriggerCheck};

use crate::entities::ware;
use crate::support::{TestDb, TestResult};
use crate::{build, found};

on_every_database! {
    added_column_is_reported,
    dropped_column_is_reported,
    renamed_column_is_reported,
    missing_log_is_reported,
}

fn column_missing(column: &str) -> Finding {
    Finding::ColumnMissing {
        table: "ware".into(),
        column: column.into(),
    }
}

fn column_unknown(column: &str) -> Finding {
    Finding::ColumnNotCaptured {
        table: "ware".into(),
        column: column.into(),
    }
}

async fn check(db: &TestDb) -> TestResult<TriggerCheck> {
    let check = AuditTriggers::of::<ware::Entity>().check(&db.conn).await?;
    let of_columns: Vec<_> = (check
        .columns_missing
        .iter()
        .map(|name| column_missing(name)))
    .chain(
        check
            .columns_not_captured
            .iter()
            .map(|name| column_unknown(name)),
    )
    .collect();
    // Both report the same.
    let mut findings = found(db).await?;
    let triggers =
        |it: &Finding| matches!(it, Finding::TriggersOutOfDate { table, .. } if table == "ware");
    assert_eq!(findings.iter().any(triggers), !check.out_of_date.is_empty());
    findings.retain(|finding| !triggers(finding));
    assert_eq!(findings, of_columns);
    Ok(check)
}

async fn added_column_is_reported(db: &TestDb) -> TestResult {
    build(db).await?;
    assert!(check(db).await?.is_current());
    db.execute_unprepared("ALTER TABLE ware ADD COLUMN price INT")
        .await?;
    assert_eq!(check(db).await?.columns_not_captured, ["price"]);
    db.execute_unprepared("ALTER TABLE ware DROP COLUMN price")
        .await?;
    assert!(check(db).await?.is_current());
    Ok(())
}

async fn dropped_column_is_reported(db: &TestDb) -> TestResult {
    build(db).await?;
    let triggers = AuditTriggers::of::<ware::Entity>();
    if db.backend() == DbBackend::Sqlite {
        // SQLite refuses to drop a column that a trigger names.
        triggers.drop(&db.conn).await?;
    }
    db.execute_unprepared("ALTER TABLE ware DROP COLUMN qty")
        .await?;
    if db.backend() == DbBackend::Sqlite {
        triggers.create(&db.conn).await?;
    }
    assert_eq!(check(db).await?.columns_missing, ["qty"]);
    for sql in [
        "INSERT INTO ware (id, name) VALUES (1, 'a')",
        "UPDATE ware SET name = 'b'",
        "DELETE FROM ware",
    ] {
        db.execute_unprepared(sql).await?;
    }
    assert_eq!(db.log().await?.len(), 3);
    Ok(())
}

async fn renamed_column_is_reported(db: &TestDb) -> TestResult {
    build(db).await?;
    db.execute_unprepared("ALTER TABLE ware RENAME COLUMN qty TO amount")
        .await?;
    let checked = check(db).await?;
    assert_eq!(checked.columns_missing, ["qty"]);
    assert_eq!(checked.columns_not_captured, ["amount"]);
    Ok(())
}

async fn missing_log_is_reported(db: &TestDb) -> TestResult {
    build(db).await?;
    db.execute_unprepared("ALTER TABLE audit_log RENAME TO moved")
        .await?;
    let check = AuditTriggers::of::<ware::Entity>().check(&db.conn).await?;
    assert!(check.log_missing && !check.is_current());
    assert!(check.to_string().contains("the log is not there"));
    let gone = Finding::LogMissing {
        table: "audit_log".into(),
    };
    assert!(found(db).await?.contains(&gone));
    Ok(())
}
