//! One row per change or event: who did what to which object, when, from where and why.

use sea_orm::entity::prelude::*;

use super::audit_entity;
use crate::change::Changes;

audit_entity!(log);

/// A record.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
pub struct Model {
    /// The record's number.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// When it happened, UTC, to the microsecond.
    pub occurred_at: DateTimeUtc,
    /// What was done: an [`Action`](crate::Action)'s word.
    pub action: String,
    /// `SUCCESS` or `FAILURE`.
    pub outcome: String,
    /// The model's name.
    pub model: Option<String>,
    /// The object's primary key as text; a composite key is a JSON array.
    pub object_id: Option<String>,
    /// How to show the object, at most 200 characters.
    pub object_repr: Option<String>,
    /// What changed; see [`Changes`].
    pub changes: Option<Json>,
    /// What kind of actor did it: an [`ActorType`](crate::ActorType)'s word.
    pub actor_type: String,
    /// The actor's id.
    pub actor_id: Option<String>,
    /// The actor's name at that time.
    pub actor_name: Option<String>,
    /// The id of the user who acted under the actor's account.
    pub impersonator_id: Option<String>,
    /// The client's address.
    pub ip_address: Option<String>,
    /// The client's user agent.
    pub user_agent: Option<String>,
    /// A digest of the session's key.
    pub session_key: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The trace's id.
    pub trace_id: Option<String>,
    /// The audited transaction, one id for all its records; NULL where the log does not know the transaction.
    pub transaction_id: Option<Uuid>,
    /// The tenant.
    pub tenant: Option<String>,
    /// Why it was done.
    pub reason: Option<String>,
    /// The part of the application that did it.
    pub module: Option<String>,
    /// The path of the record: a [`Source`](crate::Source)'s word.
    pub source: String,
    /// Application-defined values.
    pub metadata: Option<Json>,
}

impl Model {
    /// The changes, `None` when there are none.
    #[must_use]
    pub fn changed(&self) -> Option<Changes> {
        Changes::from_json(self.changes.as_ref()?)
    }
}
