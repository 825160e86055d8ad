//! `doctor`: whether the log is as it should be.

use std::collections::BTreeMap;
use std::time::Instant;

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect,
};
use sea_orm_audit_core::entity::{
    audit_data_export, audit_log, audit_login_attempt, audit_system_event,
};
use sea_orm_audit_core::{AuditConfig, Outcome};
use sea_orm_audit_migration::{index_names, migrations_for};
use serde_json::json;

use super::stats::growth;
use crate::catalog;
use crate::database::{is_missing, missing_log};
use crate::error::{NOT_FOUND, Result, reading};
use crate::output::Output;
use crate::text::{clean, seconds};

/// Clocks may differ by so many seconds.
const CLOCK_SECONDS: i64 = 5;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Ok,
    Note,
    Problem,
}

/// What was checked, and what was found.
struct Report<'a> {
    output: &'a mut Output,
    problems: usize,
}

impl Report<'_> {
    fn add(&mut self, status: Status, check: &str, found: &str) -> Result {
        let paint = self.output.paint;
        let (word, shown) = match status {
            Status::Ok => ("ok", paint.added("ok     ")),
            Status::Note => ("note", paint.warning("note   ")),
            Status::Problem => {
                self.problems += 1;
                ("problem", paint.removed("PROBLEM"))
            }
        };
        if self.output.json {
            self.output
                .json(&json!({ "check": check, "status": word, "found": found }))
        } else {
            self.output
                .line(format!("{shown}  {check:<10}  {}", clean(found)))
        }
    }

    fn ok(&mut self, check: &str, found: &str) -> Result {
        self.add(Status::Ok, check, found)
    }

    fn note(&mut self, check: &str, found: &str) -> Result {
        self.add(Status::Note, check, found)
    }

    fn problem(&mut self, check: &str, found: &str) -> Result {
        self.add(Status::Problem, check, found)
    }
}

pub(super) async fn check(db: &DatabaseConnection, mut output: Output) -> Result<u8> {
    let mut report = Report {
        output: &mut output,
        problems: 0,
    };
    let has_log = tables(db, &mut report).await?;
    triggers(db, &mut report, has_log).await?;
    if has_log {
        migrations(db, &mut report).await?;
        indexes(db, &mut report).await?;
        clock(db, &mut report).await?;
        open_ends(db, &mut report).await?;
        size(db, &mut report).await?;
    }
    let problems = report.problems;
    if !output.json {
        let line = match problems {
            0 => "no problems".to_owned(),
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        let line = output.paint.bold(line);
        output.line(line)?;
    }
    output.finish()?;
    Ok(if problems == 0 { 0 } else { NOT_FOUND })
}

/// Reads a row of each table with all columns. Returns whether the log itself can be read.
async fn tables(db: &DatabaseConnection, report: &mut Report<'_>) -> Result<bool> {
    let tables = AuditConfig::current().tables();
    let reads: [(&str, std::result::Result<(), DbErr>); 4] = [
        (
            tables.log(),
            audit_log::Entity::find().limit(1).one(db).await.map(drop),
        ),
        (
            tables.login_attempt(),
            audit_login_attempt::Entity::find()
                .limit(1)
                .one(db)
                .await
                .map(drop),
        ),
        (
            tables.data_export(),
            audit_data_export::Entity::find()
                .limit(1)
                .one(db)
                .await
                .map(drop),
        ),
        (
            tables.system_event(),
            audit_system_event::Entity::find()
                .limit(1)
                .one(db)
                .await
                .map(drop),
        ),
    ];
    let mut has_log = false;
    let mut are_there = true;
    for (at, (table, read)) in reads.into_iter().enumerate() {
        match read {
            Ok(()) => has_log |= at == 0,
            Err(error) => {
                are_there = false;
                let table = tables.qualified(table);
                let found = if at == 0 && is_missing(&error) {
                    missing_log()
                } else {
                    format!("{table} cannot be read ({error}): run the audit migrations")
                };
                report.problem("tables", &found)?;
            }
        }
    }
    if are_there {
        report.ok(
            "tables",
            "the four audit tables are there, with all columns",
        )?;
    }
    Ok(has_log)
}

async fn migrations(db: &DatabaseConnection, report: &mut Report<'_>) -> Result {
    const PREFIX: &str = "sea_orm_audit";
    let tables = AuditConfig::current().tables();
    let known: Vec<String> = migrations_for(tables)
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect();
    let Some(ran) = catalog::migrations(db).await.map_err(reading)? else {
        let found =
            "no table of migrations is there: the application may keep its own record of them";
        return report.note("migrations", found);
    };
    let missing: Vec<&str> = known
        .iter()
        .filter(|name| !ran.contains(name))
        .map(String::as_str)
        .collect();
    let newer: Vec<&str> = (ran.iter())
        .filter(|name| name.contains(PREFIX) && !known.contains(name))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        let found = format!(
            "did not run: {}; run the audit migrations",
            missing.join(", ")
        );
        report.problem("migrations", &found)?;
    }
    if !newer.is_empty() {
        let found = format!(
            "a newer version of the library ran {}: install that of this command",
            newer.join(", ")
        );
        report.note("migrations", &found)?;
    }
    if missing.is_empty() && newer.is_empty() {
        report.ok("migrations", &format!("all {} ran", known.len()))?;
    }
    Ok(())
}

