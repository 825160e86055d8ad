//! The triggers of the written table record the rows that its foreign keys change.
//!
//! One file, because its cases share the tables.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait;
use sea_orm_audit::migration::AuditTriggers;
use serde_json::{Map, Value as Json};

use crate::differences;
use crate::support::{TestDb, TestResult};
use crate::{client, taken};

mod mariadb {
    crate::support::tests_on! { mariadb:
        cascades_two_levels_deep_are_recorded,
        rows_that_refer_to_rows_of_their_own_table_are_followed,
        changed_keys_are_recorded_where_they_are_referred_to,
        changed_keys_are_followed_to_the_end,
        delete_that_fails_leaves_no_record,
        without_foreign_key_checks_nothing_follows,
        foreign_keys_that_come_later_need_the_triggers_anew,
        table_or_a_column_that_is_gone_stops_no_delete,
        tables_in_a_circle_are_followed,
    }
}

macro_rules! entity {
    ($name:ident, $table:literal, { $($field:ident: $type:ty),* }, $($more:tt)*) => {
        mod $name {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            #[sea_orm(table_name = $table)]
            #[audit(capture = "trigger", $($more)*)]
            pub struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub id: i32,
                $(pub $field: $type,)*
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}
        }
    };
}

entity!(root, "root", { note: Option<i32> }, name = "root");
entity!(branch, "branch", { root_id: Option<i32>, other_id: Option<i32> }, name = "branch");
entity!(leaf, "leaf", { branch_id: Option<i32>, note: Option<i32> }, display = "leaf of {branch_id}");
entity!(node, "node", { middle_id: Option<i32>, above_id: Option<i32>, beside_id: Option<i32> }, name = "node");
entity!(realm, "realm", { code: Option<i32> }, name = "realm");
entity!(town, "town", { realm_code: Option<i32>, number: Option<i32> }, name = "town");
entity!(street, "street", { realm_code: Option<i32>, town_number: Option<i32> }, name = "street");
entity!(house, "house", { street_realm: Option<i32>, note: Option<i32> }, name = "house");
entity!(egg, "egg", { hen_id: Option<i32> }, name = "egg");
entity!(hen, "hen", { egg_id: Option<i32> }, name = "hen");

async fn tables(db: &TestDb) -> TestResult {
    for sql in [
        "CREATE TABLE root (id INT PRIMARY KEY, note INT)",
        "CREATE TABLE branch (id INT PRIMARY KEY, root_id INT, other_id INT, \
         FOREIGN KEY (root_id) REFERENCES root (id) ON DELETE CASCADE ON UPDATE CASCADE, \
         FOREIGN KEY (other_id) REFERENCES root (id) ON DELETE SET NULL ON UPDATE SET NULL)",
        "CREATE TABLE leaf (id INT PRIMARY KEY, branch_id INT, note INT, \
         FOREIGN KEY (branch_id) REFERENCES branch (id) ON DELETE SET NULL)",
        // Not recorded, but part of the chain.
        "CREATE TABLE middle (branch_id INT PRIMARY KEY, \
         FOREIGN KEY (branch_id) REFERENCES branch (id) ON DELETE CASCADE)",
        "CREATE TABLE node (id INT PRIMARY KEY, middle_id INT, above_id INT, beside_id INT, \
         FOREIGN KEY (middle_id) REFERENCES middle (branch_id) ON DELETE CASCADE, \
         FOREIGN KEY (above_id) REFERENCES node (id) ON DELETE CASCADE, \
         FOREIGN KEY (beside_id) REFERENCES node (id) ON DELETE SET NULL)",
    ] {
        db.execute_unprepared(sql).await?;
    }
    AuditTriggers::of::<root::Entity>().create(&db.conn).await?;
    AuditTriggers::of::<branch::Entity>()
        .create(&db.conn)
        .await?;
    AuditTriggers::of::<leaf::Entity>().create(&db.conn).await?;
    AuditTriggers::of::<node::Entity>().create(&db.conn).await?;
    Ok(())
}

const FILL: &str = "INSERT INTO root VALUES (1, 1), (2, 2); \
     INSERT INTO branch VALUES (10, 1, 2), (11, 1, 1), (12, 2, 1), (13, 2, NULL); \
     INSERT INTO leaf VALUES (100, 10, 1), (101, 12, 1), (102, 10, NULL); \
     INSERT INTO middle VALUES (10), (12); \
     INSERT INTO node VALUES (1000, 10, NULL, NULL), (1001, NULL, 1000, NULL), \
     (1002, 10, 1001, 1000), (1003, NULL, NULL, 1002), (1004, 12, NULL, 1003);";

