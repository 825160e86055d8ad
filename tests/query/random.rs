//! Random records and queries, of few words, so that they often match.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sea_orm::Set;
use sea_orm::prelude::{DateTimeUtc, Uuid};
use sea_orm_audit::entity::audit_log::ActiveModel;
use sea_orm_audit::query::AuditQuery;
use sea_orm_audit::{Action, Actor};
use serde_json::json;

/// Texts with what patterns, JSON paths and quoting could take for their own.
const TEXTS: [&str; 8] = [
    "a",
    "A_b",
    "100%",
    "it's!",
    "back\\slash",
    "\"quoted\"",
    "日本 語",
    "ab",
];
const MODELS: [&str; 3] = ["order", "product", "sales.order"];
const ACTIONS: [&str; 6] = ["CREATE", "UPDATE", "DELETE", "LOGIN", "EXPORT", "APPROVE"];
const FIELDS: [&str; 5] = ["price", "unit price", "a.b", "q\"uote", "$x"];
const ADDRESSES: [&str; 8] = [
    "10.1.2.3",
    "10.1.2.200",
    "10.200.0.1",
    "192.0.2.7",
    "2001:db8::1",
    "2001:db8:0:1::",
    "::1",
    "hidden",
];
const NETWORKS: [&str; 12] = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.0/25",
    "10.1.2.3/32",
    "10.128.0.0/9",
    "0.0.0.0/0",
    "192.0.2.0/24",
    "2001:db8::/32",
    "2001:db8::/64",
    "::1/128",
    "::/0",
    "10.1.2.0/23",
];
const PERIODS: [&str; 6] = [
    "2026-03",
    "2026-03-05",
    "2026-03-04..2026-03-10",
    ">=2026-03-20",
    "<2026-03-03",
    "20d",
];

/// Samples values; the same in each run.
pub(crate) struct Random(TestRunner);

impl Random {
    pub(crate) fn new() -> Self {
        Self(TestRunner::deterministic())
    }

    pub(crate) fn sample<S: Strategy>(&mut self, strategy: &S) -> S::Value {
        strategy.new_tree(&mut self.0).unwrap().current()
    }
}

fn text() -> impl Strategy<Value = String> {
    select(&TEXTS[..]).prop_map(str::to_owned)
}

fn optional_text() -> impl Strategy<Value = Option<String>> {
    prop::option::of(text())
}

fn transaction() -> impl Strategy<Value = Uuid> {
    (1..6_u128).prop_map(Uuid::from_u128)
}

