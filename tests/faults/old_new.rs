//! Statements whose old and new rows PostgreSQL 18 returns: recorded there, recorded or reported on older servers.
//!
//! One file, because its cases share one comparison of servers.

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use serde_json::json;

use crate::entities::{FAMILY, items, slot_table};
use crate::log_check::Table;
use crate::oracle::{Oracle, reports};
use crate::outcome::Call;
use crate::support::{TestDb, TestResult};

mod postgres {
    crate::support::tests_on! { postgres:
        updates_are_recorded_with_their_old_values,
        update_with_values_and_one_that_fails_are_as_on_a_bare_connection,
        update_by_key_reads_nothing_before_it,
        updates_of_several_keys_are_recorded,
        swapped_keys_are_recorded_under_their_old_keys,
        key_changes_that_other_rows_follow_are_recorded_or_reported,
        updates_of_generated_columns_are_recorded,
        updates_under_before_triggers_are_recorded,
        updates_under_after_triggers_are_recorded_or_reported,
        updates_of_a_partitioned_table_are_recorded,
        upserts_are_recorded_as_creations_and_updates,
        upsert_sent_as_a_text_is_recorded,
        merges_are_recorded,
        merge_by_source_is_recorded,
        merge_sent_as_a_query_is_recorded_or_reported,
        merge_that_deletes_referred_rows_is_recorded_or_reported,
        deletes_are_recorded,
    }
}

const ITEM: Table = Table::of("item");
const SLOT: Table = Table::of("slot");

/// From 18 on everything is recorded, and nothing is reported.
async fn recorded_from_18(oracle: Oracle<'_>) -> TestResult {
    let db = oracle.db;
    if db.postgres_version().await? < 18 {
        return oracle.recorded_or_reported().await;
    }
    oracle.recorded().await?;
    assert_eq!(reports(db).await?, Vec::<String>::new());
    Ok(())
}

async fn six_items(db: &TestDb) -> TestResult<Oracle<'_>> {
    Oracle::new(db, &[ITEM], items(db.backend(), 6)).await
}

/// Runs each statement and then all of them in one transaction.
async fn all(oracle: &Oracle<'_>, statements: &[&str]) -> TestResult {
    for sql in statements {
        oracle.executes(sql).await;
    }
    let calls: Vec<_> = statements.iter().map(|sql| (Call::Execute, *sql)).collect();
    oracle.in_transaction(&calls).await
}

/// Runs statements one after the other from 18 on, and each in its own database before 18: a statement that is only
/// reported there has no record that the next one could start from.
async fn each_is_recorded(
    db: &TestDb,
    table: Table,
    setup: &[String],
    statements: &[&str],
) -> TestResult {
    if db.postgres_version().await? >= 18 {
        let oracle = Oracle::new(db, &[table], setup).await?;
        all(&oracle, statements).await?;
        return recorded_from_18(oracle).await;
    }
    for sql in statements {
        let own = db.sibling().await?;
        let oracle = Oracle::new(&own, std::slice::from_ref(&table), setup).await?;
        oracle.executes(sql).await;
        oracle.recorded_or_reported().await?;
        own.remove().await?;
    }
    Ok(())
}

const UPDATES: [&str; 12] = [
    "UPDATE item SET p = 20 WHERE id = 1",
    "UPDATE item SET p = p + 1 WHERE id > 2",
    "UPDATE item SET p = p + 2 WHERE random() >= 0",
    "UPDATE item SET p = 50 + p WHERE id IN (SELECT id FROM item ORDER BY id LIMIT 2)",
    "UPDATE item SET p = 51 + p WHERE id IN \
     (SELECT id FROM item ORDER BY id DESC LIMIT 2 FOR UPDATE SKIP LOCKED)",
    "UPDATE item AS old SET p = old.p + new.p FROM item AS new WHERE new.id = old.id AND new.id < 4",
    "UPDATE item SET p = o.p FROM (SELECT id, p + 1 AS p FROM item) AS o WHERE o.id = item.id",
    "WITH big AS (SELECT id FROM item WHERE p > 50) \
     UPDATE item SET p = 0 FROM big WHERE big.id = item.id",
    "UPDATE item SET p = p + 3 + (random() * 0)::int, code = NULL WHERE id = 4",
    "UPDATE item SET p = p + 4 WHERE id = 2 -- the end",
    "UPDATE item SET p = p + 5 WHERE id = 2; ",
    "UPDATE item SET p = p + 6 WHERE id = 99 /* the end */",
];

