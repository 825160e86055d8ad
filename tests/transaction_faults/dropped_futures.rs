//! Futures that are dropped while the database executes their statements.

use sea_orm::{AccessMode, ConnectionTrait, DbBackend, Statement, TransactionTrait};
use sea_orm_audit::config::FailurePolicy;
use sea_orm_audit::migration::AuditTriggers;
use sea_orm_audit::{AuditConfig, AuditError, AuditedConnection};

use crate::helpers::{accounts, assert_log_gives_table, numbers, replayed};
use crate::proxied_pool::{behind_proxy, dropped_when_stalled};
use crate::stalling_proxy::Hold;
use crate::support::{TestDb, TestResult, poll_and_drop};

mod only_sqlite {
    crate::support::tests_on!(sqlite:
        dropped_look_for_an_ended_transaction_commits_nothing,
        dropped_write_under_isolate_is_recorded_or_reported,
    );
}

mod only_postgres {
    crate::support::tests_on!(postgres:
        nested_begin_dropped_in_its_options_keeps_the_transaction,
        dropped_write_under_isolate_is_recorded_or_reported,
        dropped_write_keeps_the_transaction_from_committing,
        dropped_write_is_reported_under_isolate,
        dropped_write_of_a_rolled_back_savepoint_is_not_reported,
        dropped_write_is_reported_before_a_raw_commit,
        dropped_flush_is_reported_under_isolate,
    );
}

mod only_mariadb {
    crate::support::tests_on!(mariadb:
        report_dropped_in_its_begin_leaves_the_pool_usable,
        dropped_write_keeps_the_transaction_from_committing,
        dropped_write_is_reported_under_isolate,
        dropped_write_of_a_rolled_back_savepoint_is_not_reported,
        dropped_write_is_reported_before_a_raw_commit,
        dropped_control_statement_leaves_no_trigger_context,
    );
}

/// SeaORM sends SET TRANSACTION after the savepoint.
async fn nested_begin_dropped_in_its_options_keeps_the_transaction(db: &TestDb) -> TestResult {
    accounts(db, 2).await?;
    for writes_more in [false, true] {
        let (pool, proxy) = behind_proxy(db).await?;
        let tx = AuditedConnection::new(pool.clone()).begin().await?;
        tx.execute_unprepared("UPDATE account SET n = n + 1 WHERE id = 1")
            .await?;
        proxy.arm("SET TRANSACTION", Hold::Answer);
        let begin = tx.begin_with_config(None, Some(AccessMode::ReadOnly));
        dropped_when_stalled(&proxy, begin).await;
        proxy.let_go();
        if writes_more {
            tx.execute_unprepared("UPDATE account SET n = n + 1 WHERE id = 2")
                .await?;
        }
        tx.commit().await?;
        assert_log_gives_table(db, 2, "").await?;
        pool.close().await?;
    }
    assert_eq!(numbers(db).await?, [2, 1]);
    Ok(())
}

/// The connection would stay in a transaction, which its next user would never commit.
async fn report_dropped_in_its_begin_leaves_the_pool_usable(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    db.execute_unprepared("CREATE PROCEDURE p() BEGIN UPDATE account SET n = 5; END")
        .await?;
    let (pool, proxy) = behind_proxy(db).await?;
    let audited = AuditedConnection::new(pool.clone());
    proxy.arm("BEGIN", Hold::Answer);
    dropped_when_stalled(&proxy, audited.execute_unprepared("CALL p()")).await;
    proxy.let_go();
    pool.execute_unprepared("UPDATE account SET n = 7").await?;
    assert_eq!(numbers(db).await?, [7]);
    assert_eq!(
        db.counted_events().await?.len(),
        1,
        "it outlives its caller"
    );
    pool.close().await?;
    Ok(())
}

