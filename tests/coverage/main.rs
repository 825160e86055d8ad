//! The coverage report: a schema of twenty tables without gaps, and then one gap after the other. A separate program,
//! since the report looks for every entity of the program in the schema.
//!
//! One file, because its gaps are made in one schema.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::large_futures,
    dead_code,
    missing_docs,
    unreachable_pub
)]

#[macro_use]
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;
mod entities;
mod notes;
mod other_triggers;

use entities::{
    author, book, cache, chapter, comment, entry, ledger, login, membership, odd, order, page,
    review, t11, t12, t13, t14, t15, t16, t17,
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr};
use sea_orm_audit::AuditConfig;
use sea_orm_audit::config::HashKey;
use sea_orm_audit::migration::{AuditTriggers, Captured, Coverage, Finding, SkippedBy};

use support::{TestDb, TestResult};

on_every_database! {
    nothing_is_found_in_a_complete_schema,
    each_gap_is_found,
    gaps_of_the_configuration_are_found,
    accepted_finding_is_no_gap,
    the_report_is_a_table,
}

/// The schema, with its triggers.
async fn build(db: &TestDb) -> TestResult {
    db.create(author::Entity).await?;
    db.create(book::Entity).await?;
    db.create(chapter::Entity).await?;
    db.create(review::Entity).await?;
    db.create(comment::Entity).await?;
    db.create(ledger::Entity).await?;
    db.create(entry::Entity).await?;
    db.create(page::Entity).await?;
    db.create(login::Entity).await?;
    db.create(membership::Entity).await?;
    db.create(cache::Entity).await?;
    db.create(order::Entity).await?;
    db.create(odd::Entity).await?;
    db.create(t11::Entity).await?;
    db.create(t12::Entity).await?;
    db.create(t13::Entity).await?;
    db.create(t14::Entity).await?;
    db.create(t15::Entity).await?;
    db.create(t16::Entity).await?;
    db.create(t17::Entity).await?;
    AuditTriggers::of::<ledger::Entity>()
        .create(&db.conn)
        .await?;
    AuditTriggers::of::<entry::Entity>()
        .create(&db.conn)
        .await?;
    AuditTriggers::of::<page::Entity>().create(&db.conn).await?;
    Ok(())
}

/// The report without the findings on `REPLACE` in SQLite: `tests/coverage_places/replace.rs` tests those.
async fn coverage(db: &DatabaseConnection) -> Result<Coverage, DbErr> {
    let mut report = sea_orm_audit::migration::coverage(db).await?;
    (report.findings).retain(|finding| !matches!(finding, Finding::ReplaceNotCaptured { .. }));
    Ok(report)
}

async fn found(db: &TestDb) -> TestResult<Vec<Finding>> {
    Ok(coverage(&db.conn).await?.findings)
}

async fn nothing_is_found_in_a_complete_schema(db: &TestDb) -> TestResult {
    build(db).await?;
    let coverage = coverage(&db.conn).await?;
    assert_eq!(coverage.findings, []);
    let captured = |table: &str| {
        let row = coverage.tables.iter().find(|row| row.table == table);
        row.map(|row| row.captured)
    };
    assert_eq!(captured("author"), Some(Captured::Hook));
    assert_eq!(captured("Odd \"Name\""), Some(Captured::Hook));
    assert_eq!(captured("entry"), Some(Captured::Trigger));
    assert_eq!(
        captured("cache"),
        Some(Captured::Skipped(SkippedBy::Attribute))
    );
    assert_eq!(captured("audit_log"), Some(Captured::Own));
    let of_the_application =
        |row: &&sea_orm_audit::migration::TableCoverage| row.captured != Captured::Own;
    assert_eq!(
        coverage.tables.iter().filter(of_the_application).count(),
        20
    );
    coverage.assert_complete()?;
    // The checks of the triggers agree.
    let check = AuditTriggers::of::<ledger::Entity>()
        .check(&db.conn)
        .await?;
    assert!(check.is_current(), "{check}");
    assert_eq!(check.redacted, ["account"]);
    Ok(())
}

/// A gap: the change to the schema, the expected findings, and the SQL that undoes the change.
struct Gap {
    plant: Vec<String>,
    found: Vec<Finding>,
    mend: Vec<String>,
}

fn gap(plant: &[&str], found: Vec<Finding>, mend: &[&str]) -> Gap {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Gap {
        plant: texts(plant),
        found,
        mend: texts(mend),
    }
}

fn not_captured(table: &str) -> Finding {
    Finding::NotCaptured {
        table: table.into(),
    }
}

fn cascade(table: &str, key: &str, parent: &str, on: &'static str, why: &'static str) -> Finding {
    Finding::CascadeNotCaptured {
        table: table.into(),
        key: key.into(),
        parent: parent.into(),
        on,
        why,
    }
}

const NOT_DECLARED: &str =
    "no `belongs_to` relation of its entity declares this foreign key with its `on_delete`";
