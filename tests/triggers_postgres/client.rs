//! The command line client, and tables with triggers.

use std::io::Write as _;
use std::process::{Command, Stdio};

use sea_orm::{ConnectionTrait, EntityTrait};
use sea_orm_audit::Auditable;
use sea_orm_audit::migration::AuditTriggers;

use crate::support::{TestDb, TestResult};

/// Creates the table of an entity, and its triggers.
pub(crate) async fn create<E: Auditable>(db: &TestDb, entity: E) -> TestResult {
    db.create(entity).await?;
    AuditTriggers::of::<E>().create(&db.conn).await?;
    Ok(())
}

/// The database's URL, optionally on another server.
pub(crate) async fn url(db: &TestDb, variable: &str) -> TestResult<String> {
    let server = std::env::var(variable)?;
    let (base, _) = server.rsplit_once('/').ok_or("the URL names no database")?;
    let name: String = value(db, "SELECT current_database()::text").await?;
    Ok(format!("{base}/{name}"))
}

/// The only value of a query's result.
pub(crate) async fn value<T: sea_orm::TryGetable>(db: &TestDb, sql: &str) -> TestResult<T> {
    let statement = sea_orm::Statement::from_string(db.backend(), sql);
    let row = db.query_one_raw(statement).await?.ok_or("no row")?;
    Ok(row.try_get_by_index(0)?)
}

/// Runs SQL with `psql`, and returns what it prints.
pub(crate) async fn psql(db: &TestDb, sql: &str) -> TestResult<String> {
    let mut child = Command::new("psql")
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"])
        .arg(url(db, "TEST_POSTGRES_URL").await?)
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
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
