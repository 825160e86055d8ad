//! Conditions with the time of the statement, which is later than the time of the read before it.

use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};

use crate::entities::items;
use crate::log_check::Table;
use crate::oracle::{Oracle, reports};
use crate::support::{TestDb, TestResult};

on_every_database! {
    update_by_the_clock_accounts_for_rows_that_came_due,
    delete_by_the_clock_accounts_for_rows_that_came_due,
}

const ITEM: Table = Table::of("item");
const ROWS: i64 = 400;

/// The milliseconds since then.
fn clock(backend: DbBackend, since: i64) -> String {
    match backend {
        DbBackend::Postgres => {
            format!("CAST(EXTRACT(EPOCH FROM STATEMENT_TIMESTAMP()) * 1000 - {since} AS INTEGER)")
        }
        DbBackend::MySql => format!("CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 - {since} AS SIGNED)"),
        _ => format!("CAST((julianday('now') - 2440587.5) * 86400000 - {since} AS INTEGER)"),
    }
}

async fn milliseconds(db: &TestDb, since: i64) -> TestResult<i64> {
    let integer = match db.backend() {
        DbBackend::MySql => "SIGNED",
        _ => "BIGINT",
    };
    let clock = clock(db.backend(), since).replace("AS INTEGER", &format!("AS {integer}"));
    let ask = Statement::from_string(db.backend(), format!("SELECT {clock} AS ms"));
    let row = db.conn.query_one_raw(ask).await?.ok_or("no time")?;
    Ok(row.try_get("", "ms")?)
}

/// Repeats a statement while one row per millisecond becomes due, outside of and in a transaction.
async fn come_due(db: &TestDb, sql: &str) -> TestResult {
    let since = milliseconds(db, 0).await?;
    let mut setup = items(db.backend(), usize::try_from(ROWS)?);
    setup.push("UPDATE item SET p = p + 100".to_owned());
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    let sql = sql.replace("CLOCK", &clock(db.backend(), since));
    let mut rounds = 0;
    loop {
        let is_last = milliseconds(db, since).await? > ROWS + 100;
        if rounds % 2 == 0 {
            let statement = Statement::from_string(db.backend(), &sql);
            oracle.audited.execute_raw(statement).await?;
        } else {
            let tx = oracle.audited.begin().await?;
            tx.execute_raw(Statement::from_string(db.backend(), &sql))
                .await?;
            tx.commit().await?;
        }
        if is_last {
            break;
        }
        rounds += 1;
    }
    let records = db.records().await?.len();
    assert!(records > 300, "{records} records");
    // MariaDB does not return which rows it wrote.
    if db.backend() != DbBackend::MySql {
        assert_eq!(reports(db).await?, [""; 0]);
    }
    oracle.explained().await
}

async fn update_by_the_clock_accounts_for_rows_that_came_due(db: &TestDb) -> TestResult {
    let sql = "UPDATE item SET code = NULL WHERE code IS NOT NULL AND p < CLOCK";
    come_due(db, sql).await
}

async fn delete_by_the_clock_accounts_for_rows_that_came_due(db: &TestDb) -> TestResult {
    come_due(db, "DELETE FROM item WHERE p < CLOCK").await
}
