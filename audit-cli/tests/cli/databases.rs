//! `doctor`: each problem is found, and a log without one is accepted.

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, NotSet, Set};
use sea_orm_audit::entity::{audit_data_export, audit_log};
use sea_orm_audit::migration::AuditTriggers;
use serde_json::Value;

use crate::program::{run, url};
use crate::sample::{fill, insert, product};
use crate::support::{TestDb, TestResult};

on_every_database! {
    log_without_a_problem_is_accepted,
    missing_index_is_found,
    missing_migration_and_table_are_found,
    triggers_are_checked,
    wrong_time_is_found,
    open_export_is_noted,
}

/// What the doctor found, of one status.
fn found(db: &TestDb, status: &str) -> TestResult<(Option<i32>, Vec<String>)> {
    let done = run(&url(db), &["doctor", "--json"])?;
    let checks: Vec<Value> = done
        .out
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let checks = checks.iter().filter(|check| check["status"] == status);
    let text = checks.map(|check| {
        format!(
            "{} {}",
            check["check"].as_str().unwrap_or_default(),
            check["found"].as_str().unwrap_or_default()
        )
    });
    Ok((done.code, text.collect()))
}

/// The only problem, which ends the command with 1.
fn problem(db: &TestDb, text: &str) -> TestResult {
    let (code, problems) = found(db, "problem")?;
    assert_eq!((code, problems.len()), (Some(1), 1), "{problems:?}");
    assert!(problems[0].contains(text), "{problems:?}");
    Ok(())
}

async fn log_without_a_problem_is_accepted(db: &TestDb) -> TestResult {
    fill(db).await?;
    let done = run(&url(db), &["doctor"])?;
    assert_eq!(done.code, Some(0), "{done:?}");
    for check in [
        "tables",
        "triggers",
        "migrations",
        "indexes",
        "clock",
        "growth",
    ] {
        assert!(done.out.contains(&format!("ok       {check}")), "{done:?}");
    }
    assert!(done.out.ends_with("no problems\n"), "{done:?}");
    Ok(())
}

async fn missing_index_is_found(db: &TestDb) -> TestResult {
    let on = if db.backend() == DbBackend::MySql {
        " ON audit_log"
    } else {
        ""
    };
    db.execute_unprepared(&format!("DROP INDEX idx_audit_log_actor{on}"))
        .await?;
    problem(db, "indexes missing: idx_audit_log_actor;")
}

async fn missing_migration_and_table_are_found(db: &TestDb) -> TestResult {
    db.execute_unprepared("DELETE FROM audit_migrations WHERE version LIKE '%trigger_context'")
        .await?;
    problem(db, "migrations did not run: m20")?;
    db.execute_unprepared("INSERT INTO audit_migrations (version, applied_at) VALUES ('m30000101_000001_sea_orm_audit_new', 0)").await?;
    let (_, notes) = found(db, "note")?;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("a newer version of the library ran m3000")),
        "{notes:?}"
    );
    db.execute_unprepared("DROP TABLE audit_migrations").await?;
    let (code, notes) = found(db, "note")?;
    assert_eq!(code, Some(0));
    assert!(
        notes
            .iter()
            .any(|note| note.contains("no table of migrations")),
        "{notes:?}"
    );
    db.execute_unprepared("DROP TABLE audit_system_event")
        .await?;
    let (code, problems) = found(db, "problem")?;
    assert_eq!(code, Some(1));
    assert!(
        problems[0].contains("audit_system_event cannot be read"),
        "{problems:?}"
    );
    Ok(())
}

async fn triggers_are_checked(db: &TestDb) -> TestResult {
    fill(db).await?;
    AuditTriggers::of::<product::Entity>()
        .create(&db.conn)
        .await?;
    let (code, good) = found(db, "ok")?;
    assert_eq!(code, Some(0));
    assert!(
        good.iter()
            .any(|check| check.contains("of 1 tables are enabled")),
        "{good:?}"
    );
    db.execute_unprepared("ALTER TABLE product ADD COLUMN weight int")
        .await?;
    let (code, notes) = found(db, "note")?;
    assert_eq!(code, Some(0));
    assert!(
        notes
            .iter()
            .any(|note| note.contains("the columns weight:")),
        "{notes:?}"
    );
    if db.backend() == DbBackend::Postgres {
        db.execute_unprepared("ALTER TABLE product DISABLE TRIGGER USER")
            .await?;
        let (code, problems) = found(db, "problem")?;
        assert_eq!(code, Some(1));
        assert!(
            problems
                .iter()
                .all(|problem| problem.contains("is disabled")),
            "{problems:?}"
        );
    }
    db.execute_unprepared("ALTER TABLE audit_log RENAME TO elsewhere")
        .await?;
    let (code, problems) = found(db, "problem")?;
    assert_eq!(code, Some(1));
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("writes of the application fail")),
        "{problems:?}"
    );
    Ok(())
}

async fn wrong_time_is_found(db: &TestDb) -> TestResult {
    insert(
        db,
        audit_log::ActiveModel {
            id: NotSet,
            occurred_at: Set("2037-01-01T00:00:00Z".parse()?),
            action: Set("UPDATE".to_owned()),
            outcome: Set("SUCCESS".to_owned()),
            actor_type: Set("SYSTEM".to_owned()),
            source: Set("MANUAL".to_owned()),
            ..Default::default()
        },
    )
    .await?;
    problem(
        db,
        "the newest record is of 2037-01-01 00:00:00, which is in the future",
    )
}

async fn open_export_is_noted(db: &TestDb) -> TestResult {
    audit_data_export::Entity::insert(audit_data_export::ActiveModel {
        occurred_at: Set("2026-03-01T00:00:00Z".parse()?),
        outcome: Set("OPEN".to_owned()),
        actor_type: Set("SYSTEM".to_owned()),
        export_type: Set("customers".to_owned()),
        download_count: Set(0),
        ..Default::default()
    })
    .exec(&db.conn)
    .await?;
    let (code, notes) = found(db, "note")?;
    assert_eq!(code, Some(0));
    assert!(
        notes
            .iter()
            .any(|note| note.contains("1 were begun more than a day ago")),
        "{notes:?}"
    );
    Ok(())
}
