//! Common forms of UPDATE and DELETE: captured, or reported if the policy says so.

use sea_orm::DbBackend;

use crate::entities::items;
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, Outcome};
use crate::support::{TestDb, TestResult};

on_every_database! {
    update_of_a_key_to_a_literal_is_recorded,
    update_of_a_key_in_a_transaction_is_recorded,
    update_of_a_key_by_another_column_is_recorded_or_reported,
    update_of_several_keys_is_recorded_or_reported,
    update_of_a_key_to_one_that_is_there_fails_alike,
    joined_update_of_several_rows_is_recorded_or_reported,
    joined_update_with_several_matches_is_recorded_or_reported,
}

mod only_mariadb {
    crate::support::tests_on! { mariadb:
        delete_with_the_alias_named_first_is_captured,
    }
}

mod only_postgres {
    crate::support::tests_on! { postgres:
        update_of_a_json_element_is_captured,
        update_of_an_array_element_is_captured,
        writes_in_common_table_expressions_are_recorded_or_reported,
        merge_is_recorded_or_reported,
        delete_of_a_parent_with_a_padded_key_records_its_children,
        update_of_a_row_with_a_padded_key_is_recorded,
    }
}

const ITEM: Table = Table::of("item");

async fn three_items(db: &TestDb) -> TestResult<Oracle<'_>> {
    Oracle::new(db, &[ITEM], items(db.backend(), 3)).await
}

async fn update_of_a_key_to_a_literal_is_recorded(db: &TestDb) -> TestResult {
    let oracle = three_items(db).await?;
    oracle
        .executes("UPDATE item SET id = 99 WHERE id = 1")
        .await;
    oracle
        .executes("UPDATE item SET id = 98, p = p + 5 WHERE id = 2")
        .await;
    oracle.recorded().await
}

async fn update_of_a_key_in_a_transaction_is_recorded(db: &TestDb) -> TestResult {
    let oracle = three_items(db).await?;
    oracle
        .in_transaction(&[
            (Call::Execute, "UPDATE item SET id = 99 WHERE id = 1"),
            (Call::Unprepared, "UPDATE item SET p = 5 WHERE id = 99"),
            (Call::Execute, "UPDATE item SET id = 1 WHERE id = 99"),
        ])
        .await?;
    oracle.recorded().await
}

async fn update_of_a_key_by_another_column_is_recorded_or_reported(db: &TestDb) -> TestResult {
    let oracle = three_items(db).await?;
    oracle
        .executes("UPDATE item SET id = 99 WHERE code = 'c1'")
        .await;
    oracle.recorded().await?;
    let own = db.sibling().await?;
    let oracle = three_items(&own).await?;
    oracle
        .executes("UPDATE item SET id = id + 100 WHERE code = 'c2'")
        .await;
    if db.backend() == DbBackend::Postgres {
        // It returns the new key.
        oracle.recorded().await?;
    } else {
        oracle.recorded_or_reported().await?;
    }
    own.remove().await
}

async fn update_of_several_keys_is_recorded_or_reported(db: &TestDb) -> TestResult {
    let oracle = three_items(db).await?;
    oracle.executes("UPDATE item SET id = id + 100").await;
    oracle
        .executes("UPDATE item SET id = 300 - id WHERE id > 101")
        .await;
    oracle.recorded_or_reported().await
}

async fn update_of_a_key_to_one_that_is_there_fails_alike(db: &TestDb) -> TestResult {
    let oracle = three_items(db).await?;
    let sql = "UPDATE item SET id = 2 WHERE id = 1";
    for call in Call::ALL {
        let outcome = oracle.same(call, sql, &[]).await;
        assert!(outcome.is_failure(), "{outcome:?}");
    }
    oracle.recorded().await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

/// Items that are paired with rows of a table that is not audited.
async fn picked(db: &TestDb, picks: &str) -> TestResult<()> {
    let mut setup = items(db.backend(), 4);
    setup.push("CREATE TABLE pick (item_id INTEGER NOT NULL, p INTEGER NOT NULL)".to_owned());
    setup.push(format!("INSERT INTO pick (item_id, p) VALUES {picks}"));
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    let sql = match db.backend() {
        DbBackend::MySql => "UPDATE item JOIN pick ON pick.item_id = item.id SET item.p = pick.p",
        _ => "UPDATE item SET p = pick.p FROM pick WHERE pick.item_id = item.id",
    };
    oracle.executes(sql).await;
    oracle.executes("UPDATE pick SET p = p + 1").await;
    oracle.same(Call::Unprepared, sql, &[]).await;
    if db.backend() == DbBackend::MySql {
        return oracle.recorded_or_reported().await;
    }
    oracle.recorded().await
}

async fn joined_update_of_several_rows_is_recorded_or_reported(db: &TestDb) -> TestResult {
    picked(db, "(3, 30), (1, 10), (4, 40)").await
}

async fn joined_update_with_several_matches_is_recorded_or_reported(db: &TestDb) -> TestResult {
    picked(db, "(3, 30), (3, 31), (1, 10)").await
}

async fn delete_with_the_alias_named_first_is_captured(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 6)).await?;
    for sql in [
        "DELETE a FROM item a WHERE a.p = 2",
        "DELETE item FROM item WHERE p = 3",
        "DELETE a FROM item AS a WHERE a.id > 4",
    ] {
        let outcome = oracle.executes(sql).await;
        assert!(!matches!(
            outcome,
            Outcome::Done {
                rows_affected: 0,
                ..
            }
        ));
    }
    oracle.recorded().await
}

