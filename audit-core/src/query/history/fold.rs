//! From records to states: forwards from what each record sets, and backwards from what the next one replaces.

use std::collections::BTreeMap;

use sea_orm::prelude::Json;

use super::state::{FieldState, ObjectState, UnknownReason};
use crate::action::Action;
use crate::change::{Change, Changes};
use crate::redact::REDACTED;

/// A column of the entity.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    /// Whether the log has its values, why not otherwise.
    pub(super) recorded: Result<(), UnknownReason>,
}

/// What one record leads to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    /// The object after the record; `None` if it is deleted.
    pub(super) state: Option<ObjectState>,
    /// The fields whose old value is not the one that the record before left.
    pub(super) unrecorded: Vec<String>,
}

type Fields = BTreeMap<String, FieldState>;

/// The states after each of these records, the oldest first. `current` is the row as it is, if there is one.
pub(super) fn fold(
    records: &[(Action, Changes)],
    current: Option<&Fields>,
    fields: &[Field],
) -> Vec<Step> {
    let mut steps = forwards(records, fields);
    let end = steps.len();
    if let (Some(current), Some(last)) = (current, steps.last_mut())
        && let Some(state) = &mut last.state
    {
        // No record is later than the last one.
        for field in fields.iter().filter(|field| field.recorded.is_ok()) {
            fill(&mut state.0, &field.name, current.get(&field.name));
        }
    }
    for at in (1..end).rev() {
        let (before, after) = steps.split_at_mut(at);
        let (Some(before), Some(after)) = (before.last_mut(), after.first_mut()) else {
            continue;
        };
        let (action, changes) = &records[at];
        if let Some(state) = &mut before.state {
            after.unrecorded = backwards(state, after.state.as_ref(), action, changes, fields);
        }
    }
    steps
}

fn forwards(records: &[(Action, Changes)], fields: &[Field]) -> Vec<Step> {
    let nothing: Fields = (fields.iter())
        .map(|field| {
            let reason = field.recorded.err().unwrap_or(UnknownReason::NotRecorded);
            (field.name.clone(), FieldState::Unknown(reason))
        })
        .collect();
    let mut state: Option<Fields> = None;
    let mut steps = Vec::with_capacity(records.len());
    for (action, changes) in records {
        if *action == Action::Delete {
            state = None;
        } else {
            let mut next = match state.take() {
                Some(state) if *action != Action::Create => state,
                _ => nothing.clone(),
            };
            for (name, change) in changes {
                next.insert(name.to_owned(), after(change));
            }
            state = Some(next);
        }
        steps.push(Step {
            state: state.clone().map(ObjectState),
            unrecorded: Vec::new(),
        });
    }
    steps
}

/// The state before the first record, which does not create the object.
pub(super) fn before_first(
    after: Option<&ObjectState>,
    action: &Action,
    changes: &Changes,
    fields: &[Field],
) -> ObjectState {
    let nothing = |field: &Field| {
        let state = match changes.get(&field.name) {
            Some(change) if change.is_redacted() => FieldState::Unknown(UnknownReason::Redacted),
            _ => FieldState::Unknown(UnknownReason::NotRecorded),
        };
        (field.name.clone(), state)
    };
    let mut before = ObjectState(fields.iter().map(nothing).collect());
    backwards(&mut before, after, action, changes, fields);
    before
}

/// Completes the state before a record. Returns the fields that changed without a record.
fn backwards(
    before: &mut ObjectState,
    after: Option<&ObjectState>,
    action: &Action,
    changes: &Changes,
    fields: &[Field],
) -> Vec<String> {
    let mut unrecorded = Vec::new();
    if *action == Action::Create {
        // The row before it was deleted without a record.
        return unrecorded;
    }
    for field in fields.iter().filter(|field| field.recorded.is_ok()) {
        let name = &field.name;
        let was = match (changes.get(name), after) {
            // A snapshot shows what was there.
            (Some(change), _) if *action == Action::Snapshot => change.new_value().map(known),
            (Some(change), _) => change.old_value().map(known),
            (None, Some(after)) => after.get(name).cloned(),
            (None, None) => None,
        };
        if let (Some(FieldState::Known(left)), Some(FieldState::Known(was))) =
            (before.get(name), &was)
            && left != was
        {
            unrecorded.push(name.clone());
        }
        fill(&mut before.0, name, was.as_ref());
    }
    unrecorded
}

/// Sets a field that no record says, where something else says it.
fn fill(fields: &mut Fields, name: &str, state: Option<&FieldState>) {
    let is_open = matches!(
        fields.get(name),
        None | Some(FieldState::Unknown(UnknownReason::NotRecorded))
    );
    if let (true, Some(state)) = (is_open, state) {
        fields.insert(name.to_owned(), state.clone());
    }
}

/// The state of a field after its change.
fn after(change: &Change) -> FieldState {
    match change.new_value() {
        Some(value) => known(value),
        None if change.is_redacted() => FieldState::Unknown(UnknownReason::Redacted),
        None => FieldState::Unknown(UnknownReason::NotRecorded),
    }
}

/// The state of a field with a recorded value.
pub(crate) fn known(value: &Json) -> FieldState {
    if value.get("unreadable") == Some(&Json::Bool(true)) {
        FieldState::Unknown(UnknownReason::Unreadable)
    } else if has_redacted(value) {
        FieldState::Unknown(UnknownReason::Redacted)
    } else {
        FieldState::Known(value.clone())
    }
}

/// Whether a part of a JSON value is replaced.
fn has_redacted(value: &Json) -> bool {
    match value {
        Json::String(text) => text == REDACTED,
        Json::Array(items) => items.iter().any(has_redacted),
        Json::Object(map) => map.values().any(has_redacted),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::prelude::Json;
    use serde_json::json;

    use super::*;

    fn changes(json: &Json) -> Changes {
        Changes::from_json(json).unwrap_or_default()
    }

    fn field(name: &str) -> Field {
        Field {
            name: name.to_owned(),
            recorded: Ok(()),
        }
    }

    fn value<'s>(step: &'s Step, name: &str) -> Option<&'s FieldState> {
        step.state.as_ref().and_then(|state| state.get(name))
    }

    #[test]
    fn snapshot_states_the_values_before_it_too() {
        let fields = [field("price"), field("title")];
        let records = [
            (
                Action::Update,
                changes(&json!({"price": {"old": 1, "new": 2}})),
            ),
            (
                Action::Snapshot,
                changes(&json!({"price": {"new": 2}, "title": {"new": "a"}})),
            ),
        ];
        let steps = fold(&records, None, &fields);
        assert_eq!(steps.len(), 2);
        for step in &steps {
            assert_eq!(value(step, "price"), Some(&known(&json!(2))));
            assert_eq!(value(step, "title"), Some(&known(&json!("a"))));
            assert!(step.unrecorded.is_empty(), "{step:?}");
        }
    }

    #[test]
    fn snapshot_of_another_value_shows_an_unrecorded_change() {
        let fields = [field("price")];
        let records = [
            (Action::Create, changes(&json!({"price": {"new": 1}}))),
            (Action::Snapshot, changes(&json!({"price": {"new": 3}}))),
        ];
        let steps = fold(&records, None, &fields);
        assert_eq!(steps[1].unrecorded, ["price"]);
        assert_eq!(value(&steps[0], "price"), Some(&known(&json!(1))));
        assert_eq!(value(&steps[1], "price"), Some(&known(&json!(3))));
    }
}
