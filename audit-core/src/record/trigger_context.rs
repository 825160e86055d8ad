//! The context that is set for triggers, and how.
//!
//! On PostgreSQL it is a setting of the transaction, elsewhere a row that is deleted before COMMIT: the next user of
//! the connection inherits nothing.

use sea_orm::prelude::{Json, Uuid};
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Iterable, Statement};

use super::{Record, cause_in, prepared_anew};
use crate::action::{Action, Outcome, Source};
use crate::config::{AuditConfig, Tables};
use crate::context::AuditContext;
use crate::entity::audit_log::Column;
use crate::error::{AuditError, Cause, ChangeState};
use crate::trigger_plan::CONTEXT_SEPARATOR;
use crate::value::encode;

/// The setting on PostgreSQL.
const SETTING: &str = "sea_orm_audit.context";

/// Whether a column of a record belongs to its context; the JSON has the same names.
fn is_context(column: Column) -> bool {
    use Column as C;
    matches!(
        column,
        C::ActorType
            | C::ActorId
            | C::ActorName
            | C::ImpersonatorId
            | C::IpAddress
            | C::UserAgent
            | C::SessionKey
            | C::RequestId
            | C::TraceId
            | C::TransactionId
            | C::Tenant
            | C::Reason
            | C::Module
            | C::Metadata
    )
}

/// Sets the context for the triggers of a transaction, for the writes that follow.
pub(crate) async fn set_context<C: ConnectionTrait>(
    db: &C,
    config: &AuditConfig,
    context: AuditContext,
    transaction: Uuid,
) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    let text = text_of(config, context, transaction, backend).map_err(not_tried)?;
    let table = quoted(config.tables(), backend);
    let (sql, values): (_, Vec<Value>) = match backend {
        DbBackend::Postgres => (
            "SELECT set_config($1, $2, true)".to_owned(),
            vec![SETTING.into(), text.into()],
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
    let written = db.execute_raw(prepared_anew(statement)).await;
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
                "SELECT NULLIF(current_setting('{SETTING}', true), '') AS context, NULL::bytea AS id"
            )
        }
        DbBackend::Sqlite => {
            format!("SELECT context AS context, transaction_id AS id FROM {table}")
        }
        _ => format!(
            "SELECT CAST(context AS CHAR) AS context, NULL AS id FROM {table} WHERE connection_id = CONNECTION_ID()"
        ),
    };
    let asked = db.query_one_raw(prepared_anew(Statement::from_string(backend, sql)));
    let row = asked.await.map_err(|error| failed(config, error))?;
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
                SETTING.into(),
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
    (db.execute_raw(prepared_anew(statement)).await).map(|_| ())
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

/// The context as a record would have it: as JSON, or for PostgreSQL as the values in the order of the columns, each
/// after a separator, unless one of them has a form that would not come back.
fn text_of(
    config: &AuditConfig,
    context: AuditContext,
    transaction: Uuid,
    backend: DbBackend,
) -> Result<String, Cause> {
    let record = Record {
        occurred_at: config.now(),
        action: Action::Update,
        outcome: Outcome::Success,
        target: None,
        changes: None,
        tenant: None,
        module: None,
        source: Source::Trigger,
        context,
        transaction_id: Some(transaction),
    };
    let values = record.values(config, backend)?;
    if backend == DbBackend::Postgres
        && let Some(text) = separated(&values)
    {
        return Ok(text);
    }
    let mut context = serde_json::Map::new();
    for (column, value) in Column::iter().skip(1).zip(values) {
        if !is_context(column) {
            continue;
        }
        let json = match (column, value) {
            // It is written as text already.
            (Column::Metadata, Value::String(Some(text))) => {
                serde_json::from_str(&text).unwrap_or(Json::Null)
            }
            (_, value) => encode(&value).unwrap_or_default(),
        };
        if !json.is_null() {
            context.insert(sea_orm::IdenStatic::as_str(&column).to_owned(), json);
        }
    }
    Ok(Json::Object(context).to_string())
}

/// The values of the context, each after a separator; an absent one is empty.
fn separated(values: &[Value]) -> Option<String> {
    let mut text = String::new();
    let columns = Column::iter().skip(1).zip(values);
    for (_, value) in columns.filter(|(column, _)| is_context(*column)) {
        text.push_str(CONTEXT_SEPARATOR);
        match value {
            Value::String(None) | Value::Uuid(None) => {}
            Value::String(Some(value)) => {
                if value.is_empty() || value.contains(CONTEXT_SEPARATOR) {
                    return None;
                }
                text.push_str(value);
            }
            Value::Uuid(Some(id)) => text.push_str(&id.to_string()),
            _ => return None,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Actor;
    use serde_json::json;

    #[test]
    fn postgresql_gets_values_that_can_be_split() -> Result<(), Cause> {
        let text = |reason: &str| {
            let context = AuditContext::new().actor(Actor::user(7)).reason(reason);
            text_of(
                &AuditConfig::default(),
                context,
                Uuid::nil(),
                DbBackend::Postgres,
            )
        };
        let fields = text("why")?;
        let fields: Vec<&str> = fields.split(CONTEXT_SEPARATOR).collect();
        assert_eq!(
            fields.len(),
            1 + 14,
            "nothing, and then each value: {fields:?}"
        );
        assert_eq!((fields[0], fields[1], fields[2]), ("", "USER", "7"));
        assert_eq!((fields[10], fields[12]), (&*Uuid::nil().to_string(), "why"));
        assert!(text("")?.starts_with('{'));
        Ok(())
    }

    #[test]
    fn triggers_receive_the_context_of_a_record() -> Result<(), Box<dyn std::error::Error>> {
        let context = AuditContext::new()
            .actor(Actor::user(7).named("Ann\n"))
            .reason("a \"reason\"")
            .session_key("secret")
            .metadata("password", "x")
            .metadata("n", 1);
        let id = Uuid::nil();
        let text = text_of(&AuditConfig::default(), context, id, DbBackend::MySql)?;
        assert!(!text.contains("secret"), "{text}");
        let mut context: Json = serde_json::from_str(&text)?;
        let members = context.as_object_mut().ok_or("an object")?;
        assert!(members.remove("session_key").is_some());
        assert_eq!(
            context,
            json!({
                "actor_type": "USER",
                "actor_id": "7",
                "actor_name": "Ann␊",
                "reason": "a \"reason\"",
                "transaction_id": id.to_string(),
                "metadata": {"password": "[redacted]", "n": 1},
            })
        );
        Ok(())
    }
}
