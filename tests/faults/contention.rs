//! Statements that wait for another transaction, and the changes of that transaction.
//!
//! One file, because its cases share how they wait for a lock.
//!
//! The other transaction holds a lock until the server says that a statement waits for one.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DbBackend, IsolationLevel, Statement, TransactionTrait};
use sea_orm_audit::{AuditConfig, AuditedConnection};

use crate::entities::{FAMILY, account_table, items};
use crate::log_check::{Rows, Table};
use crate::oracle::{Oracle, reports};
use crate::outcome::{Call, Outcome, run, same_on};
use crate::support::{TestDb, TestResult};

mod postgres {
    crate::support::tests_on! { postgres:
        upsert_that_waits_for_an_insert_of_its_key_records_no_creation,
        delete_that_waits_accounts_for_the_children_of_a_new_parent,
        joined_delete_that_waits_accounts_for_the_children_of_a_new_parent,
        joined_update_that_waits_pairs_rows_by_key,
        joined_update_of_a_key_that_waits_pairs_rows_by_key,
        update_that_waits_knows_the_old_values_of_rows_that_were_there,
        truncate_with_an_older_snapshot_loses_no_row_silently,
        condition_that_meets_a_newer_row_aborts_the_transaction,
        write_whose_connection_is_ended_while_it_waits_fails,
        temporary_table_of_an_audited_name_is_not_recorded,
    }
}

mod mariadb {
    crate::support::tests_on! { mariadb:
        write_whose_connection_is_ended_while_it_waits_fails,
        upsert_that_waits_for_an_insert_of_its_key_records_no_creation,
        delete_that_waits_accounts_for_the_children_of_a_new_parent,
        joined_delete_that_waits_accounts_for_the_children_of_a_new_parent,
        update_that_waits_knows_the_old_values_of_rows_that_were_there,
        first_rows_that_are_others_after_waiting_are_recorded_or_reported,
    }
}

mod sqlite {
    crate::support::tests_on!(sqlite: temporary_table_of_an_audited_name_is_not_recorded);
}

const ITEM: Table = Table::of("item");
const ACCOUNT: Table = Table::of("account");

/// Returns when a statement in this database waits for a lock.
pub(crate) async fn until_one_waits(db: &TestDb) -> TestResult {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(30) {
        let waits = if db.backend() == DbBackend::Postgres {
            let sql = "SELECT CAST(pid AS BIGINT) FROM pg_locks JOIN pg_stat_activity USING (pid) \
                       WHERE NOT granted AND datname = current_database()";
            !numbers(db, sql).await?.is_empty()
        } else {
            let own = "SELECT CAST(ID AS SIGNED) FROM information_schema.PROCESSLIST \
                       WHERE DB = DATABASE()";
            let own = numbers(db, own).await?;
            waiting_threads(db).await?.iter().any(|id| own.contains(id))
        };
        if waits {
            return Ok(());
        }
    }
    Err("no statement waits for a lock".into())
}

async fn numbers(db: &TestDb, sql: &str) -> TestResult<Vec<i64>> {
    let rows = db
        .query_all_raw(Statement::from_string(db.backend(), sql))
        .await?;
    let numbers = rows.iter().map(|row| row.try_get_by_index::<i64>(0));
    Ok(numbers.collect::<Result<_, _>>()?)
}

/// The server's threads that wait for a lock. (`INNODB_TRX` is a copy that is not refreshed while it is read often.)
async fn waiting_threads(db: &TestDb) -> TestResult<Vec<i64>> {
    let sql = "SHOW ENGINE INNODB STATUS";
    let row = db
        .query_one_raw(Statement::from_string(db.backend(), sql))
        .await?
        .ok_or("no status")?;
    let status: String = row.try_get_by_index(2)?;
    let threads = status.split("LOCK WAIT").skip(1).filter_map(|waits| {
        let (_, id) = waits.split_once(" thread id ")?;
        id.split(',').next()?.parse().ok()
    });
    Ok(threads.collect())
}

