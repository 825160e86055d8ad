//! What is not captured is reported before it runs.

use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};
use sea_orm_audit::AuditStats;

use crate::helpers::{accounts, numbers, poll_and_drop};
use crate::support::{TestDb, TestResult};

on_every_database! {
    uncaptured_statement_that_fails_half_way_is_reported,
    uncaptured_statement_that_is_dropped_is_reported,
}

mod only_postgres {
    crate::support::tests_on!(postgres: uncaptured_statement_dropped_in_a_transaction_is_reported);
}

mod only_mariadb {
    crate::support::tests_on!(mariadb: procedure_that_fails_half_way_is_reported);
}

async fn uncaptured_statement_that_fails_half_way_is_reported(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    let text = "BEGIN; DELETE FROM account; COMMIT; SELECT * FROM nope";
    assert!(db.audited().execute_unprepared(text).await.is_err());
    assert!(numbers(db).await?.is_empty());
    assert_eq!(db.counted_events().await?.len(), 1);
    Ok(())
}

async fn uncaptured_statement_that_is_dropped_is_reported(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    let audited = db.audited();
    let text = "BEGIN; DELETE FROM account; COMMIT";
    let mut events = 0;
    // As soon as it may have run, there is an event.
    for polls in 1..200 {
        poll_and_drop(audited.execute_unprepared(text), polls).await;
        let occurrences: i64 = db.events().await?.iter().map(|event| event.occurrences).sum();
        if numbers(db).await?.is_empty() {
            assert!(occurrences > 0, "after {polls} polls");
            events = occurrences;
            break;
        }
    }
    if events == 0 {
        audited.execute_unprepared(text).await?;
    }
    Ok(())
}

async fn procedure_that_fails_half_way_is_reported(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    db.execute_unprepared(
        "CREATE PROCEDURE half() BEGIN UPDATE account SET n = 5; SELECT * FROM nope; END",
    )
    .await?;
    assert!(db.audited().execute_unprepared("CALL half()").await.is_err());
    assert_eq!(numbers(db).await?, [5]);
    assert_eq!(db.counted_events().await?.len(), 1);
    Ok(())
}

async fn uncaptured_statement_dropped_in_a_transaction_is_reported(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    let holder = db.conn.begin().await?;
    holder.execute_unprepared("SELECT pg_advisory_xact_lock(7)").await?;
    let tx = db.audited().begin().await?;
    let before = AuditStats::now().uncaptured;
    let text = "DO $$ BEGIN UPDATE account SET n = 5; PERFORM pg_advisory_xact_lock(7); END $$";
    {
        let mut blocked = Box::pin(tx.execute_unprepared(text));
        loop {
            let polled = std::future::poll_fn(|context| {
                std::task::Poll::Ready(blocked.as_mut().poll(context).is_ready())
            })
            .await;
            assert!(!polled);
            tokio::task::yield_now().await;
            let waits = holder
                .query_one_raw(sea_orm::Statement::from_string(
                    DbBackend::Postgres,
                    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                ))
                .await?;
            if waits.is_some() {
                break;
            }
        }
    }
    assert!(AuditStats::now().uncaptured > before);
    holder.rollback().await?;
    tx.commit().await?;
    assert_eq!(numbers(db).await?, [5]);
    assert_eq!(db.counted_events().await?.len(), 1);
    Ok(())
}