async fn updates_are_recorded_with_their_old_values(db: &TestDb) -> TestResult {
    each_is_recorded(db, ITEM, &items(db.backend(), 6), &UPDATES).await
}

async fn update_with_values_and_one_that_fails_are_as_on_a_bare_connection(
    db: &TestDb,
) -> TestResult {
    let oracle = six_items(db).await?;
    let sql = "UPDATE item SET p = p + $1 WHERE id = $2 OR random() < 0";
    let values = [Value::from(7), Value::from(3)];
    oracle.same(Call::Execute, sql, &values).await;
    let fails = "UPDATE item SET code = 'c1' WHERE random() >= 0";
    let outcome = oracle.same(Call::Execute, fails, &[]).await;
    assert!(outcome.is_failure(), "{outcome:?}");
    recorded_from_18(oracle).await
}

async fn update_by_key_reads_nothing_before_it(db: &TestDb) -> TestResult {
    let oracle = six_items(db).await?;
    let sql = "UPDATE item SET p = 20 WHERE id = 1";
    let raw = Statement::from_string(DbBackend::Postgres, sql);
    let (result, statements) = db.statements_of(oracle.audited.execute_raw(raw)).await;
    assert_eq!(result?.rows_affected(), 1);
    oracle.bare.execute_unprepared(sql).await?;
    let reads = (statements.iter())
        .filter(|sql| sql.contains("FOR NO KEY UPDATE"))
        .count();
    let expected = usize::from(db.postgres_version().await? < 18);
    assert_eq!(reads, expected, "{statements:#?}");
    // The catalogue, the statement and its record.
    assert_eq!(statements.len(), 3 + expected, "{statements:#?}");
    recorded_from_18(oracle).await
}

async fn updates_of_several_keys_are_recorded(db: &TestDb) -> TestResult {
    let statements = [
        "UPDATE item SET id = id + 100 WHERE id > 3",
        "UPDATE item SET id = -id, p = p + 1",
        "UPDATE item SET id = id - 1000 WHERE id = -1",
        "UPDATE item SET (id, code) = (SELECT 7000 - i.id, 'x' || i.id FROM item i WHERE i.id = item.id)",
    ];
    each_is_recorded(db, ITEM, &items(db.backend(), 6), &statements).await
}

async fn swapped_keys_are_recorded_under_their_old_keys(db: &TestDb) -> TestResult {
    let setup = [
        "CREATE TABLE item (id INTEGER PRIMARY KEY DEFERRABLE, code VARCHAR(40), p INTEGER NOT NULL)",
        "INSERT INTO item VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)",
    ];
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    oracle
        .executes("UPDATE item SET id = 3 - id WHERE id < 3")
        .await;
    if db.postgres_version().await? < 18 {
        return oracle.recorded_or_reported().await;
    }
    // Applied one after the other, one record would overwrite the other.
    let mut log: Vec<_> = (db.records().await?.into_iter())
        .map(|record| (record.object_id.unwrap_or_default(), record.changes))
        .collect();
    log.sort_by(|a, b| a.0.cmp(&b.0));
    let swapped = |old: i32| {
        (
            old.to_string(),
            Some(json!({"id": {"old": old, "new": 3 - old}})),
        )
    };
    assert_eq!(log, [swapped(1), swapped(2)]);
    oracle.bare.remove().await
}

