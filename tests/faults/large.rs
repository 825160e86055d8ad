//! Statements with many rows, many values or long texts: each runs whole and once.

use sea_orm::sea_query::Expr;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement, Value};
use sea_orm_audit::{AuditConfig, AuditedEntity};

use crate::entities::{item, item_table, items};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, Outcome};
use crate::support::{TestDb, TestResult};

on_every_database! {
    update_from_its_own_table_in_small_chunks_sets_the_same_values,
    update_from_its_own_table_in_a_transaction_sets_the_same_values,
    update_of_six_thousand_rows_from_their_average_sets_the_same_values,
    delete_by_a_subquery_on_its_own_table_deletes_the_same_rows,
    long_insert_with_returning_and_comment_inserts_all_rows,
    update_with_all_placeholders_of_more_rows_than_a_chunk_succeeds,
    update_with_all_but_one_placeholder_of_more_rows_than_a_chunk_succeeds,
    delete_with_all_placeholders_of_more_rows_than_a_chunk_succeeds,
    insert_from_a_union_of_20_000_arms_ends_as_on_a_bare_connection,
    update_with_a_condition_of_20_000_terms_ends_as_on_a_bare_connection,
    bulk_builder_update_from_its_own_table_sets_the_same_values,
}

mod only_mariadb {
    crate::support::tests_on! { mariadb:
        unprepared_texts_are_not_prepared,
        record_beyond_the_servers_packet_is_written_without_values,
    }
}

const ITEM: Table = Table::of("item");

async fn hundred_items(db: &TestDb, rows: usize) -> TestResult<Oracle<'_>> {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), rows)).await?;
    oracle.configured(AuditConfig::builder().chunk_rows(30).buffered_records(16))
}

async fn update_from_its_own_table_in_small_chunks_sets_the_same_values(db: &TestDb) -> TestResult {
    let oracle = hundred_items(db, 101).await?;
    oracle
        .executes("UPDATE item SET p = p - (SELECT AVG(p) FROM item)")
        .await;
    oracle
        .executes("UPDATE item SET p = p + (SELECT MAX(p) FROM item) WHERE p > -40")
        .await;
    oracle.recorded().await
}

async fn update_from_its_own_table_in_a_transaction_sets_the_same_values(
    db: &TestDb,
) -> TestResult {
    let oracle = hundred_items(db, 101).await?;
    let sql = "UPDATE item SET p = p + (SELECT COUNT(*) FROM item AS i WHERE i.p > item.p)";
    oracle
        .in_transaction(&[
            (
                Call::Execute,
                "UPDATE item SET p = p - (SELECT AVG(p) FROM item)",
            ),
            (Call::Unprepared, sql),
        ])
        .await?;
    oracle.recorded().await
}

async fn update_of_six_thousand_rows_from_their_average_sets_the_same_values(
    db: &TestDb,
) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 6_001)).await?;
    oracle
        .executes("UPDATE item SET p = p - (SELECT AVG(p) FROM item)")
        .await;
    oracle.recorded().await
}

async fn delete_by_a_subquery_on_its_own_table_deletes_the_same_rows(db: &TestDb) -> TestResult {
    let oracle = hundred_items(db, 101).await?;
    oracle
        .executes("DELETE FROM item WHERE p > (SELECT AVG(p) FROM item)")
        .await;
    oracle
        .executes("DELETE FROM item WHERE p < (SELECT AVG(p) FROM item)")
        .await;
    oracle.recorded().await
}

async fn long_insert_with_returning_and_comment_inserts_all_rows(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], [item_table(db.backend())]).await?;
    for (round, call) in Call::ALL.into_iter().enumerate() {
        let rows: Vec<_> = (0..300)
            .map(|n| format!("('code {round} {n}', {n})"))
            .collect();
        let sql = format!(
            "INSERT INTO item (code, p) VALUES {} RETURNING id /* x */",
            rows.join(", ")
        );
        let outcome = oracle.same(call, &sql, &[]).await;
        assert!(!outcome.is_failure(), "{outcome:?}");
    }
    oracle.recorded().await
}

/// How many values one statement can carry.
fn placeholders(backend: DbBackend) -> i32 {
    match backend {
        DbBackend::Sqlite => 32_766,
        _ => 65_535,
    }
}

/// Runs `{start} WHERE id IN (..)` with so many values, more than are captured at once.
async fn with_placeholders(db: &TestDb, start: &str, fewer: i32) -> TestResult {
    let oracle = hundred_items(db, 100).await?;
    let values: Vec<Value> = (1..=placeholders(db.backend()) - fewer)
        .map(Into::into)
        .collect();
    let marks: Vec<_> = (1..=values.len())
        .map(|n| match db.backend() {
            DbBackend::Postgres => format!("${n}"),
            _ => "?".to_owned(),
        })
        .collect();
    let sql = format!("{start} WHERE id IN ({})", marks.join(","));
    let outcome = oracle.same(Call::Execute, &sql, &values).await;
    assert!(
        matches!(
            outcome,
            Outcome::Done {
                rows_affected: 100,
                ..
            }
        ),
        "{outcome:?}"
    );
    oracle.recorded().await
}

async fn update_with_all_placeholders_of_more_rows_than_a_chunk_succeeds(
    db: &TestDb,
) -> TestResult {
    with_placeholders(db, "UPDATE item SET p = p + 1", 0).await
}

async fn update_with_all_but_one_placeholder_of_more_rows_than_a_chunk_succeeds(
    db: &TestDb,
) -> TestResult {
    with_placeholders(db, "UPDATE item SET p = p + 1", 1).await
}