async fn dropped_write_keeps_the_transaction_from_committing(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    let (pool, proxy) = behind_proxy(db).await?;
    let tx = AuditedConnection::new(pool.clone()).begin().await?;
    proxy.arm("SET n = 5", Hold::Answer);
    dropped_when_stalled(&proxy, tx.execute_unprepared("UPDATE account SET n = 5")).await;
    proxy.let_go();
    let refused = tx.commit().await.err().ok_or("it was committed")?;
    assert!(AuditError::of(&refused).is_some(), "{refused}");
    assert_eq!(numbers(db).await?, [0]);
    assert_eq!(db.log().await?, [""; 0]);
    pool.close().await?;
    Ok(())
}

fn isolate() -> TestResult<AuditConfig> {
    Ok(AuditConfig::builder()
        .failure_policy(FailurePolicy::Isolate)
        .build()?)
}

/// The descriptions of the events, which name the statement.
async fn descriptions(db: &TestDb) -> TestResult<Vec<String>> {
    let events = db.events().await?.into_iter();
    Ok(events
        .map(|event| event.description.unwrap_or_default())
        .collect())
}

async fn dropped_write_is_reported_under_isolate(db: &TestDb) -> TestResult {
    accounts(db, 2).await?;
    let (pool, proxy) = behind_proxy(db).await?;
    let audited = AuditedConnection::new(pool.clone()).with_config(isolate()?);
    let tx = audited.begin().await?;
    tx.execute_unprepared("UPDATE account SET n = 1 WHERE id = 1")
        .await?;
    let inner = tx.begin().await?;
    proxy.arm("SET n = 5", Hold::Answer);
    let write = inner.execute_unprepared("UPDATE account SET n = 5 WHERE id = 2");
    dropped_when_stalled(&proxy, write).await;
    proxy.let_go();
    inner.commit().await?;
    tx.commit().await?;
    assert_eq!(numbers(db).await?, [1, 5]);
    assert_eq!(replayed(db, 2).await?, [(1, 1), (2, 0)]);
    let reports = descriptions(db).await?;
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(
        reports[0].contains("UPDATE account SET n = ? WHERE id = ?"),
        "{reports:?}"
    );
    pool.close().await?;
    Ok(())
}

async fn dropped_write_of_a_rolled_back_savepoint_is_not_reported(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    let (pool, proxy) = behind_proxy(db).await?;
    let audited = AuditedConnection::new(pool.clone()).with_config(isolate()?);
    let tx = audited.begin().await?;
    let inner = tx.begin().await?;
    proxy.arm("SET n = 5", Hold::Answer);
    dropped_when_stalled(&proxy, inner.execute_unprepared("UPDATE account SET n = 5")).await;
    proxy.let_go();
    inner.rollback().await?;
    tx.commit().await?;
    assert_eq!(numbers(db).await?, [0]);
    assert_eq!(descriptions(db).await?, [""; 0]);
    pool.close().await?;
    Ok(())
}

async fn dropped_write_is_reported_before_a_raw_commit(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    let (pool, proxy) = behind_proxy(db).await?;
    let audited = AuditedConnection::new(pool.clone()).with_config(isolate()?);
    let tx = audited.begin().await?;
    proxy.arm("SET n = 5", Hold::Answer);
    dropped_when_stalled(&proxy, tx.execute_unprepared("UPDATE account SET n = 5")).await;
    proxy.let_go();
    tx.execute_unprepared("COMMIT").await?;
    assert_eq!(numbers(db).await?, [5]);
    assert_eq!(descriptions(db).await?.len(), 1);
    tx.rollback().await?;
    assert_eq!(descriptions(db).await?.len(), 1);
    pool.close().await?;
    Ok(())
}

/// Whether the buffered records were written is not known. Not on MariaDB either, see below.
async fn dropped_flush_is_reported_under_isolate(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    let (pool, proxy) = behind_proxy(db).await?;
    let config = AuditConfig::builder()
        .failure_policy(FailurePolicy::Isolate)
        .buffered_records(1)
        .build()?;
    let tx = (AuditedConnection::new(pool.clone()).with_config(config))
        .begin()
        .await?;
    proxy.arm("audit_log", Hold::Answer);
    dropped_when_stalled(&proxy, tx.execute_unprepared("UPDATE account SET n = 5")).await;
    proxy.let_go();
    tx.commit().await?;
    assert_eq!(numbers(db).await?, [5]);
    let reports = descriptions(db).await?;
    assert!(
        reports.iter().any(|it| it.contains("records: 1")),
        "{reports:?}"
    );
    pool.close().await?;
    Ok(())
}

