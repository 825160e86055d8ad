//! The coverage report for tables in several schemas, views, partitions, names in another case, and tables that changed
//! under their triggers. A separate program, since the report looks for every entity of the program.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::large_futures,
    dead_code,
    unused_macros,
    missing_docs,
    unreachable_pub
)]

#[macro_use]
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;
mod changes;
mod entities;
mod kinds;
mod moved;
mod name_case;
mod owners;
mod partitions;
mod replace;
mod schemas;
mod views;

use entities::{metered, shelf, ware};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr};
use sea_orm_audit::migration::{AuditTriggers, Coverage, Finding};

use support::{TestDb, TestResult};

on_every_database! {
    nothing_is_found_in_a_complete_schema,
    several_gaps_are_found_at_once,
    names_that_need_quotes_are_recorded_unchanged,
}

/// Creates all tables but those of other schemas.
async fn build(db: &TestDb) -> TestResult {
    let backend = db.backend();
    // On databases with case-insensitive names the case differs from the entity's.
    let (mixed, note) = match backend {
        DbBackend::Postgres => ("\"Mixed\"", "\"Note\""),
        DbBackend::Sqlite => ("mIXED", "nOTE"),
        _ => ("Mixed", "nOTE"),
    };
    let partitioned = |table: &str| match backend {
        DbBackend::Postgres => format!(
            "CREATE TABLE {table} (id INT PRIMARY KEY, person_id INT) PARTITION BY RANGE (id); \
             CREATE TABLE {table}_low PARTITION OF {table} FOR VALUES FROM (MINVALUE) TO (0); \
             CREATE TABLE {table}_high PARTITION OF {table} DEFAULT"
        ),
        _ => format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY, person_id INT)"),
    };
    let words = match backend {
        DbBackend::Sqlite => "CREATE VIRTUAL TABLE words USING fts5(id UNINDEXED, word)",
        _ => "CREATE TABLE words (id INT PRIMARY KEY, word VARCHAR(20))",
    };
    for sql in [
        &format!("CREATE TABLE {mixed} (id INTEGER PRIMARY KEY, {note} VARCHAR(20))"),
        &format!(
            "CREATE TABLE mixed_child (id INTEGER PRIMARY KEY, mixed_id INT, CONSTRAINT to_mixed \
             FOREIGN KEY (mixed_id) REFERENCES {} (id) ON DELETE CASCADE)",
            if backend == DbBackend::Sqlite {
                "MIXED"
            } else {
                mixed
            }
        ),
        "CREATE TABLE person (id INTEGER PRIMARY KEY, name VARCHAR(20), note VARCHAR(20))",
        "CREATE VIEW person_name AS SELECT id, name FROM person",
        // A view without an entity.
        "CREATE VIEW person_note AS SELECT id, note FROM person",
        "CREATE TABLE made (id INTEGER PRIMARY KEY, qty INT, twice INT GENERATED ALWAYS AS (qty * 2) STORED)",
        "CREATE TABLE couple (a INT, b INT, PRIMARY KEY (a, b), UNIQUE (b, a))",
        "CREATE TABLE guest (id INTEGER PRIMARY KEY, x INT, y INT, \
         FOREIGN KEY (y, x) REFERENCES couple (b, a) ON DELETE CASCADE)",
        &partitioned("measure"),
        &partitioned("metered"),
        words,
        "CREATE TABLE ware (id INTEGER PRIMARY KEY, name VARCHAR(20), qty INT)",
        "CREATE TABLE shelf (id INTEGER PRIMARY KEY, name VARCHAR(20), note VARCHAR(20))",
    ] {
        db.execute_unprepared(sql).await?;
    }
    if backend == DbBackend::Sqlite {
        db.execute_unprepared("CREATE TABLE at_main (id INTEGER PRIMARY KEY, note TEXT)")
            .await?;
    }
    AuditTriggers::of::<metered::Entity>()
        .create(&db.conn)
        .await?;
    AuditTriggers::of::<ware::Entity>().create(&db.conn).await?;
    AuditTriggers::of::<shelf::Entity>()
        .create(&db.conn)
        .await?;
    Ok(())
}

/// The report without the findings on `REPLACE` in SQLite: `replace.rs` tests those.
async fn coverage(db: &DatabaseConnection) -> Result<Coverage, DbErr> {
    let mut report = sea_orm_audit::migration::coverage(db).await?;
    (report.findings).retain(|finding| !matches!(finding, Finding::ReplaceNotCaptured { .. }));
    Ok(report)
}

/// The findings without the view and other schemas: on MariaDB all tests share one, which one test creates.
async fn found(db: &DatabaseConnection) -> TestResult<Vec<Finding>> {
    let mut findings = coverage(db).await?.findings;
    findings.retain(|finding| !is_view(finding) && !is_elsewhere(finding));
    Ok(findings)
}