async fn docs(db: &TestDb) -> TestResult<Oracle<'_>> {
    let setup = [
        "CREATE TABLE doc (id SERIAL PRIMARY KEY, data JSONB NOT NULL, tags INTEGER[] NOT NULL)",
        "INSERT INTO doc (data, tags) VALUES ('{\"k\": 1}', '{1,2,3}'), ('{}', '{4,5,6}')",
    ];
    Oracle::new(db, &[Table::of("doc")], setup).await
}

async fn update_of_a_json_element_is_captured(db: &TestDb) -> TestResult {
    let oracle = docs(db).await?;
    oracle
        .executes("UPDATE doc SET data['k'] = '\"v\"' WHERE id = 1")
        .await;
    oracle
        .executes("UPDATE doc SET data['n']['m'] = '[1]'")
        .await;
    oracle.recorded().await
}

async fn update_of_an_array_element_is_captured(db: &TestDb) -> TestResult {
    let oracle = docs(db).await?;
    oracle
        .executes("UPDATE doc SET tags[2] = 20 WHERE id = 1")
        .await;
    oracle
        .executes("UPDATE doc SET tags[1:2] = '{7,8}', data = '{}'")
        .await;
    oracle.recorded().await
}

async fn writes_in_common_table_expressions_are_recorded_or_reported(db: &TestDb) -> TestResult {
    let oracle = three_items(db).await?;
    oracle
        .executes("WITH gone AS (DELETE FROM item WHERE id = 1 RETURNING p) UPDATE item SET p = p + (SELECT p FROM gone)")
        .await;
    let sql =
        "WITH new AS (INSERT INTO item (code, p) VALUES ('n', 1) RETURNING id) SELECT id FROM new";
    oracle.same(Call::QueryOne, sql, &[]).await;
    oracle.recorded_or_reported().await
}

async fn merge_is_recorded_or_reported(db: &TestDb) -> TestResult {
    if !db.has_merge().await? {
        return Ok(());
    }
    let oracle = three_items(db).await?;
    let sql = "MERGE INTO item USING (VALUES ('c1', 9), ('c2', 0), ('n', 7)) AS s (code, p) \
               ON item.code = s.code WHEN MATCHED AND s.p = 0 THEN DELETE \
               WHEN MATCHED THEN UPDATE SET p = s.p \
               WHEN NOT MATCHED THEN INSERT (code, p) VALUES (s.code, s.p)";
    oracle.executes(sql).await;
    oracle.recorded_or_reported().await
}

async fn regions(db: &TestDb) -> TestResult<Oracle<'_>> {
    let setup = [
        "CREATE TABLE region (id CHAR(6) PRIMARY KEY, n INTEGER NOT NULL)",
        "CREATE TABLE city (id INTEGER PRIMARY KEY, region_id CHAR(6) NOT NULL \
         REFERENCES region (id) ON DELETE CASCADE)",
        "INSERT INTO region VALUES ('ab', 1), ('cd', 2), ('filled', 3), ('ef', 4)",
        "INSERT INTO city VALUES (1, 'ab'), (2, 'ab'), (3, 'filled'), (4, 'ef')",
    ];
    Oracle::new(db, &[Table::of("region"), Table::of("city")], setup).await
}

async fn delete_of_a_parent_with_a_padded_key_records_its_children(db: &TestDb) -> TestResult {
    let oracle = regions(db).await?;
    oracle.executes("DELETE FROM region WHERE id = 'ab'").await;
    oracle.executes("DELETE FROM region WHERE n > 2").await;
    oracle.recorded().await
}

async fn update_of_a_row_with_a_padded_key_is_recorded(db: &TestDb) -> TestResult {
    let oracle = regions(db).await?;
    oracle
        .executes("UPDATE region SET n = 5 WHERE id = 'ab'")
        .await;
    oracle.executes("UPDATE region SET n = n + 1").await;
    oracle.executes("UPDATE city SET region_id = 'cd'").await;
    oracle.recorded().await
}
