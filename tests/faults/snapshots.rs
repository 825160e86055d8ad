//! Snapshots and locks of a transaction on MySQL and MariaDB: only the application's statements take them.

use sea_orm::{ConnectionTrait, EntityTrait, Set, TransactionTrait};

use crate::entities::{account_table, item, items};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, run, same, same_on};
use crate::support::{TestDb, TestResult};

mod mariadb {
    crate::support::tests_on! { mariadb:
        insert_leaves_the_snapshot_to_the_application,
        insert_by_a_model_leaves_the_snapshot_to_the_application,
        upsert_locks_no_absent_key,
        conflicts_of_some_rows_leave_the_others_free,
        insert_ignore_shares_a_row_with_its_readers,
    }
}

const ITEM: Table = Table::of("item");
const LATER: &str = "UPDATE item SET p = 77 WHERE id = 1";
const READ: &str = "SELECT p FROM item WHERE id = 1";

/// An INSERT takes no snapshot: commits before the first SELECT are visible.
async fn insert_leaves_the_snapshot_to_the_application(db: &TestDb) -> TestResult {
    for insert in [
        "INSERT INTO item (code, p) VALUES ('n', 1)",
        "INSERT INTO item (code, p) VALUES ('n', 1), ('m', 2)",
        "INSERT INTO item (id, code, p) VALUES (900, 'n', 1)",
        "INSERT INTO item (code, p) SELECT 'n', 5",
        "INSERT INTO item VALUES (901, 'n', 1)",
    ] {
        let own = db.sibling().await?;
        let mut oracle = Oracle::new(&own, &[ITEM], items(db.backend(), 3)).await?;
        let bare = oracle.bare.begin().await?;
        let audited = oracle.audited.begin().await?;
        same_on(&bare, &audited, Call::Execute, insert).await;
        oracle.elsewhere(LATER).await?;
        same_on(&bare, &audited, Call::QueryAll, READ).await;
        bare.commit().await?;
        audited.commit().await?;
        oracle.recorded().await?;
        own.remove().await?;
    }
    Ok(())
}

async fn insert_by_a_model_leaves_the_snapshot_to_the_application(db: &TestDb) -> TestResult {
    let mut oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    let bare = oracle.bare.begin().await?;
    let audited = oracle.audited.begin().await?;
    let row = item::ActiveModel {
        code: Set(Some("n".to_owned())),
        p: Set(1),
        ..Default::default()
    };
    item::Entity::insert(row.clone()).exec(&bare).await?;
    item::Entity::insert(row).exec(&audited).await?;
    oracle.elsewhere(LATER).await?;
    same_on(&bare, &audited, Call::QueryAll, READ).await;
    bare.commit().await?;
    audited.commit().await?;
    oracle.recorded().await
}

/// A row that conflicts by its email does not take the ID in the statement, and the gap at that ID stays free for other
/// clients.
async fn upsert_locks_no_absent_key(db: &TestDb) -> TestResult {
    for upsert in [
        "INSERT INTO account (id, email, n) VALUES (500, 'x', 9) ON DUPLICATE KEY UPDATE n = VALUES(n)",
        "INSERT INTO account (id, email, n) VALUES (500, 'x', 9), (501, 'y', 9) ON DUPLICATE KEY UPDATE n = n + 1",
        "INSERT IGNORE INTO account (id, email, n) VALUES (500, 'x', 9)",
    ] {
        let own = db.sibling().await?;
        let setup = [
            account_table(db.backend()),
            "INSERT INTO account (id, email, n) VALUES (1, 'x', 1), (2, 'y', 1), (3, 'z', 1)"
                .to_owned(),
        ];
        let oracle = Oracle::new(&own, &[Table::of("account")], setup).await?;
        let bare = oracle.bare.begin().await?;
        let audited = oracle.audited.begin().await?;
        same_on(&bare, &audited, Call::Execute, upsert).await;
        let insert = "INSERT INTO account (id, email, n) VALUES (700, 'zz', 1)";
        let mut outcomes = Vec::new();
        for db in [&oracle.bare, &own] {
            let other = db.another().await?;
            other
                .execute_unprepared("SET SESSION innodb_lock_wait_timeout = 1")
                .await?;
            outcomes.push(run(&other, Call::Execute, insert, &[]).await);
            other.close().await?;
        }
        same(upsert, &outcomes[0], &outcomes[1]);
        assert!(!outcomes[0].is_failure(), "{outcomes:?}");
        bare.rollback().await?;
        audited.rollback().await?;
        own.remove().await?;
    }
    Ok(())
}

