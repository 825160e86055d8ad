//! Which records a query should find, without SQL.

use std::net::IpAddr;

use sea_orm::prelude::{DateTimeUtc, Json};
use sea_orm_audit::entity::audit_log::Model;
use sea_orm_audit::query::{AuditQuery, Condition};

pub(crate) fn finds(query: &AuditQuery, record: &Model, now: DateTimeUtc) -> bool {
    (query.filters().iter())
        .all(|filter| meets(filter.condition(), record, now) != filter.is_negated())
}

fn meets(condition: &Condition, record: &Model, now: DateTimeUtc) -> bool {
    let one_of = |value: Option<&str>, values: &[String]| {
        value.is_some_and(|v| values.iter().any(|w| w == v))
    };
    match condition {
        Condition::Model(names) => one_of(record.model.as_deref(), names),
        Condition::Object(ids) => one_of(record.object_id.as_deref(), ids),
        Condition::Action(actions) => actions.iter().any(|a| a.as_str() == record.action),
        Condition::Outcome(outcomes) => outcomes.iter().any(|o| o.as_str() == record.outcome),
        Condition::Actor(ids) => one_of(record.actor_id.as_deref(), ids),
        Condition::ActorType(types) => types.iter().any(|t| t.as_str() == record.actor_type),
        Condition::Impersonator(ids) => one_of(record.impersonator_id.as_deref(), ids),
        Condition::Address(networks) => {
            let address = record
                .ip_address
                .as_deref()
                .and_then(|text| text.parse::<IpAddr>().ok());
            address.is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
        }
        Condition::Tenant(names) => one_of(record.tenant.as_deref(), names),
        Condition::Request(ids) => one_of(record.request_id.as_deref(), ids),
        Condition::Trace(ids) => one_of(record.trace_id.as_deref(), ids),
        Condition::Transaction(ids) => record.transaction_id.is_some_and(|id| ids.contains(&id)),
        Condition::Reason(parts) => parts
            .iter()
            .any(|part| contains(record.reason.as_deref(), part)),
        Condition::Source(sources) => sources.iter().any(|s| s.as_str() == record.source),
        Condition::Module(names) => one_of(record.module.as_deref(), names),
        Condition::Created(period) => {
            let (since, until) = period.bounds(now);
            since.is_none_or(|since| record.occurred_at >= since)
                && until.is_none_or(|until| record.occurred_at < until)
        }
        Condition::Field(names) => names.iter().any(|name| field(record, name).is_some()),
        Condition::From { field, values } => is_one_of(record, field, "old", values),
        Condition::To { field, values } => is_one_of(record, field, "new", values),
        Condition::Text(part) => [&record.object_repr, &record.actor_name, &record.reason]
            .into_iter()
            .any(|text| contains(text.as_deref(), part)),
        other => unreachable!("{other:?}"),
    }
}

fn field<'a>(record: &'a Model, name: &str) -> Option<&'a Json> {
    record.changes.as_ref()?.get(name)
}

fn is_one_of(record: &Model, name: &str, part: &str, values: &[String]) -> bool {
    let text = match field(record, name).and_then(|change| change.get(part)) {
        None => return false,
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    values.contains(&text)
}

fn contains(text: Option<&str>, part: &str) -> bool {
    text.is_some_and(|text| text.to_lowercase().contains(&part.to_lowercase()))
}
