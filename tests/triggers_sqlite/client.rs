//! The `sqlite3` client on a test's database, and a table with its triggers.

use std::io::Write;
use std::process::{Command, Stdio};

use sea_orm::prelude::*;
use sea_orm::{DbBackend, FromQueryResult, Statement};
use sea_orm_audit::Auditable;
use sea_orm_audit::migration::AuditTriggers;
use serde_json::Value;

use crate::support::{TestDb, TestResult};

/// Creates an entity's table and its triggers.
pub(crate) async fn captured<E: Auditable>(db: &TestDb, entity: E) -> TestResult {
    db.create(entity).await?;
    triggers::<E>(db).await
}

/// Creates an entity's triggers.
pub(crate) async fn triggers<E: Auditable>(db: &TestDb) -> TestResult {
    db.execute_unprepared(
        "CREATE TABLE IF NOT EXISTS audit_trigger_context \
         (id INTEGER PRIMARY KEY CHECK (id = 1), context TEXT, transaction_id BLOB)",
    )
    .await?;
    AuditTriggers::of::<E>().create(&db.conn).await?;
    Ok(())
}

/// The file of the database.
async fn file(db: &TestDb) -> TestResult<String> {
    let row = db
        .query_one_raw(Statement::from_string(
            DbBackend::Sqlite,
            "SELECT file FROM pragma_database_list WHERE name = 'main'",
        ))
        .await?
        .ok_or("no database")?;
    Ok(row.try_get("", "file")?)
}

/// Runs SQL in the client. Returns its output or its error.
pub(crate) async fn run(db: &TestDb, sql: &str) -> TestResult<Result<String, String>> {
    let mut child = Command::new("sqlite3")
        .arg("-batch")
        .arg(file(db).await?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .ok_or("no input")?
        .write_all(sql.as_bytes())?;
    let output = child.wait_with_output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    let errors = text(output.stderr);
    if errors.is_empty() && output.status.success() {
        return Ok(Ok(text(output.stdout)));
    }
    Ok(Err(errors))
}

/// Runs SQL in the client, which must not fail.
pub(crate) async fn sqlite3(db: &TestDb, sql: &str) -> TestResult<String> {
    Ok(run(db, sql).await??)
}

/// Returns the changes of the only record, and deletes the record.
pub(crate) async fn changes(db: &TestDb) -> TestResult<Value> {
    let record = db.record().await?;
    db.forget().await?;
    record.changes.ok_or_else(|| "no changes".into())
}

#[derive(FromQueryResult)]
struct Text {
    text: Option<String>,
}

/// The text that a query returns in a column `text`.
pub(crate) async fn text(db: &TestDb, sql: &str) -> TestResult<Option<String>> {
    let found = Text::find_by_statement(Statement::from_string(DbBackend::Sqlite, sql));
    Ok(found.one(&db.conn).await?.and_then(|found| found.text))
}