/// Applies the records to empty tables, and compares the result with the tables.
async fn replayed(db: &TestDb) -> TestResult {
    let mut rows: BTreeMap<(String, String), Map<String, Json>> = BTreeMap::new();
    for record in db.records().await? {
        let at = (
            record.model.clone().unwrap(),
            record.object_id.clone().unwrap(),
        );
        let before = rows.remove(&at);
        assert_eq!(before.is_none(), record.action == "CREATE", "{record:#?}");
        let mut row = before.unwrap_or_default();
        for (column, change) in record.changes.as_ref().unwrap().as_object().unwrap() {
            assert_eq!(row.get(column), change.get("old"), "{record:#?}");
            match change.get("new") {
                Some(new) => row.insert(column.clone(), new.clone()),
                None => row.remove(column),
            };
        }
        if record.action == "DELETE" {
            assert!(row.is_empty(), "{record:#?}");
        } else {
            let id = row["id"].to_string();
            rows.insert((at.0, id), row);
        }
    }
    let mut found = BTreeMap::new();
    for (table, columns) in [
        ("root", vec!["id", "note"]),
        ("branch", vec!["id", "root_id", "other_id"]),
        ("leaf", vec!["id", "branch_id", "note"]),
        ("node", vec!["id", "middle_id", "above_id", "beside_id"]),
    ] {
        let list = columns
            .iter()
            .map(|c| format!("'{c}', {c}"))
            .collect::<Vec<_>>()
            .join(", ");
        for line in client(db, &format!("SELECT JSON_OBJECT({list}) FROM {table}"))
            .await?
            .lines()
        {
            let row: Map<String, Json> = serde_json::from_str(line)?;
            found.insert((table.to_owned(), row["id"].to_string()), row);
        }
    }
    assert_eq!(rows, found);
    Ok(())
}

async fn cascades_two_levels_deep_are_recorded(db: &TestDb) -> TestResult {
    tables(db).await?;
    client(db, FILL).await?;
    client(db, "DELETE FROM root WHERE id = 1").await?;
    replayed(db).await?;
    let log = db.log().await?;
    let begin = log.len() - 10;
    let mut after = log[begin..].to_vec();
    after.sort();
    let deleted = |what: &str| after.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!(deleted("DELETE node"), 3, "{after:#?}");
    assert_eq!(deleted("DELETE branch"), 2);
    assert_eq!(deleted("DELETE root"), 1);
    assert_eq!(
        deleted("UPDATE node 1003 {\"beside_id\":{\"new\":null,\"old\":1002}}"),
        1
    );
    assert_eq!(
        deleted("UPDATE branch 12 {\"other_id\":{\"new\":null,\"old\":1}}"),
        1
    );
    assert_eq!(deleted("UPDATE leaf"), 2);
    let label = db.records().await?.iter().rev().find_map(|record| {
        (record.model.as_deref() == Some("leaf")).then(|| record.object_repr.clone())
    });
    assert_eq!(label, Some(Some("leaf of ".into())));
    client(db, "REPLACE INTO root VALUES (2, 9)").await?;
    replayed(db).await?;
    client(
        db,
        "INSERT INTO branch VALUES (20, 2, 2), (21, 2, NULL); INSERT INTO middle VALUES (20); \
         INSERT INTO node (id, middle_id) VALUES (20, 20); \
         DELETE root, branch FROM root JOIN branch ON branch.root_id = root.id",
    )
    .await?;
    replayed(db).await?;
    client(db, "DELETE FROM root").await?;
    replayed(db).await
}

async fn rows_that_refer_to_rows_of_their_own_table_are_followed(db: &TestDb) -> TestResult {
    tables(db).await?;
    client(db, FILL).await?;
    // A cycle, a chain, and rows that the statement deletes anyway.
    client(
        db,
        "UPDATE node SET above_id = 1002 WHERE id = 1000; \
         INSERT INTO node (id, above_id) VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (5, 4); \
         DELETE FROM node WHERE id IN (2, 3, 1001, 1003)",
    )
    .await?;
    replayed(db).await
}

