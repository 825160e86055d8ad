//! Upserts that conflict with a row by an index that only the database knows.

use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};

use crate::entities::{account_table, items};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::Call;
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on! { sqlite:
        upsert_by_an_expression_index_creates_no_existing_row,
        upsert_by_a_partial_index_creates_no_existing_row,
        upsert_without_a_target_creates_no_existing_row,
        upsert_by_an_index_without_case_creates_no_existing_row,
        upsert_that_changes_the_key_creates_no_existing_row,
    }
}

mod postgres {
    crate::support::tests_on! { postgres:
        upsert_by_an_expression_index_creates_no_existing_row,
        upsert_by_a_partial_index_creates_no_existing_row,
        upsert_without_a_target_creates_no_existing_row,
        upsert_that_changes_the_key_creates_no_existing_row,
    }
}

mod mariadb {
    crate::support::tests_on! { mariadb:
        upsert_by_an_index_without_case_creates_no_existing_row,
        upsert_by_either_of_two_indexes_creates_no_existing_row,
        upsert_by_a_prefix_index_creates_no_existing_row,
        upsert_that_changes_the_key_creates_no_existing_row,
    }
}

const ITEM: Table = Table::of("item");
const ACCOUNT: Table = Table::of("account");

/// Makes an index visible to all pooled connections: SQLite compiles conflict clauses with the schema it last read.
async fn see_indexes(oracle: &Oracle<'_>) -> TestResult {
    if oracle.backend() != DbBackend::Sqlite {
        return Ok(());
    }
    for db in [&oracle.bare, oracle.db] {
        let mut open = Vec::new();
        for _ in 0..5 {
            open.push(db.begin().await?);
        }
        for tx in open {
            tx.execute_unprepared("SELECT * FROM item").await?;
            tx.rollback().await?;
        }
    }
    Ok(())
}

async fn upsert_by_an_expression_index_creates_no_existing_row(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 3);
    setup.push("CREATE UNIQUE INDEX lowered ON item (lower(code))".to_owned());
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    see_indexes(&oracle).await?;
    oracle
        .executes(
            "INSERT INTO item (code, p) VALUES ('C1', 9), ('N', 9) \
             ON CONFLICT (lower(code)) DO UPDATE SET p = excluded.p",
        )
        .await;
    oracle.recorded_or_reported().await
}

async fn upsert_by_a_partial_index_creates_no_existing_row(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 3);
    setup.push("CREATE UNIQUE INDEX part ON item (p) WHERE p < 10".to_owned());
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    see_indexes(&oracle).await?;
    oracle
        .executes(
            "INSERT INTO item (code, p) VALUES ('n', 1), ('m', 5) \
             ON CONFLICT (p) WHERE p < 10 DO UPDATE SET code = excluded.code",
        )
        .await;
    oracle.recorded_or_reported().await
}

async fn upsert_without_a_target_creates_no_existing_row(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 3);
    setup.push("CREATE UNIQUE INDEX values_of_p ON item (p)".to_owned());
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    let sql = "INSERT INTO item (id, code, p) VALUES (1, 'n', 20), (20, 'c2', 21), (21, 'm', 3), \
               (22, 'k', 22) ON CONFLICT DO NOTHING";
    oracle.executes(sql).await;
    oracle
        .same(Call::QueryAll, &format!("{sql} RETURNING code"), &[])
        .await;
    oracle.recorded().await
}

async fn upsert_by_an_index_without_case_creates_no_existing_row(db: &TestDb) -> TestResult {
    let create = match db.backend() {
        DbBackend::Sqlite => account_table(db.backend()).replace("UNIQUE", "COLLATE NOCASE UNIQUE"),
        _ => account_table(db.backend()),
    };
    let rows = "INSERT INTO account (email, n) VALUES ('ann', 1), ('bob', 2)".to_owned();
    let oracle = Oracle::new(db, &[ACCOUNT], [create, rows]).await?;
    let insert = "INSERT INTO account (email, n) VALUES ('ANN', 9), ('Bob', 8), ('Cid', 7)";
    let clause = match db.backend() {
        DbBackend::MySql => "ON DUPLICATE KEY UPDATE n = VALUES(n)",
        _ => "ON CONFLICT (email) DO UPDATE SET n = excluded.n",
    };
    oracle.executes(&format!("{insert} {clause}")).await;
    oracle
        .executes(&format!(
            "INSERT INTO account (email, n) VALUES ('bOB', 6) {clause}"
        ))
        .await;
    oracle
        .executes("REPLACE INTO account (email, n) VALUES ('ANN', 5)")
        .await;
    oracle.recorded().await
}

async fn upsert_by_either_of_two_indexes_creates_no_existing_row(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 4);
    setup.push("CREATE UNIQUE INDEX values_of_p ON item (p)".to_owned());
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    for values in [
        "('c1', 20)",
        "('n', 2)",
        "('c3', 4)",
        "('m', 30), ('c4', 31)",
    ] {
        let sql = format!(
            "INSERT INTO item (code, p) VALUES {values} ON DUPLICATE KEY UPDATE p = p + 100"
        );
        oracle.executes(&sql).await;
    }
    oracle.recorded().await
}

async fn upsert_by_a_prefix_index_creates_no_existing_row(db: &TestDb) -> TestResult {
    let setup = [
        "CREATE TABLE item (id INT AUTO_INCREMENT PRIMARY KEY, code VARCHAR(40), \
         p INTEGER NOT NULL DEFAULT 7, UNIQUE (code(3)))",
        "INSERT INTO item (code, p) VALUES ('abcd', 1), ('xyzw', 2)",
    ];
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    for values in ["('abce', 9)", "('abcf', 8), ('new', 7), ('xyz', 6)"] {
        let sql = format!(
            "INSERT INTO item (code, p) VALUES {values} ON DUPLICATE KEY UPDATE p = VALUES(p)"
        );
        oracle.executes(&sql).await;
    }
    oracle.recorded().await
}

async fn upsert_that_changes_the_key_creates_no_existing_row(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    let clause = match db.backend() {
        DbBackend::MySql => "ON DUPLICATE KEY UPDATE id = VALUES(id), p = VALUES(p)",
        _ => "ON CONFLICT (code) DO UPDATE SET id = excluded.id, p = excluded.p",
    };
    oracle
        .executes(&format!(
            "INSERT INTO item (id, code, p) VALUES (50, 'c1', 9) {clause}"
        ))
        .await;
    oracle
        .executes(&format!(
            "INSERT INTO item (id, code, p) VALUES (51, 'c2', 9), (52, 'n', 9) {clause}"
        ))
        .await;
    oracle.recorded_or_reported().await
}
