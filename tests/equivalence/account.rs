//! Assigns the records to the statements.
//!
//! A reported statement has some or none of its records, and the next step then starts from rows that the log does not
//! know. So the log is cut into parts, one for each step: applied to the rows before the step, a part must give the
//! rows after it. Only rows that no record names may differ, and only where the step was reported or was another
//! client's. If there is no such cut, a record is false or missing.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm_audit::entity::audit_log;

use crate::log_replay::{Contents, Judgement, Replay, object_of};
use crate::op::Op;
use crate::trace::Moment;

/// The errors of the first step that no records match.
pub(crate) fn unaccounted(
    replay: Replay<'_>,
    log: &[audit_log::Model],
    first: &Contents,
    moments: &[Moment],
    is_excused: impl Fn(&Moment) -> bool,
) -> Option<Judgement> {
    let records = replay.records(log);
    let mut before = replay.rows(first);
    // How many records the steps so far can have.
    let mut reached = BTreeSet::from([0]);
    for moment in moments {
        let after = replay.rows(&moment.contents);
        let step = Step {
            replay,
            before: &before,
            after: &after,
            is_excused: is_excused(moment),
            is_several: (moment.op.as_ref()).is_some_and(Op::is_several),
        };
        let mut next = BTreeSet::new();
        for &at in &reached {
            // Another client's write has no record.
            let ends = match moment.op {
                Some(_) => step.ends(&records[at..]),
                None => vec![0],
            };
            next.extend(ends.into_iter().map(|number| at + number));
        }
        if next.is_empty() {
            let at = reached.last().copied().unwrap_or_default();
            return Some(step.explained(&records[at..]));
        }
        (reached, before) = (next, after);
    }
    if reached.contains(&records.len()) {
        return None;
    }
    let mut judgement = Judgement::default();
    let at = reached.last().copied().unwrap_or_default();
    for record in &records[at..] {
        replay.apply(record, &mut before, &mut judgement);
    }
    judgement.wrong.push(format!(
        "{} records more than the statements explain",
        records.len() - at
    ));
    Some(judgement)
}

struct Step<'a> {
    replay: Replay<'a>,
    before: &'a Contents,
    after: &'a Contents,
    is_excused: bool,
    /// One of its statements may be reported and write rows that another one recorded.
    is_several: bool,
}

impl Step<'_> {
    /// How many of these records the step can have: none or more.
    fn ends(&self, records: &[&audit_log::Model]) -> Vec<usize> {
        let mut rows = self.before.clone();
        let mut touched = BTreeSet::new();
        let mut ends = Vec::new();
        for number in 0..=records.len() {
            if self.is_end(&rows, &touched) {
                ends.push(number);
            }
            let Some(record) = records.get(number) else {
                break;
            };
            let mut judgement = Judgement::default();
            touched.extend(self.replay.apply(record, &mut rows, &mut judgement));
            if !judgement.wrong.is_empty() && !self.is_of_reported_row(record, records) {
                break;
            }
        }
        ends
    }

    /// Whether a record may be of a row that a reported statement of the same text has changed before. An updated row is
    /// afterwards as the record tells; for a deleted one, a row of the table is gone that no record names.
    fn is_of_reported_row(&self, record: &audit_log::Model, records: &[&audit_log::Model]) -> bool {
        if !(self.is_excused && self.is_several) {
            return false;
        }
        if record.action == "UPDATE" {
            return self.replay.leads_to(record, self.after);
        }
        let named: BTreeSet<_> = records.iter().map(|record| object_of(record)).collect();
        let (model, _) = object_of(record);
        record.action == "DELETE"
            && !self.after.contains_key(&object_of(record))
            && self.before.keys().any(|object| {
                object.0 == model && !self.after.contains_key(object) && !named.contains(object)
            })
    }

    fn is_end(&self, rows: &Contents, touched: &BTreeSet<(String, String)>) -> bool {
        let unreadable = self.replay.unreadable;
        if !self.is_excused {
            let number = rows
                .keys()
                .filter(|object| !unreadable.contains(*object))
                .count();
            return number == self.after.len()
                && self
                    .after
                    .iter()
                    .all(|(object, row)| rows.get(object) == Some(row));
        }
        if self.is_several {
            return true;
        }
        let mut touched = touched
            .iter()
            .filter(|object| !unreadable.contains(*object));
        touched.all(|object| rows.get(object) == self.after.get(object))
    }

    /// The mismatches, with as many records as match.
    fn explained(&self, records: &[&audit_log::Model]) -> Judgement {
        let mut judgement = Judgement::default();
        let mut rows = self.before.clone();
        for record in records {
            let misfits = self.replay.misfits(record, &rows);
            if !misfits.is_empty() {
                judgement.wrong.extend(misfits);
                break;
            }
            self.replay.apply(record, &mut rows, &mut judgement);
        }
        self.replay
            .compare(rows, self.before, self.after, &mut judgement);
        judgement
    }
}

/// The traces of a case, by what was traced.
pub(crate) type Traces = BTreeMap<crate::lane::CapturePath, crate::lane::Left>;
