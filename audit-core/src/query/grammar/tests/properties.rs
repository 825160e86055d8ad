//! Properties of all queries and of all texts.

use std::cell::Cell;

use ipnet::{Ipv4Net, Ipv6Net};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sea_orm::prelude::DateTimeUtc;
use uuid::Uuid;

use super::super::{LIMITS, Limits, parse};
use super::AuditQuery;
use crate::action::{Action, BUILT_IN, Outcome, Source};
use crate::actor::ActorType;
use crate::query::filter::Condition;
use crate::query::period::Period;

/// Queries have no limits, texts from outside have.
const UNLIMITED: Limits = Limits {
    bytes: usize::MAX,
    filters: usize::MAX,
    values: usize::MAX,
};

fn unlimited(text: &str) -> Result<AuditQuery, TestCaseError> {
    let filters = parse::filters(text, UNLIMITED).map_err(|error| {
        let marked = error.marked(text);
        TestCaseError::fail(marked)
    })?;
    Ok(AuditQuery { filters })
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

/// Any text, often of signs that the grammar uses.
fn texts() -> impl Strategy<Value = String> {
    let signs: Vec<char> =
        "\"\\,:=()-.<>{}un07aZ_ \t\n\r\0\u{1b}\u{85}\u{a0}\u{2028}\u{202e}üß日e\u{301}🦀"
            .chars()
            .collect();
    let of_signs = vec(prop::sample::select(signs), 0..8);
    let of_any = vec(any::<char>(), 0..6);
    let words = [
        "OR", "AND", "NOT", "or", "-", "()", "model:a", "today", "7d", "null", "",
    ];
    prop_oneof![
        4 => of_signs.prop_map(String::from_iter),
        2 => of_any.prop_map(String::from_iter),
        1 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => "[a-z_]{1,10}",
    ]
}

fn actions() -> impl Strategy<Value = Action> {
    let custom = |name: String| Action::custom(name).ok();
    // Names that look like a built-in one are among them.
    let near = "(UPDAT|UPDTE|VIE|VIEWS|LOGI|LOGING|EXPORTS|REPORT)[A-Z0-9_]{0,1}";
    prop_oneof![
        2 => prop::sample::select(BUILT_IN.to_vec()),
        1 => "[A-Z][A-Z0-9_]{0,31}".prop_filter_map("built-in", custom),
        1 => near.prop_filter_map("built-in", custom),
    ]
}

fn times() -> impl Strategy<Value = DateTimeUtc> {
    let far = 8_000_000_000_000_000_i64;
    let any_year = (-far..far).prop_filter_map("no time", DateTimeUtc::from_timestamp_millis);
    let seconds = -70_000_000_000..260_000_000_000_i64;
    let near = (seconds, 0..2_000_000_000_u32).prop_filter_map("no time", |(second, nanos)| {
        DateTimeUtc::from_timestamp(second, nanos)
    });
    let whole = (0..9_000_000_000_i64)
        .prop_filter_map("no time", |second| DateTimeUtc::from_timestamp(second, 0));
    prop_oneof![any_year, near, whole]
}

fn periods() -> impl Strategy<Value = Period> {
    let moment = "[0-9]{4}(-(0[1-9]|1[0-2])(-([01][0-9]|2[0-8])(T([01][0-9]|2[0-3])(:[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?)?(Z|[+-][01][0-9]:[0-5][0-9])?)?)?)?";
    let relative = "([1-9][0-9]{0,4}[mhd]|today|yesterday|this-week|this-month)";
    let of_text = |text: String| text.parse().ok();
    prop_oneof![
        (moment, "(|>|<|>=|<=)").prop_filter_map("no period", move |(one, sign)| of_text(format!(
            "{sign}{one}"
        ))),
        (moment, moment, 0..3).prop_filter_map("no period", move |(one, other, form)| of_text(
            match form {
                0 => format!("{one}..{other}"),
                1 => format!("{one}.."),
                _ => format!("..{other}"),
            }
        )),
        relative.prop_filter_map("no period", of_text),
    ]
}

fn networks() -> impl Strategy<Value = ipnet::IpNet> {
    let v4 = (any::<u32>(), 0..=32_u8).prop_filter_map("no network", |(bits, prefix)| {
        Ipv4Net::new(bits.into(), prefix).ok()
    });
    let v6 = (any::<u128>(), 0..=128_u8).prop_filter_map("no network", |(bits, prefix)| {
        Ipv6Net::new(bits.into(), prefix).ok()
    });
    let mapped = (any::<u32>(), 90..=128_u8).prop_filter_map("no network", |(bits, prefix)| {
        Ipv6Net::new((0xffff_0000_0000 | u128::from(bits)).into(), prefix).ok()
    });
    prop_oneof![
        v4.prop_map(ipnet::IpNet::V4),
        v6.prop_map(ipnet::IpNet::V6),
        mapped.prop_map(ipnet::IpNet::V6),
    ]
}

/// A query of one filter, made by its method.
fn single() -> BoxedStrategy<AuditQuery> {
    type Texts = fn(AuditQuery, Vec<String>) -> AuditQuery;
    type Change = fn(AuditQuery, String, Vec<String>) -> AuditQuery;
    let of_texts: [Texts; 10] = [
        AuditQuery::model,
        AuditQuery::object,
        AuditQuery::actor,
        AuditQuery::impersonator,
        AuditQuery::tenant,
        AuditQuery::request,
        AuditQuery::trace,
        AuditQuery::reason,
        AuditQuery::module,
        AuditQuery::field,
    ];
    let changes: [Change; 2] = [AuditQuery::from, AuditQuery::to];
    let new = AuditQuery::new;
    let ids = any::<u128>().prop_map(Uuid::from_u128);
    prop_oneof![
        10 => (prop::sample::select(of_texts.to_vec()), vec(texts(), 0..4))
            .prop_map(move |(method, values)| method(new(), values)),
        4 => (prop::sample::select(changes.to_vec()), texts(), vec(texts(), 0..4))
            .prop_map(move |(method, field, values)| method(new(), field, values)),
        2 => vec(actions(), 0..4).prop_map(move |values| new().action(values)),
        1 => vec(prop::sample::select(Outcome::ALL.to_vec()), 0..4).prop_map(move |values| new().outcome(values)),
        1 => vec(prop::sample::select(ActorType::ALL.to_vec()), 0..4).prop_map(move |values| new().actor_type(values)),
        1 => vec(prop::sample::select(Source::ALL.to_vec()), 0..4).prop_map(move |values| new().source(values)),
        2 => vec(networks(), 0..4).prop_map(move |values| new().address(values)),
        1 => vec(ids, 0..4).prop_map(move |values| new().transaction(values)),
        2 => periods().prop_map(move |period| new().created(period)),
        1 => times().prop_map(move |time| new().since(time)),
        1 => times().prop_map(move |time| new().until(time)),
        3 => texts().prop_map(move |text| new().text(text)),
    ]
    .boxed()
}

fn queries() -> impl Strategy<Value = AuditQuery> {
    vec((single(), any::<bool>()), 0..8).prop_map(|filters| {
        (filters.into_iter()).fold(AuditQuery::new(), |query, (filter, negated)| {
            if negated {
                query.not(filter)
            } else {
                query.and(filter)
            }
        })
    })
}

/// Texts that are like queries, some of them malformed.
fn query_texts() -> impl Strategy<Value = String> {
    let signs = [
        "\"", "\\", ",", ":", "=", "()", "-", " ", "\t", "..", "ü", "\n",
    ];
    let words = [
        "model",
        "Action",
        "outcome",
        "ip",
        "from",
        "created",
        "tx",
        "modle",
        "update",
        "updte",
        "failure",
        "a",
        "7",
        "10.0.0.0/8",
        "2026-03",
        "2026-02-30",
        "today",
        "price",
    ];
    let terms = [
        "model:a,b ",
        "-x ",
        "\"y z\" ",
        "from:a=b,\"c\" ",
        "created:2026.. ",
        "action:\"updte\",view ",
        "ip:::1 ",
    ];
    let part = prop_oneof![
        2 => prop::sample::select(signs.to_vec()).prop_map(str::to_owned),
        2 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        2 => prop::sample::select(terms.to_vec()).prop_map(str::to_owned),
        1 => texts(),
    ];
    vec(part, 0..10).prop_map(|parts| parts.concat())
}

const CONDITIONS: usize = 20;

/// The number of the condition's kind. A new kind does not compile here: it must be in [`single`], too.
fn kind(condition: &Condition) -> usize {
    match condition {
        Condition::Model(_) => 0,
        Condition::Object(_) => 1,
        Condition::Action(_) => 2,
        Condition::Outcome(_) => 3,
        Condition::Actor(_) => 4,
        Condition::ActorType(_) => 5,
        Condition::Impersonator(_) => 6,
        Condition::Address(_) => 7,
        Condition::Tenant(_) => 8,
        Condition::Request(_) => 9,
        Condition::Trace(_) => 10,
        Condition::Transaction(_) => 11,
        Condition::Reason(_) => 12,
        Condition::Source(_) => 13,
        Condition::Module(_) => 14,
        Condition::Created(_) => 15,
        Condition::Field(_) => 16,
        Condition::From { .. } => 17,
        Condition::To { .. } => 18,
        Condition::Text(_) => 19,
    }
}

#[test]
fn printed_query_reads_back_as_itself() -> Result<(), String> {
    let seen: [[Cell<bool>; 2]; CONDITIONS] = Default::default();
    let result = runner(2_000).run(&queries(), |query| {
        for filter in query.filters() {
            seen[kind(filter.condition())][usize::from(filter.is_negated())].set(true);
        }
        let text = query.to_string();
        prop_assert_eq!(unlimited(&text)?, query, "{}", text);
        prop_assert!(!text.contains(char::is_control), "{text:?}");
        Ok(())
    });
    result.map_err(|error| error.to_string())?;
    let missing: Vec<usize> = (0..CONDITIONS)
        .filter(|kind| seen[*kind].iter().any(|cell| !cell.get()))
        .collect();
    assert!(missing.is_empty(), "kinds without a case: {missing:?}");
    Ok(())
}

#[test]
fn text_of_a_query_within_the_limits_reads_back_by_from_str() -> Result<(), String> {
    let result = runner(500).run(&queries(), |query| {
        let text = query.to_string();
        match text.parse::<AuditQuery>() {
            Ok(read) => prop_assert_eq!(read, query),
            Err(error) => prop_assert!(text.len() > LIMITS.bytes, "{}", error.marked(&text)),
        }
        Ok(())
    });
    result.map_err(|error| error.to_string())
}

#[test]
fn text_is_a_query_that_prints_or_an_error_at_its_place() -> Result<(), String> {
    let (read, refused) = (Cell::new(0), Cell::new(0));
    let result = runner(4_000).run(&query_texts(), |text| {
        let error = match text.parse::<AuditQuery>() {
            Ok(query) => {
                read.set(read.get() + 1);
                let printed = query.to_string();
                prop_assert_eq!(unlimited(&printed)?, query, "{:?} {}", text, printed);
                return Ok(());
            }
            Err(error) => error,
        };
        refused.set(refused.get() + 1);
        let place = text.get(error.span());
        prop_assert!(
            place.is_some_and(|place| !place.is_empty()),
            "{text:?} {error:?}"
        );
        let message = error.to_string();
        prop_assert!(!message.contains(char::is_control), "{text:?} {message:?}");
        let marked = error.marked(&text);
        let lines: Vec<&str> = marked.split('\n').collect();
        prop_assert!(lines.len() == 2 && lines[1].contains('^'), "{marked:?}");
        prop_assert!(!lines.concat().contains(char::is_control), "{marked:?}");
        if let Some(suggestion) = error.suggestion() {
            let mut mended = text.clone();
            mended.replace_range(error.span(), suggestion);
            let again = mended.parse::<AuditQuery>().err();
            let place = again.map_or(usize::MAX, |error| error.span().end);
            prop_assert!(place > error.span().start + suggestion.len(), "{mended:?}");
        }
        Ok(())
    });
    result.map_err(|error| error.to_string())?;
    let (read, refused) = (read.get(), refused.get());
    assert!(
        read > 400 && refused > 400,
        "{read} read, {refused} refused"
    );
    Ok(())
}

#[test]
fn any_text_has_its_completions_at_the_cursor() -> Result<(), String> {
    let result = runner(2_000).run(&(query_texts(), 0..80_usize), |(text, cursor)| {
        let completion = AuditQuery::complete(&text, cursor);
        let range = completion.range;
        prop_assert!(text.get(range.clone()).is_some(), "{text:?} {range:?}");
        let cursor = text.floor_char_boundary(cursor.min(text.len()));
        prop_assert!(
            range.start <= cursor && cursor <= range.end,
            "{text:?} {range:?}"
        );
        let typed = text[range.start..cursor].to_ascii_lowercase();
        for candidate in completion.candidates {
            prop_assert!(candidate.starts_with(&typed), "{text:?} {candidate}");
        }
        Ok(())
    });
    result.map_err(|error| error.to_string())
}
