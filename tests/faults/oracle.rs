//! The same statements on a bare connection and on an audited one, in databases of their own, and what differs.

use std::fmt::Write as _;

use sea_orm::prelude::{Decimal, Json};
use sea_orm::sqlx::Row as _;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    TransactionTrait, Value,
};
use sea_orm_audit::{AuditConfigBuilder, AuditedConnection};
use serde_json::json;

use crate::log_check::{Rows, Table, check};
use crate::support::{TestDb, TestResult};

/// How a statement is sent.
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
            code: database.and_then(|e| e.code().map(|code| code.into_owned())),
            message: anonymous(&error.to_string()),
        }
    }
}

/// A message without the names of the two databases.
fn anonymous(message: &str) -> String {
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
        // Where nothing was inserted, the id is what the connection inserted last, by whatever statement.
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
    fn read<T: sea_orm::TryGetable>(row: &QueryResult, at: usize) -> Option<Option<T>> {
        row.try_get_by_index(at).ok()
    }
    fn shown<T: std::fmt::Debug>(value: Option<T>) -> Json {
        value.map_or(Json::Null, |value| json!(format!("{value:?}")))
    }
    if let Some(value) = read::<i64>(row, at) {
        return json!(value);
    }
    if let Some(value) = read::<i32>(row, at) {
        return json!(value);
    }
    if let Some(value) = read::<u64>(row, at) {
        return json!(value);
    }
    if let Some(value) = read::<f64>(row, at) {
        return json!(value);
    }
    if let Some(value) = read::<f32>(row, at) {
        return json!(value.map(f64::from));
    }
    if let Some(value) = read::<bool>(row, at) {
        return json!(value);
    }
    if let Some(value) = read::<Decimal>(row, at) {
        return json!(value.map(|v| v.normalize().to_string()));
    }
    if let Some(value) = read::<String>(row, at) {
        return json!(value);
    }
    if let Some(value) = read::<Json>(row, at) {
        return value.unwrap_or_default();
    }
    if let Some(value) = read::<sea_orm::prelude::DateTimeUtc>(row, at) {
        return shown(value);
    }
    if let Some(value) = read::<sea_orm::prelude::DateTime>(row, at) {
        return shown(value);
    }
    if let Some(value) = read::<Vec<u8>>(row, at) {
        return shown(value);
    }
    if row.try_as_pg_row().is_some()
        && let Some(value) = read::<Vec<i32>>(row, at)
    {
        return json!(value);
    }
    undecoded(row, at)
}

/// What no type reads: the bytes that were received.
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

/// Two databases with the same tables and rows: one written plainly, one audited.
pub(crate) struct Oracle<'a> {
    pub(crate) bare: TestDb,
    pub(crate) db: &'a TestDb,
    pub(crate) audited: AuditedConnection,
    tables: Vec<Table>,
    before: Vec<Rows>,
}

impl<'a> Oracle<'a> {
    /// Runs statements in both databases, and takes note of what these tables hold then.
    pub(crate) async fn new<S: AsRef<str>>(
        db: &'a TestDb,
        tables: &[Table],
        setup: impl IntoIterator<Item = S>,
    ) -> TestResult<Self> {
        let bare = db.sibling().await?;
        for sql in setup {
            bare.execute_unprepared(sql.as_ref()).await?;
            db.execute_unprepared(sql.as_ref()).await?;
        }
        let mut before = Vec::new();
        for table in tables {
            before.push(table.read(db).await?);
        }
        Ok(Self {
            bare,
            db,
            audited: db.audited(),
            tables: tables.to_vec(),
            before,
        })
    }

    pub(crate) fn configured(mut self, config: AuditConfigBuilder) -> TestResult<Self> {
        self.audited = self.audited.with_config(config.build()?);
        Ok(self)
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.db.backend()
    }

    /// Runs a statement on both connections: an application must not see a difference.
    pub(crate) async fn same(&self, call: Call, sql: &str, values: &[Value]) -> Outcome {
        let expected = run(&self.bare.conn, call, sql, values).await;
        let got = run(&self.audited, call, sql, values).await;
        same(&format!("{call:?} {sql}"), &expected, &got);
        got
    }

