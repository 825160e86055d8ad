//! What the log cannot hide: functions of a connection that report on its last statement, which may be the log's.

use sea_orm::{ConnectionTrait, Statement, TransactionTrait};
use sea_orm_audit::{AuditConfig, AuditedConnection};

use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::support::{TestDb, TestResult};

mod postgres {
    crate::support::tests_on!(postgres: lastval_is_of_the_log_and_currval_of_the_application);
}

mod sqlite {
    crate::support::tests_on!(sqlite: last_insert_rowid_and_changes_are_of_the_log);
}

mod mariadb {
    crate::support::tests_on!(mariadb: row_count_and_warnings_are_of_the_log_and_last_insert_id_of_the_application);
}

/// What a query answers after some writes in a transaction.
async fn after<C: TransactionTrait>(db: &C, writes: &[&str], asked: &str) -> TestResult<Option<i64>>
where
    C::Transaction: ConnectionTrait,
{
    let tx = db.begin().await?;
    for sql in writes {
        let statement = Statement::from_string(tx.get_database_backend(), *sql);
        tx.execute_raw(statement).await?;
    }
    let statement = Statement::from_string(tx.get_database_backend(), asked);
    let row = tx.query_one_raw(statement).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// The same without audit log, and with one that writes each record at once.
async fn both(
    db: &TestDb,
    oracle: &Oracle<'_>,
    writes: &[&str],
    asked: &str,
) -> TestResult<[Option<i64>; 2]> {
    let config = AuditConfig::builder().buffered_records(1).build()?;
    // One connection each, which has run no statement before.
    let bare = oracle.bare.another().await?;
    let audited = AuditedConnection::new(db.another().await?).with_config(config);
    Ok([
        after(&bare, writes, asked).await?,
        after(&audited, writes, asked).await?,
    ])
}

async fn lastval_is_of_the_log_and_currval_of_the_application(db: &TestDb) -> TestResult {
    let setup = [
        "CREATE TABLE item (id SERIAL PRIMARY KEY, code TEXT, p INTEGER NOT NULL)",
        "ALTER SEQUENCE item_id_seq RESTART WITH 700",
    ];
    let oracle = Oracle::new(db, &[Table::of("item")], setup).await?;
    let insert = ["INSERT INTO item (code, p) VALUES ('a', 1)"];
    let lastval = both(db, &oracle, &insert, "SELECT lastval()").await?;
    assert_eq!(lastval, [Some(700), Some(1)]);
    let currval = both(db, &oracle, &insert, "SELECT currval('item_id_seq')").await?;
    assert_eq!(currval, [Some(701), Some(701)]);
    Ok(())
}

async fn last_insert_rowid_and_changes_are_of_the_log(db: &TestDb) -> TestResult {
    let setup = [
        "CREATE TABLE item (id INTEGER PRIMARY KEY, code TEXT, p INTEGER NOT NULL)",
        "INSERT INTO item (id, code, p) VALUES (1, 'a', 5), (2, 'b', 6)",
    ];
    let oracle = Oracle::new(db, &[Table::of("item")], setup).await?;
    let insert = ["INSERT INTO item (id, code, p) VALUES (700, 'c', 1)"];
    let id = both(db, &oracle, &insert, "SELECT last_insert_rowid()").await?;
    assert_eq!(id, [Some(700), Some(1)]);
    // One of the two rows keeps its values, and has no record.
    let update = ["UPDATE item SET p = 5"];
    let changes = both(db, &oracle, &update, "SELECT changes()").await?;
    assert_eq!(changes, [Some(2), Some(1)]);
    let [bare, audited] = both(db, &oracle, &update, "SELECT total_changes()").await?;
    assert!(audited > bare, "{bare:?} {audited:?}");
    Ok(())
}

async fn row_count_and_warnings_are_of_the_log_and_last_insert_id_of_the_application(
    db: &TestDb,
) -> TestResult {
    let setup = [
        "CREATE TABLE item (id INTEGER AUTO_INCREMENT PRIMARY KEY, code VARCHAR(2), p INTEGER NOT NULL)",
        "ALTER TABLE item AUTO_INCREMENT = 700",
    ];
    let oracle = Oracle::new(db, &[Table::of("item")], setup).await?;
    let insert = ["INSERT INTO item (code, p) VALUES ('a', 1), ('b', 2)"];
    let [bare, audited] = both(db, &oracle, &insert, "SELECT ROW_COUNT()").await?;
    assert_eq!(bare, Some(2));
    assert_ne!(audited, bare);
    let asked = "SELECT CAST(LAST_INSERT_ID() AS SIGNED)";
    let [bare, audited] = both(db, &oracle, &insert, asked).await?;
    assert_eq!(bare, audited);
    let warns = ["INSERT IGNORE INTO item (code, p) VALUES ('too long', 1)"];
    let [bare, audited] = both(
        db,
        &oracle,
        &warns,
        "SELECT CAST(@@warning_count AS SIGNED)",
    )
    .await?;
    assert_eq!((bare, audited), (Some(1), Some(0)));
    Ok(())
}