fn is_view(finding: &Finding) -> bool {
    matches!(finding, Finding::NotATable { table, .. } if table == "person_name")
}

fn is_elsewhere(finding: &Finding) -> bool {
    is_in(finding, "elsewhere") || is_in(finding, "main") || is_in(finding, "temp")
}

fn is_in(finding: &Finding, schema: &str) -> bool {
    finding.to_string().starts_with(&format!("`{schema}."))
}

fn not_captured(table: &str) -> Finding {
    Finding::NotCaptured {
        table: table.into(),
    }
}

async fn nothing_is_found_in_a_complete_schema(db: &TestDb) -> TestResult {
    build(db).await?;
    assert_eq!(found(db).await?, []);
    let tables = coverage(&db.conn).await?.tables;
    let names: Vec<_> = tables.iter().map(|table| table.table.as_str()).collect();
    assert!(names.contains(&"person_name"), "{names:?}");
    assert!(!names.contains(&"person_note"), "{names:?}");
    let partitions = names.iter().filter(|name| name.starts_with("metered"));
    assert_eq!(partitions.count(), 1, "{names:?}");
    Ok(())
}

async fn several_gaps_are_found_at_once(db: &TestDb) -> TestResult {
    build(db).await?;
    for sql in [
        "CREATE TABLE loose (id INTEGER PRIMARY KEY)",
        "ALTER TABLE person ADD COLUMN born INT",
        "ALTER TABLE couple ADD COLUMN c INT",
        "DROP TABLE guest",
        "DROP TABLE mixed_child",
        "CREATE TABLE guest (id INTEGER PRIMARY KEY, x INT, y INT, CONSTRAINT swapped \
         FOREIGN KEY (x, y) REFERENCES couple (b, a) ON DELETE CASCADE)",
        "ALTER TABLE ware ADD COLUMN price INT",
    ] {
        db.execute_unprepared(sql).await?;
    }
    AuditTriggers::of::<metered::Entity>()
        .drop(&db.conn)
        .await?;
    let unknown = |table: &str, column: &str| Finding::ColumnNotCaptured {
        table: table.into(),
        column: column.into(),
    };
    let findings = found(db).await?;
    for finding in [
        not_captured("loose"),
        unknown("person", "born"),
        unknown("couple", "c"),
        unknown("ware", "price"),
        Finding::TableMissing {
            model: "mixed_child".into(),
            table: "mixed_child".into(),
        },
        Finding::CascadeNotCaptured {
            table: "guest".into(),
            key: match db.backend() {
                DbBackend::Sqlite => "(x, y)".into(),
                _ => "swapped".into(),
            },
            parent: "couple".into(),
            on: "ON DELETE",
            why: "no `belongs_to` relation of its entity declares this foreign key with its `on_delete`",
        },
    ] {
        let count = findings.iter().filter(|it| **it == finding).count();
        assert_eq!(count, 1, "{finding:?}: {findings:#?}");
    }
    let gone = findings
        .iter()
        .filter(|it| matches!(it, Finding::TriggersMissing { table, .. } if table == "metered"));
    assert_eq!(gone.count(), 1);
    // PostgreSQL's triggers name the columns of the table as it was.
    let old = findings
        .iter()
        .filter(|it| matches!(it, Finding::TriggersOutOfDate { table, .. } if table == "ware"));
    let expected = usize::from(db.backend() == DbBackend::Postgres);
    assert_eq!(
        (old.count(), findings.len()),
        (expected, 7 + expected),
        "{findings:#?}"
    );
    Ok(())
}

async fn names_that_need_quotes_are_recorded_unchanged(db: &TestDb) -> TestResult {
    build(db).await?;
    let quote = |name: &str| match db.backend() {
        DbBackend::MySql => format!("`{}`", name.replace('`', "``")),
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    };
    let names = [
        "o'brien",
        "a\"b",
        "a`b",
        "a\\",
        "$$; DROP TABLE person; --",
        "$1 ? %s {}",
        "größe 表",
        "select",
    ];
    for name in names {
        let (table, column, key) = (
            quote(name),
            quote(&format!("{name} of")),
            quote(&format!("k {name}")),
        );
        db.execute_unprepared(&format!(
            "CREATE TABLE {table} (id INTEGER PRIMARY KEY, {column} INT, CONSTRAINT {key} \
             FOREIGN KEY ({column}) REFERENCES {table} (id))"
        ))
        .await?;
    }
    let mut findings = found(db).await?;
    findings.sort_by_key(ToString::to_string);
    let mut expected: Vec<_> = names.iter().map(|name| not_captured(name)).collect();
    expected.sort_by_key(ToString::to_string);
    assert_eq!(findings, expected);
    let accepted = coverage(&db.conn).await?.except(names).accepted;
    assert_eq!(accepted.len(), names.len());
    Ok(())
}
