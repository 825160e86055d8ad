//! Values of closed types from their text, and the words that there are.

use std::fmt::Display;

use ipnet::IpNet;
use uuid::Uuid;

use super::key::Key;
use super::scan::Value;
use crate::action::{Action, BUILT_IN, Outcome, Source};
use crate::actor::ActorType;
use crate::query::error::{Problem, QueryError, shown};
use crate::query::period::{Fault, Period};
use crate::query::suggest::nearest;
use crate::query::values::canonical;

/// The words of a key that has few, as they are written in a query.
pub(super) fn of_key(key: Key) -> Vec<String> {
    match key {
        Key::Action => BUILT_IN
            .iter()
            .map(|action| written(action.as_str()))
            .collect(),
        Key::Outcome => Outcome::ALL.map(|one| written(one.as_str())).into(),
        Key::Source => Source::ALL.map(|one| written(one.as_str())).into(),
        Key::ActorType => ActorType::ALL.map(|one| written(one.as_str())).into(),
        Key::Created => Period::WORDS.map(str::to_owned).into(),
        _ => Vec::new(),
    }
}

/// A stored word as it is written in a query.
pub(super) fn written(word: &str) -> String {
    word.to_ascii_lowercase()
}

/// The stored word of what is written in a query.
fn stored(word: &str) -> String {
    word.to_ascii_uppercase().replace('-', "_")
}

fn built_in(word: &str) -> Option<Action> {
    BUILT_IN.into_iter().find(|action| action.as_str() == word)
}

/// The built-in action that a word resembles without being it.
fn resembled(word: &str) -> Option<String> {
    let words = of_key(Key::Action);
    nearest(word, words.iter().map(String::as_str)).map(str::to_owned)
}

/// Whether a custom action must be quoted, since it looks like a built-in one that is written wrong.
pub(super) fn must_be_quoted(action: &Action) -> bool {
    matches!(action, Action::Custom(_)) && resembled(action.as_str()).is_some()
}

pub(super) fn action(value: &Value<'_>) -> Result<Action, QueryError> {
    let word = stored(&value.text);
    if let Some(action) = built_in(&word) {
        return Ok(action);
    }
    if !value.quoted
        && let Some(suggestion) = resembled(&word)
    {
        let word = shown(&value.text);
        return Err(value.error(Problem::NearAction { word, suggestion }));
    }
    Action::custom(word).map_err(|error| {
        let reason = match error {
            crate::error::AuditError::ActionName { reason, .. } => reason.to_owned(),
            other => other.to_string(),
        };
        let word = shown(&value.text);
        value.error(Problem::NoAction { word, reason })
    })
}

pub(super) fn outcome(value: &Value<'_>) -> Result<Outcome, QueryError> {
    known(value, "outcome", &Outcome::ALL, Outcome::as_str)
}

pub(super) fn source(value: &Value<'_>) -> Result<Source, QueryError> {
    known(value, "source", &Source::ALL, Source::as_str)
}

pub(super) fn actor_type(value: &Value<'_>) -> Result<ActorType, QueryError> {
    known(value, "type of actor", &ActorType::ALL, ActorType::as_str)
}

fn known<T: Copy>(
    value: &Value<'_>,
    of: &'static str,
    all: &[T],
    word: impl Fn(T) -> &'static str,
) -> Result<T, QueryError> {
    let stored = stored(&value.text);
    if let Some(found) = all.iter().find(|one| word(**one) == stored) {
        return Ok(*found);
    }
    let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
    Err(value.error(Problem::UnknownWord {
        word: shown(&value.text),
        of,
        suggestion: nearest(&stored, words.iter().copied()).map(written),
        known: written(&words.join(", ")),
    }))
}

pub(super) fn network(value: &Value<'_>) -> Result<IpNet, QueryError> {
    let text = &*value.text;
    let network = match text.parse::<std::net::IpAddr>() {
        Ok(address) => Ok(address.into()),
        Err(_) => text.parse::<IpNet>(),
    };
    network.map(canonical).map_err(|_| {
        let value_shown = shown(text);
        value.error(Problem::NoNetwork { value: value_shown })
    })
}

/// A network as it is written in a query: a single address without its prefix.
pub(super) fn network_text(network: &IpNet) -> impl Display + use<> {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

pub(super) fn transaction(value: &Value<'_>) -> Result<Uuid, QueryError> {
    Uuid::parse_str(&value.text).map_err(|_| {
        let value_shown = shown(&value.text);
        value.error(Problem::NoTransaction { value: value_shown })
    })
}

pub(super) fn period(value: &Value<'_>) -> Result<Period, QueryError> {
    Period::parse(&value.text).map_err(|Fault { span, problem }| {
        // Within quotes, escapes may shift the bytes.
        let span = if value.quoted {
            value.span.clone()
        } else {
            value.span.start + span.start..value.span.start + span.end
        };
        QueryError::new(span, Problem::period(&value.text, problem))
    })
}
