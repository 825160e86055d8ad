//! Running cases on all lanes, and comparing what they leave.

use std::time::Instant;

use sea_orm::DbBackend;

use crate::case::Case;
use crate::choice::Random;
use crate::findings::Findings;
use crate::lane::{Dump, Lane, Left, Road};
use crate::op::Op;
use crate::replay::judge;
use crate::shrink::shrink;
use crate::support::TestResult;

/// The greatest share of audited statements whose changes may be reported instead of recorded, in percent.
const REPORTED: usize = 15;

/// The greatest share of records with unknown values, in percent.
const UNKNOWN: usize = 5;

/// How long cases are made smaller at most, in seconds.
const SHRINKING: f32 = 240.0;

/// A difference between a lane and its reference.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    /// What kind it is, the same for all of the kind.
    pub(crate) kind: String,
    /// Both answers.
    pub(crate) details: String,
    /// The statement that was answered otherwise, where one is known.
    pub(crate) at: Option<usize>,
}

impl Difference {
    /// What differs, whatever was done.
    pub(crate) fn what(&self) -> String {
        self.kind.split(": ").next().unwrap_or_default().to_owned()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) cases: usize,
    pub(crate) statements: usize,
    pub(crate) failed: usize,
    pub(crate) runs: usize,
    pub(crate) reported: usize,
    pub(crate) records: usize,
    pub(crate) unknown: usize,
    /// Seconds, the rest is spent on making cases smaller.
    pub(crate) comparing: f32,
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
    )
}

pub(crate) async fn all(backend: DbBackend) -> TestResult {
    let seed = number("EQUIVALENCE_SEED").unwrap_or(1);
    // MariaDB takes about ten times as long for a case; and what its triggers change of the server's counts is
    // not sorted out yet.
    let is_mysql = backend == DbBackend::MySql;
    let by_default = if is_mysql { 80 } else { 2_000 };
    let statements = usize::try_from(number("EQUIVALENCE_STATEMENTS").unwrap_or(by_default))?;
    let only = number("EQUIVALENCE_CASE");
    let roads = std::env::var("EQUIVALENCE_ROADS").ok();
    let wanted = |road: Road| match &roads {
        Some(roads) => roads.split(',').any(|name| name == format!("{road:?}")),
        None => !(is_mysql && road.has_triggers()),
    };
    eprintln!("{backend:?}: EQUIVALENCE_SEED={seed} EQUIVALENCE_STATEMENTS={statements}");
    let begun = Instant::now();
    let mut lanes = Vec::new();
    for road in Road::ALL {
        if road.is_reference() || wanted(road) {
            lanes.push(Lane::new(road, backend).await?);
        }
    }
    let mut counts = Counts::default();
    let mut findings = Findings::default();
    let mut random = Random(seed);
    let mut case_number = 0;
    while counts.statements < statements {
        let case_seed = random.next();
        case_number += 1;
        if only.is_some_and(|only| only < case_number) {
            break;
        }
        if only.is_some_and(|only| only != case_number) {
            continue;
        }
        let case = Case::random(case_seed, backend);
        counts.cases += 1;
        counts.statements += case.ops(backend, false).len();
        let at = Instant::now();
        let differences = compare(&lanes, &case, &mut counts).await?;
        counts.comparing += at.elapsed().as_secs_f32();
        for (road, difference) in differences {
            if !findings.wants(road, &difference) {
                continue;
            }
            let shrinking = begun.elapsed().as_secs_f32() - counts.comparing;
            if shrinking > SHRINKING {
                continue;
            }
            let (reference, lane) = pair(&lanes, road);
            let (small, difference) = shrink(reference, lane, case.clone(), difference).await?;
            findings.add(backend, road, case_number, &small, &difference);
        }
    }
    for lane in lanes {
        lane.close().await?;
    }
    eprintln!(
        "{backend:?}: {:.1} s, {counts:?}",
        begun.elapsed().as_secs_f32()
    );
    findings.assert_none(backend, seed);
    let share = |part: usize, all: usize| 100 * part / all.max(1);
    let reported = share(counts.reported, counts.runs);
    assert!(
        reported <= REPORTED,
        "{reported} % of the statements are reported, not recorded"
    );
    let unknown = share(counts.unknown, counts.records);
    assert!(
        unknown <= UNKNOWN,
        "{unknown} % of the records have unknown values"
    );
    Ok(())
}

fn pair(lanes: &[Lane], road: Road) -> (&Lane, &Lane) {
    let find = |road| lanes.iter().find(|lane| lane.road == road).unwrap();
    (find(road.reference()), find(road))
}

