//! The command line client changes rows in every way it can.

use std::io::Write as _;

use sea_orm::{ConnectionTrait, EntityTrait};
use sea_orm_audit::migration::AuditTriggers;
use sea_orm_audit::value::encode;
use serde_json::{Map, Value as Json};

use crate::differences;
use crate::support::{TestDb, TestResult, temporary_folder};
use crate::{client, client_with, taken, watched};

mod mariadb {
    crate::support::tests_on! { mariadb:
        every_way_to_change_rows_is_recorded_row_by_row,
        unchanged_rows_have_no_record,
        file_that_is_loaded_is_recorded,
        truncate_is_not_recorded,
        sql_modes_make_no_difference,
        writer_needs_no_right_to_the_log,
        generated_columns_are_recorded,
    }
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
        pub qty: i32,
        pub note: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// Applies the records to empty tables, and compares the result with the tables.
async fn replayed(db: &TestDb) -> TestResult {
    let mut rows = std::collections::BTreeMap::<String, Map<String, Json>>::new();
    for record in db.records().await? {
        let before = rows.remove(record.object_id.as_ref().unwrap());
        assert_eq!(before.is_none(), record.action == "CREATE", "{record:#?}");
        let mut row = before.unwrap_or_default();
        for (column, change) in record.changes.as_ref().unwrap().as_object().unwrap() {
            assert_eq!(row.get(column), change.get("old"), "{record:#?}");
            match change.get("new") {
                Some(new) => row.insert(column.clone(), new.clone()),
                None => row.remove(column),
            };
        }
        if record.action != "DELETE" {
            rows.insert(row["id"].to_string(), row);
        }
    }
    let mut found = std::collections::BTreeMap::new();
    for model in item::Entity::find().all(&db.conn).await? {
        let mut row = Map::new();
        row.insert("id".into(), model.id.into());
        row.insert("code".into(), model.code.into());
        row.insert("qty".into(), model.qty.into());
        row.insert("note".into(), encode(&model.note.into())?);
        found.insert(model.id.to_string(), row);
    }
    assert_eq!(rows, found);
    Ok(())
}

async fn every_way_to_change_rows_is_recorded_row_by_row(db: &TestDb) -> TestResult {
    watched(db, item::Entity).await?;
    for (sql, records) in [
        (
            "INSERT INTO item (code, qty) VALUES ('a', 1), ('b', 2), ('c', 3)",
            3,
        ),
        ("INSERT INTO item SET code = 'd', qty = 4, note = 'n'", 1),
        (
            "INSERT INTO item (code, qty) SELECT CONCAT(code, '2'), qty FROM item",
            4,
        ),
        (
            "INSERT IGNORE INTO item (code, qty) VALUES ('a', 9), ('e', 5)",
            1,
        ),
        (
            "INSERT INTO item (code, qty) VALUES ('a', 10), ('f', 6) ON DUPLICATE KEY UPDATE qty = qty + 1",
            2,
        ),
        ("UPDATE item SET qty = qty * 2 WHERE qty < 3", 4),
        ("UPDATE item SET note = 'x' ORDER BY id LIMIT 2", 2),
        (
            "UPDATE item i JOIN item j ON i.id = j.id + 1 SET i.note = j.code",
            7,
        ),
        ("UPDATE item SET id = 1000 WHERE code = 'f'", 1),
        ("REPLACE INTO item (id, code, qty) VALUES (1, 'a', 7)", 2),
        ("REPLACE INTO item (code, qty) VALUES ('b', 8), ('g', 9)", 3),
        ("DELETE FROM item WHERE code = 'c'", 1),
        (
            "DELETE i FROM item i JOIN item j ON i.code = CONCAT(j.code, '2')",
            3,
        ),
        ("DELETE FROM item ORDER BY id LIMIT 1", 1),
        ("BEGIN; DELETE FROM item; ROLLBACK", 0),
        (
            "BEGIN; SAVEPOINT s; DELETE FROM item; ROLLBACK TO s; UPDATE item SET qty = 77 LIMIT 1; COMMIT",
            1,
        ),
        (
            "WITH RECURSIVE n AS (SELECT 1 AS k) SELECT * FROM n; DELETE FROM item WHERE id > 900 RETURNING id",
            3,
        ),
    ] {
        let before = db.records().await?.len();
        client(db, sql).await?;
        assert_eq!(db.records().await?.len() - before, records, "{sql}");
        replayed(db).await?;
    }
    Ok(())
}

async fn unchanged_rows_have_no_record(db: &TestDb) -> TestResult {
    watched(db, item::Entity).await?;
    client(db, "INSERT INTO item (code, qty) VALUES ('a', 1)").await?;
    taken(db).await?;
    client(
        db,
        "UPDATE item SET qty = qty, note = NULL; UPDATE item SET qty = 1; UPDATE item SET qty = 9 WHERE id = 99; \
         INSERT INTO item (code, qty) VALUES ('a', 5) ON DUPLICATE KEY UPDATE qty = 1",
    )
    .await?;
    assert_eq!(taken(db).await?, [""; 0]);
    client(db, "UPDATE item SET note = ''").await?;
    assert_eq!(
        taken(db).await?,
        [r#"UPDATE item 1 {"note":{"new":"","old":null}}"#]
    );
    client(db, "UPDATE item SET note = ' '").await?;
    assert_eq!(
        taken(db).await?,
        [r#"UPDATE item 1 {"note":{"new":" ","old":""}}"#]
    );
    // The triggers change neither the client's warnings nor its `LAST_INSERT_ID()`.
    let heard =
        "INSERT INTO item (code, qty) VALUES ('z', 1); SHOW WARNINGS; SELECT LAST_INSERT_ID()";
    let id = client(db, &format!("{heard} = (SELECT MAX(id) FROM item)")).await?;
    assert_eq!(id, "1\n");
    Ok(())
}

async fn file_that_is_loaded_is_recorded(db: &TestDb) -> TestResult {
    watched(db, item::Entity).await?;
    let path = temporary_folder()?.join(format!("{}.csv", std::process::id()));
    std::fs::File::create(&path)?.write_all(b"a,1\nb,2\n")?;
    let sql = format!(
        "LOAD DATA LOCAL INFILE '{}' INTO TABLE item FIELDS TERMINATED BY ',' (code, qty)",
        path.display()
    );
    client_with(db, &["--local-infile=1"], &sql).await?;
    std::fs::remove_file(path)?;
    assert_eq!(db.records().await?.len(), 2);
    replayed(db).await
}

/// TRUNCATE is DDL there and needs the privilege to drop the table; it fires no trigger.
async fn truncate_is_not_recorded(db: &TestDb) -> TestResult {
    watched(db, item::Entity).await?;
    client(db, "INSERT INTO item (code, qty) VALUES ('a', 1)").await?;
    taken(db).await?;
    client(db, "TRUNCATE item").await?;
    assert_eq!(taken(db).await?, [""; 0]);
    Ok(())
}

async fn sql_modes_make_no_difference(db: &TestDb) -> TestResult {
    db.create(item::Entity).await?;
    let triggers = AuditTriggers::of::<item::Entity>();
    for mode in [
        "",
        "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,IGNORE_SPACE,HIGH_NOT_PRECEDENCE",
        "TRADITIONAL,PAD_CHAR_TO_FULL_LENGTH,NO_ZERO_DATE",
    ] {
        let one = db.another().await?;
        one.execute_unprepared(&format!("SET SESSION sql_mode = '{mode}'"))
            .await?;
        triggers.recreate(&one).await?;
        assert_eq!(differences(triggers, &db.conn).await?, [""; 0], "{mode}");
        one.close().await?;
        for writer in ["", "NO_BACKSLASH_ESCAPES,ANSI_QUOTES", "STRICT_ALL_TABLES"] {
            client(
                db,
                &format!(
                    "SET sql_mode = '{writer}'; INSERT INTO item (id, code, qty, note) VALUES (1, 'a''', 1, X'5C22'); \
                     UPDATE item SET qty = 2; DELETE FROM item"
                ),
            )
            .await?;
            let log = taken(db).await?;
            assert_eq!(log.len(), 3, "{mode}");
            assert_eq!(
                log[0],
                r#"CREATE item 1 {"code":{"new":"a'"},"id":{"new":1},"note":{"new":"\\\""},"qty":{"new":1}}"#
            );
        }
    }
    Ok(())
}

async fn writer_needs_no_right_to_the_log(db: &TestDb) -> TestResult {
    watched(db, item::Entity).await?;
    let user = format!("writer_{}", std::process::id());
    let schema = client(db, "SELECT DATABASE()").await?;
    let schema = schema.trim();
    client(
        db,
        &format!(
            "CREATE USER '{user}'@'%' IDENTIFIED BY 'secret'; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.item TO '{user}'@'%'"
        ),
    )
    .await?;
    let user_option = format!("-u{user}");
    let run = client_with(
        db,
        &[&user_option, "-psecret"],
        "INSERT INTO item (code, qty) VALUES ('a', 1); UPDATE item SET qty = 2; DELETE FROM item",
    )
    .await;
    let denied = client_with(db, &[&user_option, "-psecret"], "SELECT * FROM audit_log").await;
    client(db, &format!("DROP USER '{user}'@'%'")).await?;
    run?;
    assert!(denied.is_err());
    let records = db.records().await?;
    assert_eq!(records.len(), 3);
    for record in records {
        assert_eq!(record.actor_type, "SERVICE");
        assert_eq!(record.actor_id, None);
        assert_eq!(record.actor_name.as_deref(), Some(user.as_str()));
    }
    Ok(())
}

async fn generated_columns_are_recorded(db: &TestDb) -> TestResult {
    db.create(item::Entity).await?;
    db.execute_unprepared(
        "ALTER TABLE item DROP COLUMN note, ADD COLUMN note VARCHAR(40) AS (CONCAT('n', qty)) VIRTUAL",
    )
    .await?;
    AuditTriggers::of::<item::Entity>().create(&db.conn).await?;
    client(
        db,
        "INSERT INTO item (id, code, qty) VALUES (1, 'a', 1); UPDATE item SET qty = 2; DELETE FROM item",
    )
    .await?;
    let log = taken(db).await?;
    assert!(log[0].contains(r#""note":{"new":"n1"}"#), "{log:#?}");
    assert_eq!(
        log[1],
        r#"UPDATE item 1 {"note":{"new":"n2","old":"n1"},"qty":{"new":2,"old":1}}"#
    );
    assert!(log[2].contains(r#""note":{"old":"n2"}"#));
    Ok(())
}
