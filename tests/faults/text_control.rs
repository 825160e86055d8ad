//! Transactions that the application begins and ends by text, on a pool of one connection: the log neither commits them
//! nor fails in them.

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait};
use sea_orm_audit::config::StatementPolicy;
use sea_orm_audit::entity::audit_system_event;
use sea_orm_audit::{Actor, AuditConfig, AuditError, AuditedConnection};

use crate::entities::items;
use crate::log_check::Table;
use crate::oracle::reports;
use crate::played::{On, Step, play};
use crate::support::{TestDb, TestResult, poll_and_drop};

on_every_database! {
    begin_and_rollback_by_text,
    begin_and_commit_by_text,
    statement_that_fails_after_begin_by_text,
    uncaptured_statement_after_begin_by_text,
    clones_know_of_begin_by_text,
    denied_write_after_begin_by_text,
    begin_write_and_commit_in_one_text,
    text_that_fails_after_its_commit_ends_the_transaction,
    text_that_fails_before_its_commit_leaves_the_transaction_open,
    text_that_is_dropped_leaves_later_writes_recorded,
}

mod only_sqlite {
    crate::support::tests_on! { sqlite: savepoint_by_text_begins_a_transaction }
}

mod only_postgres {
    crate::support::tests_on! { postgres: savepoints_and_chains_by_text }
}

mod only_mariadb {
    crate::support::tests_on! { mariadb:
        autocommit_that_is_switched_off,
        last_insert_id_stays_beside_a_report,
    }
}

const ITEM: Table = Table::of("item");
const CONTROLLED: &str = "the application controls the transaction by text";

async fn plays(db: &TestDb, steps: &[Step<'_>]) -> TestResult<Vec<String>> {
    play(db, On::Connection, &[ITEM], items(db.backend(), 4), steps).await
}

async fn begin_and_rollback_by_text(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared("BEGIN"),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Unprepared("DELETE FROM item WHERE id = 3"),
        Step::Unprepared("ROLLBACK"),
        // From here on each statement is a transaction with its record again.
        Step::Executed("UPDATE item SET p = 6 WHERE id = 2"),
    ];
    let reports = plays(db, &steps).await?;
    assert!(reports.is_empty(), "rolled back, too: {reports:?}");
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}

async fn begin_and_commit_by_text(db: &TestDb) -> TestResult {
    let begin = match db.backend() {
        DbBackend::Sqlite => "/* now */ BEGIN IMMEDIATE",
        _ => "START TRANSACTION",
    };
    let steps = [
        Step::Unprepared(begin),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Executed("INSERT INTO item (code, p) VALUES ('n', 1)"),
        Step::Unprepared("COMMIT"),
        Step::Executed("DELETE FROM item WHERE id = 2"),
    ];
    let reports = plays(db, &steps).await?;
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(
        reports.iter().all(|r| r.contains(CONTROLLED)),
        "{reports:?}"
    );
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}

async fn statement_that_fails_after_begin_by_text(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared("BEGIN"),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Executed("INSERT INTO item (id, code, p) VALUES (2, 'n', 1)"),
        Step::Executed("UPDATE item SET p = 51 WHERE id = 2"),
        Step::Unprepared("COMMIT"),
        Step::Executed("UPDATE item SET p = 52 WHERE id = 3"),
    ];
    plays(db, &steps).await?;
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}

/// The report of an unparsed statement begins no transaction either.
async fn uncaptured_statement_after_begin_by_text(db: &TestDb) -> TestResult {
    let uncaptured = match db.backend() {
        DbBackend::Postgres => "DO $$ BEGIN UPDATE item SET p = 9 WHERE id = 2; END $$",
        DbBackend::MySql => "UPDATE IGNORE item SET p = 9 WHERE id = 2",
        _ => "UPDATE OR IGNORE item SET p = 9 WHERE id = 2",
    };
    let steps = [
        Step::Unprepared("BEGIN"),
        Step::Unprepared("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Unprepared(uncaptured),
        Step::Unprepared("ROLLBACK"),
    ];
    plays(db, &steps).await?;
    assert!(db.records().await?.is_empty());
    Ok(())
}

async fn clones_know_of_begin_by_text(db: &TestDb) -> TestResult {
    for sql in items(db.backend(), 2) {
        db.execute_unprepared(&sql).await?;
    }
    let one = db.another().await?;
    let audited = AuditedConnection::new(one.clone());
    let (clone, bound) = (audited.clone(), audited.as_actor(Actor::user(7)));
    clone.execute_unprepared("BEGIN").await?;
    bound
        .execute_unprepared("UPDATE item SET p = 50 WHERE id = 1")
        .await?;
    audited.execute_unprepared("ROLLBACK").await?;
    let before = ITEM.read(&db.conn).await?;
    bound
        .execute_unprepared("UPDATE item SET p = 60 WHERE id = 1")
        .await?;
    one.close().await?;
    assert_ne!(ITEM.read(&db.conn).await?, before);
    assert_eq!(db.records().await?.len(), 1);
    assert!(reports(db).await?.is_empty());
    Ok(())
}

async fn denied_write_after_begin_by_text(db: &TestDb) -> TestResult {
    for sql in items(db.backend(), 2) {
        db.execute_unprepared(&sql).await?;
    }
    let before = ITEM.read(&db.conn).await?;
    let one = db.another().await?;
    let config = AuditConfig::builder()
        .statement_policy(StatementPolicy::Deny)
        .build()?;
    let audited = AuditedConnection::new(one.clone()).with_config(config);
    audited.execute_unprepared("BEGIN").await?;
    let write = audited.execute_unprepared("UPDATE item SET p = 50 WHERE id = 1");
    let error = write.await.expect_err("it is refused");
    assert!(
        matches!(AuditError::of(&error), Some(AuditError::Refused { .. })),
        "{error}"
    );
    audited.execute_unprepared("COMMIT").await?;
    one.close().await?;
    assert_eq!(ITEM.read(&db.conn).await?, before);
    Ok(())
}

/// A text that ends what it begins leaves no transaction.
async fn begin_write_and_commit_in_one_text(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared("BEGIN; DELETE FROM item WHERE id = 1; COMMIT"),
        Step::Executed("DELETE FROM item WHERE id = 2"),
    ];
    if db.backend() == DbBackend::Sqlite {
        // Its `rows_affected` is the connection's, and the report changes it.
        return Ok(());
    }
    plays(db, &steps).await?;
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}

