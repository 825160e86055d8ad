//! Applies the log to the first rows: the result must equal the tables.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use sea_orm::prelude::Json;
use sea_orm::sqlx::{Column as _, Row as _, TypeInfo as _};
use sea_orm::{
    ConnectionTrait, EntityName, EntityTrait, FromQueryResult, IdenStatic, Iterable, ModelTrait,
    PrimaryKeyToColumn, QueryResult, QueryTrait,
};
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::query::Change;
use sea_orm_audit::value::{ColumnKind, encode, normalize};
use serde_json::Map;

use crate::entities::each_audited;
use crate::support::TestResult;

type Row = Map<String, Json>;

/// Rows by model and object id.
pub(crate) type Contents = BTreeMap<(String, String), Row>;

type Model = (Vec<String>, HashMap<String, ColumnKind>);

/// The key and the column types by model.
static MODELS: LazyLock<HashMap<String, Model>> = LazyLock::new(|| {
    let mut models = HashMap::new();
    each_audited!(E => {
        let key = <E as EntityTrait>::PrimaryKey::iter()
            .map(|key| key.into_column().as_str().to_owned())
            .collect();
        let shapes = <E as EntityTrait>::Column::iter()
            .map(|column| (column.as_str().to_owned(), ColumnKind::of_column::<E>(column)))
            .collect();
        models.insert(E.table_name().to_owned(), (key, shapes));
    });
    models
});

/// Rows that their models cannot read: SQLite stores values of any type.
pub(crate) type Unreadable = BTreeSet<(String, String)>;

/// Reads the rows of some tables again. Returns the rows that cannot be read.
pub(crate) async fn read<C: ConnectionTrait>(
    db: &C,
    tables: &BTreeSet<String>,
    contents: &mut Contents,
) -> TestResult<Unreadable> {
    let backend = db.get_database_backend();
    let mut unreadable = Unreadable::new();
    contents.retain(|(model, _), _| !tables.contains(model));
    each_audited!(E => {
        let name = E.table_name().to_owned();
        let key = &MODELS[&name].0;
        let mut found = Vec::new();
        if tables.contains(&name) {
            found = db.query_all_raw(E::find().build(backend)).await?;
        }
        for found in found {
            let Ok(model) = <<E as EntityTrait>::Model as FromQueryResult>::from_query_result(&found, "") else {
                let key = key.iter().map(|column| (column.clone(), plain(&found, column))).collect();
                unreadable.insert((name.clone(), object_id(&MODELS[&name].0, &key)));
                continue;
            };
            let mut row = Row::new();
            for column in <E as EntityTrait>::Column::iter() {
                let name = column.as_str();
                let value = match zero_date(&found, name) {
                    Some(text) => text.into(),
                    None => encode(&model.get(column))?,
                };
                row.insert(name.to_owned(), value);
            }
            contents.insert((name.clone(), object_id(key, &row)), row);
        }
    });
    Ok(unreadable)
}

/// A date or time of MariaDB with zeros only, as the server writes it; the driver reads it as NULL.
fn zero_date(row: &QueryResult, column: &str) -> Option<&'static str> {
    let row = row.try_as_mysql_row()?;
    let text = match row.try_column(column).ok()?.type_info().name() {
        "DATE" => "0000-00-00",
        "DATETIME" | "TIMESTAMP" => "0000-00-00 00:00:00",
        _ => return None,
    };
    matches!(row.try_get_unchecked::<&[u8], _>(column), Ok([0])).then_some(text)
}

/// A number or a text.
fn plain(row: &QueryResult, column: &str) -> Json {
    if let Ok(number) = row.try_get::<i64>("", column) {
        return number.into();
    }
    if let Ok(number) = row.try_get::<f64>("", column) {
        return number.into();
    }
    row.try_get::<String>("", column).unwrap_or_default().into()
}

