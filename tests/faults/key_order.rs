//! INSERT without a column list, into a table whose key is not its first column.

use sea_orm::DbBackend;

use crate::entities::auto_id;
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::Call;
use crate::support::{TestDb, TestResult};

on_every_database! {
    insert_with_the_key_last_is_recorded,
    upsert_by_the_key_with_the_key_last_is_an_update,
    upsert_of_several_rows_with_the_key_last_is_recorded,
    upsert_by_a_unique_column_with_the_key_last_is_an_update,
    ignored_insert_with_the_key_last_is_recorded,
    insert_by_a_query_with_the_key_last_is_recorded,
}

mod sqlite_replaces {
    crate::support::tests_on!(sqlite: replace_with_the_key_last_is_recorded);
}

mod mariadb_replaces {
    crate::support::tests_on!(mariadb: replace_with_the_key_last_is_recorded);
}

/// The accounts 1 x and 2 y; the columns are n, email, id.
async fn accounts(db: &TestDb) -> TestResult<Oracle<'_>> {
    let setup = [
        format!(
            "CREATE TABLE account (n INTEGER NOT NULL, email VARCHAR(40) UNIQUE, {})",
            auto_id(db.backend())
        ),
        "INSERT INTO account (email, n) VALUES ('x', 1), ('y', 2)".to_owned(),
    ];
    Oracle::new(db, &[Table::of("account")], setup).await
}

fn upsert(db: &TestDb, values: &str, index: &str) -> String {
    match db.backend() {
        DbBackend::MySql => {
            format!("INSERT INTO account VALUES {values} ON DUPLICATE KEY UPDATE n = VALUES(n)")
        }
        _ => format!(
            "INSERT INTO account VALUES {values} ON CONFLICT ({index}) DO UPDATE SET n = excluded.n"
        ),
    }
}

async fn insert_with_the_key_last_is_recorded(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    oracle
        .executes("INSERT INTO account VALUES (3, '4', 50)")
        .await;
    oracle
        .same(
            Call::Unprepared,
            "INSERT INTO account VALUES (5, '6', 60), (7, '8', 61)",
            &[],
        )
        .await;
    oracle
        .in_transaction(&[(Call::Execute, "INSERT INTO account VALUES (9, '10', 70)")])
        .await?;
    oracle.recorded().await
}

async fn upsert_by_the_key_with_the_key_last_is_an_update(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    oracle.executes(&upsert(db, "(2, 'zz', 1)", "id")).await;
    oracle.executes(&upsert(db, "(1, 'yy', 2)", "id")).await;
    oracle.recorded().await
}

async fn upsert_of_several_rows_with_the_key_last_is_recorded(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    let values = "(2, 'zz', 1), (1, '20', 20), (20, 'yy', 2)";
    oracle.executes(&upsert(db, values, "id")).await;
    let sql = upsert(db, "(30, 'zz', 1), (31, '21', 21)", "id");
    oracle.in_transaction(&[(Call::Unprepared, &sql)]).await?;
    oracle.recorded().await
}

async fn upsert_by_a_unique_column_with_the_key_last_is_an_update(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    oracle.executes(&upsert(db, "(2, 'x', 50)", "email")).await;
    oracle
        .executes(&upsert(db, "(51, 'y', 51), (1, 'z', 52)", "email"))
        .await;
    oracle.recorded().await
}

async fn ignored_insert_with_the_key_last_is_recorded(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    let values = "(2, 'a', 1), (1, 'x', 50), (2, 'new', 51)";
    let sql = match db.backend() {
        DbBackend::MySql => format!("INSERT IGNORE INTO account VALUES {values}"),
        _ => format!("INSERT INTO account VALUES {values} ON CONFLICT DO NOTHING"),
    };
    oracle.executes(&sql).await;
    oracle.executes(&sql).await;
    oracle.recorded().await
}

async fn insert_by_a_query_with_the_key_last_is_recorded(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    oracle
        .executes("INSERT INTO account SELECT n + 1, email || '2', id + 50 FROM account")
        .await;
    // The keys come from a query, and MariaDB does not return them.
    oracle.recorded_or_reported().await
}

async fn replace_with_the_key_last_is_recorded(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    for values in [
        "(2, 'zz', 1)",
        "(1, 'y', 50)",
        "(3, 'new', 51), (4, 'zz', 1)",
    ] {
        oracle
            .executes(&format!("REPLACE INTO account VALUES {values}"))
            .await;
    }
    oracle.recorded().await
}
