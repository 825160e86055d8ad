//! Rows that follow a changed key, or another referenced column, by ON UPDATE: each has its record, or a report names
//! its table.

use sea_orm::DbBackend;

use crate::entities::{FAMILY, account_table};
use crate::log_check::Table;
use crate::oracle::{Oracle, reports};
use crate::outcome::Call;
use crate::support::{TestDb, TestResult};

on_every_database! {
    update_of_one_key_records_what_follows,
    update_of_a_referred_column_records_what_follows,
    update_that_sets_references_to_null_records_what_follows,
    upsert_of_a_referred_column_reports_what_follows,
    upsert_that_keeps_a_referred_column_reports_nothing,
    update_of_a_shared_key_reports_what_follows,
    update_that_rows_of_rows_follow_reports_them,
    update_that_only_other_tables_follow_reports_nothing,
}

mod sqlite_tree {
    crate::support::tests_on! { sqlite: update_of_a_key_in_a_tree_reports_what_follows }
}

mod only_mariadb {
    crate::support::tests_on! { mariadb:
        foreign_key_with_the_name_of_another_key_is_followed
    }
}

mod postgres_tree {
    crate::support::tests_on! { postgres:
        update_of_a_key_in_a_tree_reports_what_follows,
        update_by_a_role_that_may_not_update_what_follows_is_reported,
    }
}

const PARENT: Table = Table::of("parent");
const CHILD: Table = Table::of("child");
const ACCOUNT: Table = Table::of("account");
const FOLLOWER: Table = Table::of("follower");

async fn family<'a>(db: &'a TestDb, key: &str) -> TestResult<Oracle<'a>> {
    let child = format!(
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL, \
         FOREIGN KEY ({key}) REFERENCES parent (id) ON UPDATE CASCADE)"
    );
    let setup = [
        FAMILY[0],
        &child,
        "INSERT INTO parent VALUES (1, 1), (2, 2), (3, 3)",
        "INSERT INTO child VALUES (1, 1), (2, 2), (3, 2)",
    ];
    Oracle::new(db, &[PARENT, CHILD], setup).await
}

async fn update_of_one_key_records_what_follows(db: &TestDb) -> TestResult {
    let oracle = family(db, "parent_id").await?;
    oracle
        .executes("UPDATE parent SET id = 99 WHERE id = 2")
        .await;
    let unprepared = "UPDATE parent SET id = 98, n = 5 WHERE id = 99";
    oracle.same(Call::Unprepared, unprepared, &[]).await;
    let sql = match db.backend() {
        DbBackend::MySql => "UPDATE parent SET id = ? WHERE n = ?",
        _ => "UPDATE parent SET id = $1 WHERE n = $2",
    };
    let values = [97.into(), 1.into()];
    oracle.same(Call::QueryAll, sql, &values).await;
    // No row refers to it.
    oracle
        .executes("UPDATE parent SET id = 90 WHERE id = 3")
        .await;
    oracle
        .in_transaction(&[
            (Call::Execute, "UPDATE parent SET id = 96 WHERE id = 97"),
            (Call::Execute, "UPDATE parent SET id = 95 WHERE id = 96"),
            (Call::Execute, "UPDATE parent SET id = 1 WHERE id = 5"),
        ])
        .await?;
    assert_eq!(reports(db).await?, Vec::<String>::new());
    oracle.recorded().await
}

/// The catalogue lists the columns of both.
async fn foreign_key_with_the_name_of_another_key_is_followed(db: &TestDb) -> TestResult {
    let setup = [
        FAMILY[0],
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL, \
         UNIQUE KEY of_parent (parent_id), \
         CONSTRAINT of_parent FOREIGN KEY (parent_id) REFERENCES parent (id) ON UPDATE CASCADE)",
        "INSERT INTO parent VALUES (1, 1), (2, 2)",
        "INSERT INTO child VALUES (1, 1), (2, 2)",
    ];
    let oracle = Oracle::new(db, &[PARENT, CHILD], setup).await?;
    oracle
        .executes("UPDATE parent SET id = 99 WHERE id = 2")
        .await;
    assert_eq!(reports(db).await?, Vec::<String>::new());
    oracle.recorded().await
}

async fn accounts<'a>(db: &'a TestDb, action: &str) -> TestResult<Oracle<'a>> {
    let setup = [
        account_table(db.backend()),
        format!(
            "CREATE TABLE follower (id INTEGER PRIMARY KEY, email VARCHAR(40), \
             FOREIGN KEY (email) REFERENCES account (email) ON UPDATE {action})"
        ),
        "INSERT INTO account (email, n) VALUES ('a', 1), ('b', 2), ('c', 3)".to_owned(),
        "INSERT INTO follower VALUES (1, 'a'), (2, 'b'), (3, 'a'), (4, NULL)".to_owned(),
    ];
    Oracle::new(db, &[ACCOUNT, FOLLOWER], setup).await
}

async fn update_of_a_referred_column_records_what_follows(db: &TestDb) -> TestResult {
    let oracle = accounts(db, "CASCADE").await?;
    let concat = match db.backend() {
        DbBackend::MySql => "CONCAT(email, 'x')",
        _ => "email || 'x'",
    };
    oracle
        .executes(&format!("UPDATE account SET email = {concat}"))
        .await;
    oracle
        .executes("UPDATE account SET email = 'new' WHERE id = 1")
        .await;
    // The email stays the same.
    oracle
        .executes("UPDATE account SET email = 'new', n = 7 WHERE id = 1")
        .await;
    assert_eq!(reports(db).await?, Vec::<String>::new());
    oracle.recorded().await
}

