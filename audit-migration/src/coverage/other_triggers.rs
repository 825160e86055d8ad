//! Triggers of the application and of other programs that may write audited tables.
//!
//! Such a write is recorded only by triggers of ours on the written table. On every database these fire for it, with one
//! exception: SQLite fires no trigger inside of itself, unless `recursive_triggers` is set. A trigger of the log runs
//! inside of ours, and so does a trigger that its writes fire.

mod read;

use sea_orm_audit_core::Tables;
use sea_orm_audit_core::routine::{Body, Named};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};

use super::Finding;
use super::analysis::Owners;
use super::schema::{LiveSchema, TableId};
use super::triggers::fires_recursively;

const NO_TRIGGERS: &str =
    "no triggers record that table: capture it by triggers, or accept that it is written so";
const NOT_RECURSIVE: &str = "the triggers of that table do not fire inside of themselves: say \
     `PRAGMA recursive_triggers = ON` on each connection, or write it elsewhere than in a trigger of the log";

/// A trigger that is not ours.
struct OtherTrigger {
    name: String,
    table: TableId,
    code: Code,
}

/// A function or procedure that a trigger may call.
struct Routine {
    schema: String,
    name: String,
    code: Code,
}

struct Code {
    /// Where names without a schema are found, unless the session decides that.
    schema: Option<String>,
    body: Body,
}

impl Code {
    /// The schema of a name, or `None` where it may be any.
    fn schema_of<'a>(&'a self, name: &'a Named) -> Option<&'a str> {
        name.schema.as_deref().or(self.schema.as_deref())
    }
}

/// The writes of triggers that leave no record.
pub(super) async fn findings<C: ConnectionTrait>(
    db: &C,
    schema: &LiveSchema,
    owners: &Owners<'_>,
    tables: Tables,
) -> Result<Vec<Finding>, DbErr> {
    let recorded = recorded(schema, owners);
    if recorded.is_empty() {
        return Ok(Vec::new());
    }
    let triggers = read::triggers(db, schema).await?;
    let routines = routines(db, schema, &triggers).await?;
    let codes: Vec<Vec<&Code>> = (triggers.iter())
        .map(|trigger| reached(schema, &trigger.code, &routines))
        .collect();
    let may_write =
        |at: usize, table: &TableId| (codes[at].iter()).any(|code| writes(schema, code, table));
    let is_log = |table: &TableId| schema.is(table, tables.schema(), tables.log());
    let inside_ours = if fires_recursively(db).await? {
        Vec::new()
    } else {
        fired_by(&triggers, is_log, may_write)
    };
    let mut findings = Vec::new();
    for (at, trigger) in triggers.iter().enumerate() {
        for (table, by_trigger) in &recorded {
            let why = match by_trigger {
                false => NO_TRIGGERS,
                true if inside_ours.contains(&at) => NOT_RECURSIVE,
                true => continue,
            };
            if may_write(at, table) {
                findings.push(Finding::TriggerNotCaptured {
                    table: schema.shown(table),
                    trigger: trigger.name.clone(),
                    fired_by: schema.shown(&trigger.table),
                    why,
                });
            }
        }
    }
    Ok(findings)
}

/// The tables that are to be recorded, and whether triggers of ours do that.
fn recorded<'s>(schema: &'s LiveSchema, owners: &Owners<'_>) -> Vec<(&'s TableId, bool)> {
    let found = schema.tables.iter().filter_map(|live| {
        let mut recorded = (owners.get(&live.id)?.iter())
            .filter(|entity| entity.skipped.is_none())
            .peekable();
        recorded.peek()?;
        Some((&live.id, recorded.any(|entity| entity.by_trigger)))
    });
    found.collect()
}

/// The triggers of a table, and those that their writes fire, at any depth.
fn fired_by(
    triggers: &[OtherTrigger],
    is_first: impl Fn(&TableId) -> bool,
    may_write: impl Fn(usize, &TableId) -> bool,
) -> Vec<usize> {
    let mut fired: Vec<usize> = Vec::new();
    loop {
        let next = (0..triggers.len()).find(|at| {
            let table = &triggers[*at].table;
            !fired.contains(at)
                && (is_first(table) || fired.iter().any(|above| may_write(*above, table)))
        });
        match next {
            Some(at) => fired.push(at),
            None => return fired,
        }
    }
}

fn writes(schema: &LiveSchema, code: &Code, table: &TableId) -> bool {
    let same = |one: &str, other: &str| schema.names.same_table(one, other);
    (code.body.writes.iter()).any(|name| {
        let own = code.schema_of(name);
        same(&name.name, &table.name) && own.is_none_or(|own| same(own, &table.schema))
    })
}

/// The functions and procedures that triggers call, at any depth.
async fn routines<C: ConnectionTrait>(
    db: &C,
    schema: &LiveSchema,
    triggers: &[OtherTrigger],
) -> Result<Vec<Routine>, DbErr> {
    let mut routines: Vec<Routine> = Vec::new();
    let mut fetched: Vec<String> = Vec::new();
    let mut calls = called(triggers.iter().map(|trigger| &trigger.code));
    loop {
        calls.retain(|name| !fetched.contains(name));
        if calls.is_empty() {
            return Ok(routines);
        }
        let found = read::routines(db, schema, &calls).await?;
        fetched.append(&mut calls);
        calls = called(found.iter().map(|routine| &routine.code));
        routines.extend(found);
    }
}

fn called<'c>(codes: impl Iterator<Item = &'c Code>) -> Vec<String> {
    let mut names: Vec<String> = codes
        .flat_map(|code| code.body.calls.iter().map(|call| call.name.clone()))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A body, and those of all routines that run with it.
fn reached<'c>(schema: &LiveSchema, first: &'c Code, routines: &'c [Routine]) -> Vec<&'c Code> {
    let mut codes = vec![first];
    let mut at = 0;
    while let Some(code) = codes.get(at).copied() {
        at += 1;
        for call in &code.body.calls {
            let own = code.schema_of(call);
            let found = routines.iter().filter(|routine| {
                schema.same_column(&routine.name, &call.name)
                    && own.is_none_or(|own| schema.names.same_table(own, &routine.schema))
            });
            for routine in found {
                if !codes
                    .iter()
                    .any(|known| std::ptr::eq(*known, &raw const routine.code))
                {
                    codes.push(&routine.code);
                }
            }
        }
    }
    codes
}
