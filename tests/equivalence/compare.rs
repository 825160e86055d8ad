//! Compares the audited and unaudited results of a case.

use std::collections::btree_map::Entry;

use crate::account::{Traces, unaccounted};
use crate::answer::{Answer, OTHER_CLIENT};
use crate::case::Case;
use crate::lane::{Dump, Lane, Left};
use crate::log_replay::{Judgement, Replay, Unreadable};
use crate::op::Op;
use crate::permitted;
use crate::run_case::Answered;
use crate::support::TestResult;
use crate::words::Report;

/// A difference between a lane and its reference.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    /// Its kind, the same for all differences of the kind.
    pub(crate) kind: String,
    /// Both answers.
    pub(crate) details: String,
    /// The statement with the different answer, if one is known.
    pub(crate) at: Option<Op>,
}

/// A case does not end twice in the same way: which of two clients is refused a lock may depend on the timing of the
/// server.
#[derive(Debug)]
pub(crate) struct OtherEnd(String);

impl std::fmt::Display for OtherEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a case does not end twice in the same way:\n{}", self.0)
    }
}

impl std::error::Error for OtherEnd {}

impl Difference {
    /// The difference itself, whatever statement caused it.
    pub(crate) fn what(&self) -> String {
        self.kind.split(": ").next().unwrap_or_default().to_owned()
    }
}

/// The result of a comparison.
#[derive(Default)]
pub(crate) struct Compared {
    pub(crate) differences: Vec<Difference>,
    /// The number of records with unknown values.
    pub(crate) unknown: usize,
    /// The kinds of the writes that succeeded, and whether each was reported.
    pub(crate) writes: Vec<(&'static str, bool)>,
}

/// A lane, its reference, the results of a case in both, and the case's traces so far.
pub(crate) struct Pair<'a> {
    pub(crate) reference: &'a Lane,
    pub(crate) lane: &'a Lane,
    pub(crate) case: &'a Case,
    pub(crate) theirs: &'a Left,
    pub(crate) ours: &'a Left,
}