async fn update_that_sets_references_to_null_records_what_follows(db: &TestDb) -> TestResult {
    let oracle = accounts(db, "SET NULL").await?;
    oracle
        .executes("UPDATE account SET email = 'new' WHERE id = 1")
        .await;
    assert_eq!(reports(db).await?, Vec::<String>::new());
    oracle.recorded().await
}

/// An upsert by the key that sets the column.
fn upsert(backend: DbBackend, email: &str) -> String {
    let clause = match backend {
        DbBackend::MySql => "ON DUPLICATE KEY UPDATE email = VALUES(email), n = VALUES(n)",
        _ => "ON CONFLICT (id) DO UPDATE SET email = excluded.email, n = excluded.n",
    };
    format!("INSERT INTO account (id, email, n) VALUES (1, '{email}', 9) {clause}")
}

async fn upsert_of_a_referred_column_reports_what_follows(db: &TestDb) -> TestResult {
    let oracle = accounts(db, "CASCADE").await?;
    oracle.executes(&upsert(db.backend(), "new")).await;
    let reported = reports(db).await?;
    assert!(
        reported.len() == 1 && reported[0].contains("follower"),
        "{reported:#?}"
    );
    oracle.recorded_or_reported().await
}

async fn upsert_that_keeps_a_referred_column_reports_nothing(db: &TestDb) -> TestResult {
    let oracle = accounts(db, "CASCADE").await?;
    oracle.executes(&upsert(db.backend(), "a")).await;
    assert_eq!(reports(db).await?, Vec::<String>::new());
    oracle.recorded().await
}

/// The key of the row that follows changes, too.
async fn update_of_a_shared_key_reports_what_follows(db: &TestDb) -> TestResult {
    let oracle = family(db, "id").await?;
    oracle
        .executes("UPDATE parent SET id = 99 WHERE id = 2")
        .await;
    let reported = reports(db).await?;
    assert!(
        reported.len() == 1 && reported[0].contains("child"),
        "{reported:#?}"
    );
    oracle.recorded_or_reported().await
}

async fn update_that_rows_of_rows_follow_reports_them(db: &TestDb) -> TestResult {
    let setup = [
        FAMILY[0],
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL UNIQUE, \
         FOREIGN KEY (parent_id) REFERENCES parent (id) ON UPDATE CASCADE)",
        "CREATE TABLE odd_child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL, \
         n INTEGER NOT NULL, \
         FOREIGN KEY (parent_id) REFERENCES child (parent_id) ON UPDATE CASCADE)",
        "INSERT INTO parent VALUES (1, 1), (2, 2)",
        "INSERT INTO child VALUES (10, 1), (20, 2)",
        "INSERT INTO odd_child VALUES (100, 1, 1), (200, 2, 2)",
    ];
    let tables = [PARENT, CHILD, Table::of("odd_child")];
    let oracle = Oracle::new(db, &tables, setup).await?;
    oracle
        .executes("UPDATE parent SET id = 99 WHERE id = 2")
        .await;
    let reported = reports(db).await?;
    assert!(
        reported.len() == 1 && reported[0].contains("odd_child"),
        "{reported:#?}"
    );
    oracle.recorded_or_reported().await
}

async fn update_that_only_other_tables_follow_reports_nothing(db: &TestDb) -> TestResult {
    let setup = [
        FAMILY[0],
        "CREATE TABLE unaudited (parent_id INTEGER NOT NULL, \
         FOREIGN KEY (parent_id) REFERENCES parent (id) ON UPDATE CASCADE)",
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL, \
         FOREIGN KEY (parent_id) REFERENCES parent (id))",
        "INSERT INTO parent VALUES (1, 1), (2, 2)",
        "INSERT INTO child VALUES (10, 1)",
        "INSERT INTO unaudited VALUES (2)",
    ];
    let oracle = Oracle::new(db, &[PARENT, CHILD], setup).await?;
    oracle
        .executes("UPDATE parent SET id = 99 WHERE id = 2")
        .await;
    assert_eq!(reports(db).await?, Vec::<String>::new());
    oracle.recorded().await
}

async fn update_of_a_key_in_a_tree_reports_what_follows(db: &TestDb) -> TestResult {
    let setup = [
        "CREATE TABLE member (id BIGINT PRIMARY KEY, boss_id BIGINT, name VARCHAR(20) NOT NULL, \
         password VARCHAR(20) NOT NULL, price NUMERIC, data JSON NOT NULL, \
         FOREIGN KEY (boss_id) REFERENCES member (id) ON UPDATE CASCADE)",
        "INSERT INTO member VALUES (1, 1, 'a', 'p', 1, '{}'), (2, 1, 'b', 'q', 2, '{}')",
    ];
    let table = Table {
        skipped: &["password"],
        ..Table::of("member")
    };
    let oracle = Oracle::new(db, &[table], setup).await?;
    oracle
        .executes("UPDATE member SET id = 99 WHERE id = 1")
        .await;
    let reported = reports(db).await?;
    assert!(
        reported.len() == 1 && reported[0].contains("member"),
        "{reported:#?}"
    );
    oracle.recorded_or_reported().await
}

async fn update_by_a_role_that_may_not_update_what_follows_is_reported(db: &TestDb) -> TestResult {
    let oracle = family(db, "parent_id").await?;
    let grants = [
        "GRANT SELECT, UPDATE ON parent TO",
        "GRANT SELECT ON child TO",
    ];
    let update = "UPDATE parent SET id = 99 WHERE id = 2";
    crate::row_security::as_roles(&oracle, &grants, &[(Call::Execute, update)]).await?;
    let reported = reports(db).await?;
    assert!(
        reported.len() == 1 && reported[0].contains("child"),
        "{reported:#?}"
    );
    oracle.recorded_or_reported().await
}
