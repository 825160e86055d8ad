//! Conditions that columns have one of some values.

use sea_orm::DbBackend;
use sea_orm::sea_query::{ArrayType, Value};

use super::RowValues;
use crate::auditable::EntityInfo;
use crate::sql::{SqlBuilder, quoted};
use crate::value::{ColumnKind, is_unreadable};

/// Names of columns, with commas between.
pub(super) fn columns_text(backend: DbBackend, columns: &[&str]) -> String {
    let names: Vec<String> = columns.iter().map(|name| quoted(backend, name)).collect();
    names.join(", ")
}

/// Writes names of columns, in parentheses when they are several.
pub(super) fn columns_of(sql: &mut SqlBuilder<'_>, columns: &[&str]) {
    if columns.len() > 1 {
        sql.text("(");
    }
    for (at, column) in columns.iter().enumerate() {
        sql.text(if at > 0 { ", " } else { "" }).name(column);
    }
    if columns.len() > 1 {
        sql.text(")");
    }
}

fn tuple(
    sql: &mut SqlBuilder<'_>,
    backend: DbBackend,
    info: &EntityInfo,
    columns: &[usize],
    values: &[Value],
) {
    if columns.len() > 1 {
        sql.text("(");
    }
    for (at, (column, value)) in columns.iter().zip(values).enumerate() {
        if at > 0 {
            sql.text(", ");
        }
        let (before, after) = (info.access.cast)(backend, *column);
        sql.text(&before).value(value.clone()).text(&after);
    }
    if columns.len() > 1 {
        sql.text(")");
    }
}

/// Writes that the columns have one of these values; without values, the condition matches no row.
pub(super) fn is_in(
    sql: &mut SqlBuilder<'_>,
    backend: DbBackend,
    info: &EntityInfo,
    columns: &[usize],
    values: &[RowValues],
) {
    let is_known = |row: &RowValues| {
        let mut cells = columns.iter().zip(row);
        cells.all(|(at, value)| is_bindable(&info.columns[*at].shape, value))
    };
    if !values.iter().all(is_known) {
        let known: Vec<RowValues> = (values.iter())
            .filter(|row| is_known(row))
            .cloned()
            .collect();
        return is_in(sql, backend, info, columns, &known);
    }
    if values.is_empty() {
        sql.text("1 = 0");
        return;
    }
    if backend == DbBackend::Postgres && values.iter().flatten().any(is_padded) {
        return is_one_of(sql, backend, info, columns, values);
    }
    let names: Vec<&str> = columns.iter().map(|at| info.columns[*at].name).collect();
    columns_of(sql, &names);
    if let ([column], [value]) = (columns, values) {
        sql.text(" = ");
        tuple(sql, backend, info, &[*column], value);
        return;
    }
    if backend == DbBackend::Postgres
        && let [column] = columns
        && let Some(array) = array_of(values)
        && (info.access.cast)(backend, *column).0.is_empty()
    {
        // One text for any number of values.
        sql.text(" = ANY(").value(array).text(")");
        return;
    }
    let listed = columns.len() > 1 && backend == DbBackend::Sqlite;
    sql.text(if listed { " IN (VALUES " } else { " IN (" });
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            sql.text(", ");
        }
        tuple(sql, backend, info, columns, value);
    }
    sql.text(")");
}

/// Whether a value can be bound. The driver would bind one that no type reads, or that is recorded as a text, as another
/// type than the column's.
pub(super) fn is_bindable(shape: &ColumnKind, value: &Value) -> bool {
    let is_json = matches!(shape, ColumnKind::One(ArrayType::Json));
    !is_unreadable(value) && (is_json || !matches!(value, Value::Json(_)))
}

/// Writes the same row by row. PostgreSQL compares `char(n)` with a text without the column's padding, so a value
/// that may be padded is compared both ways.
fn is_one_of(
    sql: &mut SqlBuilder<'_>,
    backend: DbBackend,
    info: &EntityInfo,
    columns: &[usize],
    values: &[RowValues],
) {
    for (at, row) in values.iter().enumerate() {
        sql.text(if at > 0 { " OR (" } else { "(" });
        for (at, (column, value)) in columns.iter().zip(row).enumerate() {
            sql.text(if at > 0 { " AND (" } else { "(" });
            let (before, after) = (info.access.cast)(backend, *column);
            let name = info.columns[*column].name;
            sql.name(name).text(" = ").text(&before);
            sql.value(value.clone()).text(&after);
            if is_padded(value) {
                sql.text(" OR ").name(name).text(" = CAST(");
                sql.value(value.clone()).text(" AS bpchar)");
            }
            sql.text(")");
        }
        sql.text(")");
    }
}

/// Whether a text may be a PostgreSQL `char(n)`, padded with spaces.
pub(super) fn is_padded(value: &Value) -> bool {
    matches!(value, Value::String(Some(text)) if text.ends_with(' '))
}

/// An array of the values, if their type has one.
fn array_of(values: &[RowValues]) -> Option<Value> {
    let kind = match values.first()?.first()? {
        Value::SmallInt(Some(_)) => ArrayType::SmallInt,
        Value::Int(Some(_)) => ArrayType::Int,
        Value::BigInt(Some(_)) => ArrayType::BigInt,
        Value::String(Some(_)) => ArrayType::String,
        Value::Uuid(Some(_)) => ArrayType::Uuid,
        _ => return None,
    };
    let items: Option<Vec<Value>> = values.iter().map(|value| value.first().cloned()).collect();
    Some(Value::Array(kind, Some(Box::new(items?))))
}
