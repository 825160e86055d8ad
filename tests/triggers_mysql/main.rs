//! Triggers on MariaDB: changes of other programs are recorded as hooks would record them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    dead_code,
    unused_macros
)]

use sea_orm_audit_tests::support;

mod cascades;
mod client;
mod context;
mod guards;
mod kinds;
mod moved;
mod names;
mod records;
mod schema;
mod values;

use sea_orm::{ConnectionTrait, DbErr, EntityTrait};
use sea_orm_audit::migration::AuditTriggers;
use sea_orm_audit::{Auditable, entity::audit_log};
use serde_json::Value as Json;

use support::{TestDb, TestResult};

/// Creates the table of an entity, and its triggers.
pub(crate) async fn watched<E: Auditable>(db: &TestDb, entity: E) -> Result<(), DbErr> {
    db.create(entity).await?;
    AuditTriggers::of::<E>().create(&db.conn).await
}

/// The names of the triggers that are missing, superfluous or outdated.
pub(crate) async fn differences(
    triggers: AuditTriggers,
    db: &sea_orm::DatabaseConnection,
) -> Result<Vec<String>, DbErr> {
    let check = triggers.check(db).await?;
    Ok([check.missing, check.disabled, check.out_of_date].concat())
}

/// Runs statements in the command line client, as another program would.
pub(crate) async fn client(db: &TestDb, sql: &str) -> TestResult<String> {
    client_with(db, &[], sql).await
}

pub(crate) async fn client_with(db: &TestDb, options: &[&str], sql: &str) -> TestResult<String> {
    let url = std::env::var("TEST_MYSQL_URL")?;
    let rest = url.strip_prefix("mysql://").ok_or("no MySQL URL")?;
    let (user, place) = rest.split_once('@').ok_or("no user")?;
    let (user, password) = user.split_once(':').ok_or("no password")?;
    let (host, _) = place.split_once('/').ok_or("no database")?;
    let (host, port) = host.split_once(':').ok_or("no port")?;
    let name: String = {
        let row = db
            .query_one_raw(sea_orm::Statement::from_string(
                db.backend(),
                "SELECT CAST(DATABASE() AS CHAR) AS d",
            ))
            .await?
            .ok_or("no database")?;
        row.try_get("", "d")?
    };
    let mut command = std::process::Command::new("mariadb");
    command
        .args([
            "--no-defaults",
            "--batch",
            "--skip-column-names",
            "--default-character-set=utf8mb4",
        ])
        .args(["-h", host, "-P", port, "-u", user])
        .arg(format!("-p{password}"))
        .args(options)
        .args([&name, "-e", sql]);
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Returns the records as `ACTION model id changes`, and deletes them.
pub(crate) async fn taken(db: &TestDb) -> TestResult<Vec<String>> {
    let log = db.log().await?;
    db.forget().await?;
    Ok(log)
}

/// The recorded values of a column: `old` and `new`.
pub(crate) fn change(record: &audit_log::Model, column: &str, word: &str) -> Option<Json> {
    record.changes.as_ref()?.get(column)?.get(word).cloned()
}

/// All rows of an entity.
pub(crate) async fn all<E: EntityTrait>(db: &TestDb) -> Result<Vec<E::Model>, DbErr> {
    E::find().all(&db.conn).await
}
