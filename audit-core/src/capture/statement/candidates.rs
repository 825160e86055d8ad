//! The rows that an INSERT can conflict with: by which unique columns and values.

use std::collections::HashSet;

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend};

use super::key_conditions::is_in;
use super::select_rows::RowLock;
use super::update::repeated_keys;
use super::{CaptureError, Engine, Request, RowValues};
use crate::auditable::EntityInfo;
use crate::catalog::{IndexColumn, LiveTable};
use crate::sql::{
    Cell, Conflict, ConflictTarget, Insert, Kind, ParsedStatement, Rows, SqlBuilder, is_name,
    parse_anew,
};
use crate::value::is_null;

/// For each unique index that can cause a conflict, its columns and the values of the rows that have all of them.
pub(super) struct Candidates<'a>(Vec<(Vec<IndexColumn>, Vec<Vec<&'a Cell>>)>);

impl Candidates<'_> {
    /// How many rows have a value for all columns of one of the indexes, at most.
    pub(super) fn rows(&self) -> u64 {
        (self.0.iter().map(|(_, rows)| rows.len()).max().unwrap_or(0)) as u64
    }

    /// The columns of the indexes by their positions in the entity, the primary key first; excludes indexes with a
    /// column that the entity lacks.
    pub(super) fn columns(&self, info: &EntityInfo) -> Vec<Vec<usize>> {
        let position = |name: &IndexColumn| {
            (info.columns.iter()).position(|column| is_name(column.name, &name.name))
        };
        let mut all: Vec<Vec<usize>> = (self.0.iter())
            .filter_map(|(columns, _)| columns.iter().map(position).collect())
            .collect();
        all.sort_by_key(|columns| {
            let is_key =
                columns.len() == info.key.len() && columns.iter().all(|at| info.key.contains(at));
            !is_key
        });
        all
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Which rows of an INSERT have values for some columns.
enum GivenValues<'a> {
    /// These values; empty if the database generates all of them.
    Values(Vec<Vec<&'a Cell>>),
    /// Values that cannot be known in advance.
    Unknown,
}

/// The rows that an INSERT lists, parsed again if they were not kept.
pub(super) fn listed(request: Request<'_>, insert: &Insert) -> Option<Vec<Vec<Cell>>> {
    let statement = request.statement;
    let backend = request.backend;
    let values = match &statement.values {
        Some(values) => values.0.as_slice(),
        None => &[],
    };
    let rows = match &insert.rows {
        Rows::Selected => None,
        Rows::Listed(rows) => Some(rows.clone()),
        Rows::Omitted => match parse_anew(backend, &statement.sql) {
            ParsedStatement::Write(write) => match write.kind {
                Kind::Insert(Insert {
                    rows: Rows::Listed(rows),
                    ..
                }) => Some(rows),
                _ => None,
            },
            _ => None,
        },
    };
    rows.map(|mut rows| {
        // MySQL generates the key of a row whose key is 0.
        let numbered = (backend == DbBackend::MySql && request.audited.info.access.numbered)
            .then(|| {
                let key = request.audited.key_columns();
                let columns = insert_columns(insert, request.live);
                (columns.iter()).position(|column| key.iter().any(|key| is_name(column, key)))
            })
            .flatten();
        if let Some(at) = numbered {
            for cell in rows.iter_mut().filter_map(|row| row.get_mut(at)) {
                if number_of(Some(cell), values) != Ok(None) {
                    continue;
                }
                // The session's mode may disable that, which affects what conflicts.
                *cell = match (&*cell, &insert.conflict) {
                    (Cell::Stable(_), Some(_)) => Cell::Unstable,
                    _ => Cell::Default,
                };
            }
        }
        for cell in rows.iter_mut().flatten() {
            if let Cell::Stable(template) = cell
                && template.value(values).is_some_and(|value| is_null(&value))
            {
                *cell = Cell::Null;
            }
        }
        rows
    })
}

/// The columns of an INSERT's values, in order.
pub(super) fn insert_columns(insert: &Insert, live: &LiveTable) -> Vec<String> {
    if insert.columns.is_empty() {
        return live.columns.clone();
    }
    (insert.columns.iter())
        .map(|name| match &live.row_id {
            Some(key) if live.is_row_id_alias(name) => key.clone(),
            _ => name.clone(),
        })
        .collect()
}

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Reads the existing rows with these values, and those with these keys.
    pub(super) async fn conflicting(
        &self,
        request: Request<'_>,
        candidates: &Candidates<'_>,
        keys: &[RowValues],
        lock: RowLock,
    ) -> Result<Vec<RowValues>, sea_orm::DbErr> {
        if candidates.is_empty() && keys.is_empty() {
            return Ok(Vec::new());
        }
        let info = request.audited.info;
        if lock == RowLock::None || !self.server.is_mysql() {
            let sets: Vec<_> = candidates.0.iter().collect();
            return self.read_conflicting(request, &sets, "", keys, lock).await;
        }
        // One read for each index: with OR between them, MySQL would read and lock all rows of a small table.
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        for set in &candidates.0 {
            let names: Vec<&str> = set.0.iter().map(|column| column.name.as_str()).collect();
            let index = self.forced_index_of(info, &names).await;
            let rows = (self.read_conflicting(request, &[set], &index, &[], lock)).await?;
            found.extend(rows.into_iter().filter(|row| seen.insert(info.key_of(row))));
        }
        let rows = self.rows_where(info, &info.key, keys, lock).await?;
        found.extend(rows.into_iter().filter(|row| seen.insert(info.key_of(row))));
        Ok(found)
    }

    async fn read_conflicting(
        &self,
        request: Request<'_>,
        sets: &[&(Vec<IndexColumn>, Vec<Vec<&Cell>>)],
        index: &str,
        keys: &[RowValues],
        lock: RowLock,
    ) -> Result<Vec<RowValues>, sea_orm::DbErr> {
        let info = request.audited.info;
        let backend = self.db.get_database_backend();
        let list = (info.access.list)(backend, None);
        let mut sql = self.composer(request.statement);
        sql.text("SELECT ")
            .text(&list)
            .text(" FROM ")
            .text(&self.table(info))
            .text(index)
            .text(" WHERE ");
        for (at, (columns, rows)) in sets.iter().enumerate() {
            sql.text(if at > 0 { " OR " } else { "" });
            let several = columns.len() > 1;
            sql.text(if several { "(" } else { "" });
            for (at, column) in columns.iter().enumerate() {
                sql.text(if at > 0 { ", " } else { "" });
                prefixed(&mut sql, column, |sql| {
                    sql.name(&column.name);
                });
            }
            sql.text(if several { ") IN (" } else { " IN (" });
            if several && self.server.is_sqlite() {
                sql.text("VALUES ");
            }
            for (at, row) in rows.iter().enumerate() {
                sql.text(if at > 0 { ", " } else { "" });
                cells(&mut sql, request.live, columns, row);
            }
            sql.text(")");
        }
        self.report_unfindable(info, &info.key, keys);
        if !keys.is_empty() {
            sql.text(if sets.is_empty() { "" } else { " OR " });
            is_in(&mut sql, backend, info, &info.key, keys);
        }
        sql.text(lock.clause(backend));
        let rows = (self
            .read_after(info, self.db.query_all_raw(self.own(info, sql.finish())))
            .await)?;
        let mut rows = self.read(info, &rows.unwrap_or_default());
        let repeated = repeated_keys(info, &rows);
        self.report_same(&repeated);
        rows.retain(|row| !repeated.contains(&info.key_of(row)));
        Ok(rows)
    }
}

