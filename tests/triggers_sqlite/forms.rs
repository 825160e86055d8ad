//! Every way in which the `sqlite3` client can change rows.

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::client::{captured, sqlite3, text, triggers};
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on!(sqlite:
        every_way_to_change_rows_is_recorded_and_can_be_replayed,
        cascades_are_recorded_two_levels_deep,
        replace_records_the_replaced_row_with_recursive_triggers_only,
        failed_and_rolled_back_writes_have_no_record,
        the_callers_row_counts_and_ids_stay_as_they_are,
    );
}

mod item {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "item")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        pub code: String,
        pub qty: Option<i32>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod tree {
    //! Three tables, created manually: a parent, its children, and their children.

    pub mod owner {
        use sea_orm::entity::prelude::*;
        use sea_orm_audit::Auditable;

        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
        #[sea_orm(table_name = "owner")]
        #[audit(capture = "trigger")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i32,
        }

        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}
    }

    pub mod pet {
        use sea_orm::entity::prelude::*;
        use sea_orm_audit::Auditable;

        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
        #[sea_orm(table_name = "pet")]
        #[audit(capture = "trigger")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i32,
            pub owner_id: Option<i32>,
        }

        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}
    }

    pub mod toy {
        use sea_orm::entity::prelude::*;
        use sea_orm_audit::Auditable;

        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
        #[sea_orm(table_name = "toy")]
        #[audit(capture = "trigger")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i32,
            pub pet_id: Option<i32>,
        }

        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}
    }
}

/// The rows that the log gives from an empty table, as `id code qty`.
async fn replayed(db: &TestDb) -> TestResult<Vec<String>> {
    let mut rows = std::collections::BTreeMap::new();
    for record in db.records().await? {
        let id: i64 = record.object_id.ok_or("no id")?.parse()?;
        let changes = record.changes.ok_or("no changes")?;
        if record.action == "DELETE" {
            let row: serde_json::Value =
                rows.remove(&id).ok_or("deleted a row that is not there")?;
            for (field, change) in changes.as_object().ok_or("no object")? {
                assert_eq!(row[field], change["old"], "{changes}");
            }
            continue;
        }
        let row = rows.entry(id).or_insert_with(|| json!({}));
        for (field, change) in changes.as_object().ok_or("no object")? {
            assert_eq!(row.get(field), change.get("old"), "{changes}");
            row[field] = change["new"].clone();
        }
        if let Some(new) = row["id"].as_i64().filter(|new| *new != id) {
            let row = rows.remove(&id).ok_or("gone")?;
            rows.insert(new, row);
        }
    }
    let line = |row: &serde_json::Value| {
        let qty = if row["qty"].is_null() {
            String::new()
        } else {
            row["qty"].to_string()
        };
        format!(
            "{} {} {qty}",
            row["id"],
            row["code"].as_str().unwrap_or("?")
        )
    };
    Ok(rows.values().map(line).collect())
}

async fn stored(db: &TestDb) -> TestResult<Vec<String>> {
    let all = "SELECT group_concat(id || ' ' || code || ' ' || ifnull(qty, ''), x'0a') AS text \
               FROM (SELECT * FROM item ORDER BY id)";
    let rows = text(db, all).await?.unwrap_or_default();
    Ok(rows.lines().map(str::to_owned).collect())
}

