//! A row that another client has locked: the same variant, kind and code as without an audit log.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, Set,
    Statement, TransactionTrait,
};
use sea_orm_audit::AuditedConnection;

use crate::entities::{item, items};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, result_of, run, same};
use crate::support::{TestDb, TestResult};

on_every_database! {
    statement_that_meets_a_lock_fails_as_the_bare_one,
    hooks_that_meet_a_lock_fail_as_the_bare_builders,
}

/// Waits for no lock, or not for long.
fn impatient(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "SET lock_timeout = '50ms'",
        DbBackend::MySql => "SET SESSION innodb_lock_wait_timeout = 1",
        _ => "PRAGMA busy_timeout = 0",
    }
}

/// Locks the first row; on SQLite, everything.
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
