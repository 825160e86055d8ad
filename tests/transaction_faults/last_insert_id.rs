//! MySQL and MariaDB: `LAST_INSERT_ID()` is the application's.

use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use sea_orm_audit::{AuditConfig, AuditedConnection};

use crate::helpers::accounts;
use crate::support::{TestDb, TestResult};

mod only_mariadb {
    crate::support::tests_on!(mariadb:
        last_insert_id_inside_a_transaction_is_kept_over_a_flush,
        last_insert_id_after_a_single_write_is_its_own,
        last_insert_id_is_kept_over_reports
    );
}

async fn last_insert_id<C: ConnectionTrait>(db: &C) -> TestResult<i64> {
    let sql = Statement::from_string(
        DbBackend::MySql,
        "SELECT CAST(LAST_INSERT_ID() AS SIGNED) AS id",
    );
    let row = db.query_one_raw(sql).await?.ok_or("a row")?;
    Ok(row.try_get("", "id")?)
}

async fn last_insert_id_inside_a_transaction_is_kept_over_a_flush(db: &TestDb) -> TestResult {
    accounts(db, 0).await?;
    db.execute_unprepared("CREATE TABLE child (parent_id BIGINT, n INT)")
        .await?;
    let config = AuditConfig::builder().buffered_records(4).build()?;
    let tx = db.audited().with_config(config).begin().await?;
    for n in 1..=20 {
        tx.execute_unprepared(&format!("INSERT INTO account (n) VALUES ({n})"))
            .await?;
        tx.execute_unprepared(&format!("INSERT INTO child VALUES (LAST_INSERT_ID(), {n})"))
            .await?;
    }
    tx.commit().await?;
    let wrong = db
        .query_all_raw(Statement::from_string(
            DbBackend::MySql,
            "SELECT * FROM child c LEFT JOIN account a ON a.id = c.parent_id \
             WHERE a.n IS NULL OR a.n <> c.n",
        ))
        .await?;
    assert_eq!(wrong.len(), 0);
    assert_eq!(db.records().await?.len(), 20);
    Ok(())
}

async fn last_insert_id_after_a_single_write_is_its_own(db: &TestDb) -> TestResult {
    accounts(db, 0).await?;
    // So that the log is ahead of the table.
    for _ in 0..3 {
        db.audited()
            .execute_unprepared("INSERT INTO account (n) VALUES (1)")
            .await?;
        db.audited()
            .execute_unprepared("UPDATE account SET n = n + 1")
            .await?;
    }
    let one = db.another().await?;
    let audited = AuditedConnection::new(one.clone());
    for id in 4..=6 {
        audited
            .execute_unprepared("INSERT INTO account (n) VALUES (1)")
            .await?;
        assert_eq!(last_insert_id(&audited).await?, id);
        audited
            .execute_unprepared("UPDATE account SET n = n + 1")
            .await?;
        assert_eq!(last_insert_id(&audited).await?, id);
    }
    one.close().await?;
    Ok(())
}

async fn last_insert_id_is_kept_over_reports(db: &TestDb) -> TestResult {
    accounts(db, 0).await?;
    db.execute_unprepared("CREATE PROCEDURE p() BEGIN UPDATE account SET n = 5; END")
        .await?;
    for _ in 0..3 {
        db.audited().execute_unprepared("CALL p()").await?;
    }
    let one = db.another().await?;
    let audited = AuditedConnection::new(one.clone());
    audited
        .execute_unprepared("INSERT INTO account (id, n) VALUES (NULL, 1)")
        .await?;
    db.execute_unprepared("DELETE FROM audit_system_event")
        .await?;
    audited.execute_unprepared("CALL p()").await?;
    assert_eq!(last_insert_id(&audited).await?, 1);
    let tx = audited.begin().await?;
    db.execute_unprepared("DELETE FROM audit_system_event")
        .await?;
    tx.execute_unprepared("CALL p()").await?;
    assert_eq!(last_insert_id(&tx).await?, 1);
    tx.commit().await?;
    one.close().await?;
    Ok(())
}