async fn key_changes_that_other_rows_follow_are_recorded_or_reported(db: &TestDb) -> TestResult {
    let setup = [
        FAMILY[0],
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL \
         REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE)",
        "INSERT INTO parent VALUES (1, 1), (2, 2)",
        "INSERT INTO child VALUES (1, 1), (2, 2)",
    ];
    let tables = [Table::of("parent"), Table::of("child")];
    let oracle = Oracle::new(db, &tables, setup).await?;
    oracle.executes("UPDATE parent SET id = id + 10").await;
    oracle.recorded_or_reported().await
}

async fn updates_of_generated_columns_are_recorded(db: &TestDb) -> TestResult {
    let setup = [
        "CREATE TABLE slot (id SERIAL PRIMARY KEY, a INTEGER NOT NULL, b INTEGER NOT NULL, \
         n INTEGER GENERATED ALWAYS AS (a * b) STORED)",
        "INSERT INTO slot (a, b) VALUES (1, 2), (3, 4)",
    ];
    each_is_recorded(
        db,
        SLOT,
        &setup.map(str::to_owned),
        &[
            "UPDATE slot SET a = a + 1 WHERE id = 1",
            "UPDATE slot SET b = b + 1 WHERE random() >= 0",
            "INSERT INTO slot (id, a, b) VALUES (1, 5, 5), (8, 6, 6) \
             ON CONFLICT (id) DO UPDATE SET a = excluded.a + slot.a",
        ],
    )
    .await
}

/// A function and a trigger for each row of `item`.
fn trigger(when: &str, body: &str) -> [String; 2] {
    [
        format!(
            "CREATE FUNCTION changes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
        ),
        format!("CREATE TRIGGER changes {when} ON item FOR EACH ROW EXECUTE FUNCTION changes()"),
    ]
}

async fn updates_under_before_triggers_are_recorded(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 6);
    setup.extend(trigger(
        "BEFORE INSERT OR UPDATE",
        "IF NEW.id = 5 THEN RETURN NULL; END IF; NEW.p = NEW.p + 1; RETURN NEW;",
    ));
    let mut statements = UPDATES.to_vec();
    statements.push(
        "INSERT INTO item (id, code, p) VALUES (1, 'n', 1), (5, 'm', 1), (30, 'k', 1) \
         ON CONFLICT (id) DO UPDATE SET p = excluded.p",
    );
    each_is_recorded(db, ITEM, &setup, &statements).await
}

async fn updates_under_after_triggers_are_recorded_or_reported(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 6);
    setup.extend(trigger(
        "AFTER INSERT OR UPDATE OF p",
        "UPDATE item SET code = NEW.p || ' ' || NEW.id WHERE id = NEW.id; RETURN NULL;",
    ));
    for sql in UPDATES {
        let own = db.sibling().await?;
        let oracle = Oracle::new(&own, &[ITEM], setup.clone()).await?;
        oracle.executes(sql).await;
        oracle.recorded_or_reported().await?;
        own.remove().await?;
    }
    Ok(())
}

async fn updates_of_a_partitioned_table_are_recorded(db: &TestDb) -> TestResult {
    let setup = [
        "CREATE TABLE item (id INTEGER PRIMARY KEY, code VARCHAR(40), p INTEGER NOT NULL) \
         PARTITION BY RANGE (id)",
        "CREATE TABLE item_low PARTITION OF item FOR VALUES FROM (0) TO (10)",
        // Its columns are in another order.
        "CREATE TABLE item_high (p INTEGER NOT NULL, code VARCHAR(40), id INTEGER NOT NULL)",
        "ALTER TABLE item ATTACH PARTITION item_high FOR VALUES FROM (10) TO (100)",
        "INSERT INTO item VALUES (1, 'a', 1), (2, 'b', 2), (13, 'c', 3)",
    ];
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    for sql in [
        "UPDATE item SET p = p + 1",
        "UPDATE item SET id = id + 10 WHERE id < 3",
        "INSERT INTO item VALUES (13, 'd', 4), (5, 'e', 5) \
         ON CONFLICT (id) DO UPDATE SET p = item.p + 1, code = excluded.code",
    ] {
        oracle.executes(sql).await;
    }
    recorded_from_18(oracle).await
}