async fn indexes(db: &DatabaseConnection, report: &mut Report<'_>) -> Result {
    let tables = AuditConfig::current().tables();
    let mut there: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let wanted = index_names(tables);
    let mut missing = Vec::new();
    for (table, index) in &wanted {
        if !there.contains_key(table) {
            let indexes = catalog::indexes(db, table).await.map_err(reading)?;
            there.insert(*table, indexes);
        }
        if !there.get(table).is_some_and(|there| there.contains(index)) {
            missing.push(index.as_str());
        }
    }
    if missing.is_empty() {
        return report.ok("indexes", &format!("all {} are there", wanted.len()));
    }
    let found = format!(
        "missing: {}; searches of a large log are slow without them",
        missing.join(", ")
    );
    report.problem("indexes", &found)
}

/// What can be known of triggers without the entities that they were made from.
async fn triggers(db: &DatabaseConnection, report: &mut Report<'_>, has_log: bool) -> Result {
    let triggers = catalog::triggers(db).await.map_err(reading)?;
    if triggers.is_empty() {
        return report.ok(
            "triggers",
            "none: hooks or an AuditedConnection record the changes",
        );
    }
    if !has_log {
        report.problem(
            "triggers",
            "triggers write to a log that cannot be read: writes of the application fail",
        )?;
    }
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    let mut is_good = has_log;
    for trigger in &triggers {
        if !trigger.is_enabled {
            is_good = false;
            let found = format!(
                "{} of {} is disabled: its changes are not recorded",
                trigger.name, trigger.table
            );
            report.problem("triggers", &found)?;
        }
        texts
            .entry(&trigger.table)
            .or_default()
            .push_str(&trigger.text);
    }
    for (table, text) in &texts {
        let columns = catalog::columns(db, table).await.map_err(reading)?;
        let missing: Vec<&str> = (columns.iter())
            .map(String::as_str)
            .filter(|column| !has_word(text, column))
            .collect();
        if !missing.is_empty() {
            is_good = false;
            let found = format!(
                "no trigger of {table} has the columns {}: its triggers are out of date, or the entity skips them; \
                 `AuditTriggers::check` of the application decides",
                missing.join(", ")
            );
            report.note("triggers", &found)?;
        }
    }
    if is_good {
        let found = format!(
            "{} of {} tables are enabled and have all columns",
            triggers.len(),
            texts.len()
        );
        report.ok("triggers", &found)?;
    }
    Ok(())
}

/// Whether a name is in a text, and no part of a longer name.
fn has_word(text: &str, word: &str) -> bool {
    let is_name = |char: char| char.is_alphanumeric() || char == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

async fn clock(db: &DatabaseConnection, report: &mut Report<'_>) -> Result {
    let begin = Instant::now();
    let theirs = catalog::now(db).await.map_err(reading)?;
    let took = begin.elapsed();
    let ours = AuditConfig::current().now();
    let Some(theirs) = theirs else {
        return report.note("clock", "the database does not say its time");
    };
    let took = chrono::TimeDelta::from_std(took).unwrap_or_default();
    let difference = (ours - took / 2 - theirs).num_milliseconds();
    let found = format!("the database's clock and the one here differ by {difference} ms");
    if difference.abs() > CLOCK_SECONDS * 1000 {
        let found = format!(
            "{found}: records have the time of the application's clock, so set one of them"
        );
        report.problem("clock", &found)?;
    } else {
        report.ok("clock", &found)?;
    }
    let newest = growth(db).await?.newest;
    let latest = theirs
        .checked_add_signed(chrono::TimeDelta::seconds(CLOCK_SECONDS))
        .unwrap_or(DateTimeUtc::MAX_UTC);
    if let Some(newest) = newest.filter(|newest| *newest > latest) {
        let found = format!(
            "the newest record is of {}, which is in the future",
            seconds(newest)
        );
        report.problem("clock", &found)?;
    }
    Ok(())
}

/// Exports without an end, and events that are not resolved.
async fn open_ends(db: &DatabaseConnection, report: &mut Report<'_>) -> Result {
    let yesterday = AuditConfig::current().now() - chrono::TimeDelta::days(1);
    let open = audit_data_export::Entity::find()
        .filter(audit_data_export::Column::Outcome.eq(Outcome::Open.as_str()))
        .filter(audit_data_export::Column::OccurredAt.lt(yesterday))
        .count(db)
        .await;
    if let Some(open) = counted(open)? {
        let found = format!(
            "{open} were begun more than a day ago and have no end: `exports --open` lists them"
        );
        report.note("exports", &found)?;
    }
    let events = audit_system_event::Entity::find()
        .filter(audit_system_event::Column::Resolved.eq(false))
        .count(db)
        .await;
    if let Some(events) = counted(events)? {
        report.note(
            "events",
            &format!("{events} are not resolved: `events` lists them"),
        )?;
    }
    Ok(())
}

/// A count above 0. A missing table is a problem that was reported before.
fn counted(count: std::result::Result<u64, DbErr>) -> Result<Option<u64>> {
    match count {
        Ok(count) => Ok((count > 0).then_some(count)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(reading(error)),
    }
}

async fn size(db: &DatabaseConnection, report: &mut Report<'_>) -> Result {
    let tables = AuditConfig::current().tables();
    let bytes = catalog::bytes(db, tables.log()).await.map_err(reading)?;
    let growth = growth(db).await?;
    let bytes = bytes.map_or_else(String::new, |bytes| format!("{bytes} bytes, "));
    report.ok(
        "growth",
        &format!("{bytes}{:.1} records a day", growth.a_day),
    )
}
