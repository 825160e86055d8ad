//! Writes many records with few statements, whose texts do not depend on how many they are.

use std::fmt::Write as _;

use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, IdenStatic, Iterable, Statement};

use super::{
    JSON, Record, built, insert_in_savepoint, insert_of, is_json, max_packet, prepare_again,
};
use crate::config::{AuditConfig, FailurePolicy, Tables};
use crate::entity::audit_log::Column;
use crate::error::Cause;

/// A record, ready to be inserted.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) config: AuditConfig,
    values: Vec<Value>,
    weight: usize,
}

impl Row {
    /// About how much memory the record takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Whether one statement can write two records.
    pub(crate) fn same_batch(&self, other: &Self) -> bool {
        self.config.tables() == other.config.tables()
            && self.config.failure_policy() == other.config.failure_policy()
    }
}

impl Record {
    pub(crate) fn into_row(self, config: &AuditConfig, backend: DbBackend) -> Result<Row, Cause> {
        let values = self.values(config, backend)?;
        Ok(Row {
            config: config.clone(),
            weight: max_packet::weight(&values),
            values,
        })
    }
}

/// The most rows of one INSERT; five thousand bound values are far from every database's limit.
const MOST: usize = 256;

/// Inserts rows of the same batch.
pub(crate) async fn insert_rows<C: ConnectionTrait>(db: &C, rows: Vec<Row>) -> Result<(), DbErr> {
    let Some(first) = rows.first() else {
        return Ok(());
    };
    let backend = db.get_database_backend();
    let tables = first.config.tables();
    let isolate = first.config.failure_policy() == FailurePolicy::Isolate;
    let unfit = |error: sea_orm::sea_query::error::Error| DbErr::Type(error.to_string());
    if backend == DbBackend::Postgres && isolate {
        let insert = insert_of(
            tables,
            backend,
            true,
            rows.into_iter().map(|row| row.values),
        )
        .map_err(unfit)?;
        return insert_in_savepoint(db, &insert).await;
    }
    let mut rows: Vec<Vec<Value>> = rows.into_iter().map(|row| row.values).collect();
    if backend == DbBackend::Postgres && rows.len() > 1 {
        match unnested(tables, rows) {
            Ok(statement) => {
                return (db.execute_raw(prepare_again(statement)).await).map(|_| ());
            }
            Err(unfit) => rows = unfit,
        }
    }
    let most_bytes = max_packet::fit(db, &mut rows).await?;
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let size = size_of_next(rows.as_slice(), most_bytes);
        let insert = insert_of(tables, backend, false, rows.by_ref().take(size)).map_err(unfit)?;
        db.execute_raw(built(db, &insert)).await?;
    }
    Ok(())
}

/// How many of these rows, of which there are some, the next statement writes. A power of two, so that there are only as
/// many texts as powers.
fn size_of_next(rows: &[Vec<Value>], most_bytes: Option<usize>) -> usize {
    let mut left = most_bytes.unwrap_or(usize::MAX);
    let fits = |row: &&Vec<Value>| {
        let rest = left.checked_sub(max_packet::weight(row));
        left = rest.unwrap_or(0);
        rest.is_some()
    };
    let count = match most_bytes {
        Some(_) => rows.iter().take(MOST).take_while(fits).count().max(1),
        None => rows.len().min(MOST),
    };
    1 << count.ilog2()
}

/// Represents NULL inside of an array of texts, of which `sea_query` builds none with NULL.
const NULL: &str = "\u{1}null";