const NO_ENTITY: &str = "that table has no audited entity";
const KEYS_CHANGE: &str =
    "changes of keys are not followed: capture it by triggers, or accept that keys never change";

/// The gaps that every database can have.
fn gaps() -> Vec<Gap> {
    let column = |table: &str, column: &str| (table.to_owned(), column.to_owned());
    let (table, extra) = column("t11", "extra");
    let (lost_table, lost) = column("t12", "note");
    vec![
        gap(
            &["CREATE TABLE loose (id INTEGER PRIMARY KEY)"],
            vec![not_captured("loose")],
            &["DROP TABLE loose"],
        ),
        gap(
            &["ALTER TABLE t11 ADD COLUMN extra INTEGER"],
            vec![Finding::ColumnNotCaptured {
                table,
                column: extra,
            }],
            &["ALTER TABLE t11 DROP COLUMN extra"],
        ),
        gap(
            &["ALTER TABLE t12 DROP COLUMN note"],
            vec![Finding::ColumnMissing {
                table: lost_table,
                column: lost,
            }],
            &["ALTER TABLE t12 ADD COLUMN note VARCHAR(255)"],
        ),
        gap(
            &["ALTER TABLE t13 RENAME TO t13_old"],
            vec![
                not_captured("t13_old"),
                Finding::TableMissing {
                    model: "t13".into(),
                    table: "t13".into(),
                },
            ],
            &["ALTER TABLE t13_old RENAME TO t13"],
        ),
    ]
}

/// Tables whose foreign keys differ from those of their entities. SQLite's keys are part of their tables.
fn foreign_keys(backend: DbBackend) -> Vec<Gap> {
    let name = |name: &'static str| match backend {
        DbBackend::Sqlite if name == "by_author" => "(author_id)",
        DbBackend::Sqlite => "(parent_id)",
        _ => name,
    };
    let table = |references: &str| {
        format!(
            "CREATE TABLE comment (id INTEGER PRIMARY KEY, parent_id INTEGER, note VARCHAR(255), \
             CONSTRAINT named FOREIGN KEY (parent_id) REFERENCES {references})"
        )
    };
    let as_it_should_be = table("review (id)");
    let planted = |references: &str, found: Vec<Finding>| {
        gap(
            &["DROP TABLE comment", &table(references)],
            found,
            &["DROP TABLE comment", &as_it_should_be],
        )
    };
    let on = |parent: &str, on: &'static str, why: &'static str| {
        vec![cascade("comment", name("named"), parent, on, why)]
    };
    let mut unknown_parent = planted(
        "loose (id) ON DELETE SET NULL",
        [
            vec![not_captured("loose")],
            on("loose", "ON DELETE", NO_ENTITY),
        ]
        .concat(),
    );
    unknown_parent
        .plant
        .insert(0, "CREATE TABLE loose (id INTEGER PRIMARY KEY)".to_owned());
    unknown_parent.mend.push("DROP TABLE loose".to_owned());
    // Through a table that is skipped.
    let mut through = planted(
        "cache (id) ON DELETE CASCADE",
        vec![
            cascade(
                "comment",
                name("by_author"),
                "author",
                "ON DELETE",
                NOT_DECLARED,
            ),
            cascade("comment", name("named"), "cache", "ON DELETE", NOT_DECLARED),
        ],
    );
    let cache = |columns: &str| format!("CREATE TABLE cache (id INTEGER PRIMARY KEY{columns})");
    through.plant.splice(
        1..1,
        [
            "DROP TABLE cache".to_owned(),
            cache(
                ", author_id INTEGER, CONSTRAINT by_author FOREIGN KEY (author_id) \
                 REFERENCES author (id) ON DELETE CASCADE",
            ),
        ],
    );
    (through.mend).splice(1..1, ["DROP TABLE cache".to_owned(), cache("")]);
    vec![
        through,
        planted(
            "review (id) ON DELETE CASCADE",
            on("review", "ON DELETE", NOT_DECLARED),
        ),
        planted(
            "review (id) ON DELETE SET NULL",
            on("review", "ON DELETE", NOT_DECLARED),
        ),
        planted(
            "review (id) ON UPDATE CASCADE",
            on("review", "ON UPDATE", KEYS_CHANGE),
        ),
        unknown_parent,
    ]
}

async fn each_gap_is_found(db: &TestDb) -> TestResult {
    build(db).await?;
    for gap in gaps().into_iter().chain(foreign_keys(db.backend())) {
        for sql in &gap.plant {
            db.execute_unprepared(sql).await?;
        }
        assert_eq!(found(db).await?, gap.found, "{:?}", gap.plant);
        for sql in &gap.mend {
            db.execute_unprepared(sql).await?;
        }
        assert_eq!(found(db).await?, [], "{:?}", gap.mend);
    }
    gaps_of_triggers(db).await
}

