//! Runs statements and collects all that an application sees of them.

use std::fmt::Write as _;

use sea_orm::prelude::{Decimal, Json};
use sea_orm::sqlx::{Column as _, Row as _, TypeInfo as _};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Value,
};
use serde_json::json;

/// The function that sends a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Execute,
    Unprepared,
    QueryOne,
    QueryAll,
}

impl Call {
    pub(crate) const ALL: [Self; 4] = [
        Self::Execute,
        Self::Unprepared,
        Self::QueryOne,
        Self::QueryAll,
    ];
}

/// All that an application sees of a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Done {
        rows_affected: u64,
        last_insert_id: Option<u64>,
    },
    Rows {
        columns: Vec<String>,
        rows: Vec<Vec<Json>>,
    },
    Failed {
        variant: &'static str,
        sql_err: Option<String>,
        code: Option<String>,
        message: String,
    },
}

impl Outcome {
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    pub(crate) fn of_error(error: &DbErr) -> Self {
        let (variant, source) = match error {
            DbErr::Exec(source) => ("Exec", Some(source)),
            DbErr::Query(source) => ("Query", Some(source)),
            DbErr::Conn(source) => ("Conn", Some(source)),
            DbErr::RecordNotInserted => ("RecordNotInserted", None),
            DbErr::RecordNotUpdated => ("RecordNotUpdated", None),
            DbErr::RecordNotFound(_) => ("RecordNotFound", None),
            DbErr::Custom(_) => ("Custom", None),
            DbErr::Type(_) => ("Type", None),
            _ => ("other", None),
        };
        let database = match source {
            Some(RuntimeErr::SqlxError(error)) => error.as_database_error(),
            _ => None,
        };
        Self::Failed {
            variant,
            sql_err: error.sql_err().map(|e| anonymous(&format!("{e:?}"))),
            code: database.and_then(|e| e.code().map(std::borrow::Cow::into_owned)),
            message: anonymous(&error.to_string()),
        }
    }
}

/// A message without the names of the two databases and the line of PostgreSQL's source: a statement in an aborted
/// transaction is refused at one line when it is parsed, at another when it is run.
fn anonymous(message: &str) -> String {
    let message = match message.rsplit_once(" at line ") {
        Some((message, line)) if line.parse::<u32>().is_ok() => message,
        _ => message,
    };
    let mut parts = message.split("audit_test_");
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
        let _ = write!(all, "DATABASE{rest}");
    }
    all
}

/// Runs one statement.
pub(crate) async fn run<C: ConnectionTrait>(
    db: &C,
    call: Call,
    sql: &str,
    values: &[Value],
) -> Outcome {
    let backend = db.get_database_backend();
    let statement = || Statement::from_sql_and_values(backend, sql, values.iter().cloned());
    match call {
        Call::Execute => done(backend, sql, db.execute_raw(statement()).await),
        Call::Unprepared => done(backend, sql, db.execute_unprepared(sql).await),
        Call::QueryOne => {
            let row = db.query_one_raw(statement()).await;
            rows(row.map(|row| row.into_iter().collect()))
        }
        Call::QueryAll => rows(db.query_all_raw(statement()).await),
    }
}

fn done(backend: DbBackend, sql: &str, result: Result<ExecResult, DbErr>) -> Outcome {
    let result = match result {
        Ok(result) => result,
        Err(error) => return Outcome::of_error(&error),
    };
    let rows_affected = result.rows_affected();
    let start = sql.trim_start().get(..4).unwrap_or_default();
    let inserts = start.eq_ignore_ascii_case("INSE") || start.eq_ignore_ascii_case("REPL");
    let has_id = match backend {
        DbBackend::MySql => true,
        // If nothing was inserted, the ID is that of the connection's last insert.
        DbBackend::Sqlite => inserts && rows_affected > 0 && !sql.contains("ON CONFLICT"),
        _ => false,
    };
    Outcome::Done {
        rows_affected,
        last_insert_id: has_id.then(|| result.last_insert_id()),
    }
}

fn rows(result: Result<Vec<QueryResult>, DbErr>) -> Outcome {
    match result {
        Ok(rows) => Outcome::Rows {
            columns: (rows.first()).map_or_else(Vec::new, QueryResult::column_names),
            rows: rows.iter().map(values).collect(),
        },
        Err(error) => Outcome::of_error(&error),
    }
}

