//! The answers that an application gets, in a form that can be compared.

use sea_orm::sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, SqlErr, Statement,
};

use crate::bulk;
use crate::connection::Connection;
use crate::entities::with_entity;
use crate::model_op;
use crate::op::{Op, Sql, Via};
use crate::tables::TABLES;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Executed {
        rows_affected: u64,
        last_insert_id: Option<u64>,
    },
    Rows(Vec<String>),
    Called(String),
    /// The answer to another client.
    Other(String),
    Failed(Failure),
}

/// The name of a difference where another client's write waits on one side only.
pub(crate) const OTHER_CLIENT: &str = "another client's write";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) variant: String,
    pub(crate) kind: Option<&'static str>,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
}

impl Answer {
    /// The name of the difference between two answers.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let name = |answer: &Self| match answer {
            Self::Failed(failure) => failure.variant.clone(),
            _ => "Ok".to_owned(),
        };
        let what = match (self, other) {
            (a, b) if a == b => return None,
            (Self::Failed(a), Self::Failed(b)) if a.variant != b.variant => {
                format!("error variant {} became {}", a.variant, b.variant)
            }
            (Self::Failed(a), Self::Failed(b)) if a.kind != b.kind => "error kind".to_owned(),
            (Self::Failed(a), Self::Failed(b)) if a.code != b.code => "error code".to_owned(),
            (Self::Failed(_), Self::Failed(_)) => "error message".to_owned(),
            (
                Self::Executed {
                    rows_affected: a, ..
                },
                Self::Executed {
                    rows_affected: b, ..
                },
            ) if a != b => "rows_affected".to_owned(),
            (Self::Executed { .. }, Self::Executed { .. }) => "last_insert_id".to_owned(),
            (Self::Rows(_), Self::Rows(_)) => "returned rows".to_owned(),
            (Self::Called(_), Self::Called(_)) => "returned models".to_owned(),
            (Self::Other(_), Self::Other(_)) => OTHER_CLIENT.to_owned(),
            (a, b) => format!("result {} became {}", name(a), name(b)),
        };
        Some(what)
    }

    pub(crate) fn is_error(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// Runs a statement or call and returns its answer.
pub(crate) async fn answer(db: &Connection<'_>, op: &Op, audited: bool) -> Answer {
    let done = match op {
        Op::Sql(sql) => run_sql(db, sql).await,
        Op::Model(op) => {
            let key = TABLES
                .iter()
                .find(|table| table.entity == op.entity)
                .unwrap()
                .key;
            if audited && op.call.is_bulk() {
                bulk::run(db, op, key).await.map(Answer::Called)
            } else {
                with_entity!(op.entity, audited, E =>
                    Box::pin(model_op::run::<E, _>(db, op, key)).await)
                .map(Answer::Called)
            }
        }
    };
    done.unwrap_or_else(|error| Answer::Failed(failure(&error)))
}

async fn run_sql(db: &Connection<'_>, sql: &Sql) -> Result<Answer, DbErr> {
    let backend = db.get_database_backend();
    let statement = || {
        if sql.values.is_empty() {
            Statement::from_string(backend, &sql.text)
        } else {
            Statement::from_sql_and_values(backend, &sql.text, sql.values.clone())
        }
    };
    Ok(match sql.via {
        Via::Execute => executed(backend, sql, &db.execute_raw(statement()).await?),
        Via::Unprepared => executed(backend, sql, &db.execute_unprepared(&sql.text).await?),
        Via::QueryOne => rows_of(&db.query_one_raw(statement()).await?),
        Via::QueryAll => rows_of(&db.query_all_raw(statement()).await?),
    })
}

fn executed(backend: DbBackend, sql: &Sql, result: &ExecResult) -> Answer {
    let rows_affected = result.rows_affected();
    // Whether every statement of the text certainly inserts.
    let inserts = || {
        let text = sql.text.to_uppercase();
        text.split(";\n").all(|part| {
            let is_only_one = part.len() == text.len();
            let may_insert_none = ["SELECT", " OR "].iter().any(|word| part.contains(word));
            (is_only_one || !may_insert_none)
                && !["UPDATE", "DELETE", "CONFLICT"]
                    .iter()
                    .any(|word| part.contains(word))
                && (part.contains("INSERT") || part.trim_start().starts_with("REPLACE"))
        })
    };
    let last_insert_id = match backend {
        DbBackend::MySql => Some(result.last_insert_id()),
        // After any other statement it is the connection's last ID, which may be the log's. SeaORM panics at a negative
        // ID.
        DbBackend::Sqlite if rows_affected > 0 && inserts() => {
            let id = std::panic::AssertUnwindSafe(|| result.last_insert_id());
            std::panic::catch_unwind(id)
                .ok()
                .filter(|id| i64::try_from(*id).is_ok())
        }
        _ => None,
    };
    Answer::Executed {
        rows_affected,
        last_insert_id,
    }
}

pub(crate) fn rows_of<'a>(rows: impl IntoIterator<Item = &'a QueryResult>) -> Answer {
    let mut rows: Vec<String> = rows.into_iter().map(row_text).collect();
    // The statement has no ORDER BY.
    rows.sort();
    Answer::Rows(rows)
}

macro_rules! row_text {
    ($row:expr) => {{
        let row = $row;
        let fields = row.columns().iter().map(|column| {
            let at = column.ordinal();
            let value = row.try_get_raw(at).unwrap();
            let kind = value.type_info().name().to_owned();
            if value.is_null() {
                return format!("{}: {kind} NULL", column.name());
            }
            let bytes: Vec<u8> = row.try_get_unchecked(at).unwrap_or_default();
            format!("{}: {kind} {}", column.name(), printed(&bytes))
        });
        fields.collect::<Vec<_>>().join(", ")
    }};
}

/// Text as text, anything else in hexadecimal.
fn printed(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(|c: char| c.is_control()) => format!("{text:?}"),
        _ => bytes
            .iter()
            .fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}")),
    }
}

fn row_text(row: &QueryResult) -> String {
    if let Some(row) = row.try_as_sqlite_row() {
        return row_text!(row);
    }
    if let Some(row) = row.try_as_mysql_row() {
        return row_text!(row);
    }
    if let Some(row) = row.try_as_pg_row() {
        return row_text!(row);
    }
    format!("{row:?}")
}

/// A message without the number of the test's database and the line of PostgreSQL's source.
fn without_database(message: &str) -> String {
    const NAME: &str = "audit_test_";
    let message = match message.rsplit_once(" at line ") {
        Some((before, line)) if line.parse::<u32>().is_ok() => before,
        _ => message,
    };
    let mut parts = message.split(NAME);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(NAME);
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_'));
    }
    text
}

pub(crate) fn failure(error: &DbErr) -> Failure {
    let variant = format!("{error:?}");
    let variant = variant
        .split(['(', ' '])
        .next()
        .unwrap_or_default()
        .to_owned();
    let kind = error.sql_err().map(|kind| match kind {
        SqlErr::UniqueConstraintViolation(_) => "unique",
        SqlErr::ForeignKeyConstraintViolation(_) => "foreign key",
        _ => "another",
    });
    let code = match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => error
            .as_database_error()
            .and_then(|error| Some(error.code()?.into_owned())),
        _ => None,
    };
    Failure {
        variant,
        kind,
        code,
        message: without_database(&error.to_string()),
    }
}
