//! Nested transactions that are refused or dropped while they begin or end, and raw savepoints inside.

use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, IsolationLevel, TransactionOptions, TransactionSession,
    TransactionTrait,
};
use sea_orm_audit::AuditConfig;

use crate::helpers::{accounts, assert_log_gives_table, numbers, outcome};
use crate::support::{TestDb, TestResult, poll_and_drop};

on_every_database! {
    begin_dropped_midway_leaves_the_transaction_to_its_rollback,
    begin_dropped_midway_leaves_the_transaction_to_its_commit,
    release_dropped_midway_keeps_log_and_table_equal,
    raw_savepoint_inside_a_nested_transaction_keeps_outer_records,
    raw_savepoint_around_a_nested_transaction_commits_nothing,
    options_of_a_nested_begin_have_the_outcome_of_the_bare_call,
}

mod only_postgres {
    crate::support::tests_on!(postgres: begin_refused_after_an_error_leaves_the_transaction);
}

const MOST_POLLS: usize = 6;

async fn begin_dropped_midway_leaves_the_transaction_to_its_rollback(db: &TestDb) -> TestResult {
    accounts(db, 2).await?;
    for polls in 1..=MOST_POLLS {
        let tx = db.audited().begin().await?;
        tx.execute_unprepared("UPDATE account SET n = 1 WHERE id = 1")
            .await?;
        poll_and_drop(tx.begin(), polls).await;
        tx.execute_unprepared("UPDATE account SET n = 2 WHERE id = 2")
            .await?;
        tx.rollback().await?;
        assert_eq!(numbers(db).await?, [0, 0], "after {polls} polls");
        assert!(db.log().await?.is_empty());
    }
    Ok(())
}

async fn begin_dropped_midway_leaves_the_transaction_to_its_commit(db: &TestDb) -> TestResult {
    accounts(db, 2).await?;
    for polls in 1..=MOST_POLLS {
        let n = i32::try_from(polls)?;
        let tx = db.audited().begin().await?;
        tx.execute_unprepared(&format!("UPDATE account SET n = {n} WHERE id = 1"))
            .await?;
        let done = poll_and_drop(tx.begin(), polls).await.is_some();
        tx.execute_unprepared(&format!("UPDATE account SET n = {n} WHERE id = 2"))
            .await?;
        tx.commit().await?;
        let expected = if done {
            "the handle was dropped, too"
        } else {
            ""
        };
        assert_eq!(numbers(db).await?, [n, n], "after {polls} polls {expected}");
        assert_log_gives_table(db, 2, "").await?;
    }
    Ok(())
}

async fn release_dropped_midway_keeps_log_and_table_equal(db: &TestDb) -> TestResult {
    accounts(db, 2).await?;
    for polls in 1..=MOST_POLLS {
        let n = i32::try_from(polls)?;
        let tx = db.audited().begin().await?;
        tx.execute_unprepared(&format!("UPDATE account SET n = {n} WHERE id = 1"))
            .await?;
        let inner = tx.begin().await?;
        inner
            .execute_unprepared(&format!("UPDATE account SET n = {n} WHERE id = 2"))
            .await?;
        poll_and_drop(inner.commit(), polls).await;
        tx.commit().await?;
        assert_eq!(numbers(db).await?, [n, n], "after {polls} polls");
        assert_log_gives_table(db, 2, "").await?;
    }
    Ok(())
}

async fn raw_savepoint_inside_a_nested_transaction_keeps_outer_records(db: &TestDb) -> TestResult {
    accounts(db, 3).await?;
    let tx = db.audited().begin().await?;
    tx.execute_unprepared("UPDATE account SET n = 1 WHERE id = 1")
        .await?;
    let inner = tx.begin().await?;
    inner.execute_unprepared("SAVEPOINT rs").await?;
    inner
        .execute_unprepared("UPDATE account SET n = 2 WHERE id = 2")
        .await?;
    inner.execute_unprepared("ROLLBACK TO SAVEPOINT rs").await?;
    inner.commit().await?;
    tx.execute_unprepared("UPDATE account SET n = 3 WHERE id = 3")
        .await?;
    tx.commit().await?;
    assert_eq!(numbers(db).await?, [1, 0, 3]);
    assert_log_gives_table(db, 3, "").await
}

