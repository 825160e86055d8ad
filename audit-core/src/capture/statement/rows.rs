//! Reading rows of an entity inside the transaction.

use std::collections::HashMap;

use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{Audited, Engine};
use crate::auditable::EntityInfo;
use crate::sql::{Change, Composer, Write};

/// How many values one statement may bind; every database takes more.
pub(super) const MOST_VALUES: usize = 30_000;

/// A stretch of keys: beyond the first, up to the second.
#[derive(Clone, Copy, Default)]
pub(super) struct Range<'a> {
    pub(super) after: Option<&'a [Value]>,
    pub(super) up_to: Option<&'a [Value]>,
}

impl<C: ConnectionTrait> Engine<'_, C> {
    /// The rows that an UPDATE or DELETE is going to write, locked.
    pub(super) async fn before(
        &self,
        statement: &Statement,
        write: &Write,
        change: &Change,
        audited: &Audited,
        limit: Option<u64>,
        stretch: Option<Range<'_>>,
    ) -> Result<Vec<Vec<Value>>, DbErr> {
        let backend = self.db.get_database_backend();
        let info = audited.info;
        let list = write.selected.of(info, || {
            (info.access.list)(backend, Some(&write.qualifier), "")
        });
        let mut sql = self.composer(statement);
        if let Some(with) = &change.with {
            sql.template(with).text(" ");
        }
        sql.text("SELECT ")
            .text(&list)
            .text(" FROM ")
            .template(&change.from);
        filter(&mut sql, change, |sql| {
            if let Some(stretch) = stretch {
                within(sql, backend, info, &write.qualifier, stretch);
            }
        });
        if let Some(tail) = &change.tail {
            sql.template(tail);
        }
        if stretch.is_some() {
            sql.text(" ORDER BY ");
            for (at, column) in info.key.iter().enumerate() {
                let comma = if at == 0 { "" } else { ", " };
                sql.text(comma)
                    .text(&write.qualifier)
                    .text(".")
                    .name(info.columns[*column].name);
            }
        }
        if let Some(limit) = limit {
            sql.text(&format!(" LIMIT {limit}"));
        }
        match backend {
            DbBackend::Sqlite => {}
            DbBackend::Postgres => {
                let sets_key = audited.has_key_among(&change.assigned);
                // What the statement takes itself; more would hold up inserts that refer to the row.
                let strength = if change.delete || sets_key {
                    "UPDATE"
                } else {
                    "NO KEY UPDATE"
                };
                sql.text(" FOR ").text(strength);
                if change.joined {
                    let alias = write.qualifier.rsplit('.').next().unwrap_or_default();
                    sql.text(" OF ").text(alias);
                }
            }
            _ => {
                sql.text(" FOR UPDATE");
            }
        }
        let rows = self.db.query_all_raw(sql.finish()).await?;
        let mut images = Vec::with_capacity(rows.len());
        for row in &rows {
            images.push((info.access.read)(row, "")?);
        }
        if change.joined {
            // A row that several others join is there several times.
            let mut seen = std::collections::HashSet::new();
            images.retain(|row| seen.insert(info.key_of(row)));
        }
        Ok(images)
    }

    /// The rows with these values in these columns.
    pub(super) async fn rows_where(
        &self,
        info: &'static EntityInfo,
        columns: &[usize],
        values: &[Vec<Value>],
        lock: bool,
    ) -> Result<Vec<Vec<Value>>, DbErr> {
        let backend = self.db.get_database_backend();
        let list = (info.access.list)(backend, None, "");
        let mut images = Vec::new();
        for values in values.chunks((MOST_VALUES / columns.len().max(1)).max(1)) {
            let mut sql = Composer::new(backend, &[]);
            sql.text("SELECT ")
                .text(&list)
                .text(" FROM ")
                .text(&table(backend, info));
            sql.text(" WHERE ");
            is_in(&mut sql, backend, info, "", columns, values);
            if lock && backend != DbBackend::Sqlite {
                sql.text(" FOR UPDATE");
            }
            for row in self.db.query_all_raw(sql.finish()).await? {
                images.push((info.access.read)(&row, "")?);
            }
        }
        Ok(images)
    }

    /// The rows with these keys, by key.
    pub(super) async fn by_key(
        &self,
        info: &'static EntityInfo,
        keys: &[Vec<Value>],
    ) -> Result<HashMap<Vec<Value>, Vec<Value>>, DbErr> {
        // InnoDB's plain reads see what was there when the transaction began; a row that the statement left
        // as it is would seem changed back.
        let rows = self
            .rows_where(info, &info.key, keys, self.server.is_mysql())
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| (info.key_of(&row), row))
            .collect())
    }
}

/// The table's name for a statement.
pub(super) fn table(backend: DbBackend, info: &EntityInfo) -> String {
    let mut sql = Composer::new(backend, &[]);
    if let Some(schema) = info.schema() {
        sql.name(schema).text(".");
    }
    sql.name(info.table());
    sql.finish().sql
}

/// Writes `WHERE`, and more conditions after the statement's own.
pub(super) fn filter(
    sql: &mut Composer<'_>,
    change: &Change,
    more: impl FnOnce(&mut Composer<'_>),
) {
    match &change.filter {
        Some(filter) => sql.text(" WHERE (").template(filter).text(")"),
        None => sql.text(" WHERE (1 = 1)"),
    };
    more(sql);
}

/// Writes ` AND key > .. AND key <= ..`.
pub(super) fn within(
    sql: &mut Composer<'_>,
    backend: DbBackend,
    info: &EntityInfo,
    qualifier: &str,
    range: Range<'_>,
) {
    for (operator, bound) in [(" > ", range.after), (" <= ", range.up_to)] {
        let Some(bound) = bound else { continue };
        sql.text(" AND ");
        columns_of(sql, info, qualifier, &info.key);
        sql.text(operator);
        tuple(sql, backend, info, &info.key, bound);
    }
}

/// Writes the columns, in parentheses when they are several.
fn columns_of(sql: &mut Composer<'_>, info: &EntityInfo, qualifier: &str, columns: &[usize]) {
    if columns.len() > 1 {
        sql.text("(");
    }
    for (at, column) in columns.iter().enumerate() {
        if at > 0 {
            sql.text(", ");
        }
        if !qualifier.is_empty() {
            sql.text(qualifier).text(".");
        }
        sql.name(info.columns[*column].name);
    }
    if columns.len() > 1 {
        sql.text(")");
    }
}

fn tuple(
    sql: &mut Composer<'_>,
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

/// Writes that the columns have one of these values; nothing has, where there are none.
pub(super) fn is_in(
    sql: &mut Composer<'_>,
    backend: DbBackend,
    info: &EntityInfo,
    qualifier: &str,
    columns: &[usize],
    values: &[Vec<Value>],
) {
    if values.is_empty() {
        sql.text("1 = 0");
        return;
    }
    columns_of(sql, info, qualifier, columns);
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

/// An array of the values, where they are of a type that has one.
fn array_of(values: &[Vec<Value>]) -> Option<Value> {
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