async fn upserts_are_recorded_as_creations_and_updates(db: &TestDb) -> TestResult {
    let update = "ON CONFLICT (code) DO UPDATE SET p = excluded.p + item.p";
    let by_key = "ON CONFLICT (id) DO UPDATE SET p = excluded.p";
    let statements = [
        format!("INSERT INTO item (code, p) VALUES ('c1', 9) {update}"),
        format!("INSERT INTO item (code, p) VALUES ('n1', 9) {update}"),
        format!("INSERT INTO item (code, p) VALUES ('c2', 9), ('n2', 8), (NULL, 7) {update}"),
        format!(
            "INSERT INTO item (code, p) SELECT 'c' || g, g FROM generate_series(5, 9) g {update}"
        ),
        format!("INSERT INTO item (code, p) SELECT code || 'x', p FROM item {update}"),
        format!("INSERT INTO item VALUES (3, 'z', 1), (7000, 'y', 1) {by_key} WHERE item.p < 0"),
        format!("INSERT INTO item VALUES (3, 'z', 2), (7001, 'w', 1) {by_key} -- the end"),
        "INSERT INTO item AS old (code, p) VALUES ('c1', 1), ('n3', 1) \
         ON CONFLICT (code) DO UPDATE SET p = old.p + excluded.p"
            .to_owned(),
        "WITH new AS (SELECT 'c4' AS code) INSERT INTO item (code, p) SELECT code, 1 FROM new \
         ON CONFLICT (code) DO UPDATE SET p = 0"
            .to_owned(),
        "INSERT INTO item (code, p) VALUES ('c1', 1), ('c2', 2), ('n4', 3) \
         ON CONFLICT (code) DO UPDATE SET id = item.id + 500"
            .to_owned(),
        "INSERT INTO item (code, p) VALUES ('c1', 1), ('n5', 3) ON CONFLICT DO NOTHING".to_owned(),
    ];
    let texts: Vec<&str> = statements.iter().map(String::as_str).collect();
    each_is_recorded(db, ITEM, &items(db.backend(), 6), &texts).await
}

async fn upsert_sent_as_a_text_is_recorded(db: &TestDb) -> TestResult {
    let oracle = six_items(db).await?;
    let sql = "INSERT INTO item (code, p) VALUES ('c3', 9), ('n6', 9) \
               ON CONFLICT (code) DO UPDATE SET p = excluded.p + item.p";
    oracle.same(Call::Unprepared, sql, &[]).await;
    oracle.recorded().await
}

const MERGE: &str = "MERGE INTO item AS old USING (VALUES ('c1', 9), ('c2', 0), ('c3', 3), ('n', 7)) \
     AS new (code, p) ON old.code = new.code \
     WHEN MATCHED AND new.p = 0 THEN DELETE WHEN MATCHED AND new.p = 3 THEN DO NOTHING \
     WHEN MATCHED THEN UPDATE SET p = new.p + old.p \
     WHEN NOT MATCHED THEN INSERT (code, p) VALUES (new.code, new.p)";