async fn gaps_of_triggers(db: &TestDb) -> TestResult {
    // Missing triggers.
    let triggers = AuditTriggers::of::<entry::Entity>();
    triggers.drop(&db.conn).await?;
    let missing = found(db).await?;
    assert!(
        matches!(&missing[..], [Finding::TriggersMissing { table, .. }] if table == "entry"),
        "{missing:?}"
    );
    triggers.create(&db.conn).await?;

    // Triggers of another configuration.
    let other = AuditConfig::builder().redact_field("note").build()?;
    other.scope(triggers.recreate(&db.conn)).await?;
    let old = found(db).await?;
    assert!(
        matches!(&old[..], [Finding::TriggersOutOfDate { table, .. }] if table == "entry"),
        "{old:?}"
    );
    triggers.recreate(&db.conn).await?;

    // Triggers beside hooks.
    let beside = AuditTriggers::of::<author::Entity>();
    beside.create(&db.conn).await?;
    let twice = Finding::RecordedTwice {
        table: "author".into(),
    };
    assert_eq!(found(db).await?, [twice]);
    beside.drop(&db.conn).await?;

    // Triggers left on an entity that is now skipped.
    let skipping = AuditConfig::builder().skip_model("entry").build()?;
    let left = skipping.scope(coverage(&db.conn)).await?.findings;
    let (first, rest) = left.split_first().ok_or("nothing is found")?;
    assert!(
        matches!(first, Finding::TriggersLeft { table, .. } if table == "entry"),
        "{left:?}"
    );
    // On MariaDB the parent's triggers record its rows, too.
    let of_parent = |finding: &Finding| matches!(finding, Finding::TriggersOutOfDate { table, .. } if table == "ledger");
    let expected = usize::from(db.backend() == DbBackend::MySql);
    assert!(
        rest.len() == expected && rest.iter().all(of_parent),
        "{left:?}"
    );

    // Disabled triggers, where the database supports that.
    if db.backend() == DbBackend::Postgres {
        db.execute_unprepared("ALTER TABLE entry DISABLE TRIGGER USER")
            .await?;
        let disabled = found(db).await?;
        assert!(
            matches!(&disabled[..], [Finding::TriggersDisabled { table, .. }] if table == "entry"),
            "{disabled:?}"
        );
        db.execute_unprepared("ALTER TABLE entry ENABLE TRIGGER USER")
            .await?;
    }
    assert_eq!(found(db).await?, []);
    Ok(())
}

async fn gaps_of_the_configuration_are_found(db: &TestDb) -> TestResult {
    let key = HashKey::from_bytes("k", &[1; 32])?;
    build(db).await?;
    let open = AuditConfig::builder()
        .hash_key(key)
        .no_secret_detection()
        .build()?;
    let report = open.scope(coverage(&db.conn)).await?;
    let plain = Finding::PlainSecret {
        table: "login".into(),
        column: "password_hash".into(),
    };
    let secrets: Vec<_> = (report.findings.iter())
        .filter(|finding| matches!(finding, Finding::PlainSecret { .. }))
        .collect();
    assert_eq!(secrets, [&plain]);

    let skipping = AuditConfig::builder().skip_model("author").build()?;
    let report = skipping.scope(coverage(&db.conn)).await?;
    let author = report.tables.iter().find(|row| row.table == "author");
    let by = author.map(|row| row.captured);
    assert_eq!(by, Some(Captured::Skipped(SkippedBy::Configuration)));
    assert_eq!(report.findings, []);
    Ok(())
}

async fn accepted_finding_is_no_gap(db: &TestDb) -> TestResult {
    build(db).await?;
    db.execute_unprepared("CREATE TABLE session (id INTEGER PRIMARY KEY)")
        .await?;
    db.execute_unprepared("ALTER TABLE t11 ADD COLUMN extra INTEGER")
        .await?;
    let report = coverage(&db.conn).await?;
    assert!(!report.is_complete());
    let error = report
        .clone()
        .assert_complete()
        .expect_err("it has two gaps");
    assert!(
        error.to_string().starts_with("the audit log has 2 gaps:"),
        "{error}"
    );
    let report = report.except(["session"]);
    assert_eq!((report.findings.len(), report.accepted.len()), (1, 1));
    let report = report.accept(|finding| matches!(finding, Finding::ColumnNotCaptured { .. }));
    report.assert_complete()?;
    Ok(())
}

async fn the_report_is_a_table(db: &TestDb) -> TestResult {
    build(db).await?;
    db.execute_unprepared("CREATE TABLE loose (id INTEGER PRIMARY KEY)")
        .await?;
    let text = coverage(&db.conn).await?.to_string();
    // The widths of the columns follow their longest word.
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in [
        "table captured by model",
        "author hooks and connection author",
        "cache skipped by its derive cache",
        "entry triggers entry",
        "loose not at all -",
        "open:",
        "- `loose` is not captured: derive `Auditable` on its entity, or accept it with `.except([\"loose\"])`",
    ] {
        assert!(
            text.lines().any(|there| words(there) == line),
            "{line}\n{text}"
        );
    }
    Ok(())
}
