//! RETURNING gives exactly the columns that the application named, to queries of every kind.

use sea_orm::{DbBackend, EntityTrait, QueryTrait};

use crate::entities::{item, items};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::Call;
use crate::support::{TestDb, TestResult};

on_every_database! {
    insert_returns_the_named_columns,
    inserts_by_execute_count_as_on_a_bare_connection,
    delete_returns_the_named_columns,
    returned_columns_in_a_transaction_are_the_named_ones,
    builder_statement_sent_as_a_query_returns_its_own_columns,
}

mod sqlite_updates {
    crate::support::tests_on!(sqlite: update_returns_the_named_columns);
}

mod postgres_updates {
    crate::support::tests_on! { postgres:
        update_returns_the_named_columns,
        joined_writes_return_the_named_columns,
    }
}

const ITEM: Table = Table::of("item");

/// Aliases that are names of other columns, repeated names, expressions, and comments after them.
const RETURNED: [&str; 7] = [
    "id",
    "*",
    "p AS id, id AS p",
    "id, id, p",
    "p + 1, p + 1 AS id, code",
    "code /* RETURNING p */",
    "id -- the end",
];

async fn insert_returns_the_named_columns(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    for (round, returned) in RETURNED.iter().enumerate() {
        for call in [Call::QueryAll, Call::QueryOne] {
            let sql = format!(
                "INSERT INTO item (code, p) VALUES ('a{round}{call:?}', 1), ('b{round}{call:?}', 2) \
                 RETURNING {returned}"
            );
            let outcome = oracle.same(call, &sql, &[]).await;
            assert!(!outcome.is_failure(), "{outcome:?}");
        }
    }
    // PostgreSQL and SQLite give no data of rows whose keys are not returned.
    oracle.recorded_or_reported().await
}

async fn inserts_by_execute_count_as_on_a_bare_connection(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    for call in [Call::Execute, Call::Unprepared] {
        for values in ["('a', 1)", "('b', 1), ('c', 2), ('d', 3)"] {
            let values = values.replace("('", &format!("('{call:?}"));
            let insert = format!("INSERT INTO item (code, p) VALUES {values}");
            oracle.same(call, &insert, &[]).await;
            let again = insert.replace("('", "('2");
            oracle
                .same(call, &format!("{again} RETURNING id"), &[])
                .await;
        }
    }
    oracle
        .executes("INSERT INTO item (id, code, p) VALUES (500, 'keyed', 1)")
        .await;
    oracle
        .executes("INSERT INTO item (code, p) SELECT 's', 1 WHERE 1 = 0")
        .await;
    oracle
        .executes("INSERT INTO item (code, p) SELECT 'copy' || id, p FROM item WHERE p < 3")
        .await;
    oracle.recorded().await
}

async fn delete_returns_the_named_columns(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 30)).await?;
    let mut id = 1;
    for returned in RETURNED {
        for call in [Call::QueryAll, Call::QueryOne] {
            // One row at a time: the database chooses the order of several.
            let sql = format!("DELETE FROM item WHERE id = {id} RETURNING {returned}");
            let outcome = oracle.same(call, &sql, &[]).await;
            assert!(!outcome.is_failure(), "{outcome:?}");
            id += 1;
        }
    }
    oracle.recorded().await
}

async fn update_returns_the_named_columns(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    for returned in RETURNED {
        for call in [Call::QueryAll, Call::QueryOne] {
            for condition in ["id = 1", "p < 100"] {
                let sql =
                    format!("UPDATE item SET p = p + 1 WHERE {condition} RETURNING {returned}");
                let outcome = oracle.same(call, &sql, &[]).await;
                assert!(!outcome.is_failure(), "{outcome:?}");
            }
        }
    }
    oracle.recorded().await
}

async fn joined_writes_return_the_named_columns(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 4);
    setup.push("CREATE TABLE pick (item_id INTEGER, p INTEGER)".to_owned());
    setup.push("INSERT INTO pick VALUES (1, 10), (3, 30)".to_owned());
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    for returned in ["*", "pick.p, item.p AS item_id", "item.id"] {
        let sql = format!(
            "UPDATE item SET p = pick.p + item.p FROM pick WHERE pick.item_id = item.id \
             AND item.id = 1 RETURNING {returned}"
        );
        oracle.same(Call::QueryAll, &sql, &[]).await;
    }
    let sql =
        "DELETE FROM item USING pick WHERE pick.item_id = item.id AND item.id = 3 RETURNING *";
    oracle.same(Call::QueryAll, sql, &[]).await;
    oracle.recorded_or_reported().await
}

async fn returned_columns_in_a_transaction_are_the_named_ones(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    oracle
        .in_transaction(&[
            (
                Call::QueryAll,
                "INSERT INTO item (code, p) VALUES ('a', 1), ('b', 2) RETURNING p AS id",
            ),
            (
                Call::QueryOne,
                "INSERT INTO item (code, p) VALUES ('c', 1) RETURNING *",
            ),
            (
                Call::QueryOne,
                "DELETE FROM item WHERE id = 1 RETURNING p, p",
            ),
            (Call::QueryAll, "DELETE FROM item WHERE id = 99 RETURNING p"),
        ])
        .await?;
    // PostgreSQL and SQLite give no data of rows whose keys are not returned.
    oracle.recorded_or_reported().await
}

async fn builder_statement_sent_as_a_query_returns_its_own_columns(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    let row = item::ActiveModel {
        code: sea_orm::Set(Some("built".to_owned())),
        p: sea_orm::Set(5),
        ..Default::default()
    };
    let statement = item::Entity::insert(row).build(db.backend());
    let values = statement
        .values
        .clone()
        .map(|values| values.0)
        .unwrap_or_default();
    let sql = format!("{} RETURNING p, code", statement.sql);
    oracle.same(Call::QueryOne, &sql, &values).await;
    // PostgreSQL and SQLite give no data of rows whose keys are not returned.
    oracle.recorded_or_reported().await
}
