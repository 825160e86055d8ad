//! INSERT without a column list, into a table whose columns are in another order than the entity's.

use sea_orm::DbBackend;

use crate::entities::ACCT;
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::Call;
use crate::support::{TestDb, TestResult};

on_every_database! {
    plain_insert_in_table_order_is_recorded,
    plain_insert_in_table_order_by_query_is_recorded,
    inserts_in_table_order_in_a_transaction_are_recorded,
    upsert_in_table_order_of_a_new_row_is_recorded,
    upsert_in_table_order_of_an_existing_row_is_an_update,
    upsert_in_table_order_by_a_unique_column_is_an_update,
    ignored_insert_in_table_order_changes_nothing,
}

mod only_sqlite {
    crate::support::tests_on!(sqlite: replace_in_table_order_is_recorded);
}

mod only_mariadb {
    crate::support::tests_on!(mariadb: replace_in_table_order_is_recorded);
}

const TABLE: Table = Table::of("acct");

/// A table with one account: r1, n 1, email x.
async fn accounts(db: &TestDb) -> TestResult<Oracle<'_>> {
    Oracle::new(
        db,
        &[TABLE],
        [
            ACCT,
            "INSERT INTO acct (id, note, n, email) VALUES ('r1', 'old', 1, 'x')",
        ],
    )
    .await
}

async fn plain_insert_in_table_order_is_recorded(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    oracle
        .executes("INSERT INTO acct VALUES ('r4', 'note', 2, 'zz')")
        .await;
    oracle
        .same(
            Call::Unprepared,
            "INSERT INTO acct VALUES ('r5', '5', 5, '5'), ('r6', '6', 6, '6')",
            &[],
        )
        .await;
    oracle.recorded().await
}

async fn plain_insert_in_table_order_by_query_is_recorded(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    oracle
        .same(
            Call::QueryAll,
            "INSERT INTO acct VALUES ('r4', '7', 2, '8'), ('r5', '9', 3, '10') RETURNING *",
            &[],
        )
        .await;
    oracle
        .same(
            Call::QueryOne,
            "INSERT INTO acct VALUES ('r6', '7', 2, '9') RETURNING n AS id, note AS n",
            &[],
        )
        .await;
    oracle.recorded().await
}

async fn inserts_in_table_order_in_a_transaction_are_recorded(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    oracle
        .in_transaction(&[
            (Call::Execute, "INSERT INTO acct VALUES ('2', '3', 4, '5')"),
            (
                Call::Unprepared,
                "INSERT INTO acct VALUES ('3', '4', 5, '6')",
            ),
            (
                Call::QueryAll,
                "INSERT INTO acct VALUES ('4', '5', 6, '7') RETURNING id",
            ),
        ])
        .await?;
    oracle.recorded().await
}

/// An upsert of an account in the table's order. It sets n by the key or, without one, by any unique column.
fn upsert(db: &TestDb, values: &str, by: &str) -> String {
    match db.backend() {
        DbBackend::MySql => {
            format!(
                "INSERT INTO acct VALUES {values} ON DUPLICATE KEY UPDATE n = VALUES(n), note = 'new'"
            )
        }
        _ => format!(
            "INSERT INTO acct VALUES {values} ON CONFLICT ({by}) DO UPDATE SET n = excluded.n, note = 'new'"
        ),
    }
}

async fn upsert_in_table_order_of_a_new_row_is_recorded(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    oracle
        .executes(&upsert(db, "('r4', 'x', 2, 'zz')", "id"))
        .await;
    oracle.recorded().await
}

async fn upsert_in_table_order_of_an_existing_row_is_an_update(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    oracle
        .executes(&upsert(db, "('r1', 'x', 2, 'zz')", "id"))
        .await;
    oracle.recorded().await
}

async fn upsert_in_table_order_by_a_unique_column_is_an_update(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    oracle
        .executes(&upsert(db, "('r9', 'note', 5, 'x')", "email"))
        .await;
    oracle
        .executes(&upsert(db, "('r10', '7', 6, 'y')", "email"))
        .await;
    oracle.recorded().await
}

async fn ignored_insert_in_table_order_changes_nothing(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    let sql = match db.backend() {
        DbBackend::MySql => {
            "INSERT IGNORE INTO acct VALUES ('r1', '2', 3, '4'), ('r7', '2', 3, 'x'), ('r8', '2', 3, '5')"
        }
        _ => {
            "INSERT INTO acct VALUES ('r1', '2', 3, '4'), ('r7', '2', 3, 'x'), ('r8', '2', 3, '5') ON CONFLICT DO NOTHING"
        }
    };
    oracle.executes(sql).await;
    oracle.recorded().await?;
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}

async fn replace_in_table_order_is_recorded(db: &TestDb) -> TestResult {
    let oracle = accounts(db).await?;
    oracle
        .executes("REPLACE INTO acct VALUES ('r1', 'x', 2, 'zz')")
        .await;
    oracle
        .executes("REPLACE INTO acct VALUES ('r2', 'a', 3, 'zz')")
        .await;
    oracle
        .executes("REPLACE INTO acct VALUES ('r3', '1', 4, 'new')")
        .await;
    oracle.recorded().await
}
