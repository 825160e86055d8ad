//! SQLite: statements that fail half way or end the transaction, and a missing log.

use sea_orm::{ConnectionTrait, DbErr, TransactionTrait};
use sea_orm_audit::config::FailurePolicy;
use sea_orm_audit::{AuditConfig, AuditError, AuditStats, AuditedConnection};

use crate::helpers::{accounts, assert_log_gives_table, numbers, outcome};
use crate::support::{TestDb, TestResult};

mod only_sqlite {
    crate::support::tests_on!(sqlite:
        raise_rollback_inside_a_savepoint_ends_the_transaction,
        raise_rollback_before_a_nested_begin_ends_the_transaction,
        raise_rollback_leaves_the_pooled_connection_outside_of_a_transaction,
        raise_fail_in_a_transaction_is_reported,
        raise_ignore_of_a_cascade_in_a_transaction_is_reported,
        raise_fail_outside_of_a_transaction_keeps_what_it_changed,
        missing_audit_table_under_isolate_lets_the_write_commit
    );
}

/// Makes updates to this number fail in this way.
async fn raise(db: &TestDb, how: &str) -> TestResult {
    db.execute_unprepared(&format!(
        "CREATE TRIGGER refuse BEFORE UPDATE ON account WHEN OLD.id = 2 AND NEW.n = 13 \
         BEGIN SELECT RAISE({how}, 'refused'); END"
    ))
    .await?;
    Ok(())
}

fn assert_refused<T>(result: &Result<T, DbErr>) {
    let error = result.as_ref().err().and_then(AuditError::of);
    assert!(
        matches!(error, Some(AuditError::CommitRefused { .. })),
        "{}",
        outcome(result)
    );
}

async fn raise_rollback_inside_a_savepoint_ends_the_transaction(db: &TestDb) -> TestResult {
    accounts(db, 2).await?;
    raise(db, "ROLLBACK").await?;
    let tx = db.audited().begin().await?;
    tx.execute_unprepared("UPDATE account SET n = 1 WHERE id = 1")
        .await?;
    let inner = tx.begin().await?;
    assert!(
        inner
            .execute_unprepared("UPDATE account SET n = 13 WHERE id = 2")
            .await
            .is_err()
    );
    let _ = inner.rollback().await;
    assert_refused(
        &tx.execute_unprepared("UPDATE account SET n = 3 WHERE id = 1")
            .await,
    );
    assert_refused(&tx.commit().await);
    assert_eq!(numbers(db).await?, [0, 0]);
    assert!(db.log().await?.is_empty());
    Ok(())
}

async fn raise_rollback_before_a_nested_begin_ends_the_transaction(db: &TestDb) -> TestResult {
    accounts(db, 2).await?;
    raise(db, "ROLLBACK").await?;
    let tx = db.audited().begin().await?;
    assert!(
        tx.execute_unprepared("UPDATE account SET n = 13 WHERE id = 2")
            .await
            .is_err()
    );
    assert_refused(&tx.begin().await);
    assert_refused(
        &tx.execute_unprepared("UPDATE account SET n = 3 WHERE id = 1")
            .await,
    );
    tx.rollback().await?;
    assert_eq!(numbers(db).await?, [0, 0]);
    assert!(db.log().await?.is_empty());
    Ok(())
}

async fn raise_rollback_leaves_the_pooled_connection_outside_of_a_transaction(
    db: &TestDb,
) -> TestResult {
    accounts(db, 2).await?;
    raise(db, "ROLLBACK").await?;
    let one = db.another().await?;
    let audited = AuditedConnection::new(one.clone());
    let failing = "UPDATE account SET n = 13 WHERE id = 2";
    assert!(audited.execute_unprepared(failing).await.is_err());
    for end in 0..3 {
        let tx = audited.begin().await?;
        assert!(tx.execute_unprepared(failing).await.is_err());
        match end {
            0 => drop(tx),
            1 => tx.rollback().await?,
            _ => assert_refused(&tx.commit().await),
        }
        audited
            .execute_unprepared("UPDATE account SET n = n + 1 WHERE id = 1")
            .await?;
        let tx = audited.begin().await?;
        tx.execute_unprepared("UPDATE account SET n = 50 WHERE id = 1")
            .await?;
        tx.rollback().await?;
        // Another connection can write, and sees what was committed.
        db.execute_unprepared("DELETE FROM account WHERE id = 99")
            .await?;
        assert_eq!(numbers(db).await?, [end + 1, 0]);
    }
    assert_log_gives_table(db, 2, "").await?;
    one.close().await?;
    Ok(())
}