/// All rows of such a small table would be read and locked if the reads beside the statement did not name their index.
async fn conflicts_of_some_rows_leave_the_others_free(db: &TestDb) -> TestResult {
    let of_last = "UPDATE account SET n = 9 WHERE id = 4";
    for (first, second) in [
        (
            "INSERT INTO account (id, email, n) VALUES (1, 'a', 9), (2, 'b', 9) ON DUPLICATE KEY UPDATE n = VALUES(n)",
            of_last,
        ),
        (
            "REPLACE INTO account (id, email, n) VALUES (1, 'a', 9), (2, 'b', 9)",
            of_last,
        ),
        (
            "INSERT IGNORE INTO account (id, email, n) VALUES (1, 'a', 9), (2, 'b', 9)",
            of_last,
        ),
        ("UPDATE account SET n = 9 WHERE id IN (1, 2)", of_last),
        (
            "INSERT INTO account (email, n) VALUES ('a', 9) ON DUPLICATE KEY UPDATE n = 9",
            "INSERT INTO account (email, n) VALUES ('d', 9) ON DUPLICATE KEY UPDATE n = 9",
        ),
    ] {
        let own = db.sibling().await?;
        let setup = [
            account_table(db.backend()),
            "INSERT INTO account (email, n) VALUES ('a', 1), ('b', 2), ('c', 3), ('d', 4)"
                .to_owned(),
        ];
        let oracle = Oracle::new(&own, &[Table::of("account")], setup).await?;
        let (bare, conn) = (oracle.bare.another().await?, own.another().await?);
        let other = sea_orm_audit::AuditedConnection::new(conn);
        let bare_first = oracle.bare.begin().await?;
        let audited_first = oracle.audited.begin().await?;
        same_on(&bare_first, &audited_first, Call::Execute, first).await;
        same_on(
            &bare,
            &other,
            Call::Unprepared,
            "SET SESSION innodb_lock_wait_timeout = 1",
        )
        .await;
        same_on(&bare, &other, Call::Execute, second).await;
        bare_first.commit().await?;
        audited_first.commit().await?;
        bare.close().await?;
        other.close().await?;
        oracle.recorded().await?;
        own.remove().await?;
    }
    Ok(())
}

/// `INSERT IGNORE` locks an existing row as a reader does that keeps it from being changed.
async fn insert_ignore_shares_a_row_with_its_readers(db: &TestDb) -> TestResult {
    let setup = [
        account_table(db.backend()),
        "INSERT INTO account (id, email, n) VALUES (1, 'x', 1), (2, 'y', 2)".to_owned(),
    ];
    let oracle = Oracle::new(db, &[Table::of("account")], setup).await?;
    let readers = [oracle.bare.begin().await?, db.begin().await?];
    for reader in &readers {
        reader
            .execute_unprepared("SELECT * FROM account WHERE id = 1 LOCK IN SHARE MODE")
            .await?;
    }
    let (bare, conn) = (oracle.bare.another().await?, db.another().await?);
    let other = sea_orm_audit::AuditedConnection::new(conn);
    let patience = "SET SESSION innodb_lock_wait_timeout = 1";
    same_on(&bare, &other, Call::Unprepared, patience).await;
    for sql in [
        "INSERT IGNORE INTO account (id, email, n) VALUES (1, 'z', 9)",
        "INSERT IGNORE INTO account (email, n) VALUES ('x', 9)",
        "INSERT IGNORE INTO account (id, email, n) VALUES (1, 'z', 9), (2, 'y', 9)",
    ] {
        let outcome = same_on(&bare, &other, Call::Execute, sql).await;
        assert!(!outcome.is_failure(), "{sql}: {outcome:?}");
    }
    for reader in readers {
        reader.rollback().await?;
    }
    bare.close().await?;
    other.close().await?;
    oracle.recorded().await
}