/// PostgreSQL's `INSERT .. SELECT .. FROM UNNEST(..)`: values that differ between rows are sent in one array for each
/// column, equal ones as one value. Rows that do not allow this are returned.
fn unnested(tables: Tables, mut rows: Vec<Vec<Value>>) -> Result<Statement, Vec<Vec<Value>>> {
    let fits = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(column));
        match rows.first().and_then(|row| row.get(column)) {
            Some(Value::String(_)) => {
                cells.all(|cell| !matches!(cell, Value::String(Some(text)) if text == NULL))
            }
            Some(Value::ChronoDateTimeUtc(_)) => true,
            first => cells.all(|cell| Some(cell) == first),
        }
    };
    let columns = Column::iter().skip(1);
    if rows.is_empty() || !(0..columns.len()).all(fits) {
        return Err(rows);
    }
    let (mut names, mut fields) = (String::new(), String::new());
    let (mut arrays, mut aliases) = (String::new(), String::new());
    let mut values = Vec::new();
    for (at, column) in columns.enumerate() {
        let kind = match column {
            Column::OccurredAt => "timestamptz",
            json if is_json(json) => JSON,
            Column::TransactionId => "uuid",
            _ => "text",
        };
        let comma = if at == 0 { "" } else { ", " };
        // Writing to a `String` cannot fail.
        let _ = write!(names, "{comma}\"{}\"", column.as_str());
        let place = values.len() + 1;
        if rows.iter().all(|row| row[at] == rows[0][at]) {
            values.push(rows[0][at].clone());
            let _ = write!(fields, "{comma}${place}::{kind}");
            continue;
        }
        let (array, has_null) = array_of(&mut rows, at);
        values.push(array);
        let comma_of_arrays = if arrays.is_empty() { "" } else { ", " };
        let (kind, cast) = if is_json(column) {
            ("text", "::json")
        } else {
            (kind, "")
        };
        let _ = write!(arrays, "{comma_of_arrays}${place}::{kind}[]");
        let _ = write!(aliases, "{comma_of_arrays}c{at}");
        let _ = if has_null {
            write!(fields, "{comma}NULLIF(c{at}, E'\\x01null'){cast}")
        } else {
            write!(fields, "{comma}c{at}{cast}")
        };
    }
    let table = match tables.schema() {
        Some(schema) => format!("\"{schema}\".\"{}\"", tables.log()),
        None => format!("\"{}\"", tables.log()),
    };
    let from = if arrays.is_empty() {
        // Equal in everything, time included.
        format!("generate_series(1, {})", rows.len())
    } else {
        format!("UNNEST({arrays}) AS u({aliases})")
    };
    let sql = format!("INSERT INTO {table} ({names}) SELECT {fields} FROM {from}");
    let backend = DbBackend::Postgres;
    Ok(Statement::from_sql_and_values(backend, sql, values))
}

/// Takes a column's values as an array, and returns whether [`NULL`] represents one of them.
fn array_of(rows: &mut [Vec<Value>], at: usize) -> (Value, bool) {
    let kind = match &rows[0][at] {
        Value::ChronoDateTimeUtc(_) => ArrayType::ChronoDateTimeUtc,
        _ => ArrayType::String,
    };
    let mut has_null = false;
    let items =
        rows.iter_mut().map(
            |row| match std::mem::replace(&mut row[at], Value::Bool(None)) {
                Value::String(None) => {
                    has_null = true;
                    Value::from(NULL)
                }
                value => value,
            },
        );
    let array = Value::Array(kind, Some(Box::new(items.collect())));
    (array, has_null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_of_all_rows_are_bound_once() {
        let row = |id: &str, reason: Option<&str>| -> Vec<Value> {
            let columns = Column::iter().skip(1);
            columns
                .map(|column| match column {
                    Column::ObjectId => id.into(),
                    Column::Reason => reason.map(str::to_owned).into(),
                    Column::Changes => format!("{{\"{id}\": 1}}").into(),
                    Column::Metadata => Value::String(None),
                    _ => "same".into(),
                })
                .collect()
        };
        let unnest = |rows: Vec<Vec<Value>>| unnested(Tables::default(), rows).ok();
        let statement = unnest(vec![row("1", None), row("2", Some("why"))]);
        let sql = statement
            .as_ref()
            .map_or("", |statement| statement.sql.as_str());
        assert!(
            sql.contains("FROM UNNEST($5::text[], $7::text[], $19::text[]) AS u(c4, c6, c18)"),
            "{sql}"
        );
        assert!(sql.contains("NULLIF(c18, E'\\x01null')"), "{sql}");
        assert!(sql.contains(", c6::json, "), "{sql}");
        let values = statement.and_then(|statement| statement.values);
        assert_eq!(values.map(|values| values.0.len()), Some(22));
        // No value can be mistaken for the one that represents NULL.
        assert!(unnest(vec![row("1", None), row(NULL, None)]).is_none());
    }
}