impl Pair<'_> {
    pub(crate) async fn compare(&self, traces: &mut Traces) -> TestResult<Compared> {
        let mut compared = Compared::default();
        let mut both = self
            .theirs
            .answers
            .iter()
            .zip(&self.ours.answers)
            .enumerate();
        let ended = both.position(|(at, (theirs, ours))| {
            permitted::ends_comparison(self.lane, theirs, ours, &self.ours.answers[..at])
        });
        // Both failed with the same error.
        let both_failed = |at: usize| {
            [self.theirs, self.ours]
                .iter()
                .all(|left| left.answers[at].answer.is_error())
        };
        let most = ended.map_or(usize::MAX, |at| at + usize::from(both_failed(at)));
        let answers = self.answers(most);
        let other_client = answers.as_ref().is_some_and(|d| d.what() == OTHER_CLIENT);
        compared.differences.extend(answers);
        if other_client {
            // Later answers differ as a consequence.
            return Ok(compared);
        }
        let (theirs, ours) = (self.theirs, self.ours);
        let ops = self.ops();
        if ended.is_some() {
            // So do the tables. The log must still be that of its own ones.
            if ours.events.is_empty() && !self.has_other_client() {
                let found = self.plain_judgement(&ops);
                compared.differences.extend(self.of_records(&ops, found));
            }
            return Ok(compared);
        }
        if theirs.dump != ours.dump && !permitted::tables(self.lane, &ops, &theirs.dump, &ours.dump)
        {
            compared.differences.push(Difference {
                kind: format!("tables: {}", verbs(&ops)),
                details: dumps(&theirs.dump, &ours.dump),
                at: None,
            });
            return Ok(compared);
        }
        let reports = self.reports(&ops, &mut compared);
        for Answered { op, answer } in &ours.answers {
            if let Some(op) = op.as_ref().filter(|_| !answer.is_error())
                && let Some(kind) = op.kind()
            {
                let is_reported = reports.iter().any(|report| report.is_of(op));
                compared.writes.push((kind, is_reported));
            }
        }
        let judgement = self.judge(&ops, &reports, traces).await?;
        compared.unknown = judgement.unknown;
        compared
            .differences
            .extend(self.of_records(&ops, judgement));
        Ok(compared)
    }

    fn ops(&self) -> Vec<Op> {
        let in_transaction = self.lane.path.in_transaction();
        self.case.ops(self.lane.db.backend(), in_transaction)
    }

    /// The first answer that differs.
    fn answers(&self, most: usize) -> Option<Difference> {
        let (theirs, ours) = (&self.theirs.answers, &self.ours.answers);
        for at in 0..theirs.len().max(ours.len()).min(most) {
            let (Some(their), Some(our)) = (theirs.get(at), ours.get(at)) else {
                let all = |answers: &[Answered]| {
                    let answers: Vec<&Answer> = answers.iter().map(|a| &a.answer).collect();
                    format!("    {answers:?}")
                };
                return Some(Difference {
                    kind: "other transaction control".into(),
                    details: format!("{} and\n{}", all(theirs), all(ours)),
                    at: None,
                });
            };
            let what = their.answer.difference(&our.answer);
            let op = our.op.as_ref();
            let is_permitted =
                |what: &String| permitted::answer(self.lane, self.case, their, our, what);
            let reads = matches!(our.answer, Answer::Rows(_) | Answer::Called(_));
            if what.is_some() && reads && permitted::reads_older(self.lane, self.case, &ours[..at])
            {
                continue;
            }
            if let Some(what) = what.filter(|what| !is_permitted(what)) {
                let verb = op.map(Op::verb).unwrap_or_default();
                return Some(Difference {
                    kind: format!("{what}: {verb}"),
                    details: format!(
                        "    unaudited: {:?}\n    audited:   {:?}",
                        their.answer, our.answer
                    ),
                    at: op.cloned(),
                });
            }
        }
        None
    }

    /// The reports. Each must match a statement.
    fn reports(&self, ops: &[Op], compared: &mut Compared) -> Vec<Report> {
        let mut reports = Vec::new();
        for event in &self.ours.events {
            let report = Report::of(event);
            let is_of_one = report
                .as_ref()
                .is_some_and(|report| ops.iter().any(|op| report.is_of(op)));
            if !is_of_one {
                compared.differences.push(Difference {
                    kind: format!("an event of no statement: {}", event.title),
                    details: format!("    {:?}", event.description),
                    at: None,
                });
            }
            reports.extend(report);
        }
        reports
    }

    /// The errors in the records that no report excuses.
    async fn judge(
        &self,
        ops: &[Op],
        reports: &[Report],
        traces: &mut Traces,
    ) -> TestResult<Judgement> {
        let (lane, ours) = (self.lane, self.ours);
        let mut judgement = self.plain_judgement(ops);
        if judgement.is_clean() || reports.is_empty() && !self.has_other_client() {
            return Ok(judgement);
        }
        if lane.path.has_triggers() {
            // Triggers record everything but the tables of reported statements.
            for table in reports.iter().flat_map(Report::tables) {
                judgement.forget(table);
            }
            return Ok(judgement);
        }
        let path = self.reference.path;
        let trace = match traces.entry(path) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(self.traced(lane.path.in_transaction()).await?),
        };
        let missed: Vec<_> = permitted::missed_by_hooks(lane, &ours.answers).collect();
        let is_missed = |op: &Op| matches!(op, Op::Model(op) if missed.contains(&op));
        let unreadable = ours.unreadable.union(&trace.unreadable).cloned().collect();
        let found = unaccounted(
            self.replay(&unreadable),
            &ours.log,
            &lane.first_contents,
            &trace.moments,
            |moment| match &moment.op {
                Some(op) => is_missed(op) || reports.iter().any(|report| report.is_of(op)),
                None => true,
            },
        );
        let unknown = judgement.unknown;
        Ok(Judgement {
            unknown,
            ..found.unwrap_or_default()
        })
    }

    fn replay<'r>(&self, unreadable: &'r Unreadable) -> Replay<'r> {
        Replay {
            unreadable,
            ignored: permitted::ignored(self.lane),
            of_triggers: self.lane.path.has_triggers(),
        }
    }

    /// The errors in the records, if all statements were recorded and no other client wrote.
    fn plain_judgement(&self, ops: &[Op]) -> Judgement {
        let (lane, ours) = (self.lane, self.ours);
        let replay = self.replay(&ours.unreadable);
        let mut judgement = replay.judge(&ours.log, &lane.first_contents, &ours.contents);
        permitted::records(lane, ops, &ours.answers, &mut judgement);
        judgement
    }

    fn has_other_client(&self) -> bool {
        self.lane.path.in_transaction() && self.case.has_other_client()
    }

    /// The result of the case's steps without audit log. A statement that waits for another client may end in another
    /// way than before, so the case is run again; it must end as it did.
    async fn traced(&self, in_transaction: bool) -> TestResult<Left> {
        const MOST: usize = 6;
        let mut last = None;
        for time in 0..MOST {
            let left = self.reference.trace(self.case, time % 2 == 1).await?;
            if left.dump == self.theirs.dump {
                return Ok(left);
            }
            last = Some(left.dump);
        }
        let backend = self.reference.db.backend();
        let case = self.case.text(backend, in_transaction);
        let again = last.map(|again| dumps(&self.theirs.dump, &again));
        Err(OtherEnd(format!("{case}\n{again:#?}")).into())
    }

    fn of_records(&self, ops: &[Op], judgement: Judgement) -> Option<Difference> {
        let (what, lines) = if !judgement.wrong.is_empty() {
            ("wrong record", judgement.wrong)
        } else if !judgement.missing.is_empty() {
            ("missing record", judgement.missing)
        } else {
            return None;
        };
        // The row is not part of the kind.
        let action = lines[0].split(' ').next().unwrap_or_default();
        let why = [
            "old ",
            "which is there already",
            "which is not there",
            "makes a second",
        ];
        let why = (why.iter().find(|why| lines[0].contains(**why))).unwrap_or(&"");
        let mut details = format!("    {}\n    the log:\n", lines.join("\n    "));
        for r in &self.ours.log {
            details.push_str(&format!(
                "      {} {} {} {} {}\n",
                r.action,
                r.model.as_deref().unwrap_or(""),
                r.object_id.as_deref().unwrap_or(""),
                r.source,
                r.changes
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default()
            ));
        }
        for report in self.ours.events.iter().filter_map(Report::of) {
            details.push_str(&format!("      {}\n", report.text()));
        }
        Some(Difference {
            kind: format!("{what}: {action} {why}: {}", verbs(ops)),
            details: details.trim_end().to_owned(),
            at: None,
        })
    }
}

/// The operation, if there is only one.
fn verbs(ops: &[Op]) -> String {
    match ops {
        [only] => only.verb(),
        _ => "several".to_owned(),
    }
}

fn dumps(theirs: &Dump, ours: &Dump) -> String {
    let mut text = String::new();
    let tables: std::collections::BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    let none = Vec::new();
    for table in tables {
        let their = theirs.get(table).unwrap_or(&none);
        let our = ours.get(table).unwrap_or(&none);
        for row in their.iter().filter(|row| !our.contains(row)) {
            text.push_str(&format!("    unaudited: {table}: {row}\n"));
        }
        for row in our.iter().filter(|row| !their.contains(row)) {
            text.push_str(&format!("    audited:   {table}: {row}\n"));
        }
    }
    text.trim_end().to_owned()
}
