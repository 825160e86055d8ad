//! One filter of a search: a [`Condition`], or its opposite.

use ipnet::IpNet;
use uuid::Uuid;

use super::period::Period;
use crate::action::{Action, Outcome, Source};
use crate::actor::ActorType;

/// A condition that each record found meets, or that none of them meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub(crate) negated: bool,
    pub(crate) condition: Condition,
}

impl Filter {
    /// Whether the records found do not meet the condition.
    ///
    /// A record without a value does not meet a condition on that value: `-actor:7` also finds the records without an
    /// actor's id.
    #[must_use]
    pub const fn is_negated(&self) -> bool {
        self.negated
    }

    /// The condition.
    #[must_use]
    pub const fn condition(&self) -> &Condition {
        &self.condition
    }
}

/// What is compared with which values.
///
/// A record meets the condition if it has one of the values. Without any value, no record meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// The model's name is one of these.
    Model(Vec<String>),
    /// The object's id is one of these.
    Object(Vec<String>),
    /// The action is one of these.
    Action(Vec<Action>),
    /// The outcome is one of these.
    Outcome(Vec<Outcome>),
    /// The actor's id is one of these.
    Actor(Vec<String>),
    /// The actor's type is one of these.
    ActorType(Vec<ActorType>),
    /// The impersonator's id is one of these.
    Impersonator(Vec<String>),
    /// The client's address is in one of these networks. A single address is a network with the longest prefix. Host bits
    /// are zero, and IPv4 addresses within IPv6 are IPv4.
    Address(Vec<IpNet>),
    /// The tenant is one of these.
    Tenant(Vec<String>),
    /// The request's id is one of these.
    Request(Vec<String>),
    /// The trace's id is one of these.
    Trace(Vec<String>),
    /// The transaction's id is one of these.
    Transaction(Vec<Uuid>),
    /// The reason contains one of these texts. Case does not matter.
    Reason(Vec<String>),
    /// The path of the record is one of these.
    Source(Vec<Source>),
    /// The module is one of these.
    Module(Vec<String>),
    /// The time of the record is in this period.
    Created(Period),
    /// One of these fields changed.
    Field(Vec<String>),
    /// The field changed, and its value before was one of these; see [`AuditQuery::from`](super::AuditQuery::from).
    From {
        /// The field.
        field: String,
        /// The text of the values.
        values: Vec<String>,
    },
    /// The field changed, and its value after was one of these; see [`AuditQuery::to`](super::AuditQuery::to).
    To {
        /// The field.
        field: String,
        /// The text of the values.
        values: Vec<String>,
    },
    /// The object's label, the actor's name or the reason contains this text. Case does not matter.
    Text(String),
}
