//! Transactions that the database, or a statement of the application, has ended under the handle.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, QueryFilter, Statement, TransactionTrait};
use sea_orm_audit::config::FailurePolicy;
use sea_orm_audit::{AuditConfig, AuditError, AuditedEntity};

use crate::helpers::{account, accounts, assert_log_gives_table, numbers, outcome, table};
use crate::support::{TestDb, TestResult};

mod only_sqlite {
    crate::support::tests_on!(sqlite:
        report_that_ends_the_transaction_keeps_the_statement_from_running,
        record_that_ends_the_transaction_keeps_the_statement_from_running,
        report_row_of_a_rolled_back_savepoint_is_not_counted_in_again,
    );
}

mod only_postgres {
    crate::support::tests_on!(postgres:
        statement_after_a_raw_commit_has_the_outcome_of_the_bare_one,
        truncate_after_a_raw_commit_is_reported,
        builder_after_a_raw_commit_is_recorded,
    );
}

mod only_mariadb {
    crate::support::tests_on!(mariadb:
        report_that_loses_a_deadlock_keeps_the_statement_from_running,
        lock_wait_timeout_ends_the_transaction_where_the_server_says_so,
        nested_begin_after_an_implicit_commit_has_the_outcome_of_the_bare_one,
    );
}

/// Otherwise the statement would be committed alone, with the records of what was rolled back.
async fn report_that_loses_a_deadlock_keeps_the_statement_from_running(db: &TestDb) -> TestResult {
    accounts(db, 2).await?;
    db.execute_unprepared("CREATE TABLE ballast (id INT AUTO_INCREMENT PRIMARY KEY, n INT)")
        .await?;
    let tx = db.audited().begin().await?;
    tx.execute_unprepared("UPDATE account SET n = 1 WHERE id = 1")
        .await?;
    // The other transaction has more changes, so the database ends this one.
    let other = db.conn.begin().await?;
    for _ in 0..50 {
        other
            .execute_unprepared("INSERT INTO ballast (n) VALUES (1), (2), (3), (4)")
            .await?;
    }
    other
        .execute_unprepared("SELECT * FROM audit_system_event FOR UPDATE")
        .await?;
    let waiting = tokio::spawn(async move {
        other
            .execute_unprepared("UPDATE account SET n = 8 WHERE id = 1")
            .await?;
        other.commit().await
    });
    let uncaptured = "UPDATE IGNORE account SET n = 9 WHERE id = 2";
    let deadlock = tx.execute_unprepared(uncaptured).await;
    assert!(
        outcome(&deadlock).starts_with("Exec 40001"),
        "{}",
        outcome(&deadlock)
    );
    waiting.await??;
    let late = tx.execute_unprepared(uncaptured).await;
    assert!(AuditError::of(&late.unwrap_err()).is_some());
    assert!(tx.commit().await.is_err());
    assert_eq!(numbers(db).await?, [8, 0]);
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

const UNCAPTURED: &str = "CREATE TABLE other (id INTEGER); UPDATE account SET n = 5 WHERE id = 2";

async fn report_that_ends_the_transaction_keeps_the_statement_from_running(
    db: &TestDb,
) -> TestResult {
    accounts(db, 2).await?;
    db.execute_unprepared(
        "CREATE TRIGGER no_event BEFORE INSERT ON audit_system_event \
         BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
    )
    .await?;
    let tx = db.audited().begin().await?;
    tx.execute_unprepared("UPDATE account SET n = 1 WHERE id = 1")
        .await?;
    assert!(tx.execute_unprepared(UNCAPTURED).await.is_err());
    assert!(tx.commit().await.is_err());
    assert_eq!(numbers(db).await?, [0, 0]);
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn record_that_ends_the_transaction_keeps_the_statement_from_running(
    db: &TestDb,
) -> TestResult {
    accounts(db, 2).await?;
    db.execute_unprepared(
        "CREATE TRIGGER no_record BEFORE INSERT ON audit_log \
         BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
    )
    .await?;
    let config = AuditConfig::builder()
        .failure_policy(FailurePolicy::Isolate)
        .build()?;
    let tx = db.audited().with_config(config).begin().await?;
    tx.execute_unprepared("UPDATE account SET n = 1 WHERE id = 1")
        .await?;
    // It cannot be captured, so older records are written before it.
    let uncaptured = "INSERT INTO account (id, n) SELECT 2, 5 WHERE true \
                      ON CONFLICT (id) DO UPDATE SET n = 5";
    assert!(tx.execute_unprepared(uncaptured).await.is_err());
    assert!(tx.commit().await.is_err());
    assert_eq!(numbers(db).await?, [0, 0]);
    Ok(())
}

/// SQLite reuses the ID of a row that was rolled back, perhaps for another event.
async fn report_row_of_a_rolled_back_savepoint_is_not_counted_in_again(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    let uncaptured =
        |name: &str| format!("CREATE TABLE {name} (id INTEGER); UPDATE account SET n = n + 1");
    let tx = db.audited().begin().await?;
    let inner = tx.begin().await?;
    inner.execute_unprepared(&uncaptured("a")).await?;
    inner.rollback().await?;
    tx.execute_unprepared(&uncaptured("b")).await?;
    tx.execute_unprepared(&uncaptured("a")).await?;
    tx.commit().await?;
    let events = db.events().await?;
    let seen: Vec<_> = (events.iter())
        .map(|event| (event.occurrences, event.description.clone()))
        .collect();
    assert_eq!(seen.len(), 2, "{seen:#?}");
    assert!(seen.iter().all(|(times, _)| *times == 1), "{seen:#?}");
    Ok(())
}

async fn statement_after_a_raw_commit_has_the_outcome_of_the_bare_one(db: &TestDb) -> TestResult {
    accounts(db, 3).await?;
    for (sql, written) in [
        ("UPDATE account SET n = 2 WHERE abs(id) = 2", 2),
        (
            "INSERT INTO account (id, n) VALUES (1, 3) ON CONFLICT (id) DO UPDATE SET n = excluded.n",
            1,
        ),
        ("DELETE FROM account WHERE abs(id) = 3", 3),
        // Its condition fails in the read before it, and in itself.
        (
            "UPDATE account SET n = 1 / (id - id) WHERE 1 / (id - id) = 1",
            0,
        ),
    ] {
        let bare = db.conn.begin().await?;
        bare.execute_unprepared("COMMIT; BEGIN").await?;
        let expected = outcome(&bare.execute_unprepared(sql).await);
        bare.rollback().await?;
        let tx = db.audited().begin().await?;
        tx.execute_unprepared("COMMIT").await?;
        let done = tx.execute_unprepared(sql).await;
        assert_eq!(outcome(&done), expected, "{sql}");
        tx.commit().await?;
        assert_log_gives_table(db, 3, sql).await?;
        assert!(
            written == 0
                || table(db)
                    .await?
                    .iter()
                    .all(|(id, _, n)| *id != written || *n > 0)
        );
    }
    Ok(())
}

async fn truncate_after_a_raw_commit_is_reported(db: &TestDb) -> TestResult {
    accounts(db, 2).await?;
    let tx = db.audited().begin().await?;
    tx.execute_unprepared("COMMIT").await?;
    tx.execute_unprepared("TRUNCATE account").await?;
    tx.commit().await?;
    assert_eq!(numbers(db).await?, [0; 0]);
    assert_eq!(db.counted_events().await?.len(), 1);
    Ok(())
}

async fn builder_after_a_raw_commit_is_recorded(db: &TestDb) -> TestResult {
    accounts(db, 2).await?;
    let raise = |n: i32| {
        account::Entity::audited_update_many()
            .col_expr(account::Column::N, Expr::value(n))
            .filter(account::Column::Id.eq(1))
    };
    let tx = db.conn.begin().await?;
    tx.execute_unprepared("COMMIT").await?;
    assert_eq!(raise(5).exec(&tx).await?.rows_affected, 1);
    assert_log_gives_table(db, 2, "committed by itself").await?;
    // Its record fails, so the write is undone.
    db.execute_unprepared("ALTER TABLE audit_log RENAME TO away")
        .await?;
    assert!(raise(6).exec(&tx).await.is_err());
    tx.execute_unprepared("UPDATE account SET n = 7 WHERE id = 2")
        .await?;
    tx.rollback().await?;
    assert_eq!(numbers(db).await?, [5, 7]);
    Ok(())
}

async fn nested_begin_after_an_implicit_commit_has_the_outcome_of_the_bare_one(
    db: &TestDb,
) -> TestResult {
    accounts(db, 2).await?;
    db.execute_unprepared("CREATE TABLE other (id INT)").await?;
    for (n, sql) in [
        "TRUNCATE other",
        "ALTER TABLE other ADD COLUMN n INT",
        "COMMIT",
        "SAVEPOINT mine",
    ]
    .into_iter()
    .enumerate()
    {
        let pool = db.another().await?;
        let bare = pool.begin().await?;
        bare.execute_unprepared(if n == 1 {
            "ALTER TABLE other ADD COLUMN m INT"
        } else {
            sql
        })
        .await?;
        let begun = bare.begin().await;
        let expected = outcome(&begun);
        drop(begun);
        drop(bare);
        pool.close().await?;

        let tx = db.audited().begin().await?;
        tx.execute_unprepared("UPDATE account SET n = n + 1 WHERE id = 1")
            .await?;
        tx.execute_unprepared(sql).await?;
        let begun = tx.begin().await;
        assert_eq!(outcome(&begun), expected, "{sql}");
        assert_eq!(begun.is_ok(), sql == "SAVEPOINT mine", "{sql}");
        drop(begun);
        tx.execute_unprepared("UPDATE account SET n = n + 1 WHERE id = 2")
            .await?;
        tx.commit().await?;
        assert_log_gives_table(db, 2, sql).await?;
    }
    assert_eq!(numbers(db).await?, [4, 4]);
    Ok(())
}

/// With `innodb_rollback_on_timeout` the server ends the transaction; else it goes on without the statement.
async fn lock_wait_timeout_ends_the_transaction_where_the_server_says_so(
    db: &TestDb,
) -> TestResult {
    accounts(db, 3).await?;
    let setting = Statement::from_string(
        DbBackend::MySql,
        "SELECT CAST(@@innodb_rollback_on_timeout AS SIGNED) AS ends",
    );
    let row = db.conn.query_one_raw(setting).await?.ok_or("no setting")?;
    let ends = row.try_get::<i64>("", "ends")? == 1;
    let other = db.conn.begin().await?;
    other
        .execute_unprepared("UPDATE account SET n = 8 WHERE id = 1")
        .await?;
    let tx = db.audited().begin().await?;
    tx.execute_unprepared("SET SESSION innodb_lock_wait_timeout = 1")
        .await?;
    tx.execute_unprepared("UPDATE account SET n = 2 WHERE id = 2")
        .await?;
    let timeout = tx
        .execute_unprepared("UPDATE account SET n = 9 WHERE id = 1")
        .await;
    assert!(outcome(&timeout).contains("HY000"), "{}", outcome(&timeout));
    other.rollback().await?;
    let late = tx
        .execute_unprepared("UPDATE account SET n = 3 WHERE id = 3")
        .await;
    let committed = tx.commit().await;
    assert_eq!((late.is_err(), committed.is_err()), (ends, ends));
    let expected = if ends { [0, 0, 0] } else { [0, 2, 3] };
    assert_eq!(numbers(db).await?, expected);
    assert_log_gives_table(db, 3, "a lock wait timeout").await
}
