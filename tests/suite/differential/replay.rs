//! The log as the history of the tables: its result must equal the tables.

use std::collections::{BTreeMap, HashMap};

use sea_orm::prelude::*;
use sea_orm::{IdenStatic, Iterable, PrimaryKeyToColumn};
use sea_orm_audit::Auditable;
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::value::encode;
use serde_json::Map;

use crate::support::TestResult;

type Row = Map<String, Json>;

/// Rows by model and object id.
pub(super) type Contents = BTreeMap<(String, String), Row>;

/// The columns of a model's key.
pub(super) type Keys = HashMap<&'static str, Vec<&'static str>>;

pub(super) fn key_columns<E: Auditable>() -> Vec<&'static str> {
    E::PrimaryKey::iter()
        .map(|key| key.into_column().as_str())
        .collect()
}

/// Adds the rows of a table.
pub(super) async fn read<E: Auditable>(
    db: &DatabaseConnection,
    contents: &mut Contents,
) -> TestResult {
    for model in E::find().all(db).await? {
        let mut row = Row::new();
        for column in E::Column::iter() {
            row.insert(column.as_str().into(), encode(&model.get(column))?);
        }
        let id = object_id(&key_columns::<E>(), &row);
        contents.insert((E::info().model().to_owned(), id), row);
    }
    Ok(())
}

fn object_id(key: &[&str], row: &Row) -> String {
    let values: Vec<Json> = key.iter().map(|column| row[*column].clone()).collect();
    match values.as_slice() {
        [Json::String(text)] => text.clone(),
        [only] => only.to_string(),
        _ => Json::Array(values).to_string(),
    }
}

/// Applies all records to empty tables. Each must match the result of those before it: a created row did not exist, and
/// a changed or deleted one existed with the recorded values.
pub(super) fn replay(log: &[audit_log::Model], keys: &Keys) -> Result<Contents, String> {
    let mut rows = Contents::new();
    for record in log {
        apply(record, keys, &mut rows).map_err(|why| format!("{why}: {record:#?}"))?;
    }
    Ok(rows)
}

fn apply(record: &audit_log::Model, keys: &Keys, rows: &mut Contents) -> Result<(), String> {
    let model = record.model.clone().ok_or("no model")?;
    let id = record.object_id.clone().ok_or("no object id")?;
    let changes = record.changed().ok_or("no changes")?;
    let before = rows.remove(&(model.clone(), id));
    let is_unknown = changes.iter().all(|(_, change)| change.is_old_unknown());
    if record.action == "UPDATE" && is_unknown && before.is_none() {
        // MariaDB does not report whether a row existed that one INSERT writes twice.
        let mut row = Row::new();
        changes.apply(&mut row);
        let id = object_id(&keys[model.as_str()], &row);
        rows.insert((model, id), row);
        return Ok(());
    }
    if before.is_some() == (record.action == "CREATE") {
        return Err(format!("it does not fit {before:?}"));
    }
    let mut row = before.unwrap_or_default();
    for (field, change) in &changes {
        if change.is_redacted() || change.is_old_unknown() {
            return Err(format!("{field} is withheld"));
        }
        if change.old_value() != row.get(field) {
            return Err(format!("{field} was {:?}", row.get(field)));
        }
    }
    changes.apply(&mut row);
    if record.action == "DELETE" {
        return if row.is_empty() {
            Ok(())
        } else {
            Err(format!("it leaves {row:?}"))
        };
    }
    let id = object_id(&keys[model.as_str()], &row);
    match rows.insert((model, id), row) {
        None => Ok(()),
        Some(other) => Err(format!("it takes the place of {other:?}")),
    }
}
