//! A single write outside of a transaction: its errors are those of the bare statement.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::helpers::{accounts, numbers, outcome};
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on!(sqlite: error_of_a_deferred_constraint_has_the_variant_of_the_call);
}
mod postgres {
    crate::support::tests_on!(postgres: error_of_a_deferred_constraint_has_the_variant_of_the_call);
}

async fn error_of_a_deferred_constraint_has_the_variant_of_the_call(db: &TestDb) -> TestResult {
    db.execute_unprepared("CREATE TABLE owner (id INTEGER PRIMARY KEY)")
        .await?;
    let id = match db.backend() {
        DbBackend::Sqlite => "INTEGER PRIMARY KEY",
        _ => "SERIAL PRIMARY KEY",
    };
    db.execute_unprepared(&format!(
        "CREATE TABLE account (id {id}, email TEXT, \
         n INTEGER REFERENCES owner (id) DEFERRABLE INITIALLY DEFERRED)"
    ))
    .await?;
    let audited = db.audited();
    let statement = |sql: &str| Statement::from_string(db.backend(), sql);
    let insert = "INSERT INTO account (n) VALUES (1)";
    let returning = "INSERT INTO account (n) VALUES (1) RETURNING id";
    let mut expected = [
        outcome(&db.execute_raw(statement(insert)).await),
        outcome(&db.execute_unprepared(insert).await),
        outcome(&db.query_one_raw(statement(returning)).await),
        outcome(&db.query_all_raw(statement(returning)).await),
    ];
    let mut seen = [
        outcome(&audited.execute_raw(statement(insert)).await),
        outcome(&audited.execute_unprepared(insert).await),
        outcome(&audited.query_one_raw(statement(returning)).await),
        outcome(&audited.query_all_raw(statement(returning)).await),
    ];
    if db.backend() == DbBackend::Sqlite {
        // sqlx stops at the first row, before the COMMIT that fails: nothing is inserted, and the bare call reports
        // nothing.
        assert_eq!(expected[2], "ok");
        expected[2] = expected[3].clone();
        assert_eq!(seen[2], seen[3]);
        seen[2] = seen[3].clone();
    }
    assert_eq!(seen, expected);
    assert!(seen[0].starts_with("Exec"), "{seen:?}");
    assert!(numbers(db).await?.is_empty());
    assert!(db.log().await?.is_empty());
    Ok(())
}
