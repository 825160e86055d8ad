//! One row per event of the system: errors, warnings, security, performance, maintenance.

use sea_orm::entity::prelude::*;

use super::audit_entity;

audit_entity!(system_event);

/// An event of the system.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
pub struct Model {
    /// The event's number.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// When it happened first, UTC, to the microsecond.
    pub occurred_at: DateTimeUtc,
    /// `ERROR`, `WARNING`, `INFO`, `SECURITY`, `PERFORMANCE` or `MAINTENANCE`.
    pub event_type: String,
    /// What happened, in a line.
    pub title: String,
    /// What happened, at length.
    pub description: Option<String>,
    /// The module it happened in.
    pub module: Option<String>,
    /// The function it happened in.
    pub function_name: Option<String>,
    /// The line it happened in.
    pub line_number: Option<i64>,
    /// The error's code.
    pub error_code: Option<String>,
    /// The stack trace.
    pub stack_trace: Option<String>,
    /// What kind of actor it happened to.
    pub actor_type: String,
    /// The actor's id.
    pub actor_id: Option<String>,
    /// The actor's name at that time.
    pub actor_name: Option<String>,
    /// The client's address.
    pub ip_address: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// What equal events have in common.
    pub fingerprint: Option<String>,
    /// How often it happened; a flood of one event is one row that counts.
    pub occurrences: i64,
    /// Whether the event is resolved.
    pub resolved: bool,
    /// When it was resolved.
    pub resolved_at: Option<DateTimeUtc>,
    /// Who resolved it.
    pub resolved_by: Option<String>,
    /// The note of who resolved it.
    pub resolution_note: Option<String>,
    /// Application-defined values.
    pub metadata: Option<Json>,
}
