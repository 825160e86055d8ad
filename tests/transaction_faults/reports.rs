//! Uncaptured statements are reported before they run.

use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};
use sea_orm_audit::AuditStats;

use crate::helpers::{accounts, numbers};
use crate::support::{TestDb, TestResult};

on_every_database! {
    uncaptured_statement_that_fails_half_way_is_reported,
    uncaptured_statement_is_reported_before_it_runs,
}

mod only_postgres {
    crate::support::tests_on!(postgres:
        uncaptured_statement_dropped_in_a_transaction_is_reported,
        transactions_do_not_wait_for_each_others_reports,
    );
}

mod only_mariadb {
    crate::support::tests_on!(mariadb:
        procedure_that_fails_half_way_is_reported,
        transactions_do_not_wait_for_each_others_reports,
    );
}

async fn uncaptured_statement_that_fails_half_way_is_reported(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    let text = "BEGIN; DELETE FROM account; COMMIT; SELECT * FROM nope";
    assert!(db.audited().execute_unprepared(text).await.is_err());
    assert!(numbers(db).await?.is_empty());
    assert_eq!(db.counted_events().await?.len(), 1);
    Ok(())
}

async fn uncaptured_statement_is_reported_before_it_runs(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    let sql = match db.backend() {
        DbBackend::Postgres => "DO $$ BEGIN UPDATE account SET n = 5; END $$",
        DbBackend::MySql => {
            db.execute_unprepared("CREATE PROCEDURE p() BEGIN UPDATE account SET n = 5; END")
                .await?;
            "CALL p()"
        }
        _ => "BEGIN; UPDATE account SET n = 5; COMMIT",
    };
    let statement = sea_orm::Statement::from_string(db.backend(), sql);
    let audited = db.audited();
    let (done, statements) = db.statements_of(audited.execute_raw(statement)).await;
    done?;
    assert_eq!(numbers(db).await?, [5]);
    let position = |text: &str| statements.iter().position(|sql| sql.contains(text));
    let (event, change) = (position("audit_system_event"), position(sql));
    assert!(event.is_some() && event < change, "{statements:#?}");
    Ok(())
}

async fn procedure_that_fails_half_way_is_reported(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    db.execute_unprepared(
        "CREATE PROCEDURE half() BEGIN UPDATE account SET n = 5; SELECT * FROM nope; END",
    )
    .await?;
    assert!(
        db.audited()
            .execute_unprepared("CALL half()")
            .await
            .is_err()
    );
    assert_eq!(numbers(db).await?, [5]);
    assert_eq!(db.counted_events().await?.len(), 1);
    Ok(())
}

async fn uncaptured_statement_dropped_in_a_transaction_is_reported(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    let holder = db.conn.begin().await?;
    holder
        .execute_unprepared("SELECT pg_advisory_xact_lock(7)")
        .await?;
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

/// Only reports outside of transactions are counted in one row: a row that two transactions share would block the
/// second one, and could cause a deadlock between statements that have none.
async fn transactions_do_not_wait_for_each_others_reports(db: &TestDb) -> TestResult {
    accounts(db, 3).await?;
    let (sql, impatient) = match db.backend() {
        DbBackend::Postgres => (
            "UPDATE ONLY account SET n = n + 1 WHERE id = $1",
            "SET lock_timeout = 500",
        ),
        _ => (
            "UPDATE IGNORE account SET n = n + 1 WHERE id = ?",
            "SET SESSION innodb_lock_wait_timeout = 1",
        ),
    };
    let write = |id: i32| {
        sea_orm::Statement::from_sql_and_values(db.backend(), sql, [sea_orm::Value::from(id)])
    };
    let audited = db.audited();
    audited.execute_raw(write(3)).await?;
    let first = audited.begin().await?;
    let second = audited.begin().await?;
    for tx in [&first, &second] {
        tx.execute_unprepared(impatient).await?;
    }
    first.execute_raw(write(1)).await?;
    second.execute_raw(write(2)).await?;
    second.execute_raw(write(2)).await?;
    let inner = second.begin().await?;
    inner.execute_raw(write(2)).await?;
    inner.rollback().await?;
    second.execute_raw(write(2)).await?;
    first.commit().await?;
    second.commit().await?;
    let events = db.events().await?;
    let occurrences: Vec<i64> = events.iter().map(|event| event.occurrences).collect();
    assert_eq!(occurrences, [1, 1, 3], "{events:#?}");
    assert!(
        events
            .iter()
            .all(|event| event.fingerprint == events[0].fingerprint)
    );
    assert_eq!(numbers(db).await?, [1, 3, 1]);
    Ok(())
}