async fn savepoint_by_text_begins_a_transaction(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared("SAVEPOINT a"),
        Step::Unprepared("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Unprepared("SAVEPOINT b"),
        Step::Executed("UPDATE item SET p = 51 WHERE id = 2"),
        Step::Unprepared("RELEASE b"),
        Step::Executed("UPDATE item SET p = 52 WHERE id = 3"),
        Step::Unprepared("ROLLBACK TO a"),
        Step::Executed("UPDATE item SET p = 53 WHERE id = 3"),
        Step::Unprepared("RELEASE SAVEPOINT a"),
        Step::Executed("UPDATE item SET p = 54 WHERE id = 4"),
    ];
    plays(db, &steps).await?;
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}

async fn savepoints_and_chains_by_text(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared("BEGIN"),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Unprepared("SAVEPOINT a"),
        Step::Executed("UPDATE item SET p = 51 WHERE id = 2"),
        Step::Unprepared("ROLLBACK TO a"),
        Step::Unprepared("COMMIT AND CHAIN"),
        Step::Executed("UPDATE item SET p = 52 WHERE id = 3"),
        Step::Unprepared("ROLLBACK"),
        Step::Executed("UPDATE item SET p = 53 WHERE id = 4"),
    ];
    plays(db, &steps).await?;
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}

async fn autocommit_that_is_switched_off(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared("SET autocommit = 0"),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Unprepared("ROLLBACK"),
        Step::Executed("UPDATE item SET p = 51 WHERE id = 2"),
        Step::Unprepared("COMMIT"),
        Step::Executed("UPDATE item SET p = 52 WHERE id = 3"),
        Step::Unprepared("SET @@session.autocommit = ON"),
        Step::Executed("UPDATE item SET p = 53 WHERE id = 4"),
    ];
    let reports = plays(db, &steps).await?;
    assert!(!reports.is_empty());
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}

async fn last_insert_id_stays_beside_a_report(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared("BEGIN"),
        Step::Executed("INSERT INTO item (code, p) VALUES ('n', 1)"),
        Step::Executed("UPDATE item SET p = LAST_INSERT_ID() WHERE id = 1"),
        Step::Unprepared("COMMIT"),
    ];
    plays(db, &steps).await?;
    Ok(())
}

async fn text_that_fails_after_its_commit_ends_the_transaction(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared("BEGIN; DELETE FROM item WHERE id = 3; COMMIT; SELECT * FROM nope"),
        Step::Executed("UPDATE item SET p = 6 WHERE id = 2"),
    ];
    let reports = plays(db, &steps).await?;
    assert_eq!(reports.len(), 1, "that of the text: {reports:?}");
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}

async fn text_that_fails_before_its_commit_leaves_the_transaction_open(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared("BEGIN; DELETE FROM item WHERE id = 3; SELECT * FROM nope; COMMIT"),
        Step::Executed("UPDATE item SET p = 6 WHERE id = 2"),
        Step::Unprepared("ROLLBACK"),
        Step::Executed("UPDATE item SET p = 6 WHERE id = 1"),
    ];
    plays(db, &steps).await?;
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}

/// The future is dropped at each of its awaits.
async fn text_that_is_dropped_leaves_later_writes_recorded(db: &TestDb) -> TestResult {
    for polls in 1..12 {
        let own = db.sibling().await?;
        for sql in items(db.backend(), 3) {
            own.execute_unprepared(&sql).await?;
        }
        let conn = own.another().await?;
        let audited = AuditedConnection::new(conn.clone());
        let text = "BEGIN; DELETE FROM item WHERE id = 3; COMMIT";
        poll_and_drop(audited.execute_unprepared(text), polls).await;
        audited
            .execute_unprepared("UPDATE item SET p = 6 WHERE id = 2")
            .await?;
        let p = ITEM.read(&conn).await?["2"]["p"].as_i64();
        assert_eq!(p, Some(6));
        let of_item = |record: &&sea_orm_audit::entity::audit_log::Model| {
            record.object_id.as_deref() == Some("2")
        };
        let records = own.records().await?;
        let recorded = records.iter().filter(of_item).count();
        // SQLite's worker may end the text after BEGIN: writes then belong to the application's transaction.
        let is_open =
            db.backend() == DbBackend::Sqlite && conn.execute_unprepared("BEGIN").await.is_err();
        assert_eq!(recorded, usize::from(!is_open), "after {polls} polls");
        if is_open {
            let reported = audit_system_event::Entity::find().all(&conn).await?;
            assert!(!reported.is_empty(), "after {polls} polls");
        }
        conn.close().await?;
        own.remove().await?;
    }
    Ok(())
}