async fn changed_keys_are_recorded_where_they_are_referred_to(db: &TestDb) -> TestResult {
    tables(db).await?;
    client(db, FILL).await?;
    client(
        db,
        "UPDATE root SET id = 7, note = 3 WHERE id = 1; UPDATE root SET note = 4",
    )
    .await?;
    replayed(db).await?;
    let log = db.log().await?;
    let one = "UPDATE branch 11 {\"other_id\":{\"new\":null,\"old\":1},\"root_id\":{\"new\":7,\"old\":1}}";
    assert_eq!(
        log.iter().filter(|line| *line == one).count(),
        1,
        "{log:#?}"
    );
    Ok(())
}

async fn changed_keys_are_followed_to_the_end(db: &TestDb) -> TestResult {
    client(
        db,
        "CREATE TABLE realm (id INT PRIMARY KEY, code INT, UNIQUE (code)); \
         CREATE TABLE town (id INT PRIMARY KEY, realm_code INT, number INT, UNIQUE (realm_code, number), \
         FOREIGN KEY (realm_code) REFERENCES realm (code) ON UPDATE CASCADE); \
         CREATE TABLE street (id INT PRIMARY KEY, realm_code INT, town_number INT, KEY (realm_code), \
         FOREIGN KEY (realm_code, town_number) REFERENCES town (realm_code, number) ON UPDATE CASCADE); \
         CREATE TABLE house (id INT PRIMARY KEY, street_realm INT, note INT, \
         FOREIGN KEY (street_realm) REFERENCES street (realm_code) ON UPDATE SET NULL)",
    )
    .await?;
    AuditTriggers::of::<realm::Entity>()
        .create(&db.conn)
        .await?;
    AuditTriggers::of::<town::Entity>().create(&db.conn).await?;
    AuditTriggers::of::<street::Entity>()
        .create(&db.conn)
        .await?;
    AuditTriggers::of::<house::Entity>()
        .create(&db.conn)
        .await?;
    client(
        db,
        "INSERT INTO realm VALUES (1, 10), (2, 20); INSERT INTO town VALUES (1, 10, 1), (2, 20, 1); \
         INSERT INTO street VALUES (1, 10, 1), (2, 20, 1); INSERT INTO house VALUES (1, 10, 5), (2, 20, 5)",
    )
    .await?;
    for (change, records) in [
        (
            "UPDATE realm SET code = 11 WHERE id = 1",
            &[
                r#"UPDATE house 1 {"street_realm":{"new":null,"old":10}}"#,
                r#"UPDATE realm 1 {"code":{"new":11,"old":10}}"#,
                r#"UPDATE street 1 {"realm_code":{"new":11,"old":10}}"#,
                r#"UPDATE town 1 {"realm_code":{"new":11,"old":10}}"#,
            ][..],
        ),
        // Starts in the middle, and follows only the columns that change.
        (
            "UPDATE town SET number = 2 WHERE id = 2",
            &[
                r#"UPDATE street 2 {"town_number":{"new":2,"old":1}}"#,
                r#"UPDATE town 2 {"number":{"new":2,"old":1}}"#,
            ],
        ),
        ("UPDATE realm SET code = code", &[]),
    ] {
        taken(db).await?;
        client(db, change).await?;
        let mut log = taken(db).await?;
        log.sort();
        assert_eq!(log, records, "{change}");
    }
    let rows = "SELECT CONCAT_WS(' ', id, realm_code, town_number) FROM street ORDER BY id; \
                SELECT CONCAT_WS(' ', id, IFNULL(street_realm, 'none')) FROM house ORDER BY id";
    assert_eq!(client(db, rows).await?, "1 11 1\n2 20 2\n1 none\n2 20\n");
    Ok(())
}

async fn delete_that_fails_leaves_no_record(db: &TestDb) -> TestResult {
    tables(db).await?;
    client(db, FILL).await?;
    client(
        db,
        "CREATE TABLE holder (id INT PRIMARY KEY, node_id INT, FOREIGN KEY (node_id) REFERENCES node (id)); \
         INSERT INTO holder VALUES (1, 1001)",
    )
    .await?;
    taken(db).await?;
    assert!(client(db, "DELETE FROM root WHERE id = 1").await.is_err());
    assert_eq!(taken(db).await?, [""; 0]);
    Ok(())
}

async fn without_foreign_key_checks_nothing_follows(db: &TestDb) -> TestResult {
    tables(db).await?;
    client(db, FILL).await?;
    client(
        db,
        "SET foreign_key_checks = 0; DELETE FROM root WHERE id = 1; UPDATE root SET id = 9",
    )
    .await?;
    replayed(db).await
}

