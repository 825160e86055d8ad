//! What one object was at a past moment: from the records after that moment, and the row as it is.

use std::collections::BTreeMap;

use sea_orm::prelude::{DateTimeUtc, Json};
use sea_orm::sea_query::Value;

use crate::action::Action;
use crate::change::{Change, Changes};
use crate::config::Plan;
use crate::query::{FieldState, UnknownReason, known, recorded};

/// A record of a change of an object.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) id: i64,
    pub(super) object_id: String,
    pub(super) occurred_at: DateTimeUtc,
    pub(super) action: Action,
    pub(super) changes: Changes,
}

/// An object at the moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Past {
    Absent,
    Present(PastRow),
}

/// A row at the moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PastRow {
    /// In the order of the entity's columns.
    pub(crate) values: Vec<PastValue>,
    /// Fields that the entity no longer has.
    pub(super) former: BTreeMap<String, FieldState>,
}

/// The value of a column at the moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PastValue {
    /// The same as in the row as it is.
    Current(Value),
    /// What a later record replaced, in the canonical form of the log.
    Recorded(Json),
    /// Not known; with the value of the row as it is, if there is one.
    Unknown(UnknownReason, Option<Value>),
}

impl PastRow {
    /// The row of which only what records say is known.
    pub(super) fn unknown(plan: &Plan) -> Self {
        Self::complete(vec![None; plan.columns.len()], BTreeMap::new(), plan, None)
    }

    /// The row as it is.
    pub(super) fn current(plan: &Plan, row: Vec<Value>) -> Self {
        let open = vec![None; plan.columns.len()];
        Self::complete(open, BTreeMap::new(), plan, Some(row))
    }

    /// A row whose other values are those of the row as it is.
    fn complete(
        values: Vec<Option<PastValue>>,
        former: BTreeMap<String, FieldState>,
        plan: &Plan,
        row: Option<Vec<Value>>,
    ) -> Self {
        let row: Vec<Option<Value>> = match row {
            Some(row) => row.into_iter().map(Some).collect(),
            None => vec![None; values.len()],
        };
        let values = (values.into_iter().zip(row).zip(&plan.columns))
            .map(|((value, current), mode)| match (value, recorded(*mode)) {
                // A change of such a column leaves no trace.
                (_, Err(UnknownReason::NotRecorded)) => {
                    PastValue::Unknown(UnknownReason::NotRecorded, current)
                }
                (Some(PastValue::Unknown(reason, _)), _) => PastValue::Unknown(reason, current),
                (Some(value), _) => value,
                (None, _) => match current {
                    Some(current) => PastValue::Current(current),
                    None => PastValue::Unknown(UnknownReason::NotRecorded, None),
                },
            })
            .collect();
        Self { values, former }
    }
}

/// The value that a change replaced.
fn replaced(change: &Change) -> PastValue {
    match change.old_value() {
        Some(value) => stated(value),
        None if change.is_redacted() => PastValue::Unknown(UnknownReason::Redacted, None),
        None => PastValue::Unknown(UnknownReason::NotRecorded, None),
    }
}

/// The value that a snapshot shows; nothing where it leaves one out.
fn shown(change: &Change) -> Option<PastValue> {
    match change.new_value().map(stated) {
        Some(PastValue::Recorded(value)) => Some(PastValue::Recorded(value)),
        _ => None,
    }
}

fn stated(value: &Json) -> PastValue {
    match known(value) {
        FieldState::Known(value) => PastValue::Recorded(value),
        FieldState::Unknown(reason) => PastValue::Unknown(reason, None),
    }
}

/// Collects what the records after the moment say of one object whose key did not change, the oldest record first. It
/// keeps one value a column, however many records there are.
#[derive(Debug)]
pub(super) struct Replay<'p> {
    plan: &'p Plan,
    values: Vec<Option<PastValue>>,
    former: BTreeMap<String, FieldState>,
    begun: bool,
    end: Option<End>,
}

/// After which no record says anything of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The row was created after the moment.
    Created,
    /// The row was deleted after the moment.
    Deleted,
}

impl<'p> Replay<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            values: vec![None; plan.columns.len()],
            former: BTreeMap::new(),
            begun: false,
            end: None,
        }
    }

    /// Forgets the records so far: a later record belongs to the past.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.plan);
    }

    pub(super) fn push(&mut self, event: &Event) {
        if self.end.is_some() {
            return;
        }
        match event.action {
            Action::Create if !self.begun => self.end = Some(End::Created),
            // The row before it was deleted without a record.
            Action::Create => self.end = Some(End::Deleted),
            // Nothing changed between the moment and the snapshot but what earlier records say.
            Action::Snapshot => self.add(&event.changes, shown),
            Action::Delete => {
                self.add(&event.changes, |change| Some(replaced(change)));
                self.end = Some(End::Deleted);
            }
            _ => self.add(&event.changes, |change| Some(replaced(change))),
        }
        self.begun = true;
    }

    /// Sets what no earlier record has set.
    fn add(&mut self, changes: &Changes, value_of: fn(&Change) -> Option<PastValue>) {
        for (field, change) in changes {
            let Some(value) = value_of(change) else {
                continue;
            };
            match self.plan.info.column_in_log(field) {
                Some(at) => {
                    self.values[at].get_or_insert(value);
                }
                None => {
                    (self.former)
                        .entry(field.to_owned())
                        .or_insert_with(|| state_of(value));
                }
            }
        }
    }

    /// Whether the first record after the moment created the row.
    pub(super) fn is_created_later(&self) -> bool {
        self.end == Some(End::Created)
    }

    /// The object at the moment; `row` is the row as it is.
    pub(super) fn finish(self, row: Option<Vec<Value>>) -> Past {
        let row = match self.end {
            Some(End::Created) => return Past::Absent,
            Some(End::Deleted) => None,
            None if !self.begun && row.is_none() => return Past::Absent,
            None => row,
        };
        Past::Present(PastRow::complete(self.values, self.former, self.plan, row))
    }
}

fn state_of(value: PastValue) -> FieldState {
    match value {
        PastValue::Recorded(value) => FieldState::Known(value),
        PastValue::Unknown(reason, _) => FieldState::Unknown(reason),
        PastValue::Current(_) => FieldState::Unknown(UnknownReason::NotRecorded),
    }
}

impl PastRow {
    /// Takes a change back.
    pub(super) fn take_back(&mut self, plan: &Plan, changes: &Changes) {
        self.set(plan, changes, |change| Some(replaced(change)));
    }

    /// Takes the values that a snapshot shows.
    pub(super) fn show(&mut self, plan: &Plan, changes: &Changes) {
        self.set(plan, changes, shown);
    }

    fn set(&mut self, plan: &Plan, changes: &Changes, value_of: fn(&Change) -> Option<PastValue>) {
        for (field, change) in changes {
            let Some(value) = value_of(change) else {
                continue;
            };
            match plan.info.column_in_log(field) {
                Some(at) => self.values[at] = value,
                None => {
                    self.former.insert(field.to_owned(), state_of(value));
                }
            }
        }
    }
}
