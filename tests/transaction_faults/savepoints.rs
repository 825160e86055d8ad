//! Nested transactions that are refused or dropped while they begin or end, and raw savepoints inside.

use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, IsolationLevel, TransactionOptions, TransactionTrait,
};
use sea_orm_audit::AuditConfig;

use crate::helpers::{accounts, assert_log_gives_table, numbers, outcome};
use crate::support::{TestDb, TestResult, poll_and_drop};

on_every_database! {
    begin_dropped_midway_leaves_the_transaction_to_its_rollback,
    begin_dropped_midway_leaves_the_transaction_to_its_commit,
    release_dropped_midway_keeps_log_and_table_equal,
    raw_savepoint_inside_a_nested_transaction_keeps_outer_records,
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
