//! The log, applied to the first rows: what it says must be what the tables hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use sea_orm::prelude::Json;
use sea_orm::{
    DatabaseConnection, EntityName, EntityTrait, IdenStatic, Iterable, ModelTrait,
    PrimaryKeyToColumn,
};
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::{Change, Shape, encode, normalize};
use serde_json::Map;

use crate::entities::each_audited;
use crate::support::TestResult;

type Row = Map<String, Json>;

/// Rows by model and object id.
pub(crate) type Contents = BTreeMap<(String, String), Row>;

type Model = (Vec<String>, HashMap<String, Shape>);

/// The key and the columns' types by model.
static MODELS: LazyLock<HashMap<String, Model>> = LazyLock::new(|| {
    let mut models = HashMap::new();
    each_audited!(E => {
        let key = <E as EntityTrait>::PrimaryKey::iter()
            .map(|key| key.into_column().as_str().to_owned())
            .collect();
        let shapes = <E as EntityTrait>::Column::iter()
            .map(|column| (column.as_str().to_owned(), Shape::of_column::<E>(column)))
            .collect();
        models.insert(E.table_name().to_owned(), (key, shapes));
    });
    models
});

/// Reads what some tables hold, in place of what they held. Returns the models that cannot be read, since
/// SQLite stores anything.
pub(crate) async fn read(
    db: &DatabaseConnection,
    tables: &BTreeSet<String>,
    contents: &mut Contents,
) -> TestResult<Vec<String>> {
    let mut unreadable = Vec::new();
    contents.retain(|(model, _), _| !tables.contains(model));
    each_audited!(E => {
        let mut models = Vec::new();
        if tables.contains(E.table_name()) {
            match E::find().all(db).await {
                Ok(found) => models = found,
                Err(_) => unreadable.push(E.table_name().to_owned()),
            }
        }
        for model in models {
            let mut row = Row::new();
            for column in <E as EntityTrait>::Column::iter() {
                row.insert(column.as_str().to_owned(), encode(&model.get(column))?);
            }
            let name = E.table_name().to_owned();
            let id = object_id(&MODELS[&name].0, &row);
            contents.insert((name, id), row);
        }
    });
    Ok(unreadable)
}

fn object_id(key: &[String], row: &Row) -> String {
    let values: Vec<Json> = key.iter().map(|column| row[column].clone()).collect();
    match values.as_slice() {
        [Json::String(text)] => text.clone(),
        [only] => only.to_string(),
        _ => Json::Array(values).to_string(),
    }
}

/// What is wrong with a log.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// Records of what did not happen.
    pub(crate) wrong: Vec<String>,
    /// What happened without a record.
    pub(crate) missing: Vec<String>,
    /// Records that say that they do not know a value.
    pub(crate) unknown: usize,
}

/// Applies the records to the first rows, and compares what comes of it with what there is.
pub(crate) fn judge(
    log: &[audit_log::Model],
    first: &Contents,
    last: &Contents,
    unreadable: &[String],
    of_triggers: bool,
) -> Judgement {
    let mut judgement = Judgement::default();
    let mut rows = first.clone();
    let skipped = |model: &str| unreadable.iter().any(|name| name == model);
    let mut left: Vec<&audit_log::Model> = (log.iter())
        .filter(|record| !record.model.as_deref().is_some_and(skipped))
        .collect();
    while !left.is_empty() {
        // The triggers of a row that is written again meanwhile fire in an order of the database's own.
        let fits = |record: &&audit_log::Model| misfits(record, &rows, !of_triggers).is_empty();
        let at = if of_triggers {
            left.iter().position(fits)
        } else {
            None
        };
        let record = left.remove(at.unwrap_or(0));
        apply(record, &mut rows, &mut judgement, !of_triggers);
    }
    rows.retain(|(model, _), _| !skipped(model));
    for (id, row) in last {
        match rows.remove(id) {
            Some(told) if told == *row => {}
            Some(told) => {
                for (field, value) in row {
                    if !same(!of_triggers, told.get(field), value) {
                        let (model, id) = id;
                        let told = told.get(field).cloned().unwrap_or_default();
                        judgement.missing.push(format!(
                            "change of {model} {id}: {field} is {value}, the log has {told}"
                        ));
                    }
                }
            }
            None if first.contains_key(id) => {
                judgement
                    .wrong
                    .push(format!("DELETE of {} {}, which is there", id.0, id.1));
            }
            None => judgement
                .missing
                .push(format!("CREATE of {} {}: {row:?}", id.0, id.1)),
        }
    }
    for (model, id) in rows.into_keys() {
        if first.contains_key(&(model.clone(), id.clone())) {
            judgement.missing.push(format!("DELETE of {model} {id}"));
        } else {
            judgement
                .wrong
                .push(format!("CREATE of {model} {id}, which is not there"));
        }
    }
    judgement
}