    /// The same by `execute`, without values.
    pub(crate) async fn executes(&self, sql: &str) -> Outcome {
        let outcome = self.same(Call::Execute, sql, &[]).await;
        assert!(!outcome.is_failure(), "{sql}: {outcome:?}");
        outcome
    }

    /// Runs statements in one transaction on both connections, and commits it.
    pub(crate) async fn in_transaction(&self, statements: &[(Call, &str)]) -> TestResult {
        let bare = self.bare.begin().await?;
        let audited = self.audited.begin().await?;
        for (call, sql) in statements {
            let expected = run(&bare, *call, sql, &[]).await;
            let got = run(&audited, *call, sql, &[]).await;
            same(&format!("{call:?} {sql} in a transaction"), &expected, &got);
        }
        bare.commit().await?;
        audited.commit().await?;
        Ok(())
    }

    /// The tables are equal, and records lead from what they held to what they hold.
    pub(crate) async fn recorded(self) -> TestResult {
        let (missing, reports) = self.compare().await?;
        let log = self.db.log().await?;
        assert!(
            missing.is_empty(),
            "not recorded: {missing:#?}, log: {log:#?}, reports: {reports:?}"
        );
        self.bare.remove().await
    }

    /// The same, but what has no record may be reported.
    pub(crate) async fn recorded_or_reported(self) -> TestResult {
        let (missing, reports) = self.compare().await?;
        let log = self.db.log().await?;
        assert!(
            missing.is_empty() || !reports.is_empty(),
            "neither recorded nor reported: {missing:#?}, log: {log:#?}"
        );
        self.bare.remove().await
    }

    /// The tables are equal, and a report tells of the statement.
    pub(crate) async fn reported(self) -> TestResult {
        let (_, reports) = self.compare().await?;
        assert!(!reports.is_empty(), "not reported");
        self.bare.remove().await
    }

    /// What has no record, and the reports. Records that never were true fail the test.
    async fn compare(&self) -> TestResult<(Vec<String>, Vec<String>)> {
        let records = self.db.records().await?;
        let mut missing = Vec::new();
        for (table, before) in self.tables.iter().zip(&self.before) {
            let expected = table.read(&self.bare).await?;
            let after = table.read(self.db).await?;
            if expected != after {
                let pairs = expected
                    .iter()
                    .filter(|(key, row)| after.get(*key) != Some(row));
                let first = pairs.take(3).collect::<Vec<_>>();
                panic!(
                    "{} is not as on a bare connection: {} rows for {}, first: {first:?} for {:?}",
                    table.name,
                    after.len(),
                    expected.len(),
                    first
                        .iter()
                        .map(|(key, _)| after.get(*key))
                        .collect::<Vec<_>>()
                );
            }
            let checked = check(table, before.clone(), &after, &records);
            assert!(
                checked.untrue.is_empty(),
                "records that are not true: {:#?}, log: {:#?}",
                checked.untrue,
                self.db.log().await?.iter().take(20).collect::<Vec<_>>()
            );
            missing.extend(checked.missing);
        }
        Ok((missing, reports(self.db).await?))
    }
}

/// Fails where an application would see a difference.
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

/// What a builder of SeaORM gave: the value, or all that is known of the error.
pub(crate) fn told<T: std::fmt::Debug>(result: Result<T, DbErr>) -> Result<String, Outcome> {
    match result {
        Ok(value) => Ok(format!("{value:?}")),
        Err(error) => Err(Outcome::of_error(&error)),
    }
}

/// The reports of statements that are in no record, or only in part.
pub(crate) async fn reports(db: &TestDb) -> TestResult<Vec<String>> {
    let events = db.events().await?.into_iter();
    Ok(events
        .filter(|event| event.event_type == "WARNING" || event.event_type == "ERROR")
        .map(|event| format!("{}: {}", event.title, event.description.unwrap_or_default()))
        .collect())
}