async fn merges_are_recorded(db: &TestDb) -> TestResult {
    if !db.has_merge().await? {
        return Ok(());
    }
    let oracle = six_items(db).await?;
    let ended = format!("{MERGE} -- the end");
    all(
        &oracle,
        &[
            MERGE,
            &ended,
            "WITH s AS (SELECT id, p FROM item WHERE id > 3) MERGE INTO item USING s ON s.id = item.id \
             WHEN MATCHED THEN UPDATE SET id = item.id + 100, p = 1",
            "MERGE INTO item i USING item s ON s.id = i.id AND random() >= 0 \
             WHEN MATCHED AND i.p > 5 THEN UPDATE SET (code, p) = (NULL, s.p + 1)",
            "MERGE INTO item USING (SELECT 1) AS s ON false WHEN NOT MATCHED THEN INSERT VALUES (DEFAULT, NULL)",
            "MERGE INTO item USING (SELECT 1) AS s ON item.id < 0 WHEN MATCHED THEN DELETE;",
        ],
    )
    .await?;
    let sql = "MERGE INTO item USING (SELECT $1::int AS id) AS s ON s.id = item.id WHEN MATCHED THEN DELETE";
    let outcome = oracle.same(Call::Execute, sql, &[Value::from(1)]).await;
    assert!(!outcome.is_failure(), "{outcome:?}");
    let fails = "MERGE INTO item USING (VALUES (3), (3)) AS s (id) ON s.id = item.id \
                 WHEN MATCHED THEN UPDATE SET p = 3";
    let outcome = oracle.same(Call::Execute, fails, &[]).await;
    assert!(outcome.is_failure(), "{outcome:?}");
    recorded_from_18(oracle).await
}

async fn merge_by_source_is_recorded(db: &TestDb) -> TestResult {
    if db.postgres_version().await? < 17 {
        return Ok(());
    }
    let oracle = six_items(db).await?;
    let sql = "MERGE INTO item USING (VALUES (1), (2), (90)) AS s (id) ON s.id = item.id \
               WHEN NOT MATCHED BY SOURCE AND item.id = 6 THEN DELETE \
               WHEN NOT MATCHED BY SOURCE THEN UPDATE SET p = -1 \
               WHEN NOT MATCHED BY TARGET THEN INSERT (id, p) VALUES (s.id, 4)";
    all(&oracle, &[sql]).await?;
    recorded_from_18(oracle).await
}

async fn merge_sent_as_a_query_is_recorded_or_reported(db: &TestDb) -> TestResult {
    if !db.has_merge().await? {
        return Ok(());
    }
    let returning = format!("{MERGE} RETURNING old.id, code");
    for (call, sql) in [
        (Call::QueryAll, MERGE),
        (Call::Unprepared, MERGE),
        (Call::QueryAll, &returning),
        (Call::Execute, &returning),
    ] {
        let own = db.sibling().await?;
        let oracle = six_items(&own).await?;
        oracle.same(call, sql, &[]).await;
        oracle.recorded_or_reported().await?;
        own.remove().await?;
    }
    Ok(())
}

async fn merge_that_deletes_referred_rows_is_recorded_or_reported(db: &TestDb) -> TestResult {
    if !db.has_merge().await? {
        return Ok(());
    }
    let setup = [
        FAMILY[0],
        FAMILY[1],
        "INSERT INTO parent VALUES (1, 1), (2, 2)",
        "INSERT INTO child VALUES (1, 1), (2, 2)",
    ];
    let tables = [Table::of("parent"), Table::of("child")];
    let oracle = Oracle::new(db, &tables, setup).await?;
    oracle
        .executes(
            "MERGE INTO parent USING (VALUES (1), (3)) AS s (id) ON s.id = parent.id \
             WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, 0)",
        )
        .await;
    oracle.recorded_or_reported().await
}

async fn deletes_are_recorded(db: &TestDb) -> TestResult {
    let mut setup = vec![slot_table(db.backend())];
    setup.push("INSERT INTO slot (a, b, n) SELECT g, g, g FROM generate_series(1, 9) g".to_owned());
    let oracle = Oracle::new(db, &[SLOT], setup).await?;
    for sql in [
        "DELETE FROM slot WHERE id = 1",
        "DELETE FROM slot AS old USING slot AS new WHERE new.id = old.id AND new.n = 2",
        "DELETE FROM slot WHERE id IN (SELECT id FROM slot ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)",
        "WITH last AS (SELECT max(id) AS id FROM slot) DELETE FROM slot USING last WHERE last.id = slot.id",
        "DELETE FROM slot WHERE random() >= 0 AND n > 6 -- the end",
    ] {
        oracle.executes(sql).await;
    }
    oracle.recorded().await
}
