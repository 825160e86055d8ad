//! Entities of a database that a SQLite connection attaches.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use sea_orm_audit::AuditedConnection;

use crate::log_check::Table;
use crate::oracle::{Oracle, reports};
use crate::outcome::{Call, same_on};
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on! { sqlite:
        writes_to_an_attached_database_are_recorded,
        table_of_main_is_not_the_attached_one,
        entity_without_a_schema_is_found_where_it_is_attached,
    }
}

const ATTACHED: Table = Table {
    name: "aside.attached",
    model: "aside.attached",
    key: "id",
    skipped: &[],
    retyped: &[],
};

async fn attach(db: &TestDb) -> TestResult<DatabaseConnection> {
    let conn = db.another().await?;
    for sql in [
        "ATTACH DATABASE ':memory:' AS aside",
        "CREATE TABLE aside.attached (id INTEGER PRIMARY KEY, n INTEGER NOT NULL DEFAULT 3)",
        "CREATE TABLE aside.item (id INTEGER PRIMARY KEY, code TEXT UNIQUE, p INTEGER NOT NULL)",
        "INSERT INTO aside.attached VALUES (1, 1), (2, 2)",
    ] {
        conn.execute_unprepared(sql).await?;
    }
    Ok(conn)
}

/// Runs statements on connections that attach a database, and returns the log.
async fn log_of(db: &TestDb, setup: &[&str], statements: &[&str]) -> TestResult<Vec<String>> {
    let oracle = Oracle::new(db, &[], setup).await?;
    let (bare, conn) = (attach(&oracle.bare).await?, attach(db).await?);
    let audited = AuditedConnection::new(conn.clone());
    for sql in statements {
        let outcome = same_on(&bare, &audited, Call::Execute, sql).await;
        assert!(!outcome.is_failure(), "{sql}: {outcome:?}");
    }
    assert_eq!(ATTACHED.read(&bare).await?, ATTACHED.read(&conn).await?);
    conn.close().await?;
    bare.close().await?;
    oracle.bare.remove().await?;
    assert_eq!(reports(db).await?, Vec::<String>::new());
    let log = db.records().await?.into_iter();
    Ok(log
        .map(|record| {
            format!(
                "{} {} {}",
                record.action,
                record.model.unwrap_or_default(),
                record.object_id.unwrap_or_default()
            )
        })
        .collect())
}

async fn writes_to_an_attached_database_are_recorded(db: &TestDb) -> TestResult {
    let statements = [
        "INSERT INTO aside.attached (n) VALUES (7), (8)",
        "UPDATE aside.attached SET n = 9 WHERE id = 1",
        "UPDATE attached SET n = 10 WHERE id = 2",
        "INSERT INTO aside.attached (id, n) VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET n = 11",
        "DELETE FROM aside.attached WHERE id = 2",
    ];
    let log = log_of(db, &[], &statements).await?;
    let expected = [
        "CREATE aside.attached 3",
        "CREATE aside.attached 4",
        "UPDATE aside.attached 1",
        "UPDATE aside.attached 2",
        "UPDATE aside.attached 1",
        "DELETE aside.attached 2",
    ];
    assert_eq!(log, expected);
    Ok(())
}

async fn table_of_main_is_not_the_attached_one(db: &TestDb) -> TestResult {
    let setup = ["CREATE TABLE attached (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"];
    let statements = [
        "INSERT INTO attached VALUES (5, 5)",
        "UPDATE main.attached SET n = 6",
        "UPDATE aside.attached SET n = 9 WHERE id = 1",
    ];
    let log = log_of(db, &setup, &statements).await?;
    assert_eq!(log, ["UPDATE aside.attached 1"]);
    Ok(())
}

async fn entity_without_a_schema_is_found_where_it_is_attached(db: &TestDb) -> TestResult {
    let statements = [
        "INSERT INTO item (code, p) VALUES ('a', 1)",
        "UPDATE item SET p = 2",
        "INSERT INTO item (code, p) VALUES ('a', 3) ON CONFLICT (code) DO UPDATE SET p = excluded.p",
        "DELETE FROM item",
    ];
    let log = log_of(db, &[], &statements).await?;
    let expected = [
        "CREATE item 1",
        "UPDATE item 1",
        "UPDATE item 1",
        "DELETE item 1",
    ];
    assert_eq!(log, expected);
    Ok(())
}
