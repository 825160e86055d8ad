//! Whether records lead from the old rows of a table to the new ones.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::prelude::Json;
use sea_orm::{ConnectionTrait, Statement};
use sea_orm_audit::entity::audit_log;
use serde_json::Map;

use crate::outcome::values;
use crate::support::TestResult;

/// Rows by their key, in the form of records.
pub(crate) type Rows = BTreeMap<String, Map<String, Json>>;

/// A table and its recorded model.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// The name in statements.
    pub(crate) name: &'static str,
    pub(crate) model: &'static str,
    pub(crate) key: &'static str,
    /// Columns that records leave out.
    pub(crate) skipped: &'static [&'static str],
    /// Columns whose type the test changes: records keep the entity's type, so only the text is compared.
    pub(crate) retyped: &'static [&'static str],
}

impl Table {
    pub(crate) const fn of(name: &'static str) -> Self {
        Self {
            name,
            model: name,
            key: "id",
            skipped: &[],
            retyped: &[],
        }
    }

    pub(crate) async fn read<C: ConnectionTrait>(&self, db: &C) -> TestResult<Rows> {
        // Prepared each time: the types of columns may have changed.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let sql = format!("SELECT * FROM {} /* {number} */", self.name);
        let found = db
            .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
            .await?;
        let mut rows = Rows::new();
        for row in found {
            let named: Map<String, Json> =
                row.column_names().into_iter().zip(values(&row)).collect();
            let key = plain(&named[self.key]);
            assert!(
                rows.insert(key.clone(), named).is_none(),
                "{} has the key {key} twice",
                self.name
            );
        }
        Ok(rows)
    }
}

/// The comparison of a table with its records.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Rows of the table without a record, or only in records.
    pub(crate) missing: Vec<String>,
    /// False records.
    pub(crate) untrue: Vec<String>,
    /// Fields with an old value that is recorded as unknown.
    pub(crate) unknown: Vec<String>,
}

/// Replays the records of one table.
pub(crate) fn check(
    table: &Table,
    before: Rows,
    after: &Rows,
    records: &[audit_log::Model],
) -> Checked {
    let mut rows = before;
    // Rows with a key that another row still has: the statement records that row's new key later.
    let mut waiting: Vec<(String, Map<String, Json>)> = Vec::new();
    let mut checked = Checked::default();
    for record in records {
        if record.model.as_deref() != Some(table.model) {
            continue;
        }
        let key = record.object_id.clone().unwrap_or_default();
        let key = key.trim_end().to_owned();
        let line = format!("{} {} {key}", record.action, table.model);
        let changes = match &record.changes {
            Some(Json::Object(changes)) => changes.clone(),
            _ => Map::new(),
        };
        let moved = changes.get(table.key);
        if let Some(old) = moved.and_then(|change| change.get("old"))
            && !rows.contains_key(&key)
            && let Some(row) = rows.remove(&plain(old))
        {
            // A record of a changed key may have the new key.
            rows.insert(key.clone(), row);
        }
        let known = rows.contains_key(&key);
        // If the database does not say whether a row is new, the record says so.
        let undecided = record.action == "UPDATE"
            && !changes.is_empty()
            && (changes.values())
                .all(|change| change.get("old_unknown") == Some(&Json::Bool(true)));
        if (record.action == "CREATE") == known && !undecided {
            checked.untrue.push(line.clone());
        }
        let row = rows.entry(key.clone()).or_default();
        for (field, change) in &changes {
            replay(&line, field, change, row, &mut checked);
        }
        if record.action == "DELETE" {
            rows.remove(&key);
        } else if let Some(new) = moved.and_then(|change| change.get("new")) {
            // A changed key.
            if let Some(row) = rows.remove(&key) {
                waiting.push((plain(new), row));
            }
        }
        waiting.retain_mut(|(key, row)| match rows.entry(key.clone()) {
            Entry::Vacant(place) => {
                place.insert(std::mem::take(row));
                false
            }
            Entry::Occupied(_) => true,
        });
    }
    (checked.untrue).extend((waiting.iter()).map(|(key, _)| format!("{key} is a key twice")));
    for (key, row) in after {
        let Some(said) = rows.remove(key) else {
            checked
                .missing
                .push(format!("{} {key}: no record", table.name));
            continue;
        };
        for (column, value) in row {
            if table.skipped.contains(&column.as_str()) {
                assert!(
                    records
                        .iter()
                        .all(|record| record.model.as_deref() != Some(table.model)
                            || !format!("{:?}", record.changes).contains(&format!("{column:?}: "))),
                    "{column} is recorded"
                );
                continue;
            }
            let said = said.get(column).unwrap_or(&Json::Null);
            let is_same = if table.retyped.contains(&column.as_str()) {
                plain(said) == plain(value)
            } else {
                agrees(said, value)
            };
            if !is_same {
                checked.missing.push(format!(
                    "{} {key} {column}: {said} in the log, {value} in the table",
                    table.name
                ));
            }
        }
    }
    let left = rows.into_keys();
    checked
        .missing
        .extend(left.map(|key| format!("{} {key}: alive in the log alone", table.name)));
    checked
}

fn replay(
    line: &str,
    field: &str,
    change: &Json,
    row: &mut Map<String, Json>,
    checked: &mut Checked,
) {
    if is_unknown(change) {
        row.insert(field.to_owned(), change.clone());
        return;
    }
    if has_flag(change, "old_unknown") {
        checked.unknown.push(format!("{line} {field}"));
    }
    if let Some(old) = change.get("old") {
        let was = row.get(field).unwrap_or(&Json::Null);
        if !agrees(old, was) {
            checked
                .untrue
                .push(format!("{line} {field}: old is {old}, but it was {was}"));
        }
    }
    if let Some(new) = change.get("new") {
        row.insert(field.to_owned(), new.clone());
    }
}

fn has_flag(value: &Json, flag: &str) -> bool {
    value.get(flag) == Some(&Json::Bool(true))
}

/// Whether a record marks a value as unknown.
fn is_unknown(value: &Json) -> bool {
    has_flag(value, "unreadable") || has_flag(value, "redacted")
}

/// Whether a recorded value is a column's. An unreadable value may have any form but NULL; a readable one is not
/// recorded as unreadable.
fn agrees(recorded: &Json, read: &Json) -> bool {
    if has_flag(recorded, "redacted") || has_flag(read, "redacted") {
        return true;
    }
    if is_undecoded(read) || is_undecoded(recorded) {
        return !recorded.is_null();
    }
    // A decimal is recorded as text; SQLite stores it as a float.
    let is_same_type = recorded.is_string() == read.is_string() || read.is_f64();
    recorded == read || is_same_type && plain(recorded) == plain(read)
}

fn is_undecoded(value: &Json) -> bool {
    value.get("undecoded").is_some()
}

/// A value's text.
fn plain(value: &Json) -> String {
    match value {
        // Keys of fixed width may be padded.
        Json::String(text) => text.trim_end().to_owned(),
        Json::Number(number) => number
            .as_f64()
            .filter(|n| n.fract() == 0.0 && n.abs() < 9e15)
            .map_or_else(|| number.to_string(), |n| format!("{n}")),
        other => other.to_string(),
    }
}