async fn every_way_to_change_rows_is_recorded_and_can_be_replayed(db: &TestDb) -> TestResult {
    captured(db, item::Entity).await?;
    for (sql, expected) in [
        (
            "INSERT INTO item VALUES (1, 'a', 1), (2, 'b', NULL)",
            &[
                r#"CREATE item 1 {"code":{"new":"a"},"id":{"new":1},"qty":{"new":1}}"#,
                r#"CREATE item 2 {"code":{"new":"b"},"id":{"new":2},"qty":{"new":null}}"#,
            ][..],
        ),
        (
            "INSERT INTO item (code, qty) SELECT code || 'x', 5 FROM item",
            &[
                r#"CREATE item 3 {"code":{"new":"ax"},"id":{"new":3},"qty":{"new":5}}"#,
                r#"CREATE item 4 {"code":{"new":"bx"},"id":{"new":4},"qty":{"new":5}}"#,
            ],
        ),
        (
            "INSERT INTO item VALUES (9, 'a', 7), (5, 'e', 1) \
             ON CONFLICT (code) DO UPDATE SET qty = excluded.qty",
            &[
                r#"UPDATE item 1 {"qty":{"new":7,"old":1}}"#,
                r#"CREATE item 5 {"code":{"new":"e"},"id":{"new":5},"qty":{"new":1}}"#,
            ],
        ),
        (
            "INSERT INTO item VALUES (9, 'a', 7) ON CONFLICT DO NOTHING",
            &[],
        ),
        ("INSERT OR IGNORE INTO item VALUES (9, 'a', 8)", &[]),
        ("UPDATE item SET qty = qty", &[]),
        (
            "UPDATE item SET qty = 0 WHERE id < 3",
            &[
                r#"UPDATE item 1 {"qty":{"new":0,"old":7}}"#,
                r#"UPDATE item 2 {"qty":{"new":0,"old":null}}"#,
            ],
        ),
        (
            "UPDATE item SET qty = n.x FROM (SELECT 3 AS i, 33 AS x) AS n WHERE id = n.i",
            &[r#"UPDATE item 3 {"qty":{"new":33,"old":5}}"#],
        ),
        (
            "UPDATE item SET id = 50 WHERE id = 5",
            &[r#"UPDATE item 5 {"id":{"new":50,"old":5}}"#],
        ),
        (
            "WITH d AS (SELECT 3 AS i) DELETE FROM item WHERE id IN (SELECT i FROM d) RETURNING id",
            &[r#"DELETE item 3 {"code":{"old":"ax"},"id":{"old":3},"qty":{"old":33}}"#],
        ),
        (
            "DELETE FROM item",
            &[
                r#"DELETE item 1 {"code":{"old":"a"},"id":{"old":1},"qty":{"old":0}}"#,
                r#"DELETE item 2 {"code":{"old":"b"},"id":{"old":2},"qty":{"old":0}}"#,
                r#"DELETE item 4 {"code":{"old":"bx"},"id":{"old":4},"qty":{"old":5}}"#,
                r#"DELETE item 50 {"code":{"old":"e"},"id":{"old":50},"qty":{"old":1}}"#,
            ],
        ),
        (
            "BEGIN; INSERT INTO item VALUES (1, 'z', 1); SAVEPOINT s; UPDATE item SET qty = 2; \
             ROLLBACK TO s; UPDATE item SET qty = 3; COMMIT",
            &[
                r#"CREATE item 1 {"code":{"new":"z"},"id":{"new":1},"qty":{"new":1}}"#,
                r#"UPDATE item 1 {"qty":{"new":3,"old":1}}"#,
            ],
        ),
    ] {
        let before = db.log().await?.len();
        sqlite3(db, sql).await?;
        assert_eq!(db.log().await?[before..], *expected, "{sql}");
        assert_eq!(replayed(db).await?, stored(db).await?, "{sql}");
    }
    Ok(())
}

async fn cascades_are_recorded_two_levels_deep(db: &TestDb) -> TestResult {
    db.execute_unprepared(
        "CREATE TABLE owner (id INTEGER PRIMARY KEY);
         CREATE TABLE pet (id INTEGER PRIMARY KEY, owner_id INTEGER \
           REFERENCES owner ON DELETE CASCADE ON UPDATE CASCADE);
         CREATE TABLE toy (id INTEGER PRIMARY KEY, pet_id INTEGER REFERENCES pet ON DELETE SET NULL);",
    )
    .await?;
    triggers::<tree::owner::Entity>(db).await?;
    triggers::<tree::pet::Entity>(db).await?;
    triggers::<tree::toy::Entity>(db).await?;
    sqlite3(
        db,
        "INSERT INTO owner VALUES (1), (2); INSERT INTO pet VALUES (1, 1), (2, 2); \
         INSERT INTO toy VALUES (1, 1), (2, 2)",
    )
    .await?;
    db.forget().await?;
    sqlite3(
        db,
        "PRAGMA foreign_keys = ON; UPDATE owner SET id = 3 WHERE id = 1",
    )
    .await?;
    let mut log = db.log().await?;
    log.sort();
    assert_eq!(
        log,
        [
            r#"UPDATE owner 1 {"id":{"new":3,"old":1}}"#,
            r#"UPDATE pet 1 {"owner_id":{"new":3,"old":1}}"#,
        ]
    );
    db.forget().await?;
    sqlite3(
        db,
        "PRAGMA foreign_keys = ON; DELETE FROM owner WHERE id = 3",
    )
    .await?;
    let mut log = db.log().await?;
    log.sort();
    assert_eq!(
        log,
        [
            r#"DELETE owner 3 {"id":{"old":3}}"#,
            r#"DELETE pet 1 {"id":{"old":1},"owner_id":{"old":3}}"#,
            r#"UPDATE toy 1 {"pet_id":{"new":null,"old":1}}"#,
        ]
    );
    Ok(())
}

async fn replace_records_the_replaced_row_with_recursive_triggers_only(db: &TestDb) -> TestResult {
    captured(db, item::Entity).await?;
    sqlite3(db, "INSERT INTO item VALUES (1, 'a', 1), (2, 'b', 2)").await?;
    db.forget().await?;
    // SQLite fires no DELETE trigger for the rows 1 and 2.
    sqlite3(db, "REPLACE INTO item VALUES (1, 'b', 3)").await?;
    let created = r#"CREATE item 1 {"code":{"new":"b"},"id":{"new":1},"qty":{"new":3}}"#;
    assert_eq!(db.log().await?, [created]);
    sqlite3(
        db,
        "DELETE FROM item; INSERT INTO item VALUES (1, 'a', 1), (2, 'b', 2)",
    )
    .await?;
    db.forget().await?;
    sqlite3(
        db,
        "PRAGMA recursive_triggers = ON; INSERT OR REPLACE INTO item VALUES (1, 'b', 3)",
    )
    .await?;
    let mut log = db.log().await?;
    assert_eq!(log.pop().as_deref(), Some(created));
    log.sort();
    assert_eq!(
        log,
        [
            r#"DELETE item 1 {"code":{"old":"a"},"id":{"old":1},"qty":{"old":1}}"#,
            r#"DELETE item 2 {"code":{"old":"b"},"id":{"old":2},"qty":{"old":2}}"#,
        ]
    );
    Ok(())
}

async fn failed_and_rolled_back_writes_have_no_record(db: &TestDb) -> TestResult {
    captured(db, item::Entity).await?;
    sqlite3(db, "INSERT INTO item VALUES (1, 'a', 1)").await?;
    db.forget().await?;
    for sql in [
        "INSERT INTO item VALUES (2, 'b', 1), (1, 'c', 1)",
        "INSERT OR ROLLBACK INTO item VALUES (2, 'b', 1), (1, 'c', 1)",
        "UPDATE item SET code = NULL",
    ] {
        assert!(crate::client::run(db, sql).await?.is_err(), "{sql}");
        assert_eq!(db.log().await?, [""; 0], "{sql}");
    }
    sqlite3(db, "BEGIN; DELETE FROM item; ROLLBACK").await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn the_callers_row_counts_and_ids_stay_as_they_are(db: &TestDb) -> TestResult {
    captured(db, item::Entity).await?;
    let done = db
        .execute_unprepared("INSERT INTO item VALUES (70, 'a', 1), (80, 'b', 1)")
        .await?;
    assert_eq!((done.last_insert_id(), done.rows_affected()), (80, 2));
    let done = db.execute_unprepared("UPDATE item SET qty = 2").await?;
    assert_eq!(done.rows_affected(), 2);
    Ok(())
}
