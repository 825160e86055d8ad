//! Settings that an application changes for a session or a transaction: the settings of the statement decide what a
//! name means and how rows are numbered.

use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};
use sea_orm_audit::{AuditConfig, AuditedConnection};

use crate::entities::items;
use crate::log_check::Table;
use crate::oracle::{Oracle, reports};
use crate::outcome::{Call, same_on};
use crate::support::{TestDb, TestResult};

mod postgres {
    crate::support::tests_on! { postgres:
        search_path_set_in_a_batch_applies_to_its_next_statement,
        search_path_set_behind_a_comment_applies_to_the_next_statement,
        search_path_set_by_a_write_applies_to_the_next_statement,
        search_path_of_the_first_transaction_is_not_kept,
        strings_that_end_elsewhere_under_a_setting_are_reported,
    }
}

mod mariadb {
    crate::support::tests_on! { mariadb:
        step_of_numbers_of_the_first_transaction_is_not_kept,
        database_of_the_first_connection_is_not_kept,
        strings_that_end_elsewhere_under_a_setting_are_reported,
    }
}

const ITEM: Table = Table::of("item");
const OTHER: Table = Table {
    name: "other.item",
    ..Table::of("item")
};

/// `item`, and another table of that name in a schema that no entity names.
async fn two_items(db: &TestDb) -> TestResult<Oracle<'_>> {
    let mut setup = items(db.backend(), 3);
    setup.push("CREATE SCHEMA other".to_owned());
    setup.push("CREATE TABLE other.item AS SELECT id, code, p + 100 AS p FROM item".to_owned());
    setup.push("CREATE TABLE plain (n TEXT)".to_owned());
    Oracle::new(db, &[ITEM], setup).await
}

/// Runs these texts after an update of `item` in one transaction. All of them write `other.item`: the rows before and
/// after are those of the table that the name then means. Returns their records.
async fn log_of_other_item(db: &TestDb, texts: &[&str]) -> TestResult<Vec<String>> {
    let oracle = two_items(db).await?;
    let (bare, audited) = (oracle.bare.begin().await?, oracle.audited.begin().await?);
    let update = "UPDATE item SET p = 7 WHERE id = 1";
    same_on(&bare, &audited, Call::Execute, update).await;
    for text in texts {
        same_on(&bare, &audited, Call::Unprepared, text).await;
    }
    bare.commit().await?;
    audited.commit().await?;
    assert_eq!(
        OTHER.read(&oracle.bare.conn).await?,
        OTHER.read(&db.conn).await?
    );
    assert_eq!(
        ITEM.read(&oracle.bare.conn).await?,
        ITEM.read(&db.conn).await?
    );
    assert_eq!(reports(db).await?, Vec::<String>::new());
    oracle.bare.remove().await?;
    Ok(db.log().await?.split_off(1))
}

/// The texts are SQL in both readings, and change other rows in each.
async fn strings_that_end_elsewhere_under_a_setting_are_reported(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    let (set, texts) = match db.backend() {
        DbBackend::MySql => (
            "SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')",
            [
                r"DELETE FROM item WHERE code = 'x\' OR id = 1 -- ' OR id = 2",
                r"UPDATE item SET p = p + 1 WHERE code = 'x\' OR id = 2 -- ' OR id = 3",
            ],
        ),
        _ => (
            "SET LOCAL standard_conforming_strings = off",
            [
                r"UPDATE item SET p = p + 1 WHERE code <> 'x\' AND id = 2 --'",
                r"DELETE FROM item WHERE code <> 'x\' AND id = 2 --'",
            ],
        ),
    };
    let (bare, audited) = (oracle.bare.begin().await?, oracle.audited.begin().await?);
    same_on(&bare, &audited, Call::Unprepared, set).await;
    for text in texts {
        let outcome = same_on(&bare, &audited, Call::Execute, text).await;
        assert!(!outcome.is_failure(), "{text}: {outcome:?}");
    }
    bare.commit().await?;
    audited.commit().await?;
    assert_eq!(
        ITEM.read(&oracle.bare.conn).await?,
        ITEM.read(&db.conn).await?
    );
    assert_eq!(reports(db).await?.len(), 2);
    assert!(db.records().await?.is_empty());
    Ok(())
}

const FIRST: &str = "UPDATE item 1 {\"p\":{\"new\":1001,\"old\":101}}";

async fn search_path_set_in_a_batch_applies_to_its_next_statement(db: &TestDb) -> TestResult {
    let batch = "SET LOCAL search_path TO other, public; UPDATE item SET p = 1001 WHERE id = 1; \
                 SET LOCAL search_path TO public, other; UPDATE item SET p = 8 WHERE id = 1; \
                 SET LOCAL search_path TO other, public; UPDATE item SET p = 1002 WHERE id = 1";
    let log = log_of_other_item(db, &[batch, "UPDATE item SET p = 1003 WHERE id = 1"]).await?;
    let expected = [
        FIRST,
        "UPDATE item 1 {\"p\":{\"new\":8,\"old\":7}}",
        "UPDATE item 1 {\"p\":{\"new\":1002,\"old\":1001}}",
        "UPDATE item 1 {\"p\":{\"new\":1003,\"old\":1002}}",
    ];
    assert_eq!(log, expected);
    Ok(())
}

