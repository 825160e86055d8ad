//! A disk that is full while rows of a statement are stored: the statement is refused before it runs, or runs without
//! records if the policy refuses nothing. A disk that is full at SQLite's COMMIT: later writes are committed.
//!
//! A limit on the file size simulates the disk. It applies to a process, so the tests start themselves again in a
//! process of their own; a database server is another process without the limit, and SQLite is inside of it.
#![cfg(unix)]
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    dead_code,
    unused_imports,
    unused_macros,
    unreachable_pub
)]

#[macro_use]
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;

use std::process::Command;

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, IntoActiveModel,
    TransactionTrait,
};
use sea_orm_audit::config::FailurePolicy;
use sea_orm_audit::error::{Cause, ChangeState};
use sea_orm_audit::event::DataExport;
use sea_orm_audit::{AuditConfig, AuditError, AuditedConnection, AuditedEntity};
use support::{TestDb, TestResult};

mod shelf {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "shelf")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod book {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "book")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub shelf_id: i32,
        pub title: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::shelf::Entity",
            from = "Column::ShelfId",
            to = "super::shelf::Column::Id",
            on_delete = "Cascade"
        )]
        Shelf,
    }
}

mod postgres {
    crate::support::tests_on! { postgres:
        statements_are_refused_before_they_run,
        statements_go_on_without_records_under_isolate,
    }
}

mod mariadb {
    crate::support::tests_on! { mariadb:
        statements_are_refused_before_they_run,
        statements_go_on_without_records_under_isolate,
    }
}

mod sqlite {
    crate::support::tests_on! { sqlite:
        commit_that_fails_leaves_the_connection_outside_of_a_transaction,
    }
}

/// Set in the process with the limit.
const LIMITED: &str = "SEA_ORM_AUDIT_TEST_LIMITED";

/// Files of at most 64 KiB.
const SMALL: u32 = 64;
/// The audit tables and some more fit into SQLite's log; a checkpoint, which begins at 4 MiB, does not occur.
const SQLITE_LOG: u32 = 2_048;

/// Runs the test again in a process whose files have at most so many KiB. Returns whether this is that process.
fn is_limited(kibibytes: u32) -> TestResult<bool> {
    if std::env::var_os(LIMITED).is_some() {
        return Ok(true);
    }
    let name = std::thread::current().name().ok_or("no name")?.to_owned();
    // `ulimit -f` counts blocks of 512 bytes. A write beyond the limit returns an error, since the signal is ignored.
    let blocks = kibibytes * 2;
    let script =
        format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --exact \"$1\" --nocapture");
    let program = std::env::current_exe()?;
    let ran = Command::new("sh")
        .args(["-c", &script])
        .arg(program)
        .arg(name)
        .env(LIMITED, "1")
        .output()?;
    let (out, err) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(ran.status.success(), "{out}{err}");
    assert!(out.contains("1 passed"), "{out}{err}");
    Ok(false)
}

/// Two shelves with more books than the file can hold.
async fn fill(db: &TestDb) -> TestResult {
    for sql in [
        "CREATE TABLE shelf (id INTEGER PRIMARY KEY, name VARCHAR(2000) NOT NULL)",
        "CREATE TABLE book (id INTEGER PRIMARY KEY, shelf_id INTEGER NOT NULL, title VARCHAR(2000) NOT NULL, \
         FOREIGN KEY (shelf_id) REFERENCES shelf (id) ON DELETE CASCADE)",
        "INSERT INTO shelf (id, name) VALUES (1, 'a'), (2, 'b')",
    ] {
        db.execute_unprepared(sql).await?;
    }
    let rows: Vec<_> = (1..=200)
        .map(|n| format!("({n}, 1, '{n} {}')", "x".repeat(1_000)))
        .collect();
    let insert = format!(
        "INSERT INTO book (id, shelf_id, title) VALUES {}",
        rows.join(", ")
    );
    db.execute_unprepared(&insert).await?;
    if db.backend() == DbBackend::Postgres {
        // PostgreSQL 18 returns old values where no AFTER trigger may change rows, and nothing is read before.
        db.execute_unprepared(
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; \
             CREATE TRIGGER after AFTER UPDATE ON book FOR EACH ROW EXECUTE FUNCTION nothing()",
        )
        .await?;
    }
    Ok(())
}

/// Both store rows: the written ones and those that follow.
const STATEMENTS: [&str; 2] = [
    "UPDATE book SET title = CONCAT(title, ' new')",
    "DELETE FROM shelf WHERE id = 1",
];