/// The object of a record.
fn object_of(record: &audit_log::Model) -> (String, String) {
    (
        record.model.clone().unwrap_or_default(),
        record.object_id.clone().unwrap_or_default(),
    )
}

/// The form of a column's type, whoever wrote the value.
fn form(model: &str, field: &str, value: &Json) -> Json {
    match MODELS.get(model).and_then(|(_, shapes)| shapes.get(field)) {
        Some(shape) => normalize(value.clone(), shape),
        None => value.clone(),
    }
}

/// Whether two values are the same; if not exactly, but for the last digit of a float, as SQLite's triggers write it.
fn same(exactly: bool, one: Option<&Json>, other: &Json) -> bool {
    let Some(one) = one else {
        return false;
    };
    let near = |one: f64, other: f64| (one - other).abs() <= 1e-15 * one.abs().max(other.abs());
    let floats = !exactly && one.is_f64() && other.is_f64();
    one == other
        || floats
            && one
                .as_f64()
                .zip(other.as_f64())
                .is_some_and(|(one, other)| near(one, other))
}

/// What a record says of the row before that is not so.
fn misfits(record: &audit_log::Model, rows: &Contents, exactly: bool) -> Vec<String> {
    let object = object_of(record);
    let name = format!("{} of {} {}", record.action, object.0, object.1);
    let Some(changes) = record.changed() else {
        let empty = (record.changes.as_ref())
            .is_none_or(|changes| changes.as_object().is_some_and(Map::is_empty));
        let why = format!("{name} cannot be read: {:?}", record.changes);
        return if empty { Vec::new() } else { vec![why] };
    };
    match (record.action.as_str(), rows.get(&object)) {
        ("CREATE", Some(_)) => vec![format!("{name}, which is there already")],
        // What could not be told from an update.
        ("UPDATE", None) if changes.iter().all(|(_, change)| change.is_old_unknown()) => Vec::new(),
        ("UPDATE" | "DELETE", None) => vec![format!("{name}, which is not there")],
        (_, None) => Vec::new(),
        (_, Some(row)) => {
            let misfit = |(field, change): (&str, &Change)| {
                let old = form(&object.0, field, change.old_value()?);
                let was = row.get(field).cloned().unwrap_or_default();
                (!same(exactly, Some(&old), &was))
                    .then(|| format!("{name}: old {field} is {old}, but was {was}"))
            };
            changes.iter().filter_map(misfit).collect()
        }
    }
}

fn apply(record: &audit_log::Model, rows: &mut Contents, judgement: &mut Judgement, exactly: bool) {
    judgement.wrong.extend(misfits(record, rows, exactly));
    let object = object_of(record);
    let Some(changes) = record.changed() else {
        return;
    };
    judgement.unknown += usize::from(changes.iter().any(|(_, change)| change.is_old_unknown()));
    let mut row = rows.remove(&object).unwrap_or_default();
    for (field, change) in &changes {
        if let Some(new) = change.new_value() {
            row.insert(field.to_owned(), form(&object.0, field, new));
        }
    }
    let Some((key, _)) = MODELS.get(&object.0).filter(|_| record.action != "DELETE") else {
        return;
    };
    if !key.iter().all(|column| row.contains_key(column)) {
        return;
    }
    let id = object_id(key, &row);
    if rows.insert((object.0.clone(), id.clone()), row).is_some() {
        (judgement.wrong).push(format!(
            "{} of {} {}, makes a second {id}",
            record.action, object.0, object.1
        ));
    }
}