async fn search_path_set_behind_a_comment_applies_to_the_next_statement(db: &TestDb) -> TestResult {
    let update = "UPDATE item SET p = 1001 WHERE id = 1";
    let set = "/* app */ SET LOCAL search_path TO other, public";
    assert_eq!(log_of_other_item(db, &[set, update]).await?, [FIRST]);
    let texts = ["SELECT 1; SET LOCAL search_path TO other, public", update];
    let own = db.sibling().await?;
    assert_eq!(log_of_other_item(&own, &texts).await?, [FIRST]);
    own.remove().await
}

async fn search_path_set_by_a_write_applies_to_the_next_statement(db: &TestDb) -> TestResult {
    let insert = "INSERT INTO plain SELECT set_config('search_path', 'other, public', true)";
    let update = "UPDATE item SET p = 1001 WHERE id = 1";
    assert_eq!(log_of_other_item(db, &[insert, update]).await?, [FIRST]);
    Ok(())
}

async fn search_path_of_the_first_transaction_is_not_kept(db: &TestDb) -> TestResult {
    let oracle = two_items(db).await?;
    let config = AuditConfig::builder().table_schema("public");
    let mut oracle = oracle.configured(config)?;
    oracle
        .in_transaction(&[
            (Call::Execute, "SET LOCAL search_path TO other"),
            (Call::Execute, "UPDATE other.item SET p = 1 WHERE id = 1"),
        ])
        .await?;
    assert!(db.log().await?.iter().all(|line| line.contains("item 1 ")));
    oracle.forget().await?;
    oracle
        .executes("UPDATE public.item SET p = 8 WHERE id = 1")
        .await;
    oracle
        .in_transaction(&[
            (Call::Execute, "SET LOCAL search_path TO other"),
            // In every other transaction it is the entity's table.
            (Call::Execute, "UPDATE public.item SET p = 9 WHERE id = 2"),
        ])
        .await?;
    assert_eq!(reports(db).await?, Vec::<String>::new());
    oracle.recorded().await
}

async fn step_of_numbers_of_the_first_transaction_is_not_kept(db: &TestDb) -> TestResult {
    let mut oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    let (bare, conn) = (oracle.bare.another().await?, db.another().await?);
    oracle.audited = AuditedConnection::new(conn.clone());
    for sql in [
        "SET SESSION auto_increment_increment = 5",
        "INSERT INTO item (code, p) VALUES ('a', 1), ('b', 2), ('c', 3)",
        "SET SESSION auto_increment_increment = 1",
        "INSERT INTO item (code, p) VALUES ('d', 1), ('e', 2), ('f', 3)",
        "INSERT INTO item (code, p) SELECT code, p FROM (SELECT 'g' AS code, 4 AS p UNION SELECT 'h', 5) s",
        "SET SESSION auto_increment_increment = 7",
        "INSERT INTO item (code, p) VALUES ('i', 1), ('k', 2)",
    ] {
        same_on(&bare, &oracle.audited, Call::Execute, sql).await;
    }
    let (plain_tx, tx) = (bare.begin().await?, oracle.audited.begin().await?);
    for sql in [
        "INSERT INTO item (code, p) VALUES ('l', 1), ('m', 2)",
        "SET SESSION auto_increment_increment = 2",
        "INSERT INTO item (code, p) VALUES ('n', 1), ('o', 2), ('p', 2)",
    ] {
        same_on(&plain_tx, &tx, Call::Execute, sql).await;
    }
    plain_tx.commit().await?;
    tx.commit().await?;
    bare.close().await?;
    conn.close().await?;
    assert_eq!(reports(db).await?, Vec::<String>::new());
    oracle.recorded().await
}

/// A name with a database is compared with the database that the connection uses at that time.
async fn database_of_the_first_connection_is_not_kept(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    let name = |row: Option<sea_orm::QueryResult>| -> TestResult<String> {
        Ok(row.ok_or("no name")?.try_get_by_index(0)?)
    };
    let ask = || sea_orm::Statement::from_string(db.backend(), "SELECT DATABASE()");
    let (bare_name, own_name) = (
        name(oracle.bare.query_one_raw(ask()).await?)?,
        name(db.query_one_raw(ask()).await?)?,
    );
    let beside = format!("{own_name}_beside");
    db.execute_unprepared(&format!("CREATE DATABASE {beside}"))
        .await?;
    db.execute_unprepared(&format!(
        "CREATE TABLE {beside}.item AS SELECT id, code, p + 100 AS p FROM item"
    ))
    .await?;
    let conn = db.another().await?;
    let audited = AuditedConnection::new(conn.clone());
    audited.execute_unprepared(&format!("USE {beside}")).await?;
    // The first statement that reads the name of the database.
    audited
        .execute_unprepared("UPDATE item SET p = 50 WHERE id = 99")
        .await?;
    audited
        .execute_unprepared(&format!("USE {own_name}"))
        .await?;
    let update = |name: &str| format!("UPDATE {name}.item SET p = 60 WHERE id = 1");
    audited.execute_unprepared(&update(&own_name)).await?;
    audited.execute_unprepared(&update(&beside)).await?;
    oracle.bare.execute_unprepared(&update(&bare_name)).await?;
    conn.close().await?;
    db.execute_unprepared(&format!("DROP DATABASE {beside}"))
        .await?;
    assert_eq!(db.log().await?.len(), 1, "{:#?}", db.log().await?);
    oracle.recorded().await
}