async fn statements_are_refused_before_they_run(db: &TestDb) -> TestResult {
    if !is_limited(SMALL)? {
        return Ok(());
    }
    fill(db).await?;
    let config = AuditConfig::builder().before_row_bytes(1_000).build()?;
    let audited = db.audited().with_config(config);
    for sql in STATEMENTS {
        let tx = audited.begin().await?;
        let error = tx.execute_unprepared(sql).await.err().ok_or("it ran")?;
        assert!(
            matches!(
                AuditError::of(&error),
                Some(AuditError::NotRecorded {
                    state: ChangeState::NotTried,
                    cause: Cause::TemporaryFile { .. },
                    ..
                })
            ),
            "{sql}: {error}"
        );
        // The transaction is still usable.
        tx.execute_unprepared("UPDATE shelf SET name = 'c' WHERE id = 2")
            .await?;
        tx.commit().await?;
    }
    assert_eq!(count(db, "book WHERE title NOT LIKE '%new'").await?, 200);
    assert_eq!(count(db, "shelf").await?, 2);
    Ok(())
}

async fn statements_go_on_without_records_under_isolate(db: &TestDb) -> TestResult {
    if !is_limited(SMALL)? {
        return Ok(());
    }
    fill(db).await?;
    let config = AuditConfig::builder()
        .before_row_bytes(1_000)
        .failure_policy(FailurePolicy::Isolate)
        .build()?;
    let audited = db.audited().with_config(config);
    for sql in STATEMENTS {
        audited.execute_unprepared(sql).await?;
    }
    assert_eq!(count(db, "book").await?, 0);
    assert_eq!(count(db, "shelf").await?, 1);
    assert_eq!(db.counted_events().await?.len(), 2);
    Ok(())
}

async fn count(db: &TestDb, from: &str) -> TestResult<i64> {
    let sql = format!(
        "SELECT CAST(COUNT(*) AS {}) AS n FROM {from}",
        match db.backend() {
            DbBackend::Postgres => "BIGINT",
            _ => "SIGNED",
        }
    );
    let ask = sea_orm::Statement::from_string(db.backend(), sql);
    let row = db.query_one_raw(ask).await?.ok_or("no row")?;
    Ok(row.try_get("", "n")?)
}

/// Writes to SQLite's log until it cannot grow.
async fn fill_log(db: &DatabaseConnection) {
    let overwrite = "UPDATE filler SET n = randomblob(20000)";
    while db.execute_unprepared(overwrite).await.is_ok() {}
}

/// SQLite ends the transaction, and the driver does not see it. Without a remedy, the pooled connection only sets
/// savepoints from then on: writes succeed, and are never committed.
async fn commit_that_fails_leaves_the_connection_outside_of_a_transaction(
    db: &TestDb,
) -> TestResult {
    if !is_limited(SQLITE_LOG)? {
        return Ok(());
    }
    for sql in [
        "CREATE TABLE shelf (id INTEGER PRIMARY KEY, name VARCHAR(2000) NOT NULL)",
        "CREATE TABLE filler (n BLOB)",
        "INSERT INTO filler VALUES (1)",
    ] {
        db.execute_unprepared(sql).await?;
    }
    let one = db.another().await?;
    let audited = AuditedConnection::new(one.clone());
    audited.begin().await?.rollback().await?;
    for (number, way) in (0..).zip([Way::Statement, Way::Transaction, Way::Bulk, Way::Export]) {
        fill_log(db).await;
        for id in 1..=3 {
            let error = way.write(&one, &audited, id).await.err();
            assert!(error.is_some(), "{way:?} {id}");
        }
        db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)")
            .await?;
        way.write(&one, &audited, 10 + number).await?;
        // Another connection sees the write, and can write.
        let own = format!("shelf WHERE id = {}", 10 + number);
        let seen = (count(db, &own).await?, db.exports().await?.len());
        let expected = if matches!(way, Way::Export) {
            (0, 1)
        } else {
            (1, 0)
        };
        assert_eq!(seen, expected, "{way:?}");
        assert_eq!(db.records().await?.len(), 1 + number, "{way:?}");
        db.execute_unprepared("DELETE FROM filler WHERE n IS NULL")
            .await?;
    }
    one.close().await?;
    Ok(())
}

/// A write with its record.
#[derive(Debug, Clone, Copy)]
enum Way {
    Statement,
    Transaction,
    Bulk,
    Export,
}

impl Way {
    async fn write(
        self,
        plain: &DatabaseConnection,
        audited: &AuditedConnection,
        id: usize,
    ) -> TestResult {
        let insert = format!("INSERT INTO shelf (id, name) VALUES ({id}, 'a')");
        match self {
            Self::Statement => {
                audited.execute_unprepared(&insert).await?;
            }
            Self::Transaction => {
                let tx = audited.begin().await?;
                tx.execute_unprepared(&insert).await?;
                tx.commit().await?;
            }
            Self::Bulk => {
                let model = shelf::Model {
                    id: id.try_into()?,
                    name: "a".to_owned(),
                };
                shelf::Entity::audited_insert_many([model.into_active_model()])
                    .exec(plain)
                    .await?;
            }
            Self::Export => {
                DataExport::new("shelf").record(plain).await?;
            }
        }
        Ok(())
    }
}