/// Runs a statement that has to wait until another transaction has written more and commits. Also returns the rows of
/// the tables at that commit.
async fn waiting<C: ConnectionTrait>(
    oracle: &Oracle<'_>,
    db: &TestDb,
    conn: &C,
    sql: &str,
    lock: &str,
    then: &[&str],
) -> TestResult<(Outcome, Vec<Rows>)> {
    waiting_as(Call::Execute, oracle, db, conn, sql, lock, then).await
}

/// The same with a given `Call`.
pub(crate) async fn waiting_as<C: ConnectionTrait>(
    call: Call,
    oracle: &Oracle<'_>,
    db: &TestDb,
    conn: &C,
    sql: &str,
    lock: &str,
    then: &[&str],
) -> TestResult<(Outcome, Vec<Rows>)> {
    let level = Some(IsolationLevel::ReadCommitted);
    let holder = db.conn.begin_with_config(level, None).await?;
    holder.execute_unprepared(lock).await?;
    let release = async {
        until_one_waits(db).await?;
        for sql in then {
            holder.execute_unprepared(sql).await?;
        }
        let rows = oracle.read(&holder).await?;
        holder.commit().await?;
        TestResult::Ok(rows)
    };
    let (outcome, rows) = tokio::join!(run(conn, call, sql, &[]), release);
    Ok((outcome, rows?))
}

