//! A search of the log as data: [`AuditQuery`]. Nothing here reads the database.

use ipnet::IpNet;
use sea_orm::prelude::DateTimeUtc;
use uuid::Uuid;

use super::filter::{Condition, Filter};
use super::period::Period;
use super::values::{OneOrMore, canonical};
use crate::action::{Action, Outcome, Source};
use crate::actor::ActorType;

/// Which records of the log are searched for.
///
/// Each method adds a filter. A record is found if it matches all filters; a query without filters finds all records. A
/// method takes one value or several, and one of several must match.
///
/// The text form is the query grammar: [`FromStr`](std::str::FromStr) reads it, [`Display`](std::fmt::Display) writes
/// it. The text of a query reads back as the same query, as long as the query is within the
/// [limits](#associatedconstant.MAX_BYTES) of texts. Queries that the methods build have no limits.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::{Action, AuditQuery, Source};
/// let query = AuditQuery::new()
///     .model(["order", "invoice"])
///     .action(Action::Update)
///     .field("price")
///     .created("2026-03..2026-04".parse()?)
///     .not(AuditQuery::new().source(Source::Trigger));
/// let text = "model:order,invoice action:update field:price created:2026-03..2026-04 -source:trigger";
/// assert_eq!(query.to_string(), text);
/// assert_eq!(text.parse::<AuditQuery>()?, query);
/// # Ok::<(), sea_orm_audit_core::QueryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "a query finds nothing until it is run"]
pub struct AuditQuery {
    pub(super) filters: Vec<Filter>,
}

impl AuditQuery {
    /// A query that finds all records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only records of models with this name.
    pub fn model<M>(self, name: impl OneOrMore<String, M>) -> Self {
        self.with(Condition::Model(name.into_values()))
    }

    /// Only records of objects with this id. A composite key is a JSON array, as in
    /// [`Target::object_id`](crate::Target::object_id).
    pub fn object<M>(self, id: impl OneOrMore<String, M>) -> Self {
        self.with(Condition::Object(id.into_values()))
    }

    /// Only records of this action.
    pub fn action<M>(self, action: impl OneOrMore<Action, M>) -> Self {
        self.with(Condition::Action(action.into_values()))
    }

    /// Only records with this outcome.
    pub fn outcome<M>(self, outcome: impl OneOrMore<Outcome, M>) -> Self {
        self.with(Condition::Outcome(outcome.into_values()))
    }

    /// Only records of the actor with this id.
    pub fn actor<M>(self, id: impl OneOrMore<String, M>) -> Self {
        self.with(Condition::Actor(id.into_values()))
    }

    /// Only records of actors of this type.
    pub fn actor_type<M>(self, kind: impl OneOrMore<ActorType, M>) -> Self {
        self.with(Condition::ActorType(kind.into_values()))
    }

    /// Only records of what the user with this id did under another account.
    pub fn impersonator<M>(self, id: impl OneOrMore<String, M>) -> Self {
        self.with(Condition::Impersonator(id.into_values()))
    }

    /// Only records from this client address, an `IpAddr`, or from this network, an `ipnet::IpNet`.
    pub fn address<M>(self, network: impl OneOrMore<IpNet, M>) -> Self {
        let networks = network.into_values();
        self.with(Condition::Address(
            networks.into_iter().map(canonical).collect(),
        ))
    }

    /// Only records of this tenant.
    pub fn tenant<M>(self, tenant: impl OneOrMore<String, M>) -> Self {
        self.with(Condition::Tenant(tenant.into_values()))
    }

    /// Only records of the request with this id.
    pub fn request<M>(self, id: impl OneOrMore<String, M>) -> Self {
        self.with(Condition::Request(id.into_values()))
    }

    /// Only records of the trace with this id.
    pub fn trace<M>(self, id: impl OneOrMore<String, M>) -> Self {
        self.with(Condition::Trace(id.into_values()))
    }

    /// Only records of the transaction with this id.
    pub fn transaction<M>(self, id: impl OneOrMore<Uuid, M>) -> Self {
        self.with(Condition::Transaction(id.into_values()))
    }

    /// Only records whose reason contains this text. Case does not matter.
    pub fn reason<M>(self, part: impl OneOrMore<String, M>) -> Self {
        self.with(Condition::Reason(part.into_values()))
    }

    /// Only records that reached the log by this path.
    pub fn source<M>(self, source: impl OneOrMore<Source, M>) -> Self {
        self.with(Condition::Source(source.into_values()))
    }

    /// Only records of this part of the application.
    pub fn module<M>(self, name: impl OneOrMore<String, M>) -> Self {
        self.with(Condition::Module(name.into_values()))
    }

    /// Only records from this time on. A time before the year 1 or after 9999 is the first or the last time between.
    pub fn since(self, time: DateTimeUtc) -> Self {
        self.created(Period::since(time))
    }

    /// Only records before this time. A time before the year 1 or after 9999 is the first or the last time between.
    ///
    /// If it is not after the time of [`since`](Self::since), nothing is found.
    pub fn until(self, time: DateTimeUtc) -> Self {
        self.created(Period::until(time))
    }

    /// Only records of this period.
    pub fn created(self, period: Period) -> Self {
        self.with(Condition::Created(period))
    }

    /// Only records in which this field changed.
    pub fn field<M>(self, name: impl OneOrMore<String, M>) -> Self {
        self.with(Condition::Field(name.into_values()))
    }

    /// Only records in which this field changed from this value.
    ///
    /// The value is compared as text: a string as it is, any other value as JSON, such as `5`, `true` or `null`.
    pub fn from<M>(self, field: impl Into<String>, value: impl OneOrMore<String, M>) -> Self {
        self.with(Condition::From {
            field: field.into(),
            values: value.into_values(),
        })
    }

    /// Only records in which this field changed to this value. The value is compared as in [`from`](Self::from).
    pub fn to<M>(self, field: impl Into<String>, value: impl OneOrMore<String, M>) -> Self {
        self.with(Condition::To {
            field: field.into(),
            values: value.into_values(),
        })
    }

    /// Only records whose object's label, actor's name or reason contains this text. Case does not matter.
    pub fn text(self, part: impl Into<String>) -> Self {
        self.with(Condition::Text(part.into()))
    }

    /// Adds each filter of `other` as its opposite: a record that one of them matches is not found.
    ///
    /// A record without a value does not match a filter on that value, so it is found.
    pub fn not(mut self, other: Self) -> Self {
        let opposite = |filter: Filter| Filter {
            negated: !filter.negated,
            ..filter
        };
        self.filters.extend(other.filters.into_iter().map(opposite));
        self
    }

    /// Adds the filters of `other`, so that only records are found that both find.
    ///
    /// # Examples
    /// ```
    /// # use sea_orm_audit_core::AuditQuery;
    /// // Whatever the text is, it finds only records of this tenant.
    /// let query = AuditQuery::new().tenant("north").and("tenant:south".parse()?);
    /// assert_eq!(query.to_string(), "tenant:north tenant:south");
    /// # Ok::<(), sea_orm_audit_core::QueryError>(())
    /// ```
    pub fn and(mut self, other: Self) -> Self {
        self.filters.extend(other.filters);
        self
    }

    /// The filters, in the order in which they were added. A record is found if it matches all of them.
    #[must_use]
    pub fn filters(&self) -> &[Filter] {
        &self.filters
    }

    fn with(mut self, condition: Condition) -> Self {
        self.filters.push(Filter {
            negated: false,
            condition,
        });
        self
    }
}
