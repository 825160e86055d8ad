//! The context that is set for triggers, and how.
//!
//! On PostgreSQL it is a setting of the transaction, elsewhere a row that is deleted before COMMIT: the next user of
//! the connection inherits nothing.

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::context_text::context_text;
use super::{cause_in, prepare_again};
use crate::config::{AuditConfig, Tables};
use crate::context::AuditContext;
use crate::error::{AuditError, Cause, ChangeState};
use crate::trigger_plan::CONTEXT_SETTING;

/// Sets the context for the triggers of a transaction, for the writes that follow.
pub(crate) async fn set_context<C: ConnectionTrait>(
    db: &C,
    config: &AuditConfig,
    context: AuditContext,
    transaction: Uuid,
) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    let text = context_text(config, context, Some(transaction), backend).map_err(not_tried)?;
    let table = quoted(config.tables(), backend);
    let (sql, values): (_, Vec<Value>) = match backend {
        DbBackend::Postgres => (
            "SELECT set_config($1, $2, true)".to_owned(),
            vec![CONTEXT_SETTING.into(), text.into()],
        ),
        DbBackend::Sqlite => (
            format!(
                "INSERT OR REPLACE INTO {table} (id, context, transaction_id) VALUES (1, ?, ?)"
            ),
            vec![text.into(), transaction.into()],
        ),
        _ => (
            format!("REPLACE INTO {table} (connection_id, context) VALUES (CONNECTION_ID(), ?)"),
            vec![text.into()],
        ),
    };
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let written = db.execute_raw(prepare_again(statement)).await;
    written.map(|_| ()).map_err(|error| failed(config, error))
}

const fn not_tried(cause: Cause) -> AuditError {
    AuditError::NotRecorded {
        state: ChangeState::NotTried,
        cause,
    }
}

/// The table of contexts could not be written, or read.
fn failed(config: &AuditConfig, error: DbErr) -> DbErr {
    let tables = config.tables();
    let table = tables.qualified(tables.trigger_context());
    not_tried(cause_in(config, table, error)).into()
}

/// Clears the context for the triggers of a transaction, before the commit.
pub(crate) async fn clear_context<C: ConnectionTrait>(db: &C, tables: Tables) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    let table = quoted(tables, backend);
    let sql = match backend {
        // It ends with the transaction.
        DbBackend::Postgres => return Ok(()),
        DbBackend::Sqlite => format!("DELETE FROM {table}"),
        _ => format!("DELETE FROM {table} WHERE connection_id = CONNECTION_ID()"),
    };
    db.execute_unprepared(&sql).await.map(|_| ())
}

/// The context that was set for the triggers of a transaction.
#[derive(Debug, Clone)]
pub(crate) struct TriggerContextValue {
    context: String,
    /// SQLite cannot read it out of the context.
    transaction_id: Option<Vec<u8>>,
}

/// The context that was set for the triggers of the application's own transaction, if any.
pub(crate) async fn read_trigger_context<C: ConnectionTrait>(
    db: &C,
    config: &AuditConfig,
) -> Result<Option<TriggerContextValue>, DbErr> {
    let backend = db.get_database_backend();
    let table = quoted(config.tables(), backend);
    let sql = match backend {
        DbBackend::Postgres => {
            format!(
                "SELECT NULLIF(current_setting('{CONTEXT_SETTING}', true), '') AS context, NULL::bytea AS id"
            )
        }
        DbBackend::Sqlite => {
            format!("SELECT context AS context, transaction_id AS id FROM {table}")
        }
        _ => format!(
            "SELECT CAST(context AS CHAR) AS context, NULL AS id FROM {table} WHERE connection_id = CONNECTION_ID()"
        ),
    };
    let fetched = db.query_one_raw(prepare_again(Statement::from_string(backend, sql)));
    let row = fetched.await.map_err(|error| failed(config, error))?;
    let Some(row) = row else { return Ok(None) };
    let context: Option<String> = row.try_get("", "context")?;
    let transaction_id = match backend {
        DbBackend::Sqlite => row.try_get("", "id")?,
        _ => None,
    };
    Ok(context.map(|context| TriggerContextValue {
        context,
        transaction_id,
    }))
}

/// Sets that context again.
pub(crate) async fn restore<C: ConnectionTrait>(
    db: &C,
    tables: Tables,
    context: Option<TriggerContextValue>,
) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    let table = quoted(tables, backend);
    let (sql, values): (_, Vec<Value>) = match (backend, context) {
        (DbBackend::Postgres, context) => (
            "SELECT set_config($1, $2, true)".to_owned(),
            vec![
                CONTEXT_SETTING.into(),
                context
                    .map(|context| context.context)
                    .unwrap_or_default()
                    .into(),
            ],
        ),
        (_, None) => return clear_context(db, tables).await,
        (DbBackend::Sqlite, Some(context)) => (
            format!("UPDATE {table} SET context = ?, transaction_id = ?"),
            vec![context.context.into(), context.transaction_id.into()],
        ),
        (_, Some(context)) => (
            format!("UPDATE {table} SET context = ? WHERE connection_id = CONNECTION_ID()"),
            vec![context.context.into()],
        ),
    };
    let statement = Statement::from_sql_and_values(backend, sql, values);
    (db.execute_raw(prepare_again(statement)).await).map(|_| ())
}

/// The table of contexts, for a text: its names are plain identifiers, as `Tables` makes sure.
fn quoted(tables: Tables, backend: DbBackend) -> String {
    let quote = if backend == DbBackend::MySql {
        '`'
    } else {
        '"'
    };
    let name = tables.trigger_context();
    match tables.schema() {
        Some(schema) => format!("{quote}{schema}{quote}.{quote}{name}{quote}"),
        None => format!("{quote}{name}{quote}"),
    }
}
