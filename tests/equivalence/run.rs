//! Running cases on all lanes, and comparing what they leave.

use std::time::Instant;

use sea_orm::DbBackend;

use crate::case::Case;
use crate::choice::Random;
use crate::compare::{Difference, all_differences};
use crate::findings::Findings;
use crate::lane::{Lane, Left, Road};
use crate::shrink::shrink;
use crate::support::TestResult;

/// The greatest share of audited statements whose changes may be reported instead of recorded, in percent.
const REPORTED: usize = 15;

/// The greatest share of records with unknown values, in percent.
const UNKNOWN: usize = 5;

/// How long cases are made smaller at most, in seconds.
const SHRINKING: f32 = 240.0;

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
    let statements = usize::try_from(number("EQUIVALENCE_STATEMENTS").unwrap_or(2_000))?;
    let only = number("EQUIVALENCE_CASE");
    let roads = std::env::var("EQUIVALENCE_ROADS").ok();
    let wanted = |road: Road| match &roads {
        Some(roads) => roads.split(',').any(|name| name == format!("{road:?}")),
        None => true,
    };
    eprintln!("{backend:?}: EQUIVALENCE_SEED={seed} EQUIVALENCE_STATEMENTS={statements}");
    let begun = Instant::now();
    let mut lanes = Vec::new();
    for road in Road::ALL {
        let is_needed = |other: &Road| wanted(*other) && other.reference(backend) == road;
        if wanted(road) || Road::ALL.iter().any(is_needed) {
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
    let lane = find(road);
    (find(road.reference(lane.db.backend())), lane)
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
        let lane = lanes.iter().find(|lane| lane.road == *road).unwrap();
        let reference = road.reference(lane.db.backend());
        let (_, reference) = left.iter().find(|(other, _)| *other == reference).unwrap();
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
