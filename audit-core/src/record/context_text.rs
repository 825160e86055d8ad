//! The text of a context that triggers read.

use sea_orm::prelude::{Json, Uuid};
use sea_orm::sea_query::Value;
use sea_orm::{DbBackend, Iterable};

use super::Record;
use crate::action::{Action, Outcome, Source};
use crate::config::AuditConfig;
use crate::context::AuditContext;
use crate::entity::audit_log::Column;
use crate::error::Cause;
use crate::trigger_plan::CONTEXT_SEPARATOR;
use crate::value::encode;

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

/// The context as a record would have it: as JSON, or for PostgreSQL as the values in the order of the columns, each
/// after a separator, unless one of them has a form that would not come back.
///
/// `transaction` is the id that the records get, if any.
pub(crate) fn context_text(
    config: &AuditConfig,
    context: AuditContext,
    transaction: Option<Uuid>,
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
        transaction_id: transaction,
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
            context_text(
                &AuditConfig::default(),
                context,
                Some(Uuid::nil()),
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
        let text = context_text(&AuditConfig::default(), context, Some(id), DbBackend::MySql)?;
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
