//! One record as an object of JSON.

use std::borrow::Cow;

use chrono::SecondsFormat;
use sea_orm::prelude::{DateTimeUtc, Json};
use sea_orm_audit_core::entity::audit_log;
use serde::{Serialize, Serializer};

/// The names of the columns, in the order of every format.
pub(crate) const COLUMNS: [&str; 23] = [
    "id",
    "occurred_at",
    "action",
    "outcome",
    "model",
    "object_id",
    "object_repr",
    "changes",
    "actor_type",
    "actor_id",
    "actor_name",
    "impersonator_id",
    "ip_address",
    "user_agent",
    "session_key",
    "request_id",
    "trace_id",
    "transaction_id",
    "tenant",
    "reason",
    "module",
    "source",
    "metadata",
];

/// A record as an object of JSON, for tools.
#[must_use]
pub fn as_json(record: &audit_log::Model) -> impl Serialize + '_ {
    Line::from(record)
}

/// A record, its fields in the order of [`COLUMNS`].
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    id: i64,
    #[serde(serialize_with = "serialize_time")]
    occurred_at: DateTimeUtc,
    action: &'a str,
    outcome: &'a str,
    model: Option<&'a str>,
    object_id: Option<&'a str>,
    object_repr: Option<&'a str>,
    changes: Option<&'a Json>,
    actor_type: &'a str,
    actor_id: Option<&'a str>,
    actor_name: Option<&'a str>,
    impersonator_id: Option<&'a str>,
    ip_address: Option<&'a str>,
    user_agent: Option<&'a str>,
    session_key: Option<&'a str>,
    request_id: Option<&'a str>,
    trace_id: Option<&'a str>,
    transaction_id: Option<String>,
    tenant: Option<&'a str>,
    reason: Option<&'a str>,
    module: Option<&'a str>,
    source: &'a str,
    metadata: Option<&'a Json>,
}

impl<'a> From<&'a audit_log::Model> for Line<'a> {
    fn from(record: &'a audit_log::Model) -> Self {
        Self {
            id: record.id,
            occurred_at: record.occurred_at,
            action: &record.action,
            outcome: &record.outcome,
            model: record.model.as_deref(),
            object_id: record.object_id.as_deref(),
            object_repr: record.object_repr.as_deref(),
            changes: record.changes.as_ref(),
            actor_type: &record.actor_type,
            actor_id: record.actor_id.as_deref(),
            actor_name: record.actor_name.as_deref(),
            impersonator_id: record.impersonator_id.as_deref(),
            ip_address: record.ip_address.as_deref(),
            user_agent: record.user_agent.as_deref(),
            session_key: record.session_key.as_deref(),
            request_id: record.request_id.as_deref(),
            trace_id: record.trace_id.as_deref(),
            transaction_id: record.transaction_id.map(|id| id.to_string()),
            tenant: record.tenant.as_deref(),
            reason: record.reason.as_deref(),
            module: record.module.as_deref(),
            source: &record.source,
            metadata: record.metadata.as_ref(),
        }
    }
}

impl Line<'_> {
    /// The values of all columns after `id`, as text.
    pub(crate) fn texts(&self) -> [Option<Cow<'_, str>>; 22] {
        [
            Some(Cow::Owned(time_text(self.occurred_at))),
            Some(Cow::Borrowed(self.action)),
            Some(Cow::Borrowed(self.outcome)),
            text(self.model),
            text(self.object_id),
            text(self.object_repr),
            json(self.changes),
            Some(Cow::Borrowed(self.actor_type)),
            text(self.actor_id),
            text(self.actor_name),
            text(self.impersonator_id),
            text(self.ip_address),
            text(self.user_agent),
            text(self.session_key),
            text(self.request_id),
            text(self.trace_id),
            self.transaction_id.as_deref().map(Cow::Borrowed),
            text(self.tenant),
            text(self.reason),
            text(self.module),
            Some(Cow::Borrowed(self.source)),
            json(self.metadata),
        ]
    }
}

fn text(value: Option<&str>) -> Option<Cow<'_, str>> {
    value.map(Cow::Borrowed)
}

fn json(value: Option<&Json>) -> Option<Cow<'_, str>> {
    value.map(|json| Cow::Owned(json.to_string()))
}

/// RFC 3339, UTC, with microseconds.
pub(crate) fn time_text(time: DateTimeUtc) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn serialize_time<S: Serializer>(time: &DateTimeUtc, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time_text(*time))
}
