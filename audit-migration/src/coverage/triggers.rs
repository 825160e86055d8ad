//! The findings about the triggers of each table.

use sea_orm_audit_core::entity_report::EntityReport;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::Finding;
use super::analysis::Owners;
use super::schema::{LiveSchema, LiveTable};
use crate::trigger::{AuditTriggers, TriggerCheck};

/// Looks at the triggers of every table that can have any, and of which an entity is.
pub(super) async fn findings<C: ConnectionTrait>(
    db: &C,
    schema: &LiveSchema,
    owners: &Owners<'_>,
) -> Result<Vec<Finding>, DbErr> {
    let replaces_unseen = !fires_recursively(db).await?;
    let mut findings = Vec::new();
    for live in (schema.tables.iter()).filter(|live| live.kind.takes_triggers()) {
        let of_table = owners.get(&live.id).into_iter().flatten().copied();
        let (skipped, recorded): (Vec<&EntityReport>, Vec<&EntityReport>) =
            of_table.partition(|entity| entity.skipped.is_some());
        let (by_trigger, by_hook): (Vec<&EntityReport>, Vec<&EntityReport>) =
            (recorded.iter()).partition(|entity| entity.by_trigger);
        let table = schema.shown(&live.id);
        findings.extend(standing(db, schema, live, &by_trigger, &by_hook).await?);
        if replaces_unseen && by_trigger.iter().any(|entity| entity.deletes) {
            let table = table.clone();
            findings.push(Finding::ReplaceNotCaptured { table });
        }
        // Triggers belong to the table, for any of its entities.
        let nobodys = || skipped.first().filter(|_| recorded.is_empty());
        let Some(entity) = by_hook.first().or_else(nobodys) else {
            continue;
        };
        let names = AuditTriggers::of_info(entity.info).left(db).await?;
        if names.is_empty() {
            continue;
        }
        findings.push(if by_hook.is_empty() {
            Finding::TriggersLeft { table, names }
        } else {
            Finding::RecordedTwice { table }
        });
    }
    Ok(findings)
}

/// The findings about the triggers that a table should have.
///
/// A table has one set of triggers, made from one entity: where several are captured so, those of any one are accepted.
/// What another of them records, and these leave out, is a separate finding.
async fn standing<C: ConnectionTrait>(
    db: &C,
    schema: &LiveSchema,
    live: &LiveTable,
    by_trigger: &[&EntityReport],
    by_hook: &[&EntityReport],
) -> Result<Vec<Finding>, DbErr> {
    let table = schema.shown(&live.id);
    let mut checks = Vec::new();
    for entity in by_trigger {
        checks.push(AuditTriggers::of_info(entity.info).state(db).await?);
    }
    let is_made_of =
        |check: &TriggerCheck| check.missing.is_empty() && check.out_of_date.is_empty();
    let Some(stands) = checks.iter().position(is_made_of) else {
        let first = checks.into_iter().next();
        return Ok(first.map_or_else(Vec::new, |check| Finding::of_triggers(&table, check)));
    };
    // Whether they fire does not depend on the entity.
    let mut findings = Finding::of_triggers(&table, checks.swap_remove(stands));
    // Those of an action that these are not made for.
    let mut names: Vec<String> = (checks.into_iter())
        .flat_map(|check| check.missing)
        .collect();
    names.sort_unstable();
    names.dedup();
    if !names.is_empty() {
        let table = table.clone();
        findings.push(Finding::TriggersMissing { table, names });
    }
    let knows = |entity: &EntityReport, there: &str| {
        (entity.info.columns()).any(|column| schema.same_column(column, there))
    };
    let left_out = live.columns.iter().filter(|there| {
        // A column that no entity knows is a finding already.
        !knows(by_trigger[stands], there)
            && by_trigger.iter().any(|entity| knows(entity, there))
            && !by_hook.iter().any(|entity| knows(entity, there))
    });
    findings.extend(left_out.map(|there| Finding::ColumnNotCaptured {
        table: table.clone(),
        column: there.clone(),
    }));
    Ok(findings)
}

/// Whether a trigger fires inside of itself, and REPLACE fires triggers for the rows that it deletes. On SQLite it is a
/// setting of the connection, `recursive_triggers`; elsewhere it is always so.
pub(super) async fn fires_recursively<C: ConnectionTrait>(db: &C) -> Result<bool, DbErr> {
    if db.get_database_backend() != DbBackend::Sqlite {
        return Ok(true);
    }
    let sql = "SELECT recursive_triggers FROM pragma_recursive_triggers";
    let statement = Statement::from_string(DbBackend::Sqlite, sql);
    match db.query_one_raw(statement).await? {
        Some(row) => Ok(row.try_get::<i32>("", "recursive_triggers")? != 0),
        None => Ok(true),
    }
}