pub(crate) fn start() -> DateTimeUtc {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn changes() -> impl Strategy<Value = serde_json::Value> {
    let value = || {
        prop_oneof![
            text().prop_map(|text| json!(text)),
            select(vec![
                json!(5),
                json!(6.5),
                json!(true),
                json!(null),
                json!("5"),
                json!({"a": [1, "x"]}),
                json!([])
            ]),
        ]
    };
    let change = prop_oneof![
        (value(), value()).prop_map(|(old, new)| json!({"old": old, "new": new})),
        value().prop_map(|new| json!({"new": new})),
        value().prop_map(|old| json!({"old": old})),
        value().prop_map(|new| json!({"new": new, "old_unknown": true})),
        Just(json!({"redacted": true})),
    ];
    prop::collection::btree_map(select(&FIELDS[..]), change, 0..3).prop_map(|map| json!(map))
}

/// A record about `hour` hours after the first.
pub(crate) fn record(hour: i64) -> impl Strategy<Value = ActiveModel> {
    let words = (
        select(&ACTIONS[..]),
        select(&["SUCCESS", "FAILURE", "OPEN"][..]),
        prop::option::of(select(&MODELS[..])),
        prop::option::of(1..6_i32),
        select(&["USER", "SERVICE", "UNKNOWN"][..]),
        select(&["hook", "trigger", "statement"][..]),
    );
    let texts = (
        optional_text(),
        optional_text(),
        optional_text(),
        optional_text(),
        optional_text(),
        optional_text(),
    );
    let ids = (
        prop::option::of(1..5_i32),
        prop::option::of(1..3_i32),
        prop::option::of(select(&ADDRESSES[..])),
        prop::option::of(transaction()),
        prop::option::of(1..4_i32),
    );
    // Records are not written in the order of their times.
    let minutes = -600..600_i64;
    (words, texts, ids, prop::option::of(changes()), minutes).prop_map(
        move |(words, texts, ids, changes, minutes)| {
            let (action, outcome, model, object, actor_type, source) = words;
            let (label, name, reason, tenant, module, trace) = texts;
            let (actor, impersonator, address, transaction, request) = ids;
            ActiveModel {
                id: sea_orm::NotSet,
                occurred_at: Set(start()
                    + chrono::TimeDelta::hours(hour)
                    + chrono::TimeDelta::minutes(minutes)),
                action: Set(action.to_owned()),
                outcome: Set(outcome.to_owned()),
                model: Set(model.map(str::to_owned)),
                object_id: Set(object.map(|id| id.to_string())),
                object_repr: Set(label),
                changes: Set(changes),
                actor_type: Set(actor_type.to_owned()),
                actor_id: Set(actor.map(|id| id.to_string())),
                actor_name: Set(name),
                impersonator_id: Set(impersonator.map(|id| id.to_string())),
                ip_address: Set(address.map(str::to_owned)),
                user_agent: Set(None),
                session_key: Set(None),
                request_id: Set(request.map(|id| id.to_string())),
                trace_id: Set(trace),
                transaction_id: Set(transaction),
                tenant: Set(tenant),
                reason: Set(reason),
                module: Set(module),
                source: Set(source.to_uppercase()),
                metadata: Set(None),
            }
        },
    )
}

/// One filter, as text where a word is needed.
fn filter() -> impl Strategy<Value = AuditQuery> {
    let some = |values: BoxedStrategy<String>| prop::collection::vec(values, 1..3);
    let texts = move || some(text().boxed());
    let numbers = move || some((0..6_i32).prop_map(|n| n.to_string()).boxed());
    let values = || {
        let others =
            select(&["5", "6.5", "true", "null", "[]", "nothing"][..]).prop_map(str::to_owned);
        prop::collection::vec(prop_oneof![text(), others], 1..3)
    };
    let field = || select(&FIELDS[..]);
    let part = || {
        select(
            &[
                "a", "A", "%", "_", "!", "\\", "\"", "日本", "AB", "it'", "none",
            ][..],
        )
    };
    prop_oneof![
        3 => prop::collection::vec(select(&MODELS[..]), 1..3).prop_map(|names| AuditQuery::new().model(names)),
        3 => numbers().prop_map(|ids| AuditQuery::new().object(ids)),
        3 => prop::collection::vec(select(&ACTIONS[..]), 1..3).prop_map(|actions| {
            AuditQuery::new().action(actions.into_iter().map(|action| action.parse::<Action>().unwrap()))
        }),
        1 => select(&["success", "failure", "open"][..])
            .prop_map(|outcome| format!("outcome:{outcome}").parse().unwrap()),
        3 => numbers().prop_map(|ids| AuditQuery::new().actor(ids)),
        1 => select(&["user", "service"][..]).prop_map(|kind| format!("actor-type:{kind}").parse().unwrap()),
        1 => numbers().prop_map(|ids| AuditQuery::new().impersonator(ids)),
        3 => prop::collection::vec(select(&NETWORKS[..]), 1..3).prop_map(|networks| {
            AuditQuery::new().address(networks.into_iter().map(|n| n.parse::<ipnet::IpNet>().unwrap()))
        }),
        1 => texts().prop_map(|names| AuditQuery::new().tenant(names)),
        2 => numbers().prop_map(|ids| AuditQuery::new().request(ids)),
        1 => texts().prop_map(|ids| AuditQuery::new().trace(ids)),
        2 => prop::collection::vec(transaction(), 1..3).prop_map(|ids| AuditQuery::new().transaction(ids)),
        1 => part().prop_map(|part| AuditQuery::new().reason(part)),
        1 => select(&["hook", "trigger"][..]).prop_map(|source| format!("source:{source}").parse().unwrap()),
        1 => texts().prop_map(|names| AuditQuery::new().module(names)),
        3 => select(&PERIODS[..]).prop_map(|period| AuditQuery::new().created(period.parse().unwrap())),
        2 => prop::collection::vec(field(), 1..3).prop_map(|names| AuditQuery::new().field(names)),
        2 => (field(), values()).prop_map(|(field, values)| AuditQuery::new().from(field, values)),
        2 => (field(), values()).prop_map(|(field, values)| AuditQuery::new().to(field, values)),
        2 => part().prop_map(|part| AuditQuery::new().text(part)),
    ]
}

pub(crate) fn query() -> impl Strategy<Value = AuditQuery> {
    let filter = || (filter(), prop::bool::weighted(0.2));
    prop::collection::vec(filter(), 0..4).prop_map(|filters| {
        (filters.into_iter()).fold(AuditQuery::new(), |query, (filter, negated)| {
            if negated {
                query.not(filter)
            } else {
                query.and(filter)
            }
        })
    })
}
