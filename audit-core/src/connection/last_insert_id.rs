//! `LAST_INSERT_ID()` of MySQL and MariaDB, which inserts into the audit tables must not change.
//!
//! The function is not what the driver returns for a statement: it is a value of the session, which
//! the application may use in its next statement.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

/// The session's value; `None` on databases that have no such function.
pub(super) async fn read<C: ConnectionTrait>(db: &C) -> Result<Option<u64>, DbErr> {
    if db.get_database_backend() != DbBackend::MySql {
        return Ok(None);
    }
    // MySQL and MariaDB give the number different types; its text is one.
    let sql = "SELECT CAST(LAST_INSERT_ID() AS CHAR)";
    let row = (db.query_one_raw(Statement::from_string(DbBackend::MySql, sql))).await?;
    let Some(row) = row else { return Ok(None) };
    let text: String = row.try_get_by_index(0)?;
    Ok(text.parse().ok())
}

/// Sets the session's value again.
pub(super) async fn restore<C: ConnectionTrait>(db: &C, value: Option<u64>) -> Result<(), DbErr> {
    match value {
        // With an argument the function remembers it.
        Some(value) => (db.execute_unprepared(&format!("SELECT LAST_INSERT_ID({value})")))
            .await
            .map(|_| ()),
        None => Ok(()),
    }
}