/// The values of a row, by position.
pub(crate) fn values(row: &QueryResult) -> Vec<Json> {
    (0..row.column_names().len())
        .map(|at| value(row, at))
        .collect()
}

fn value(row: &QueryResult, at: usize) -> Json {
    fn read<T: sea_orm::TryGetable>(row: &QueryResult, at: usize) -> Result<Option<T>, DbErr> {
        row.try_get_by_index(at)
    }
    fn shown<T: std::fmt::Debug>(value: Option<T>) -> Json {
        value.map_or(Json::Null, |value| json!(format!("{value:?}")))
    }
    if let Some(row) = row.try_as_mysql_row()
        && row.column(at).type_info().name() == "DATE"
        && matches!(row.try_get_unchecked::<&[u8], _>(at), Ok([0]))
    {
        // Which the driver reads as NULL.
        return json!("0000-00-00");
    }
    if let Ok(value) = read::<i64>(row, at) {
        return json!(value);
    }
    if let Ok(value) = read::<i32>(row, at) {
        return json!(value);
    }
    if let Ok(value) = read::<u64>(row, at) {
        return json!(value);
    }
    if let Ok(value) = read::<f64>(row, at) {
        return json!(value);
    }
    if let Ok(value) = read::<f32>(row, at) {
        return json!(value.map(f64::from));
    }
    if let Ok(value) = read::<bool>(row, at) {
        return json!(value);
    }
    if let Ok(value) = read::<Decimal>(row, at) {
        return json!(value.map(|v| v.normalize().to_string()));
    }
    if let Ok(value) = read::<String>(row, at) {
        return json!(value);
    }
    if let Ok(value) = read::<Json>(row, at) {
        return value.unwrap_or_default();
    }
    if let Ok(value) = read::<sea_orm::prelude::DateTimeUtc>(row, at) {
        return shown(value);
    }
    if let Ok(value) = read::<sea_orm::prelude::DateTime>(row, at) {
        return shown(value);
    }
    if let Ok(value) = read::<Vec<u8>>(row, at) {
        return shown(value);
    }
    if row.try_as_pg_row().is_some()
        && let Ok(value) = read::<Vec<i32>>(row, at)
    {
        return json!(value);
    }
    undecoded(row, at)
}

/// A value that no type reads: the received bytes.
fn undecoded(row: &QueryResult, at: usize) -> Json {
    let bytes = if let Some(row) = row.try_as_pg_row() {
        let raw = row.try_get_raw(at).ok();
        raw.and_then(|raw| raw.as_bytes().ok().map(<[u8]>::to_vec))
    } else if let Some(row) = row.try_as_mysql_row() {
        row.try_get_unchecked::<Vec<u8>, _>(at).ok()
    } else {
        None
    };
    json!({ "undecoded": format!("{bytes:?}") })
}

/// Runs a statement on two connections: an application must not see a difference.
pub(crate) async fn same_on<B: ConnectionTrait, A: ConnectionTrait>(
    bare: &B,
    audited: &A,
    call: Call,
    sql: &str,
) -> Outcome {
    let expected = run(bare, call, sql, &[]).await;
    let got = run(audited, call, sql, &[]).await;
    same(&format!("{call:?} {sql}"), &expected, &got);
    got
}

/// Fails if an application would see a difference.
pub(crate) fn same(what: &str, expected: &Outcome, got: &Outcome) {
    let what: String = what.chars().take(300).collect();
    if expected != got {
        let short = |outcome: &Outcome| {
            let text = format!("{outcome:?}");
            text.chars().take(600).collect::<String>()
        };
        panic!(
            "{what}\n  bare:    {}\n  audited: {}",
            short(expected),
            short(got)
        );
    }
}

/// The result of a SeaORM builder: the value, or all fields of the error.
pub(crate) fn result_of<T: std::fmt::Debug>(result: Result<T, DbErr>) -> Result<String, Outcome> {
    match result {
        Ok(value) => Ok(format!("{value:?}")),
        Err(error) => Err(Outcome::of_error(&error)),
    }
}