async fn raise_fail_in_a_transaction_is_reported(db: &TestDb) -> TestResult {
    accounts(db, 3).await?;
    raise(db, "FAIL").await?;
    let tx = db.audited().begin().await?;
    let failed = tx.execute_unprepared("UPDATE account SET n = 13").await;
    assert_eq!(outcome(&failed), "Exec 1811 None");
    tx.commit().await?;
    assert_eq!(numbers(db).await?, [13, 0, 0]);
    assert_eq!(
        db.counted_events().await?.len(),
        1,
        "{:?}",
        db.events().await?
    );
    Ok(())
}

/// The foreign key refuses the statement once it is done, and SQLite undoes nothing.
async fn raise_ignore_of_a_cascade_in_a_transaction_is_reported(db: &TestDb) -> TestResult {
    let bare = db.sibling().await?;
    for db in [db, &bare] {
        accounts(db, 3).await?;
        for sql in [
            "CREATE TABLE child (id INTEGER PRIMARY KEY, \
             account INTEGER REFERENCES account (id) ON DELETE CASCADE)",
            "INSERT INTO child VALUES (1, 1)",
            "CREATE TRIGGER keep BEFORE DELETE ON child BEGIN SELECT RAISE(IGNORE); END",
        ] {
            db.execute_unprepared(sql).await?;
        }
    }
    let delete = "DELETE FROM account WHERE id = 1";
    let (in_bare, in_audited) = (bare.conn.begin().await?, db.audited().begin().await?);
    let expected = outcome(&in_bare.execute_unprepared(delete).await);
    let seen = outcome(&in_audited.execute_unprepared(delete).await);
    assert_eq!(seen, expected);
    assert_eq!(
        outcome(&in_audited.commit().await),
        outcome(&in_bare.commit().await)
    );
    assert_eq!(numbers(db).await?, numbers(&bare).await?);
    assert_eq!(numbers(db).await?.len(), 2, "it stays deleted");
    let reports = db.events().await?;
    assert!(!reports.is_empty(), "{reports:?}");
    bare.remove().await
}

async fn raise_fail_outside_of_a_transaction_keeps_what_it_changed(db: &TestDb) -> TestResult {
    let bare = db.sibling().await?;
    for db in [db, &bare] {
        accounts(db, 3).await?;
        raise(db, "FAIL").await?;
    }
    for sql in [
        "UPDATE account SET n = 13",
        "INSERT OR FAIL INTO account (id, n) VALUES (7, 7), (1, 1), (8, 8)",
        "UPDATE account SET nope = 13",
        "INSERT INTO account (id, n) VALUES (9, 9), (1, 1)",
    ] {
        let expected = outcome(&bare.execute_unprepared(sql).await);
        let seen = outcome(&db.audited().execute_unprepared(sql).await);
        assert_eq!(seen, expected, "{sql}");
        assert_eq!(numbers(db).await?, numbers(&bare).await?, "{sql}");
    }
    // The two statements that kept a part have no record, and are reported.
    assert_eq!(
        db.counted_events().await?.len(),
        2,
        "{:?}",
        db.events().await?
    );
    bare.remove().await
}

async fn missing_audit_table_under_isolate_lets_the_write_commit(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    db.execute_unprepared("DROP TABLE audit_log").await?;
    let config = AuditConfig::builder()
        .failure_policy(FailurePolicy::Isolate)
        .build()?;
    let before = AuditStats::now().isolated;
    let tx = db.audited().with_config(config).begin().await?;
    tx.execute_unprepared("UPDATE account SET n = 1").await?;
    tx.commit().await?;
    assert_eq!(numbers(db).await?, [1]);
    assert!(AuditStats::now().isolated > before);
    Ok(())
}
