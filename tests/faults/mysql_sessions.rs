//! Settings, locks and transactions of a MySQL session that a transaction of the log would end, use up or not see.

use sea_orm::{ConnectionTrait, IsolationLevel, TransactionTrait};
use sea_orm_audit::AuditedConnection;

use crate::entities::items;
use crate::log_check::Table;
use crate::oracle::{Oracle, reports};
use crate::outcome::{Call, same_on};
use crate::played::{On, Step, play};
use crate::support::{TestDb, TestResult};

mod mariadb {
    crate::support::tests_on! { mariadb:
        transaction_that_an_unknown_text_begins_is_left_to_the_application,
        autocommit_that_an_unknown_text_switches_off_stays_off,
        procedure_that_begins_nothing_leaves_later_writes_recorded,
        tables_locked_for_reading_refuse_writes,
        tables_locked_for_writing_stay_locked,
        tables_unlocked_by_begin_are_written_with_records,
        read_only_transaction_of_one_statement_refuses_its_write,
        write_after_a_read_only_read_is_reported,
        oracle_mode_lets_writes_run_with_a_report,
        records_are_written_before_another_character_set,
        update_at_read_uncommitted_waits_for_no_row_that_does_not_match,
    }
}

const ITEM: Table = Table::of("item");

const PROCEDURES: [&str; 3] = [
    "CREATE PROCEDURE begins() BEGIN START TRANSACTION; END",
    "CREATE PROCEDURE switches_off() BEGIN SET autocommit = 0; END",
    "CREATE PROCEDURE only_reads() BEGIN SELECT 1; END",
];

/// Runs the steps on databases of their own.
async fn plays(db: &TestDb, steps: &[Step<'_>]) -> TestResult<(Vec<String>, usize)> {
    let own = db.sibling().await?;
    let mut setup = items(db.backend(), 4);
    setup.extend(PROCEDURES.map(str::to_owned));
    let reports = play(&own, On::Connection, &[ITEM], setup, steps).await?;
    let records = own.records().await?.len();
    own.remove().await?;
    Ok((reports, records))
}

async fn transaction_that_an_unknown_text_begins_is_left_to_the_application(
    db: &TestDb,
) -> TestResult {
    for texts in [
        &["EXECUTE IMMEDIATE 'BEGIN'"][..],
        &["PREPARE s FROM 'START TRANSACTION'", "EXECUTE s"],
        &["BEGIN NOT ATOMIC START TRANSACTION; END"],
        &["IF 1 THEN START TRANSACTION; END IF"],
        &["CALL begins()"],
        &["/*! START TRANSACTION */"],
    ] {
        let mut steps: Vec<_> = texts.iter().map(|text| Step::Unprepared(text)).collect();
        steps.extend([
            Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
            Step::Unprepared("ROLLBACK"),
            Step::Executed("UPDATE item SET p = 51 WHERE id = 2"),
        ]);
        let (reports, records) = plays(db, &steps).await?;
        assert_eq!(records, 1, "{texts:?} {reports:?}");
    }
    Ok(())
}

async fn autocommit_that_an_unknown_text_switches_off_stays_off(db: &TestDb) -> TestResult {
    for texts in [
        &["SET autocommit = \"OFF\""][..],
        &["SET autocommit = (0)"],
        &["SET autocommit = 00"],
        &["SET autocommit = -0"],
        &["SET autocommit = 1 - 1"],
        &["SET @z = 0", "SET autocommit = @z"],
        &["SET @@autocommit := 'off'"],
        &["EXECUTE IMMEDIATE 'SET autocommit = 0'"],
        &["CALL switches_off()"],
    ] {
        let mut steps: Vec<_> = texts.iter().map(|text| Step::Unprepared(text)).collect();
        steps.extend([
            Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
            Step::Unprepared("ROLLBACK"),
            Step::Executed("UPDATE item SET p = 51 WHERE id = 2"),
            Step::Unprepared("ROLLBACK"),
            Step::Executed("UPDATE item SET p = 52 WHERE id = 3"),
            Step::Unprepared("SET autocommit = (1)"),
            Step::Executed("UPDATE item SET p = 53 WHERE id = 4"),
        ]);
        let (reports, records) = plays(db, &steps).await?;
        assert_eq!(records, 1, "{texts:?} {reports:?}");
        assert!(!reports.is_empty(), "{texts:?}");
    }
    Ok(())
}

async fn procedure_that_begins_nothing_leaves_later_writes_recorded(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared("SET GLOBAL autocommit = DEFAULT"),
        Step::Executed("UPDATE item SET p = 49 WHERE id = 1"),
        Step::Unprepared("CALL only_reads()"),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Unprepared("BEGIN"),
        Step::Unprepared("CALL only_reads()"),
        Step::Executed("UPDATE item SET p = 51 WHERE id = 2"),
        Step::Unprepared("ROLLBACK"),
        Step::Unprepared("IF 1 THEN SELECT nope; END IF"),
        Step::Executed("UPDATE item SET p = 52 WHERE id = 3"),
    ];
    let (_, records) = plays(db, &steps).await?;
    assert_eq!(records, 3);
    Ok(())
}