/// The values by which the rows of an INSERT can conflict with others.
pub(super) fn candidates<'r>(
    request: Request<'_>,
    insert: &Insert,
    conflict: &Conflict,
    rows: &'r [Vec<Cell>],
) -> Result<Candidates<'r>, CaptureError> {
    let (live, info) = (request.live, request.audited.info);
    let key = key_index(request);
    let by_expression =
        CaptureError::Uncapturable("an index of expressions may decide its conflicts");
    let mut sets: Vec<Vec<IndexColumn>> = match &conflict.target {
        ConflictTarget::Columns(columns) => {
            vec![
                columns
                    .iter()
                    .map(|name| IndexColumn::whole(name))
                    .collect(),
            ]
        }
        ConflictTarget::Constraint(name) => {
            let index = live.unique.iter().find(|index| is_name(&index.name, name));
            match index.map(|index| index.columns.clone()) {
                Some(Some(columns)) => vec![columns],
                Some(None) => return Err(by_expression),
                None => {
                    return Err(CaptureError::Uncapturable(
                        "its conflict clause names a constraint that is no unique index",
                    ));
                }
            }
        }
        ConflictTarget::Any => {
            let mut sets = vec![key];
            for index in &live.unique {
                match &index.columns {
                    Some(columns) => sets.push(columns.clone()),
                    None => return Err(by_expression),
                }
            }
            sets
        }
    };
    for set in &mut sets {
        set.sort();
    }
    sets.sort();
    sets.dedup();
    let columns = insert_columns(insert, live);
    let numbered = info.access.numbered.then(|| request.audited.key_columns());
    let mut found = Vec::new();
    for set in sets {
        let is_new = |name: &str| {
            (numbered.as_ref()).is_some_and(|key| key.iter().any(|k| is_name(k, name)))
        };
        match given(&columns, &set, rows, live, &is_new) {
            GivenValues::Values(cells) if cells.is_empty() => {}
            GivenValues::Values(cells) => found.push((set, cells)),
            GivenValues::Unknown => {
                return Err(CaptureError::Uncapturable(
                    "a value that decides its conflicts is not in the statement",
                ));
            }
        }
    }
    Ok(Candidates(found))
}

