//! Objects whose keys changed after the moment. Their records are taken back, the newest first, with all of the objects
//! whose keys are involved.
//!
//! In one statement, several rows may exchange their keys. Their records are in some order, so for a while two rows have
//! one key. The row that had it first, seen from the end, is then the one that an earlier record moved there.

use std::collections::{HashMap, VecDeque};

use sea_orm::sea_query::Value;

use super::key::moved_to;
use super::past::{Event, Past, PastRow};
use crate::action::Action;
use crate::config::Plan;

/// The objects at the moment, by their keys then. `events` are all records after the moment of the objects, in
/// ascending order; `rows` are the rows as they are.
pub(super) fn take_back(
    plan: &Plan,
    events: &[Event],
    rows: HashMap<String, Vec<Value>>,
) -> HashMap<String, Past> {
    let mut places: HashMap<String, VecDeque<PastRow>> = rows
        .into_iter()
        .map(|(id, row)| (id, VecDeque::from([PastRow::current(plan, row)])))
        .collect();
    for event in events.iter().rev() {
        let id = &event.object_id;
        let moved = moved_to(plan.info, id, &event.changes);
        let end = moved.as_ref().unwrap_or(id);
        let found = places.get_mut(end).and_then(VecDeque::pop_front);
        let row = match event.action {
            Action::Create => continue,
            Action::Delete => {
                // What was found was created without a record.
                let mut row = PastRow::unknown(plan);
                row.take_back(plan, &event.changes);
                row
            }
            Action::Snapshot => found.unwrap_or_else(|| {
                let mut row = PastRow::unknown(plan);
                row.show(plan, &event.changes);
                row
            }),
            _ => {
                let mut row = found.unwrap_or_else(|| PastRow::unknown(plan));
                row.take_back(plan, &event.changes);
                row
            }
        };
        places.entry(id.clone()).or_default().push_back(row);
    }
    places
        .into_iter()
        .map(|(id, mut rows)| {
            let past = rows.pop_front().map_or(Past::Absent, Past::Present);
            (id, past)
        })
        .collect()
}
