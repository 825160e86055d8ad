//! Pools whose connections have the context of the task.

use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbBackend, Statement};
use sea_orm_audit::connection::PoolContext;
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::migration::AuditTriggers;

use crate::entity::ledger;
use crate::support::{TestDb, TestResult};

/// Creates the table and its triggers.
pub(crate) async fn create(db: &TestDb) -> TestResult {
    db.create(ledger::Entity).await?;
    AuditTriggers::of::<ledger::Entity>()
        .create(&db.conn)
        .await?;
    Ok(())
}

/// The options of a pool of this size, with contexts.
pub(crate) fn options(db: &TestDb, size: u32) -> ConnectOptions {
    let mut options = db.connect_options();
    options
        .max_connections(size)
        .idle_timeout(None)
        .max_lifetime(None)
        .map_sqlx_postgres_pool_opts(|pool| PoolContext::new().apply(pool))
        .map_sqlx_mysql_pool_opts(|pool| PoolContext::new().apply(pool));
    options
}

/// A pool of this size, with contexts.
pub(crate) async fn connect(db: &TestDb, size: u32) -> TestResult<DatabaseConnection> {
    Ok(Database::connect(options(db, size)).await?)
}

/// The record of a row.
pub(crate) async fn record(db: &TestDb, id: i32) -> TestResult<audit_log::Model> {
    let id = Some(id.to_string());
    let record = (db.records().await?.into_iter()).find(|record| record.object_id == id);
    Ok(record.ok_or("no record")?)
}

/// The actor of a row's record: its type and id.
pub(crate) async fn actor(db: &TestDb, id: i32) -> TestResult<String> {
    let record = record(db, id).await?;
    let id = record.actor_id.unwrap_or_default();
    Ok(format!("{} {id}", record.actor_type).trim_end().to_owned())
}

/// The server's number of the connection that a statement gets.
pub(crate) fn connection_id(backend: DbBackend) -> Statement {
    let sql = match backend {
        DbBackend::Postgres => "SELECT pg_backend_pid()::bigint AS id",
        _ => "SELECT CAST(CONNECTION_ID() AS SIGNED) AS id",
    };
    Statement::from_string(backend, sql)
}