/// Runs a case everywhere and says which lanes differ from their reference.
async fn compare(
    lanes: &[Lane],
    case: &Case,
    counts: &mut Counts,
) -> TestResult<Vec<(Road, Difference)>> {
    let lanes: Vec<&Lane> = (lanes.iter())
        .filter(|lane| case.models_only || !lane.road.has_hooks_only())
        .collect();
    let mut left: Vec<(Road, Left)> = Vec::new();
    for (lane, done) in lanes
        .iter()
        .zip(futures::future::join_all(lanes.iter().map(|lane| lane.run(case))).await)
    {
        left.push((
            lane.road,
            done.map_err(|error| format!("{:?}: {error}", lane.road))?,
        ));
    }
    let mut differences = Vec::new();
    for (road, ours) in &left {
        if road.is_reference() {
            counts.failed += ours
                .answers
                .iter()
                .filter(|answer| answer.is_error())
                .count();
            continue;
        }
        let (_, reference) = left
            .iter()
            .find(|(other, _)| *other == road.reference())
            .unwrap();
        let lane = lanes.iter().find(|lane| lane.road == *road).unwrap();
        counts.runs += ours.answers.len();
        counts.reported += ours
            .events
            .iter()
            .map(|e| usize::try_from(e.occurrences).unwrap())
            .sum::<usize>();
        counts.records += ours.log.len();
        let ops = case.ops(lane.db.backend(), road.in_transaction());
        let (found, unknown) = all_differences(lane, reference, ours, &ops);
        counts.unknown += unknown;
        differences.extend(found.into_iter().map(|difference| (*road, difference)));
    }
    Ok(differences)
}

/// The differences of what a lane left, and the number of records with unknown values.
pub(crate) fn all_differences(
    lane: &Lane,
    reference: &Left,
    ours: &Left,
    ops: &[Op],
) -> (Vec<Difference>, usize) {
    let mut found = Vec::new();
    let longest = reference.answers.len().max(ours.answers.len());
    for at in 0..longest {
        let (Some(theirs), Some(our)) = (reference.answers.get(at), ours.answers.get(at)) else {
            let details = format!("    {:?} and\n    {:?}", reference.answers, ours.answers);
            found.push(Difference {
                kind: "other transaction control".into(),
                details,
                at: None,
            });
            break;
        };
        if let Some(what) = theirs.difference(our) {
            let verb = ops.get(at).map(Op::verb).unwrap_or_default();
            let details = format!("    unaudited: {theirs:?}\n    audited:   {our:?}");
            found.push(Difference {
                kind: format!("{what}: {verb}"),
                details,
                at: Some(at),
            });
            break;
        }
    }
    if reference.dump != ours.dump {
        let details = dumps(&reference.dump, &ours.dump);
        found.push(Difference {
            kind: format!("tables: {}", verbs(ops)),
            details,
            at: None,
        });
        return (found, 0);
    }
    let mut judgement = judge(
        &ours.log,
        &lane.first_contents,
        &ours.contents,
        &ours.unreadable,
        lane.road.has_triggers(),
    );
    let unknown = judgement.unknown;
    if lane.road.has_hooks_only() {
        // What its AFTER triggers do to the row that a hook was given is not recorded.
        for lines in [&mut judgement.wrong, &mut judgement.missing] {
            lines.retain(|line| !line.contains(" of shop "));
        }
    }
    let replaces = |op: &Op| format!("{op:?}").to_uppercase().contains("REPLACE");
    if lane.road.has_triggers()
        && lane.db.backend() == DbBackend::Sqlite
        && ops.iter().any(replaces)
    {
        // SQLite fires no DELETE triggers then, unless `recursive_triggers` is on.
        return (found, unknown);
    }
    let (what, lines) = if !judgement.wrong.is_empty() && ours.events.is_empty() {
        ("wrong record", judgement.wrong)
    } else if !judgement.missing.is_empty() && ours.events.is_empty() {
        ("missing record", judgement.missing)
    } else if !judgement.wrong.is_empty() && ours.answers.len() == 1 {
        ("wrong record of a reported statement", judgement.wrong)
    } else {
        return (found, unknown);
    };
    // Which row it is does not make the kind.
    let action = lines[0].split(' ').next().unwrap_or_default();
    let why = [
        "old ",
        "which is there already",
        "which is not there",
        "makes a second",
    ];
    let why = why
        .iter()
        .find(|why| lines[0].contains(**why))
        .unwrap_or(&"");
    let log: Vec<String> = (ours.log.iter())
        .map(|r| {
            format!(
                "      {} {} {} {} {}",
                r.action,
                r.model.as_deref().unwrap_or(""),
                r.object_id.as_deref().unwrap_or(""),
                r.source,
                r.changes
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default()
            )
        })
        .collect();
    let details = format!(
        "    {}\n    the log:\n{}",
        lines.join("\n    "),
        log.join("\n")
    );
    let kind = format!("{what}: {action} {why}: {}", verbs(ops));
    found.push(Difference {
        kind,
        details,
        at: None,
    });
    (found, unknown)
}

/// What is done, if it is only one thing.
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