async fn tables_locked_for_reading_refuse_writes(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared("LOCK TABLES item READ"),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Executed("DELETE FROM item WHERE id = 2"),
        Step::Unprepared("UNLOCK TABLES"),
        Step::Executed("UPDATE item SET p = 51 WHERE id = 3"),
    ];
    let (_, records) = plays(db, &steps).await?;
    assert_eq!(records, 1);
    Ok(())
}

async fn tables_locked_for_writing_stay_locked(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 4)).await?;
    let (bare, one) = (oracle.bare.another().await?, db.another().await?);
    let audited = AuditedConnection::new(one.clone());
    let run = async |call, sql| same_on(&bare, &audited, call, sql).await;
    run(Call::Unprepared, "LOCK TABLES item WRITE").await;
    run(Call::Execute, "UPDATE item SET p = 50 WHERE id = 1").await;
    run(Call::Execute, "INSERT INTO item (code, p) VALUES ('n', 1)").await;
    let other = "SET STATEMENT lock_wait_timeout = 1 FOR UPDATE item SET p = 7 WHERE id = 2";
    assert!(oracle.bare.conn.execute_unprepared(other).await.is_err());
    assert!(db.conn.execute_unprepared(other).await.is_err());
    run(Call::Unprepared, "UNLOCK TABLES").await;
    run(Call::Execute, "UPDATE item SET p = 51 WHERE id = 3").await;
    one.close().await?;
    bare.close().await?;
    assert_eq!(
        ITEM.read(&oracle.bare.conn).await?,
        ITEM.read(&db.conn).await?
    );
    assert_eq!(db.records().await?.len(), 1);
    assert_eq!(reports(db).await?.len(), 2, "{:?}", reports(db).await?);
    oracle.bare.remove().await
}

async fn tables_unlocked_by_begin_are_written_with_records(db: &TestDb) -> TestResult {
    for sql in items(db.backend(), 4) {
        db.execute_unprepared(&sql).await?;
    }
    let one = db.another().await?;
    let audited = AuditedConnection::new(one.clone());
    audited.execute_unprepared("LOCK TABLES item WRITE").await?;
    let tx = audited.begin().await?;
    tx.execute_unprepared("UPDATE item SET p = 50 WHERE id = 1")
        .await?;
    tx.commit().await?;
    audited
        .execute_unprepared("UPDATE item SET p = 51 WHERE id = 2")
        .await?;
    one.close().await?;
    assert_eq!(db.records().await?.len(), 2);
    assert!(reports(db).await?.is_empty());
    Ok(())
}

async fn read_only_transaction_of_one_statement_refuses_its_write(db: &TestDb) -> TestResult {
    for set in [
        "SET TRANSACTION READ ONLY",
        "SET @@tx_read_only = 1",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
    ] {
        for write in [
            "UPDATE item SET p = 50 WHERE id = 1",
            "UPDATE IGNORE item SET p = 50 WHERE id = 1",
            "INSERT INTO item (code, p) VALUES ('n', 1)",
        ] {
            let steps = [
                Step::Executed("UPDATE item SET p = 49 WHERE id = 1"),
                Step::Unprepared(set),
                Step::Executed(write),
                Step::Executed("UPDATE item SET p = 50 WHERE id = 2"),
                Step::Unprepared("SET TRANSACTION READ WRITE"),
                Step::Executed("UPDATE item SET p = 51 WHERE id = 2"),
            ];
            let (reports, records) = plays(db, &steps).await?;
            assert_eq!(records, 2, "{set} {write}");
            assert!(reports.is_empty(), "{set} {write} {reports:?}");
        }
    }
    Ok(())
}