fn object_id(key: &[String], row: &Row) -> String {
    let values: Vec<Json> = key.iter().map(|column| row[column].clone()).collect();
    match values.as_slice() {
        [Json::String(text)] => text.clone(),
        [only] => only.to_string(),
        _ => Json::Array(values).to_string(),
    }
}

/// The errors of a log.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// Records of changes that did not happen.
    pub(crate) wrong: Vec<String>,
    /// Changes without a record.
    pub(crate) missing: Vec<String>,
    /// Records with a value marked as unknown.
    pub(crate) unknown: usize,
}

impl Judgement {
    /// Drops the errors of one table's rows.
    pub(crate) fn forget(&mut self, table: &str) {
        for lines in [&mut self.wrong, &mut self.missing] {
            lines.retain(|line| !line.contains(&format!(" of {table} ")));
        }
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.wrong.is_empty() && self.missing.is_empty()
    }
}

/// The rows that records are applied to and compared with.
#[derive(Clone, Copy)]
pub(crate) struct Replay<'a> {
    pub(crate) unreadable: &'a Unreadable,
    /// Columns by model that need not be recorded.
    pub(crate) ignored: &'a [(&'static str, &'static str)],
    /// Triggers write floats in another form, and fire in an order of the database's own.
    pub(crate) of_triggers: bool,
}