/// The savepoint of the nested transaction ends with the raw one before it. SeaORM then refuses COMMIT, and PostgreSQL
/// answers it with ROLLBACK. On MariaDB, SeaORM may have committed a part in spite of the errors.
async fn raw_savepoint_around_a_nested_transaction_commits_nothing(db: &TestDb) -> TestResult {
    for end in ["RELEASE SAVEPOINT raw", "ROLLBACK TO SAVEPOINT raw"] {
        let bare = db.sibling().await?;
        let own = db.sibling().await?;
        for db in [&bare, &own] {
            accounts(db, 3).await?;
        }
        let errors = [
            ends_below(&bare.conn, end).await?,
            ends_below(&own.audited(), end).await?,
        ];
        for error in &errors {
            assert!(
                error.contains("does not exist") || error.contains("no such savepoint"),
                "{error}"
            );
        }
        assert_eq!(numbers(&own).await?, [0, 0, 0], "{end}");
        if db.backend() != DbBackend::MySql {
            assert_eq!(numbers(&bare).await?, [0, 0, 0], "{end}");
        }
        assert_log_gives_table(&own, 3, "").await?;
        bare.remove().await?;
        own.remove().await?;
    }
    Ok(())
}

/// Ends a raw savepoint before the nested transaction inside of it; returns the error of that one's commit.
async fn ends_below<C: TransactionTrait>(db: &C, end: &str) -> TestResult<String>
where
    C::Transaction: ConnectionTrait + TransactionTrait,
{
    let tx = db.begin().await?;
    tx.execute_unprepared("UPDATE account SET n = 1 WHERE id = 1")
        .await?;
    tx.execute_unprepared("SAVEPOINT raw").await?;
    let nested = tx.begin().await?;
    nested
        .execute_unprepared("UPDATE account SET n = 2 WHERE id = 2")
        .await?;
    tx.execute_unprepared(end).await?;
    let error = nested.commit().await.err().ok_or("the savepoint is gone")?;
    // Whether these are accepted differs; neither has an effect.
    let _ = tx
        .execute_unprepared("UPDATE account SET n = 3 WHERE id = 3")
        .await;
    let _ = tx.commit().await;
    Ok(error.to_string())
}

/// sqlx would roll the transaction back, and the handle then commit each statement by itself.
async fn begin_refused_after_an_error_leaves_the_transaction(db: &TestDb) -> TestResult {
    accounts(db, 2).await?;
    let tx = db.audited().begin().await?;
    tx.execute_unprepared("UPDATE account SET n = 1 WHERE id = 1")
        .await?;
    assert!(tx.execute_unprepared("SELECT nope").await.is_err());
    let refused = tx.begin().await;
    assert!(
        outcome(&refused).starts_with("Query 25P02"),
        "{}",
        outcome(&refused)
    );
    let late = tx
        .execute_unprepared("UPDATE account SET n = 2 WHERE id = 2")
        .await;
    assert!(outcome(&late).contains("25P02"), "{}", outcome(&late));
    tx.rollback().await?;
    assert_eq!(numbers(db).await?, [0, 0]);
    assert!(db.log().await?.is_empty());
    Ok(())
}

async fn options_of_a_nested_begin_have_the_outcome_of_the_bare_call(db: &TestDb) -> TestResult {
    accounts(db, 2).await?;
    for (level, mode) in [
        (Some(IsolationLevel::Serializable), None),
        (None, Some(AccessMode::ReadOnly)),
        (None, Some(AccessMode::ReadWrite)),
        (
            Some(IsolationLevel::ReadCommitted),
            Some(AccessMode::ReadOnly),
        ),
    ] {
        let options = || TransactionOptions {
            isolation_level: level,
            access_mode: mode,
            ..TransactionOptions::default()
        };
        let bare = db.conn.begin().await?;
        let begun = bare.begin_with_options(options()).await;
        let written = match &begun {
            Ok(inner) => Some(outcome(
                &inner.execute_unprepared("UPDATE account SET n = n").await,
            )),
            Err(_) => None,
        };
        let expected = (outcome(&begun), written);
        drop(begun);
        drop(bare);
        let tx = db.audited().begin().await?;
        tx.execute_unprepared("UPDATE account SET n = n + 1 WHERE id = 1")
            .await?;
        let begun = tx.begin_with_options(options()).await;
        let written = match &begun {
            Ok(inner) => Some(outcome(
                &inner.execute_unprepared("UPDATE account SET n = n").await,
            )),
            Err(_) => None,
        };
        assert_eq!((outcome(&begun), written), expected, "{level:?} {mode:?}");
        drop(begun);
        tx.commit().await?;
        assert_log_gives_table(db, 2, "").await?;
    }
    Ok(())
}
