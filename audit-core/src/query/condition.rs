//! Filters as SQL.

mod address;
mod json_field;

use std::net::IpAddr;

use ipnet::IpNet;
use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr};
use sea_orm::{ColumnTrait, DbBackend, IntoSimpleExpr};

use super::filter::{Condition, Filter};
use crate::action::Action;
use crate::entity::audit_log::Column as C;
use crate::record::timestamp;
#[cfg(feature = "statements")]
pub(crate) use json_field::changed;

/// The databases that a filter is written for, and the moment that its relative periods are relative to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) backend: DbBackend,
    pub(super) now: DateTimeUtc,
}

/// A filter in SQL.
pub(super) struct SqlFilter {
    pub(super) expr: Expr,
    /// What SQL cannot decide: `expr` then lets all records through that may match.
    pub(super) rest: Option<AddressTest>,
}

/// Whether an address is, or is not, in one of some networks.
#[derive(Debug, Clone)]
pub(super) struct AddressTest {
    networks: Vec<IpNet>,
    negated: bool,
}

impl AddressTest {
    pub(super) fn accepts(&self, address: Option<&str>) -> bool {
        let address: Option<IpAddr> = address.and_then(|text| text.parse().ok());
        let is_in =
            address.is_some_and(|address| self.networks.iter().any(|n| n.contains(&address)));
        is_in != self.negated
    }
}

/// The SQL of a filter.
pub(super) fn of_filter(filter: &Filter, place: Place) -> SqlFilter {
    if let Condition::Address(networks) = &filter.condition
        && let Some(rest) = address::rest(networks)
    {
        let rest = AddressTest {
            networks: rest.to_vec(),
            negated: filter.negated,
        };
        let expr = if filter.negated {
            Expr::cust("1 = 1")
        } else {
            address::superset(networks)
        };
        return SqlFilter {
            expr,
            rest: Some(rest),
        };
    }
    let met = of_condition(&filter.condition, place);
    let expr = if filter.negated {
        // A record without a value does not meet the condition.
        met.is_not(Expr::custom_keyword("TRUE"))
    } else {
        met
    };
    SqlFilter { expr, rest: None }
}

fn of_condition(condition: &Condition, place: Place) -> Expr {
    let texts = |column: C, values: &[String]| column.is_in(storable(values, place.backend));
    match condition {
        Condition::Model(names) => texts(C::Model, names),
        Condition::Object(ids) => texts(C::ObjectId, ids),
        Condition::Action(actions) => of_actions(actions),
        Condition::Outcome(outcomes) => C::Outcome.is_in(outcomes.iter().map(|o| o.as_str())),
        Condition::Actor(ids) => texts(C::ActorId, ids),
        Condition::ActorType(types) => C::ActorType.is_in(types.iter().map(|t| t.as_str())),
        Condition::Impersonator(ids) => texts(C::ImpersonatorId, ids),
        Condition::Address(networks) => address::within(networks),
        Condition::Tenant(names) => texts(C::Tenant, names),
        Condition::Request(ids) => texts(C::RequestId, ids),
        Condition::Trace(ids) => texts(C::TraceId, ids),
        Condition::Transaction(ids) => C::TransactionId.is_in(ids.iter().copied()),
        Condition::Reason(parts) => {
            let parts = storable(parts, place.backend);
            any(parts.iter().map(|part| contains(C::Reason, part)))
        }
        Condition::Source(sources) => C::Source.is_in(sources.iter().map(|s| s.as_str())),
        Condition::Module(names) => texts(C::Module, names),
        Condition::Created(period) => {
            let (since, until) = period.bounds(place.now);
            let time = |time| timestamp(place.backend, time);
            all([
                since.map(|since| C::OccurredAt.gte(time(since))),
                until.map(|until| C::OccurredAt.lt(time(until))),
            ])
        }
        Condition::Field(names) => {
            let names = storable(names, place.backend);
            any(names
                .iter()
                .map(|name| json_field::changed(name, place.backend)))
        }
        Condition::From { field, values } => {
            json_field::is_one_of(field, "old", values, place.backend)
        }
        Condition::To { field, values } => {
            json_field::is_one_of(field, "new", values, place.backend)
        }
        Condition::Text(part) => {
            let parts = storable(std::slice::from_ref(part), place.backend);
            any(parts.iter().flat_map(|part| {
                [C::ObjectRepr, C::ActorName, C::Reason].map(|column| contains(column, part))
            }))
        }
    }
}

/// As constants: the partial index of events serves only a condition that the planner can compare with the index's own.
fn of_actions(actions: &[Action]) -> Expr {
    // Words of actions consist of A to Z, 0 to 9 and `_`.
    let constant = |action: &Action| Expr::cust(format!("'{action}'"));
    let action = || Expr::expr(C::Action.into_simple_expr());
    let is_one = action().is_in(actions.iter().map(constant));
    if !are_events(actions) {
        return is_one;
    }
    // SQLite does not conclude this, which its index demands.
    is_one.and(action().is_not_in(Action::CHANGES.iter().map(constant)))
}

/// Whether the partial index of events has all records of these actions.
pub(super) fn are_events(actions: &[Action]) -> bool {
    !actions
        .iter()
        .any(|action| Action::CHANGES.contains(action))
}

/// The values that a text column can hold: PostgreSQL refuses NUL even in a comparison.
fn storable(values: &[String], backend: DbBackend) -> Vec<&str> {
    let is_storable = |value: &&str| backend != DbBackend::Postgres || !value.contains('\0');
    values
        .iter()
        .map(String::as_str)
        .filter(is_storable)
        .collect()
}

/// Whether a column contains a text: exactly, or where the database lowers both in the same way.
fn contains(column: C, part: &str) -> Expr {
    let like = |part: &str| {
        let mut pattern = String::from("%");
        for c in part.chars() {
            if matches!(c, '%' | '_' | '!') {
                pattern.push('!');
            }
            pattern.push(c);
        }
        pattern.push('%');
        LikeExpr::new(pattern).escape('!')
    };
    let column = || Expr::expr(column.into_simple_expr());
    let lowered = Expr::expr(Func::lower(column())).like(like(&part.to_lowercase()));
    column().like(like(part)).or(lowered)
}

/// Whether one of these is true; false without any.
fn any(conditions: impl IntoIterator<Item = Expr>) -> Expr {
    let joined = conditions.into_iter().reduce(ExprTrait::or);
    joined.unwrap_or_else(|| Expr::cust("1 = 0"))
}

/// Whether all of these are true; true without any.
fn all(conditions: impl IntoIterator<Item = Option<Expr>>) -> Expr {
    let joined = conditions.into_iter().flatten().reduce(ExprTrait::and);
    joined.unwrap_or_else(|| Expr::cust("1 = 1"))
}