async fn upsert_that_waits_for_an_insert_of_its_key_records_no_creation(db: &TestDb) -> TestResult {
    let forms: &[&str] = match db.backend() {
        DbBackend::MySql => &[
            "INSERT INTO account (email, n) VALUES ('x', 2) ON DUPLICATE KEY UPDATE n = VALUES(n)",
            "INSERT INTO account (email, n) VALUES ('x', 1) ON DUPLICATE KEY UPDATE n = VALUES(n)",
            "INSERT INTO account (email, n) VALUES ('x', 2) ON DUPLICATE KEY UPDATE id = id",
            "INSERT IGNORE INTO account (email, n) VALUES ('x', 2)",
            "INSERT INTO account (email, n) VALUES ('w', 2), ('x', 3) ON DUPLICATE KEY UPDATE n = VALUES(n)",
            "REPLACE INTO account (email, n) VALUES ('x', 2)",
        ],
        _ => &[
            "INSERT INTO account (email, n) VALUES ('x', 2) ON CONFLICT (email) DO UPDATE SET n = 2",
            "INSERT INTO account (email, n) VALUES ('x', 2) ON CONFLICT DO NOTHING",
            "INSERT INTO account (email, n) VALUES ('w', 2), ('x', 3) ON CONFLICT (email) DO UPDATE SET n = excluded.n",
        ],
    };
    let mut faults = Vec::new();
    for level in [
        IsolationLevel::RepeatableRead,
        IsolationLevel::ReadCommitted,
    ] {
        // PostgreSQL refuses to change a row that is newer than the snapshot.
        if level == IsolationLevel::RepeatableRead && db.backend() == DbBackend::Postgres {
            continue;
        }
        for sql in forms {
            if let Some(fault) = upsert_that_waits(db, level, sql).await? {
                faults.push(format!("{level:?} {sql}\n  {fault}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// Runs an upsert of account x after another transaction has inserted it. Returns the errors.
async fn upsert_that_waits(
    db: &TestDb,
    level: IsolationLevel,
    sql: &str,
) -> TestResult<Option<String>> {
    let own = db.sibling().await?;
    let setup = [account_table(db.backend())];
    let mut oracle = Oracle::new(&own, &[ACCOUNT], setup).await?;
    let insert = "INSERT INTO account (email, n) VALUES ('x', 1)";
    let bare = oracle.bare.begin_with_config(Some(level), None).await?;
    let (expected, _) = waiting(&oracle, &oracle.bare, &bare, sql, insert, &[]).await?;
    bare.commit().await?;
    let audited = oracle.audited.begin_with_config(Some(level), None).await?;
    let (got, rows) = waiting(&oracle, &own, &audited, sql, insert, &[]).await?;
    let committed = audited.commit().await;
    if expected != got || committed.is_err() {
        return Ok(Some(format!("{expected:?}\n  {got:?} {committed:?}")));
    }
    oracle.starts_from(rows);
    let fault = oracle.fault().await?;
    own.remove().await?;
    Ok(fault)
}

/// Parent 1 has a child; `pick` is not audited.
async fn family(db: &TestDb) -> TestResult<Oracle<'_>> {
    let mut setup = FAMILY.to_vec();
    setup.push("INSERT INTO parent (id, n) VALUES (1, 0), (5, 5)");
    setup.push("INSERT INTO child (id, parent_id) VALUES (10, 1)");
    setup.push("CREATE TABLE pick (n INTEGER NOT NULL)");
    setup.push("INSERT INTO pick (n) VALUES (0)");
    Oracle::new(db, &[Table::of("parent"), Table::of("child")], setup).await
}

/// A DELETE that waits for parent 1, while a parent with a child comes before it.
async fn deletes_a_new_parent(db: &TestDb, sql: &str, cause_on_mysql: &str) -> TestResult {
    let mut oracle = family(db).await?;
    let then = [
        "INSERT INTO parent (id, n) VALUES (0, 0)",
        "INSERT INTO child (id, parent_id) VALUES (1, 0)",
    ];
    let lock = "UPDATE parent SET n = 0 WHERE id = 1";
    let lock = if db.backend() == DbBackend::MySql {
        // A row that keeps its values is locked as well.
        "SELECT * FROM parent WHERE id = 1 FOR UPDATE"
    } else {
        lock
    };
    let audited = oracle
        .audited
        .begin_with_config(Some(IsolationLevel::ReadCommitted), None)
        .await?;
    let (outcome, rows) = waiting(&oracle, db, &audited, sql, lock, &then).await?;
    assert!(!outcome.is_failure(), "{outcome:?}");
    audited.commit().await?;
    // PostgreSQL returns its key; MySQL gives only the count.
    let cause = match db.backend() {
        DbBackend::Postgres => "(keys: 0)",
        _ => cause_on_mysql,
    };
    let reports = reports(db).await?;
    assert!(
        reports.iter().any(|report| report.contains(cause)),
        "{reports:?}"
    );
    oracle.starts_from(rows);
    oracle.explained().await
}

async fn delete_that_waits_accounts_for_the_children_of_a_new_parent(db: &TestDb) -> TestResult {
    let cause = "rows were deleted that had not been read before it";
    deletes_a_new_parent(db, "DELETE FROM parent WHERE n = 0", cause).await
}

async fn joined_delete_that_waits_accounts_for_the_children_of_a_new_parent(
    db: &TestDb,
) -> TestResult {
    let sql = match db.backend() {
        DbBackend::MySql => "DELETE parent FROM parent JOIN pick ON pick.n = parent.n",
        _ => "DELETE FROM parent USING pick WHERE pick.n = parent.n",
    };
    deletes_a_new_parent(db, sql, "it deletes from a join").await
}

/// The row that the read before the statement joins is not the one that the statement updates.
async fn joined_update_that_waits_pairs_rows_by_key(db: &TestDb) -> TestResult {
    for sql in [
        "UPDATE item SET p = pick.p FROM pick WHERE pick.item_id = item.id",
        "UPDATE item SET p = pick.p FROM pick WHERE pick.item_id = item.id AND item.p < 50",
    ] {
        let own = db.sibling().await?;
        let mut setup = items(db.backend(), 3);
        setup.push("CREATE TABLE pick (item_id INTEGER NOT NULL, p INTEGER NOT NULL)".to_owned());
        setup.push("INSERT INTO pick (item_id, p) VALUES (1, 70)".to_owned());
        let mut oracle = Oracle::new(&own, &[ITEM], setup).await?;
        let lock = "UPDATE item SET p = 40 WHERE id = 1";
        let then = ["UPDATE pick SET item_id = 2"];
        let (outcome, rows) = waiting(&oracle, &own, &oracle.audited, sql, lock, &then).await?;
        assert!(!outcome.is_failure(), "{outcome:?}");
        oracle.starts_from(rows);
        oracle.explained().await?;
        own.remove().await?;
    }
    Ok(())
}

/// The same with an update of the key: neither key shows that there are two rows.
async fn joined_update_of_a_key_that_waits_pairs_rows_by_key(db: &TestDb) -> TestResult {
    for sql in [
        "UPDATE item SET id = 99 FROM pick WHERE pick.item_id = item.id",
        "UPDATE item SET id = 99 WHERE id IN (SELECT item_id FROM pick) AND p < 50",
    ] {
        for call in Call::ALL {
            let own = db.sibling().await?;
            let mut setup = items(db.backend(), 3);
            setup.push("CREATE TABLE pick (item_id INTEGER NOT NULL)".to_owned());
            setup.push("INSERT INTO pick (item_id) VALUES (1)".to_owned());
            let mut oracle = Oracle::new(&own, &[ITEM], setup).await?;
            let lock = "UPDATE item SET p = 40 WHERE id = 1";
            let then = ["UPDATE pick SET item_id = 2"];
            let audited = &oracle.audited;
            let waited = waiting_as(call, &oracle, &own, audited, sql, lock, &then).await?;
            let (outcome, rows) = waited;
            assert!(!outcome.is_failure(), "{outcome:?}");
            oracle.starts_from(rows);
            oracle.explained().await?;
            own.remove().await?;
        }
    }
    Ok(())
}

/// Another transaction commits a row with a lower key while the read before the statement waits.
async fn first_rows_that_are_others_after_waiting_are_recorded_or_reported(
    db: &TestDb,
) -> TestResult {
    for sql in [
        "DELETE FROM item ORDER BY id LIMIT 2",
        "UPDATE item SET p = 50 ORDER BY id LIMIT 2",
        "UPDATE item SET p = p + 1 WHERE p > 0 ORDER BY id LIMIT 2",
    ] {
        for before_row_bytes in [None, Some(0)] {
            let own = db.sibling().await?;
            let mut oracle = Oracle::new(&own, &[ITEM], items(db.backend(), 4)).await?;
            if let Some(bytes) = before_row_bytes {
                oracle = oracle.configured(AuditConfig::builder().before_row_bytes(bytes))?;
            }
            let lock = "SELECT * FROM item WHERE id = 1 FOR UPDATE";
            let then = ["INSERT INTO item (id, code, p) VALUES (-1, 'lower', 5)"];
            let level = Some(IsolationLevel::ReadCommitted);
            let audited = oracle.audited.begin_with_config(level, None).await?;
            let (outcome, rows) = waiting(&oracle, &own, &audited, sql, lock, &then).await?;
            assert!(!outcome.is_failure(), "{outcome:?}");
            audited.commit().await?;
            oracle.starts_from(rows);
            oracle.explained().await?;
            own.remove().await?;
        }
    }
    Ok(())
}

async fn update_that_waits_knows_the_old_values_of_rows_that_were_there(db: &TestDb) -> TestResult {
    let mut oracle = Oracle::new(db, &[ITEM], items(db.backend(), 4)).await?;
    let lock = "UPDATE item SET p = 50 WHERE id = 3";
    let then = [
        "INSERT INTO item (id, code, p) VALUES (-1, 'new', 5)",
        "UPDATE item SET code = 'changed' WHERE id = 3",
    ];
    let sql = "UPDATE item SET p = p + 1 WHERE p > 2";
    let audited = oracle
        .audited
        .begin_with_config(Some(IsolationLevel::ReadCommitted), None)
        .await?;
    let (outcome, rows) = waiting(&oracle, db, &audited, sql, lock, &then).await?;
    assert!(!outcome.is_failure(), "{outcome:?}");
    audited.commit().await?;
    for id in ["3", "4"] {
        let records = db.records().await?;
        let record = records.iter().find(|r| r.object_id.as_deref() == Some(id));
        let changes = record.ok_or("no record")?.changed().unwrap_or_default();
        let p = changes.get("p").ok_or("no change of p")?;
        assert!(!p.is_old_unknown(), "{id}: {changes:?}");
    }
    oracle.starts_from(rows);
    oracle.explained().await
}

/// The read before it waits. Without the read the write would not be captured, so the write must not run.
async fn write_whose_connection_is_ended_while_it_waits_fails(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 2)).await?;
    let holder = db.conn.begin().await?;
    holder
        .execute_unprepared("UPDATE item SET p = 9 WHERE id = 1")
        .await?;
    let audited = oracle.audited.clone();
    let write = tokio::spawn(async move {
        run(
            &audited,
            Call::Execute,
            "UPDATE item SET p = 5 WHERE id = 1",
            &[],
        )
        .await
    });
    until_one_waits(db).await?;
    if db.backend() == DbBackend::Postgres {
        let end = "SELECT CAST(COUNT(pg_terminate_backend(pid)) AS BIGINT) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
        assert_eq!(numbers(db, end).await?, [1]);
    } else {
        let own = "SELECT CAST(ID AS SIGNED) FROM information_schema.PROCESSLIST \
                   WHERE DB = DATABASE()";
        let own = numbers(db, own).await?;
        for id in (waiting_threads(db).await?.iter()).filter(|id| own.contains(id)) {
            db.conn.execute_unprepared(&format!("KILL {id}")).await?;
        }
    }
    let outcome = write.await?;
    assert!(outcome.is_failure(), "{outcome:?}");
    holder.rollback().await?;
    assert_eq!(reports(db).await?, [""; 0]);
    assert_eq!(db.log().await?, [""; 0]);
    oracle.recorded().await
}

/// The read of the condition conflicts first, under a savepoint; the transaction is aborted all the same.
async fn condition_that_meets_a_newer_row_aborts_the_transaction(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 4)).await?;
    let level = Some(IsolationLevel::RepeatableRead);
    let bare = oracle.bare.begin_with_config(level, None).await?;
    let audited = oracle.audited.begin_with_config(level, None).await?;
    same_on(&bare, &audited, Call::QueryAll, "SELECT id, p FROM item").await;
    for other in [&oracle.bare.conn, &db.conn] {
        other
            .execute_unprepared("UPDATE item SET p = 50 WHERE id = 3")
            .await?;
    }
    for sql in [
        "UPDATE item SET p = p - 1 WHERE id <= (SELECT MAX(id) FROM item)",
        "UPDATE item SET p = 0 WHERE id = 1",
        "SELECT id, p FROM item",
    ] {
        let outcome = same_on(&bare, &audited, Call::QueryAll, sql).await;
        assert!(outcome.is_failure(), "{sql}: {outcome:?}");
    }
    bare.rollback().await?;
    audited.rollback().await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

/// The statement is refused, or every row that it removes is recorded or reported.
async fn truncate_with_an_older_snapshot_loses_no_row_silently(db: &TestDb) -> TestResult {
    let mut oracle = Oracle::new(db, &[ITEM], items(db.backend(), 2)).await?;
    let level = Some(IsolationLevel::RepeatableRead);
    let tx = oracle.audited.begin_with_config(level, None).await?;
    run(&tx, Call::QueryAll, "SELECT * FROM item", &[]).await;
    oracle
        .elsewhere("INSERT INTO item (code, p) VALUES ('later', 9)")
        .await?;
    if run(&tx, Call::Execute, "TRUNCATE item", &[])
        .await
        .is_failure()
    {
        tx.rollback().await?;
        assert_eq!(db.log().await?, [""; 0]);
    } else {
        tx.commit().await?;
    }
    oracle.explained().await
}

/// The temporary table hides the audited one on its own connection.
async fn temporary_table_of_an_audited_name_is_not_recorded(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    let (bare, conn) = (oracle.bare.another().await?, db.another().await?);
    let audited = AuditedConnection::new(conn.clone());
    for sql in [
        "UPDATE item SET p = 9 WHERE id = 3",
        "CREATE TEMPORARY TABLE item (id INTEGER PRIMARY KEY, other INTEGER)",
        "INSERT INTO item (id, other) VALUES (1, 1), (2, 2)",
        "INSERT INTO item VALUES (3, 3)",
        "UPDATE item SET other = 9",
        "UPDATE item SET other = 10 WHERE id = 1",
        "DELETE FROM item WHERE id = 1",
        "DELETE FROM item",
        "DROP TABLE item",
        "UPDATE item SET p = 9 WHERE id = 1",
    ] {
        same_on(&bare, &audited, Call::Execute, sql).await;
    }
    bare.close().await?;
    conn.close().await?;
    assert_eq!(reports(db).await?, [""; 0]);
    assert_eq!(db.log().await?.len(), 2, "{:#?}", db.log().await?);
    oracle.recorded().await
}