async fn delete_with_all_placeholders_of_more_rows_than_a_chunk_succeeds(
    db: &TestDb,
) -> TestResult {
    with_placeholders(db, "DELETE FROM item", 0).await
}

/// A text that a recursive parser takes 20,000 calls deep. The database itself may refuse it.
async fn insert_from_a_union_of_20_000_arms_ends_as_on_a_bare_connection(
    db: &TestDb,
) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], [item_table(db.backend())]).await?;
    let arms: Vec<_> = (0..20_000).map(|n| format!("SELECT 'c{n}', {n}")).collect();
    let sql = format!("INSERT INTO item (code, p) {}", arms.join(" UNION ALL "));
    oracle.same(Call::Execute, &sql, &[]).await;
    oracle.recorded_or_reported().await
}

async fn update_with_a_condition_of_20_000_terms_ends_as_on_a_bare_connection(
    db: &TestDb,
) -> TestResult {
    let oracle = hundred_items(db, 100).await?;
    let terms: Vec<_> = (50..20_050).map(|id| format!("id = {id}")).collect();
    let sql = format!("UPDATE item SET p = p + 1 WHERE {}", terms.join(" OR "));
    oracle.same(Call::Execute, &sql, &[]).await;
    let sql = format!("DELETE FROM item WHERE {}", terms.join(" OR "));
    oracle.same(Call::Unprepared, &sql, &[]).await;
    oracle.recorded_or_reported().await
}

async fn bulk_builder_update_from_its_own_table_sets_the_same_values(db: &TestDb) -> TestResult {
    let oracle = hundred_items(db, 101).await?;
    let sum = Expr::cust("p - (SELECT SUM(i.p) FROM item AS i)");
    let plain = item::Entity::update_many().col_expr(item::Column::P, sum.clone());
    plain.exec(&oracle.bare.conn).await?;
    let config = AuditConfig::builder().chunk_rows(30).build()?;
    let bulk = item::Entity::audited_update_many().col_expr(item::Column::P, sum);
    config.scope(bulk.exec(&db.conn)).await?;
    oracle.recorded().await
}

async fn unprepared_texts_are_not_prepared(db: &TestDb) -> TestResult {
    let pool = db.another().await?;
    let session = "SHOW SESSION STATUS LIKE 'Com_stmt_prepare'";
    let count = async || -> TestResult<String> {
        let row = pool
            .query_all_raw(Statement::from_string(pool.get_database_backend(), session))
            .await?;
        Ok(row[0].try_get_by_index(1)?)
    };
    for sql in items(db.backend(), 300) {
        db.execute_unprepared(&sql).await?;
    }
    let audited = sea_orm_audit::AuditedConnection::new(pool.clone());
    // The first captured statement prepares the statements of the log.
    for n in 0..10 {
        audited
            .execute_unprepared(&format!("UPDATE item SET p = {n} WHERE id = {n}"))
            .await?;
    }
    let before: u64 = count().await?.parse()?;
    for n in 10..300 {
        let outcome = audited
            .execute_unprepared(&format!(
                "UPDATE item SET p = p + {n} WHERE id = {n} AND p < 9{n}"
            ))
            .await?;
        assert_eq!(outcome.rows_affected(), 1, "{n}");
    }
    let after: u64 = count().await?.parse()?;
    assert!(
        after - before < 20,
        "290 unprepared texts made {} prepared statements",
        after - before
    );
    let log = db.log().await?;
    assert!(log.len() >= 290, "{} records", log.len());
    pool.close().await?;
    Ok(())
}

/// At a longer message than `max_allowed_packet` the server closes the connection.
async fn record_beyond_the_servers_packet_is_written_without_values(db: &TestDb) -> TestResult {
    let table =
        "CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, code LONGTEXT NULL, p INT NULL)";
    let rows = "INSERT INTO item (code, p) VALUES ('a', 1), ('b', 2), ('c', 3)";
    let oracle = Oracle::new(db, &[ITEM], [table, rows]).await?;
    // Old and new value together are longer; then each record is short enough, but not two in one message.
    oracle
        .executes("UPDATE item SET code = REPEAT('x', @@max_allowed_packet / 2 + 9) WHERE id = 1")
        .await;
    oracle
        .in_transaction(&[
            (
                Call::Execute,
                "UPDATE item SET code = REPEAT('y', @@max_allowed_packet / 2 + 9), p = 7 WHERE id = 1",
            ),
            (
                Call::Execute,
                "UPDATE item SET code = REPEAT('z', @@max_allowed_packet / 2 + 9) WHERE id = 2",
            ),
            (
                Call::Execute,
                "UPDATE item SET code = REPEAT('z', @@max_allowed_packet / 2 + 9) WHERE id = 3",
            ),
        ])
        .await?;
    let log = db.records().await?;
    assert_eq!(log.len(), 4);
    let unknown = serde_json::json!({"old_unknown": true});
    for (at, record) in log.iter().enumerate() {
        let changes = record.changes.as_ref().ok_or("changes")?;
        let too_long = serde_json::json!({"changes_too_long": true});
        let is_short = at == 1;
        assert_eq!(record.metadata, is_short.then_some(too_long), "{at}");
        assert_eq!(changes["code"] == unknown, is_short, "{at}");
    }
    let changes = log[1].changes.as_ref().ok_or("changes")?;
    assert_eq!(changes["p"], unknown);
    let tables = [
        oracle.read(&oracle.bare.conn).await?,
        oracle.read(&db.conn).await?,
    ];
    assert!(tables[0] == tables[1]);
    Ok(())
}
