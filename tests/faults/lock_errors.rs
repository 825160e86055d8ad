//! A row that another client has locked: the same variant, kind and code as without an audit log.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    IsolationLevel, Set, Statement, TransactionTrait,
};
use sea_orm_audit::AuditedConnection;

use crate::entities::{FAMILY, item, items};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, result_of, run, same, same_on};
use crate::support::{TestDb, TestResult};

mod mariadb_only {
    crate::support::tests_on! { mariadb:
        update_at_read_committed_waits_for_no_row_that_does_not_match,
    }
}

mod postgres_only {
    crate::support::tests_on!(postgres: rows_that_refer_to_a_written_one_can_be_inserted_beside_it);
}

on_every_database! {
    statement_that_meets_a_lock_fails_as_the_bare_one,
    hooks_that_meet_a_lock_fail_as_the_bare_builders,
}

/// Sets a short or no lock timeout.
fn impatient(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "SET lock_timeout = '50ms'",
        DbBackend::MySql => "SET SESSION innodb_lock_wait_timeout = 1",
        _ => "PRAGMA busy_timeout = 0",
    }
}

/// Locks the first row; on SQLite the whole database.
async fn lock(db: &TestDb) -> Result<DatabaseTransaction, DbErr> {
    let tx = db.conn.begin().await?;
    tx.execute_unprepared("UPDATE item SET p = 77 WHERE id = 1")
        .await?;
    Ok(tx)
}

async fn statement_that_meets_a_lock_fails_as_the_bare_one(db: &TestDb) -> TestResult {
    let backend = db.backend();
    let oracle = Oracle::new(db, &[Table::of("item")], items(backend, 3)).await?;
    let (bare, plain) = (oracle.bare.another().await?, db.another().await?);
    for conn in [&bare, &plain] {
        conn.execute_unprepared(impatient(backend)).await?;
    }
    let audited = AuditedConnection::new(plain.clone());
    let locks = [lock(&oracle.bare).await?, lock(db).await?];
    let upsert = match backend {
        DbBackend::MySql => {
            "INSERT INTO item (id, code, p) VALUES (1, 'c1', 1) ON DUPLICATE KEY UPDATE p = 9"
        }
        _ => {
            "INSERT INTO item (id, code, p) VALUES (1, 'c1', 1) ON CONFLICT (id) DO UPDATE SET p = 9"
        }
    };
    let mut cases = vec![
        (Call::Execute, "UPDATE item SET p = 5 WHERE id = 1"),
        (Call::Unprepared, "UPDATE item SET p = 5 WHERE id = 1"),
        (Call::QueryAll, "UPDATE item SET p = 5 WHERE id = 1"),
        (
            Call::Execute,
            "UPDATE item SET p = 5 WHERE p >= (SELECT MIN(p) FROM item)",
        ),
        (Call::Execute, "DELETE FROM item WHERE id = 1"),
        (Call::Unprepared, "DELETE FROM item"),
        (Call::QueryOne, "DELETE FROM item WHERE id = 1 RETURNING id"),
        (Call::Execute, upsert),
        (Call::QueryAll, upsert),
    ];
    if backend != DbBackend::MySql {
        cases.push((
            Call::QueryAll,
            "UPDATE item SET p = 5 WHERE id = 1 RETURNING id",
        ));
    }
    if backend == DbBackend::Sqlite {
        cases.push((Call::Execute, "INSERT INTO item (code, p) VALUES ('z', 1)"));
    }
    for (call, sql) in cases {
        let expected = run(&bare, call, sql, &[]).await;
        assert!(expected.is_failure(), "{sql}: {expected:?}");
        let got = run(&audited, call, sql, &[]).await;
        same(&format!("{call:?} {sql}"), &expected, &got);
        let (bare, audited) = (bare.begin().await?, audited.begin().await?);
        let expected = run(&bare, call, sql, &[]).await;
        let got = run(&audited, call, sql, &[]).await;
        same(
            &format!("in a transaction: {call:?} {sql}"),
            &expected,
            &got,
        );
        bare.rollback().await?;
        audited.rollback().await?;
    }
    for lock in locks {
        lock.rollback().await?;
    }
    bare.close().await?;
    plain.close().await?;
    oracle.recorded().await
}

