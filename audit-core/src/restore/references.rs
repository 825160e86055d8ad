//! Foreign keys: rows that a write would refer to, and rows that refer to one that would be deleted.

use std::collections::HashMap;

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr};

use super::compute::Step;
use super::plan::{Conflict, ConflictKind, WriteKind};
use super::target::object_id;
use crate::as_of::add_table;
use crate::auditable::{EntityInfo, ForeignKey, known};
use crate::config::AuditConfig;
use crate::sql::SqlBuilder;
use crate::value::encode;

/// How many referring rows are looked at for one row that would be deleted.
const REFERRING: usize = 1_000;

impl Step {
    /// The value of a column after the write.
    fn value(&self, column: &str) -> Option<&Value> {
        let at = (self.info.columns.iter()).position(|c| c.name == column)?;
        match (self.values.get(&at), &self.row) {
            (Some(value), _) => Some(value),
            (None, Some(row)) => row.get(at),
            (None, None) => None,
        }
    }

    fn sets(&self, column: &str) -> bool {
        (self.info.columns.iter())
            .position(|c| c.name == column)
            .is_some_and(|at| self.values.contains_key(&at))
    }

    fn conflict(&self, kind: ConflictKind) -> Conflict {
        Conflict {
            model: self.info.model().to_owned(),
            object_id: self.object_id.clone(),
            field: None,
            kind,
        }
    }
}

/// The text of values, to compare them; `None` if one is NULL or missing.
fn text_of(values: &[Option<&Value>]) -> Option<String> {
    let mut text = String::new();
    for value in values {
        let json = encode((*value)?).ok()?;
        if json.is_null() {
            return None;
        }
        text.push_str(&json.to_string());
        text.push('\u{1}');
    }
    Some(text)
}

/// Looks for the rows that the written ones refer to. Returns for each write those that must precede it.
pub(super) async fn missing_references<Db: ConnectionTrait>(
    db: &Db,
    steps: &[Step],
    conflicts: &mut Vec<Conflict>,
) -> Result<Vec<Vec<usize>>, DbErr> {
    // By table, columns and values.
    let mut inserted: HashMap<(String, Vec<String>), HashMap<String, usize>> = HashMap::new();
    let mut needs = vec![Vec::new(); steps.len()];
    for (at, step) in steps.iter().enumerate() {
        if step.kind == WriteKind::Delete {
            continue;
        }
        for key in (step.info.access.references)() {
            let is_written = key.from.iter().any(|column| step.sets(column));
            let values: Vec<Option<&Value>> =
                key.from.iter().map(|name| step.value(name)).collect();
            let Some(text) = text_of(&values).filter(|_| is_written) else {
                continue;
            };
            let by_values = inserted
                .entry((key.table.clone(), key.to.clone()))
                .or_insert_with(|| rows_by_values(steps, &key));
            match by_values.get(&text) {
                Some(other) if *other != at => needs[at].push(*other),
                Some(_) => {}
                None => {
                    if !exists(db, &key, &values).await? {
                        conflicts.push(step.conflict(ConflictKind::ReferenceMissing {
                            table: key.table.clone(),
                        }));
                    }
                }
            }
        }
    }
    Ok(needs)
}

/// The rows that are written to a table, by the columns that a foreign key refers to.
fn rows_by_values(steps: &[Step], key: &ForeignKey) -> HashMap<String, usize> {
    let rows = steps.iter().enumerate().filter(|(_, step)| {
        step.kind != WriteKind::Delete
            && step.info.table() == key.table
            && (step.kind == WriteKind::Insert || key.to.iter().any(|column| step.sets(column)))
    });
    rows.filter_map(|(at, step)| {
        let values: Vec<_> = key.to.iter().map(|name| step.value(name)).collect();
        text_of(&values).map(|text| (text, at))
    })
    .collect()
}

async fn exists<Db: ConnectionTrait>(
    db: &Db,
    key: &ForeignKey,
    values: &[Option<&Value>],
) -> Result<bool, DbErr> {
    let mut sql = SqlBuilder::new(db.get_database_backend(), &[]);
    sql.text("SELECT 1 FROM ");
    if let Some(schema) = &key.schema {
        sql.name(schema).text(".");
    }
    sql.name(&key.table);
    for (at, (column, value)) in key.to.iter().zip(values).enumerate() {
        sql.text(if at == 0 { " WHERE " } else { " AND " });
        sql.name(column).text(" = ");
        if let Some(value) = value {
            sql.value((*value).clone());
        }
    }
    sql.text(" LIMIT 1");
    Ok(db.query_one_raw(sql.finish()).await?.is_some())
}

/// Looks for rows that refer to those that would be deleted, and stay.
pub(super) async fn referring_rows<Db: ConnectionTrait>(
    db: &Db,
    config: &AuditConfig,
    steps: &[Step],
    conflicts: &mut Vec<Conflict>,
) -> Result<(), DbErr> {
    let written: HashMap<(&str, &str), &Step> = (steps.iter())
        .map(|step| ((step.info.model(), step.object_id.as_str()), step))
        .collect();
    let mut entities = known();
    entities.retain(|info| !info.skip);
    for step in steps.iter().filter(|step| step.kind == WriteKind::Delete) {
        for other in &entities {
            for key in (other.access.references)() {
                if key.table != step.info.table() {
                    continue;
                }
                let values: Vec<Option<&Value>> =
                    key.to.iter().map(|name| step.value(name)).collect();
                if text_of(&values).is_none() {
                    continue;
                }
                for row in referring(db, other, &key, &values).await? {
                    let id = object_id(config, other, &other.key_of(&row))?;
                    let goes = (written.get(&(other.model(), id.as_str()))).is_some_and(|write| {
                        write.kind == WriteKind::Delete
                            || key.from.iter().any(|column| write.sets(column))
                    });
                    if !goes {
                        conflicts.push(step.conflict(ConflictKind::Referenced {
                            model: other.model().to_owned(),
                            object_id: id,
                        }));
                        break;
                    }
                }
            }
        }
    }
    conflicts.dedup();
    Ok(())
}

async fn referring<Db: ConnectionTrait>(
    db: &Db,
    info: &'static EntityInfo,
    key: &ForeignKey,
    values: &[Option<&Value>],
) -> Result<Vec<Vec<Value>>, DbErr> {
    let backend = db.get_database_backend();
    let mut sql = SqlBuilder::new(backend, &[]);
    sql.text("SELECT ")
        .text(&(info.access.list)(backend, None))
        .text(" FROM ");
    add_table(&mut sql, info);
    for (at, (column, value)) in key.from.iter().zip(values).enumerate() {
        sql.text(if at == 0 { " WHERE " } else { " AND " });
        sql.name(column).text(" = ");
        if let Some(value) = value {
            sql.value((*value).clone());
        }
    }
    sql.text(&format!(" LIMIT {REFERRING}"));
    let found = db.query_all_raw(sql.finish()).await?;
    found.iter().map(|row| (info.access.read)(row)).collect()
}
