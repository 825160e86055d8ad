//! REPLACE: the deleted rows are recorded as deleted, before the new row.

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_audit::AuditConfig;
use sea_orm_audit::migration::AuditTriggers;

use crate::entities::{FAMILY, auto_id, items, parent};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::Call;
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on! { sqlite:
        replaced_row_is_deleted_before_the_new_one_is_created,
        replace_of_a_row_that_a_later_row_replaces_leaves_it_deleted,
        replace_of_two_rows_by_one_records_both_deletions,
        replace_of_a_parent_that_triggers_capture_records_each_child_once,
        replace_by_rowid_records_no_creation,
        insert_that_names_a_column_twice_records_the_row_that_it_inserts,
    }
}

mod mariadb {
    crate::support::tests_on! { mariadb:
        replaced_row_is_deleted_before_the_new_one_is_created,
        replace_of_a_key_in_another_case_records_one_creation,
        replace_of_a_row_that_a_later_row_replaces_leaves_it_deleted,
        replace_of_two_rows_by_one_records_both_deletions,
        replace_of_a_parent_that_triggers_capture_records_each_child_once,
    }
}

const ITEM: Table = Table::of("item");

/// The actions and objects in the log.
async fn actions(db: &TestDb) -> TestResult<Vec<String>> {
    let records = db.records().await?.into_iter();
    Ok(records
        .map(|r| format!("{} {}", r.action, r.object_id.unwrap_or_default()))
        .collect())
}

async fn replaced_row_is_deleted_before_the_new_one_is_created(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    oracle
        .executes("REPLACE INTO item (id, code, p) VALUES (21, 'c3', 5)")
        .await;
    assert_eq!(actions(db).await?, ["DELETE 3", "CREATE 21"]);
    oracle
        .executes("REPLACE INTO item (code, p) VALUES ('c2', 5)")
        .await;
    oracle
        .in_transaction(&[(
            Call::Unprepared,
            "REPLACE INTO item (code, p) VALUES ('c1', 5)",
        )])
        .await?;
    oracle.recorded().await
}

async fn replace_of_a_row_that_a_later_row_replaces_leaves_it_deleted(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    oracle
        .executes("REPLACE INTO item (id, code) VALUES (21, 'c'), (3, 'c')")
        .await;
    oracle
        .executes("REPLACE INTO item (id, code) VALUES (22, 'c1'), (23, 'c1'), (2, 'd')")
        .await;
    oracle.recorded_or_reported().await
}

async fn replace_of_two_rows_by_one_records_both_deletions(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    oracle
        .executes("REPLACE INTO item (id, code, p) VALUES (1, 'c3', 9)")
        .await;
    oracle.recorded().await
}

async fn replace_of_a_parent_that_triggers_capture_records_each_child_once(
    db: &TestDb,
) -> TestResult {
    let mut setup = FAMILY.map(str::to_owned).to_vec();
    setup.push("INSERT INTO parent (id, n) VALUES (1, 1), (2, 2)".to_owned());
    setup.push("INSERT INTO child (id, parent_id) VALUES (10, 1), (11, 1), (20, 2)".to_owned());
    let oracle = Oracle::new(db, &[Table::of("parent"), Table::of("child")], setup).await?;
    let oracle =
        oracle.configured(AuditConfig::builder().captured_by_trigger::<parent::Entity>())?;
    AuditTriggers::of::<parent::Entity>()
        .create(&db.conn)
        .await?;
    oracle
        .executes("REPLACE INTO parent (id, n) VALUES (1, 9)")
        .await;
    let records = db.records().await?;
    for child in ["10", "11"] {
        let deletions = records.iter().filter(|record| {
            record.model.as_deref() == Some("child") && record.object_id.as_deref() == Some(child)
        });
        assert_eq!(deletions.count(), 1, "{:#?}", db.log().await?);
    }
    oracle.bare.remove().await
}

async fn replace_by_rowid_records_no_creation(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    for sql in [
        "INSERT OR REPLACE INTO item (rowid, code, p) VALUES (1, 'z', 5)",
        "REPLACE INTO item (_rowid_, code, p) VALUES (2, 'y', 5)",
        "INSERT INTO item (oid, code, p) VALUES (3, 'x', 5) ON CONFLICT (id) DO UPDATE SET p = 9",
        "INSERT INTO item (rowid, code, p) VALUES (30, 'new', 5)",
    ] {
        oracle.same(Call::Execute, sql, &[]).await;
    }
    oracle.recorded_or_reported().await
}

/// SQLite uses the last of the values for the rowid, and the first one for any other column.
async fn insert_that_names_a_column_twice_records_the_row_that_it_inserts(
    db: &TestDb,
) -> TestResult {
    let setup = items(db.backend(), 3);
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    for (call, sql) in [
        (
            Call::Execute,
            "INSERT INTO item (id, code, id) VALUES (1, 'a', 20)",
        ),
        (
            Call::QueryAll,
            "INSERT INTO item (id, code, id) VALUES (1, 'b', 21) RETURNING id, id",
        ),
        (
            Call::QueryAll,
            "INSERT INTO item (id, code, rowid) VALUES (1, 'c', 22) RETURNING 1",
        ),
        (
            Call::Execute,
            "INSERT INTO item (code, id, code) VALUES ('d', 23, 'e')",
        ),
        (
            Call::QueryOne,
            "INSERT OR IGNORE INTO item (id, code, id) VALUES (1, 'f', 24) RETURNING 1",
        ),
        (
            Call::Execute,
            "INSERT INTO item (id, code, id) VALUES (1, 'g', 2) ON CONFLICT (id) DO UPDATE SET code = 'h'",
        ),
        (
            Call::Execute,
            "REPLACE INTO item (id, code, oid) VALUES (1, 'i', 3)",
        ),
    ] {
        assert!(!oracle.same(call, sql, &[]).await.is_failure(), "{sql}");
    }
    oracle.recorded_or_reported().await
}

/// MySQL takes both texts as one key, and a lookup of each finds the row.
async fn replace_of_a_key_in_another_case_records_one_creation(db: &TestDb) -> TestResult {
    let setup = [
        "CREATE TABLE label (name VARCHAR(40) NOT NULL PRIMARY KEY, score INTEGER)",
        "INSERT INTO label VALUES ('a', 1), ('b', 2)",
    ];
    let table = Table {
        key: "name",
        ..Table::of("label")
    };
    let oracle = Oracle::new(db, &[table], setup).await?;
    let oracle = oracle.configured(AuditConfig::builder().chunk_rows(1))?;
    (oracle.executes("REPLACE INTO label VALUES ('A', 5), ('B', 6)")).await;
    oracle.recorded().await
}