/// Dropped at each await. Not on MariaDB: if a PREPARE is dropped, sqlx takes its answer for that of the next
/// statement.
async fn dropped_write_under_isolate_is_recorded_or_reported(db: &TestDb) -> TestResult {
    accounts(db, 1).await?;
    for polls in 1..=10 {
        let before = descriptions(db).await?.len();
        let tx = db.audited().with_config(isolate()?).begin().await?;
        let write = format!("UPDATE account SET n = {polls} WHERE id = 1");
        poll_and_drop(tx.execute_unprepared(&write), polls).await;
        tx.commit().await?;
        let table: Vec<(i32, i32)> = vec![(1, numbers(db).await?[0])];
        let is_reported = descriptions(db).await?.len() > before;
        assert!(
            is_reported || replayed(db, 1).await? == table,
            "after {polls} polls: {:#?}",
            db.log().await?
        );
        // The reset keeps an unrecorded change out of the next comparison.
        db.execute_unprepared("UPDATE account SET n = 0").await?;
        db.forget().await?;
    }
    Ok(())
}

/// SQLite has ended the transaction. The check begins a new one, in which the records of the old one must not be
/// written.
async fn dropped_look_for_an_ended_transaction_commits_nothing(db: &TestDb) -> TestResult {
    accounts(db, 3).await?;
    db.execute_unprepared("UPDATE account SET email = 'taken' WHERE id = 3")
        .await?;
    for polls in 1..=10 {
        let tx = db.audited().begin().await?;
        tx.execute_unprepared("UPDATE account SET n = 1 WHERE id = 1")
            .await?;
        let conflict = "UPDATE OR ROLLBACK account SET email = 'taken' WHERE id = 1";
        assert!(tx.execute_unprepared(conflict).await.is_err());
        let late = "UPDATE account SET n = 2 WHERE id = 2";
        poll_and_drop(tx.execute_unprepared(late), polls).await;
        assert!(tx.execute_unprepared(late).await.is_err(), "{polls} polls");
        assert!(tx.commit().await.is_err(), "{polls} polls");
        assert_eq!(numbers(db).await?, [0, 0, 0], "after {polls} polls");
        assert_eq!(db.log().await?, [""; 0], "after {polls} polls");
    }
    Ok(())
}

mod ledger {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "ledger")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// The next user of the connection would write under this actor.
async fn dropped_control_statement_leaves_no_trigger_context(db: &TestDb) -> TestResult {
    db.create(ledger::Entity).await?;
    AuditTriggers::of::<ledger::Entity>()
        .create(&db.conn)
        .await?;
    let (pool, proxy) = behind_proxy(db).await?;
    let tx = AuditedConnection::new(pool.clone()).begin().await?;
    tx.execute_unprepared("INSERT INTO ledger VALUES (1)")
        .await?;
    // The connection is busy: the statement that removes the context has not been sent when the future is dropped.
    proxy.arm("SELECT 'busy'", Hold::Answer);
    let busy = async {
        let read = Statement::from_string(DbBackend::MySql, "SELECT 'busy'");
        tx.query_one_raw(read).await.map(|_| ())
    };
    let dropped = async {
        proxy.stalled().await;
        let control = tx.execute_unprepared("SAVEPOINT mine");
        assert!(poll_and_drop(control, 1).await.is_none());
        proxy.let_go();
    };
    let (read, ()) = tokio::join!(busy, dropped);
    read?;
    tx.commit().await?;
    let left = Statement::from_string(DbBackend::MySql, "SELECT * FROM audit_trigger_context");
    assert_eq!(db.query_all_raw(left).await?.len(), 0);
    pool.close().await?;
    Ok(())
}
