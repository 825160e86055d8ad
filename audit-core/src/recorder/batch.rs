//! Writes many records with few statements, whose texts do not depend on how many they are.

use std::fmt::Write as _;
use std::sync::LazyLock;

use sea_orm::prelude::Json;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, IdenStatic, Iterable, Statement};
use serde_json::Map;

use super::{Record, insert_in_savepoint, insert_of};
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

    /// Whether two records can be written by one statement.
    pub(crate) fn goes_with(&self, other: &Self) -> bool {
        self.config.tables() == other.config.tables()
            && self.config.failure_policy() == other.config.failure_policy()
    }
}

impl Record {
    pub(crate) fn into_row(self, config: &AuditConfig, backend: DbBackend) -> Result<Row, Cause> {
        let values = self.values(config, backend)?;
        let weight = values.iter().map(weight).sum();
        Ok(Row {
            config: config.clone(),
            values,
            weight,
        })
    }
}

fn weight(value: &Value) -> usize {
    fn json(value: &Json) -> usize {
        match value {
            Json::String(text) => 24 + text.len(),
            Json::Array(items) => 24 + items.iter().map(json).sum::<usize>(),
            Json::Object(map) => map.iter().map(|(k, v)| 48 + k.len() + json(v)).sum(),
            _ => 24,
        }
    }
    match value {
        Value::String(Some(text)) => 24 + text.len(),
        Value::Json(Some(value)) => json(value),
        _ => 24,
    }
}

/// The most rows of one INSERT; five thousand bound values are far from every database's limit.
const MOST: usize = 256;

/// Inserts rows that go with one another.
pub(crate) async fn insert_rows<C: ConnectionTrait>(db: &C, rows: Vec<Row>) -> Result<(), DbErr> {
    let Some(first) = rows.first() else {
        return Ok(());
    };
    let backend = db.get_database_backend();
    let tables = first.config.tables();
    let isolate = first.config.failure_policy() == FailurePolicy::Isolate;
    let unfit = |error: sea_orm::sea_query::error::Error| DbErr::Type(error.to_string());
    if backend == DbBackend::Postgres && isolate {
        let insert = insert_of(tables, rows.into_iter().map(|row| row.values)).map_err(unfit)?;
        return insert_in_savepoint(db, &insert).await;
    }
    if backend == DbBackend::Postgres && rows.len() > 1 {
        let rows = Json::Array(rows.into_iter().map(|row| document(row.values)).collect());
        let statement = Statement::from_sql_and_values(backend, recordset(tables), [rows.into()]);
        return db.execute_raw(statement).await.map(|_| ());
    }
    // Powers of two: as few texts as there are powers.
    let mut rows = rows.into_iter().map(|row| row.values);
    while rows.len() > 0 {
        let size = 1 << rows.len().min(MOST).ilog2();
        let insert = insert_of(tables, rows.by_ref().take(size)).map_err(unfit)?;
        db.execute(&insert).await?;
    }
    Ok(())
}

/// The row's values as a document, whose keys are the columns' positions.
fn document(values: Vec<Value>) -> Json {
    let fields = values.into_iter().enumerate().filter_map(|(at, value)| {
        let json = match value {
            Value::String(text) => Json::String(text?),
            Value::Json(json) => *json?,
            Value::Uuid(id) => Json::String(id?.to_string()),
            Value::ChronoDateTimeUtc(at) => Json::String(at?.to_rfc3339()),
            _ => return None,
        };
        Some((format!("c{at}"), json))
    });
    Json::Object(fields.collect::<Map<_, _>>())
}

/// `INSERT .. SELECT` from the documents, with PostgreSQL's type of each column.
fn recordset(tables: Tables) -> String {
    static FIELDS: LazyLock<(String, String)> = LazyLock::new(|| {
        let (mut names, mut fields) = (String::new(), String::new());
        for (at, column) in Column::iter().skip(1).enumerate() {
            let kind = match column {
                Column::OccurredAt => "timestamptz",
                Column::Changes | Column::Metadata => "jsonb",
                Column::TransactionId => "uuid",
                _ => "text",
            };
            let comma = if at == 0 { "" } else { ", " };
            // Writing to a `String` cannot fail.
            let _ = write!(names, "{comma}\"{}\"", column.as_str());
            let _ = write!(fields, "{comma}c{at} {kind}");
        }
        (names, fields)
    });
    let (names, fields) = &*FIELDS;
    let table = match tables.schema() {
        Some(schema) => format!("\"{schema}\".\"{}\"", tables.log()),
        None => format!("\"{}\"", tables.log()),
    };
    format!("INSERT INTO {table} ({names}) SELECT * FROM jsonb_to_recordset($1) AS r({fields})")
}