async fn write_after_a_read_only_read_is_reported(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared("SET TRANSACTION READ ONLY"),
        Step::Queried("SELECT id FROM item WHERE id = 1"),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Executed("UPDATE item SET p = 51 WHERE id = 2"),
        Step::Unprepared("SET TRANSACTION READ ONLY"),
        Step::Unprepared("BEGIN"),
        Step::Executed("UPDATE item SET p = 52 WHERE id = 3"),
        Step::Unprepared("COMMIT"),
        Step::Executed("UPDATE item SET p = 53 WHERE id = 4"),
    ];
    let (reports, records) = plays(db, &steps).await?;
    assert_eq!((reports.len(), records), (1, 2), "{reports:?}");
    Ok(())
}

async fn oracle_mode_lets_writes_run_with_a_report(db: &TestDb) -> TestResult {
    let steps = [
        Step::Unprepared("SET sql_mode = 'ORACLE'"),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 3"),
        Step::Executed("INSERT INTO item (code, p) VALUES ('n', 1)"),
        Step::Executed("UPDATE item SET nope = 1"),
        Step::Executed("UPDATE IGNORE item SET p = 51 WHERE id = 2"),
        Step::Executed("UPDATE item SET p = LAST_INSERT_ID() WHERE id = 1"),
        Step::Unprepared("SET sql_mode = ''"),
        Step::Executed("UPDATE item SET p = 52 WHERE id = 4"),
    ];
    let (reports, records) = plays(db, &steps).await?;
    assert_eq!((reports.len(), records), (5, 1), "{reports:?}");
    Ok(())
}

async fn update_at_read_uncommitted_waits_for_no_row_that_does_not_match(
    db: &TestDb,
) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 4)).await?;
    let (bare, one) = (oracle.bare.another().await?, db.another().await?);
    let audited = AuditedConnection::new(one.clone());
    let uncommitted = "UPDATE item SET p = 100 WHERE id = 2";
    let (bare_holder, holder) = (oracle.bare.conn.begin().await?, db.conn.begin().await?);
    bare_holder.execute_unprepared(uncommitted).await?;
    holder.execute_unprepared(uncommitted).await?;
    for set in [
        "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
        "SET SESSION innodb_lock_wait_timeout = 2",
    ] {
        same_on(&bare, &audited, Call::Unprepared, set).await;
    }
    for sql in [
        "UPDATE item SET p = p + 50 WHERE p > 2",
        "UPDATE item SET p = 53 WHERE id = 1",
    ] {
        same_on(&bare, &audited, Call::Execute, sql).await;
    }
    let level = Some(IsolationLevel::ReadUncommitted);
    let in_bare = bare.begin_with_config(level, None).await?;
    let in_audited = audited.begin_with_config(level, None).await?;
    let sql = "UPDATE item SET p = 7 WHERE p > 20 AND code IS NOT NULL";
    same_on(&in_bare, &in_audited, Call::Execute, sql).await;
    in_bare.commit().await?;
    in_audited.commit().await?;
    bare_holder.rollback().await?;
    holder.rollback().await?;
    one.close().await?;
    bare.close().await?;
    assert_eq!(
        ITEM.read(&oracle.bare.conn).await?,
        ITEM.read(&db.conn).await?
    );
    assert_eq!(db.records().await?.len(), 1);
    assert_eq!(reports(db).await?.len(), 2, "{:?}", reports(db).await?);
    oracle.bare.remove().await
}

async fn records_are_written_before_another_character_set(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    oracle
        .in_transaction(&[
            (Call::Execute, "UPDATE item SET code = 'žluť' WHERE id = 1"),
            (Call::Execute, "SET NAMES latin1"),
            (Call::QueryAll, "SELECT id FROM item"),
            (Call::Unprepared, "SET NAMES utf8mb4"),
        ])
        .await?;
    oracle.recorded().await
}