/// The key of every row of an INSERT, if it has them.
pub(super) fn given_keys<'r>(
    request: Request<'_>,
    insert: &Insert,
    rows: &'r [Vec<Cell>],
) -> Option<Candidates<'r>> {
    let columns = insert_columns(insert, request.live);
    let key = key_index(request);
    match given(&columns, &key, rows, request.live, &|_| false) {
        GivenValues::Values(cells) if cells.len() == rows.len() && !cells.is_empty() => {
            Some(Candidates(vec![(key, cells)]))
        }
        _ => None,
    }
}

fn key_index(request: Request<'_>) -> Vec<IndexColumn> {
    (request.audited.key_columns().into_iter())
        .map(IndexColumn::whole)
        .collect()
}

/// Writes the prefix of a text that the index covers.
fn prefixed(
    sql: &mut SqlBuilder<'_>,
    column: &IndexColumn,
    write: impl FnOnce(&mut SqlBuilder<'_>),
) {
    match column.prefix {
        None => write(sql),
        Some(length) => {
            sql.text("LEFT(");
            write(sql);
            sql.text(&format!(", {length})"));
        }
    }
}

fn cells(sql: &mut SqlBuilder<'_>, live: &LiveTable, columns: &[IndexColumn], row: &[&Cell]) {
    sql.text(if row.len() > 1 { "(" } else { "" });
    for (at, (cell, column)) in row.iter().zip(columns).enumerate() {
        sql.text(if at > 0 { ", " } else { "" });
        if let Cell::Stable(template) = cell {
            // An INSERT accepts values of other types, which a comparison refuses.
            let kind = live.types.get(&column.name);
            sql.text(if kind.is_some() { "CAST(" } else { "" });
            prefixed(sql, column, |sql| {
                sql.template(template);
            });
            if let Some(kind) = kind {
                sql.text(&format!(" AS {kind})"));
            }
        }
    }
    sql.text(if row.len() > 1 { ")" } else { "" });
}

/// The cells of these columns in every row that has all of them.
fn given<'r>(
    columns: &[String],
    wanted: &[IndexColumn],
    rows: &'r [Vec<Cell>],
    live: &LiveTable,
    is_new: &dyn Fn(&str) -> bool,
) -> GivenValues<'r> {
    let has_default =
        |name: &str| !is_new(name) && live.defaulted.iter().any(|column| is_name(column, name));
    let mut complete = Vec::with_capacity(rows.len());
    for row in rows {
        let mut cells = Vec::with_capacity(wanted.len());
        for column in wanted {
            let name = column.name.as_str();
            let position = columns.iter().position(|column| is_name(column, name));
            match position.and_then(|at| row.get(at)) {
                Some(Cell::Unstable) => return GivenValues::Unknown,
                Some(cell @ Cell::Stable(_)) => cells.push(cell),
                // NULL conflicts with nothing.
                Some(Cell::Null) if !is_new(name) => {}
                Some(Cell::Null | Cell::Default) | None if has_default(name) => {
                    return GivenValues::Unknown;
                }
                Some(Cell::Null | Cell::Default) | None => {}
            }
        }
        if cells.len() == wanted.len() {
            complete.push(cells);
        }
    }
    GivenValues::Values(complete)
}

/// The number that a cell gives to an auto-increment key; `None` if the database generates it.
pub(super) fn number_of(cell: Option<&Cell>, values: &[Value]) -> Result<Option<u64>, ()> {
    let value = match cell {
        None | Some(Cell::Default | Cell::Null) => return Ok(None),
        Some(Cell::Unstable) => return Err(()),
        Some(Cell::Stable(template)) => template.value(values).ok_or(())?,
    };
    let number = match value {
        Value::TinyInt(v) => v.map(i64::from),
        Value::SmallInt(v) => v.map(i64::from),
        Value::Int(v) => v.map(i64::from),
        Value::BigInt(v) => v,
        Value::TinyUnsigned(v) => v.map(i64::from),
        Value::SmallUnsigned(v) => v.map(i64::from),
        Value::Unsigned(v) => v.map(i64::from),
        Value::BigUnsigned(v) => match v.map(i64::try_from) {
            Some(Ok(v)) => Some(v),
            Some(Err(_)) => return Err(()),
            None => None,
        },
        _ => return Err(()),
    };
    match number {
        // MySQL generates the key.
        None | Some(0) => Ok(None),
        Some(number) => u64::try_from(number).map(Some).map_err(|_| ()),
    }
}