async fn foreign_keys_that_come_later_need_the_triggers_anew(db: &TestDb) -> TestResult {
    let triggers = AuditTriggers::of::<root::Entity>();
    db.execute_unprepared("CREATE TABLE root (id INT PRIMARY KEY, note INT)")
        .await?;
    triggers.create(&db.conn).await?;
    assert_eq!(differences(triggers, &db.conn).await?, [""; 0]);
    db.execute_unprepared(
        "CREATE TABLE branch (id INT PRIMARY KEY, root_id INT, other_id INT, CONSTRAINT up \
         FOREIGN KEY (root_id) REFERENCES root (id) ON DELETE CASCADE)",
    )
    .await?;
    assert_eq!(
        differences(triggers, &db.conn).await?,
        ["sea_orm_audit_cascade_delete_root"]
    );
    triggers.recreate(&db.conn).await?;
    assert_eq!(differences(triggers, &db.conn).await?, [""; 0]);
    db.execute_unprepared("ALTER TABLE branch DROP FOREIGN KEY up")
        .await?;
    assert_eq!(
        differences(triggers, &db.conn).await?,
        ["sea_orm_audit_cascade_delete_root"]
    );
    triggers.recreate(&db.conn).await?;
    assert_eq!(differences(triggers, &db.conn).await?, [""; 0]);
    Ok(())
}

async fn table_or_a_column_that_is_gone_stops_no_delete(db: &TestDb) -> TestResult {
    tables(db).await?;
    client(db, FILL).await?;
    taken(db).await?;
    client(
        db,
        "ALTER TABLE leaf DROP COLUMN note; DELETE FROM root WHERE id = 1",
    )
    .await?;
    let records = db.records().await?;
    let leaves: Vec<_> = (records.iter())
        .filter(|record| record.model.as_deref() == Some("leaf"))
        .collect();
    assert_eq!(leaves.len(), 2, "{records:#?}");
    client(
        db,
        "ALTER TABLE root RENAME COLUMN id TO number; UPDATE root SET number = 3",
    )
    .await?;
    client(
        db,
        "DELETE FROM root; ALTER TABLE root RENAME COLUMN number TO id",
    )
    .await?;
    client(
        db,
        "DELETE FROM node; DELETE FROM middle; DELETE FROM branch; DELETE FROM leaf",
    )
    .await?;
    taken(db).await?;
    client(
        db,
        FILL.replace(
            "INTO leaf VALUES (100, 10, 1), (101, 12, 1), (102, 10, NULL)",
            "INTO leaf VALUES (1, 10)",
        )
        .as_str(),
    )
    .await?;
    client(db, "DROP TABLE leaf; DELETE FROM root").await?;
    assert_eq!(client(db, "SELECT COUNT(*) FROM root").await?, "0\n");
    let nodes = (db.records().await?.into_iter())
        .filter(|record| record.action == "DELETE" && record.model.as_deref() == Some("node"));
    assert_eq!(nodes.count(), 4);
    Ok(())
}

async fn tables_in_a_circle_are_followed(db: &TestDb) -> TestResult {
    client(
        db,
        "CREATE TABLE egg (id INT PRIMARY KEY, hen_id INT); \
         CREATE TABLE hen (id INT PRIMARY KEY, egg_id INT, \
         FOREIGN KEY (egg_id) REFERENCES egg (id) ON DELETE CASCADE); \
         ALTER TABLE egg ADD FOREIGN KEY (hen_id) REFERENCES hen (id) ON DELETE CASCADE",
    )
    .await?;
    AuditTriggers::of::<egg::Entity>().create(&db.conn).await?;
    AuditTriggers::of::<hen::Entity>().create(&db.conn).await?;
    client(
        db,
        "INSERT INTO egg VALUES (1, NULL); INSERT INTO hen VALUES (1, 1); INSERT INTO egg VALUES (2, 1); \
         INSERT INTO hen VALUES (2, 2); INSERT INTO egg VALUES (3, 2); UPDATE egg SET hen_id = 2 WHERE id = 1; \
         INSERT INTO egg VALUES (9, NULL)",
    )
    .await?;
    taken(db).await?;
    client(db, "DELETE FROM egg WHERE id = 1").await?;
    let mut log = taken(db).await?;
    log.sort();
    let ids: Vec<_> = log.iter().map(|line| &line[..12]).collect();
    assert_eq!(
        ids,
        [
            "DELETE egg 1",
            "DELETE egg 2",
            "DELETE egg 3",
            "DELETE hen 1",
            "DELETE hen 2"
        ]
    );
    Ok(())
}