/// The builders run no hooks, and send the same statements.
async fn hooks_that_meet_a_lock_fail_as_the_bare_builders(db: &TestDb) -> TestResult {
    let backend = db.backend();
    for sql in items(backend, 3) {
        db.execute_unprepared(&sql).await?;
    }
    let conn = db.another().await?;
    conn.execute_unprepared(impatient(backend)).await?;
    let lock = lock(db).await?;
    let row = item::ActiveModel {
        id: Set(1),
        p: Set(5),
        ..Default::default()
    };
    let tx = conn.begin().await?;
    let expected = result_of(item::Entity::update(row.clone()).exec(&tx).await);
    tx.rollback().await?;
    let tx = conn.begin().await?;
    let got = result_of(row.clone().update(&tx).await);
    tx.rollback().await?;
    assert!(expected.is_err(), "{expected:?}");
    assert_eq!(got, expected, "update");
    let tx = conn.begin().await?;
    let expected = result_of(item::Entity::delete(row.clone()).exec(&tx).await);
    tx.rollback().await?;
    let tx = conn.begin().await?;
    let got = result_of(row.delete(&tx).await);
    tx.rollback().await?;
    assert!(expected.is_err(), "{expected:?}");
    assert_eq!(got, expected, "delete");
    lock.rollback().await?;
    conn.close().await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

/// At READ COMMITTED, InnoDB's UPDATE skips locked rows that do not match as they were committed.
async fn update_at_read_committed_waits_for_no_row_that_does_not_match(db: &TestDb) -> TestResult {
    for sql in [
        "UPDATE item SET p = 5 WHERE p = 3",
        "UPDATE item SET p = p + 1 WHERE p > 2 AND code <> 'x'",
        "UPDATE item SET p = 5 WHERE p = 3 ORDER BY id LIMIT 1",
        "UPDATE item SET p = 5 WHERE p IN (SELECT n FROM wanted)",
    ] {
        for in_session in [true, false] {
            let own = db.sibling().await?;
            let mut setup = items(db.backend(), 5);
            setup.push("CREATE TABLE wanted (n INTEGER NOT NULL)".to_owned());
            setup.push("INSERT INTO wanted (n) VALUES (3)".to_owned());
            let oracle = Oracle::new(&own, &[Table::of("item")], setup).await?;
            let (bare, plain) = (oracle.bare.another().await?, own.another().await?);
            for conn in [&bare, &plain] {
                conn.execute_unprepared(impatient(db.backend())).await?;
                if in_session {
                    let level = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
                    conn.execute_unprepared(level).await?;
                }
            }
            let audited = AuditedConnection::new(plain.clone());
            let locks = [lock(&oracle.bare).await?, lock(&own).await?];
            if in_session {
                let outcome = same_on(&bare, &audited, Call::Execute, sql).await;
                assert!(!outcome.is_failure(), "{sql}: {outcome:?}");
            } else {
                let level = Some(IsolationLevel::ReadCommitted);
                let bare = bare.begin_with_config(level, None).await?;
                let audited = audited.begin_with_config(level, None).await?;
                let outcome = same_on(&bare, &audited, Call::Execute, sql).await;
                assert!(!outcome.is_failure(), "{sql}: {outcome:?}");
                bare.commit().await?;
                audited.commit().await?;
            }
            for lock in locks {
                lock.rollback().await?;
            }
            bare.close().await?;
            plain.close().await?;
            oracle.recorded().await?;
            own.remove().await?;
        }
    }
    Ok(())
}

/// A foreign key's check locks the referenced row FOR KEY SHARE, which conflicts with FOR UPDATE.
async fn rows_that_refer_to_a_written_one_can_be_inserted_beside_it(db: &TestDb) -> TestResult {
    let upsert =
        "INSERT INTO parent (id, n) VALUES (1, 9) ON CONFLICT (id) DO UPDATE SET n = excluded.n";
    for (sql, referring) in [
        (upsert, "INSERT INTO child (id, parent_id) VALUES (50, 1)"),
        (
            "UPDATE parent SET n = 9",
            "INSERT INTO child (id, parent_id) VALUES (50, 1)",
        ),
        // The foreign key of `hand` is set to NULL; its keys stay.
        (
            "DELETE FROM crew WHERE id = 1",
            "INSERT INTO glove (hand_id) VALUES (10)",
        ),
        (
            "UPDATE crew SET id = 7 WHERE id = 2",
            "INSERT INTO glove (hand_id) VALUES (20)",
        ),
    ] {
        let own = db.sibling().await?;
        let mut setup = FAMILY.to_vec();
        setup.extend([
            "INSERT INTO parent (id, n) VALUES (1, 1)",
            "CREATE TABLE crew (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
            "CREATE TABLE hand (id INTEGER PRIMARY KEY, crew_id INTEGER REFERENCES crew (id) \
             ON DELETE SET NULL ON UPDATE CASCADE)",
            "CREATE TABLE glove (hand_id INTEGER NOT NULL REFERENCES hand (id))",
            "INSERT INTO crew (id, n) VALUES (1, 1), (2, 2)",
            "INSERT INTO hand (id, crew_id) VALUES (10, 1), (20, 2)",
        ]);
        let tables = [Table::of("parent"), Table::of("crew"), Table::of("hand")];
        let oracle = Oracle::new(&own, &tables, setup).await?;
        let (bare, audited) = (oracle.bare.begin().await?, oracle.audited.begin().await?);
        same_on(&bare, &audited, Call::Execute, sql).await;
        for db in [&oracle.bare, &own] {
            let conn = db.another().await?;
            conn.execute_unprepared(impatient(DbBackend::Postgres))
                .await?;
            let inserted = conn.execute_unprepared(referring).await;
            assert!(inserted.is_ok(), "{sql}, {referring}: {inserted:?}");
            conn.close().await?;
        }
        bare.commit().await?;
        audited.commit().await?;
        oracle.recorded().await?;
        own.remove().await?;
    }
    Ok(())
}