impl Replay<'_> {
    /// The models whose records are compared.
    pub(crate) fn records<'r>(&self, log: &'r [audit_log::Model]) -> Vec<&'r audit_log::Model> {
        (log.iter())
            .filter(|record| !self.unreadable.contains(&object_of(record)))
            .collect()
    }

    /// Rows without ignored columns.
    pub(crate) fn rows(&self, contents: &Contents) -> Contents {
        let mut rows = contents.clone();
        rows.retain(|object, _| !self.unreadable.contains(object));
        for (model, column) in self.ignored {
            for ((of, _), row) in &mut rows {
                if of == model {
                    row.remove(*column);
                }
            }
        }
        rows
    }

    /// Applies the records to the first rows, and compares the result with the tables.
    pub(crate) fn judge(
        &self,
        log: &[audit_log::Model],
        first: &Contents,
        last: &Contents,
    ) -> Judgement {
        let mut judgement = Judgement::default();
        let (first, last) = (self.rows(first), self.rows(last));
        let mut rows = first.clone();
        let mut left = self.records(log);
        while !left.is_empty() {
            // For a row that is written again meanwhile, triggers fire in an order of the database's own.
            let fits = |record: &&audit_log::Model| self.misfits(record, &rows).is_empty();
            let at = if self.of_triggers {
                left.iter().position(fits)
            } else {
                None
            };
            let record = left.remove(at.unwrap_or(0));
            self.apply(record, &mut rows, &mut judgement);
        }
        self.compare(rows, &first, &last, &mut judgement);
        judgement
    }

    /// Compares the result of the records with the tables.
    pub(crate) fn compare(
        &self,
        mut rows: Contents,
        first: &Contents,
        last: &Contents,
        judgement: &mut Judgement,
    ) {
        rows.retain(|object, _| !self.unreadable.contains(object));
        for (id, row) in last {
            match rows.remove(id) {
                Some(logged) if logged == *row => {}
                Some(logged) => {
                    for (field, value) in row {
                        if !same(!self.of_triggers, logged.get(field), value) {
                            let (model, id) = id;
                            let logged = logged.get(field).cloned().unwrap_or_default();
                            judgement.missing.push(format!(
                                "change of {model} {id}: {field} is {value}, the log has {logged}"
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
    }

    fn is_ignored(&self, model: &str, field: &str) -> bool {
        self.ignored.contains(&(model, field))
    }

    /// Whether the row of an update has the record's new values.
    pub(crate) fn leads_to(&self, record: &audit_log::Model, rows: &Contents) -> bool {
        let object = object_of(record);
        let (Some(row), Some(changes)) = (rows.get(&object), record.changed()) else {
            return false;
        };
        let is_new = |(field, change): (&str, &Change)| {
            self.is_ignored(&object.0, field)
                || change.new_value().is_none_or(|new| {
                    let new = form(&object.0, field, new);
                    row.get(field)
                        .is_some_and(|is| same(!self.of_triggers, Some(&new), is))
                })
        };
        changes.iter().all(is_new)
    }

    /// The false old values of a record.
    pub(crate) fn misfits(&self, record: &audit_log::Model, rows: &Contents) -> Vec<String> {
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
            // An insert that the database did not distinguish from an update.
            ("UPDATE", None) if changes.iter().all(|(_, change)| change.is_old_unknown()) => {
                Vec::new()
            }
            ("UPDATE" | "DELETE", None) => vec![format!("{name}, which is not there")],
            (_, None) => Vec::new(),
            (_, Some(row)) => {
                let misfit = |(field, change): (&str, &Change)| {
                    if self.is_ignored(&object.0, field) {
                        return None;
                    }
                    let old = form(&object.0, field, change.old_value()?);
                    let was = row.get(field).cloned().unwrap_or_default();
                    (!same(!self.of_triggers, Some(&old), &was))
                        .then(|| format!("{name}: old {field} is {old}, but was {was}"))
                };
                changes.iter().filter_map(misfit).collect()
            }
        }
    }

    /// Applies a record. Returns its objects.
    pub(crate) fn apply(
        &self,
        record: &audit_log::Model,
        rows: &mut Contents,
        judgement: &mut Judgement,
    ) -> Vec<(String, String)> {
        judgement.wrong.extend(self.misfits(record, rows));
        let object = object_of(record);
        let mut objects = vec![object.clone()];
        let Some(changes) = record.changed() else {
            return objects;
        };
        judgement.unknown += usize::from(changes.iter().any(|(_, change)| change.is_old_unknown()));
        let mut row = rows.remove(&object).unwrap_or_default();
        for (field, change) in &changes {
            if let Some(new) = change
                .new_value()
                .filter(|_| !self.is_ignored(&object.0, field))
            {
                row.insert(field.to_owned(), form(&object.0, field, new));
            }
        }
        let Some((key, _)) = MODELS.get(&object.0).filter(|_| record.action != "DELETE") else {
            return objects;
        };
        if !key.iter().all(|column| row.contains_key(column)) {
            return objects;
        }
        let id = object_id(key, &row);
        objects.push((object.0.clone(), id.clone()));
        if rows.insert((object.0.clone(), id.clone()), row).is_some() {
            (judgement.wrong).push(format!(
                "{} of {} {}, makes a second {id}",
                record.action, object.0, object.1
            ));
        }
        objects
    }
}

/// The object of a record.
pub(crate) fn object_of(record: &audit_log::Model) -> (String, String) {
    (
        record.model.clone().unwrap_or_default(),
        record.object_id.clone().unwrap_or_default(),
    )
}

/// The form of a column's type, whichever client wrote the value.
fn form(model: &str, field: &str, value: &Json) -> Json {
    match MODELS.get(model).and_then(|(_, shapes)| shapes.get(field)) {
        Some(shape) => normalize(value.clone(), shape),
        None => value.clone(),
    }
}

/// Whether two values are the same. If not `exactly`, the last digit of a float may differ, as SQLite's triggers write
/// it, also in a decimal.
fn same(exactly: bool, one: Option<&Json>, other: &Json) -> bool {
    let Some(one) = one else {
        return false;
    };
    let near = |one: f64, other: f64| (one - other).abs() <= 1e-15 * one.abs().max(other.abs());
    let float = |value: &Json| match value {
        Json::String(text) => text.parse::<f64>().ok(),
        value if value.is_f64() => value.as_f64(),
        _ => None,
    };
    one == other
        || !exactly
            && one.is_string() == other.is_string()
            && float(one)
                .zip(float(other))
                .is_some_and(|(one, other)| near(one, other))
}
