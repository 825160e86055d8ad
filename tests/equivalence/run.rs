//! Runs cases on all lanes and compares their results.

use std::time::Instant;

use sea_orm::DbBackend;

use crate::account::Traces;
use crate::case::Case;
use crate::choice::Random;
use crate::compare::{Difference, OtherEnd, Pair};
use crate::counts::Counts;
use crate::findings::Findings;
use crate::lane::{CapturePath, Lane, Left};
use crate::shrink::shrink;
use crate::support::TestResult;

/// How long cases are made smaller at most, in seconds.
const SHRINKING: f32 = 240.0;

/// After how many statements a line is printed.
const PROGRESS: usize = 1_000;

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
    let first = only.or(number("EQUIVALENCE_FIRST_CASE")).unwrap_or(1);
    let paths = std::env::var("EQUIVALENCE_PATHS").ok();
    let wanted = |path: CapturePath| match &paths {
        Some(paths) => paths.split(',').any(|name| name == format!("{path:?}")),
        None => true,
    };
    eprintln!("{backend:?}: EQUIVALENCE_SEED={seed} EQUIVALENCE_STATEMENTS={statements}");
    let begun = Instant::now();
    let mut lanes = Vec::new();
    for path in CapturePath::ALL {
        let is_needed = |other: &CapturePath| wanted(*other) && other.reference(backend) == path;
        if wanted(path) || CapturePath::ALL.iter().any(is_needed) {
            lanes.push(Lane::new(path, backend).await?);
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
        if case_number < first {
            continue;
        }
        let case = Case::random(case_seed, backend);
        counts.cases += 1;
        let before = counts.statements;
        counts.statements += case.ops(backend, false).len();
        if before / PROGRESS != counts.statements / PROGRESS {
            let seconds = begun.elapsed().as_secs();
            eprintln!("{backend:?}: {before} statements in {seconds} s, case {case_number}");
        }
        let at = Instant::now();
        let differences = compared(&lanes, &case, &mut counts)
            .await
            .map_err(|error| format!("EQUIVALENCE_CASE={case_number}: {error}"))?;
        counts.comparing += at.elapsed().as_secs_f32();
        for (path, difference) in differences {
            if !findings.wants(path, &difference) {
                continue;
            }
            // At once, as a long run may be ended before its findings are shown.
            eprintln!(
                "{backend:?}: EQUIVALENCE_CASE={case_number}, {path:?}: {}",
                difference.kind
            );
            let shrinking = begun.elapsed().as_secs_f32() - counts.comparing;
            if shrinking > SHRINKING {
                continue;
            }
            let (reference, lane) = pair(&lanes, path);
            let (small, difference) = shrink(reference, lane, case.clone(), difference).await?;
            findings.add(backend, path, case_number, &small, &difference);
        }
    }
    for lane in lanes {
        lane.close().await?;
    }
    eprintln!(
        "{backend:?}: {:.1} s, {counts}",
        begun.elapsed().as_secs_f32()
    );
    findings.assert_none(backend, seed);
    counts.assert_bounded(backend);
    Ok(())
}

fn pair(lanes: &[Lane], path: CapturePath) -> (&Lane, &Lane) {
    let find = |path| lanes.iter().find(|lane| lane.path == path).unwrap();
    let lane = find(path);
    (find(path.reference(lane.db.backend())), lane)
}

/// Compares a case, and repeats it if a second run ended in another way.
async fn compared(
    lanes: &[Lane],
    case: &Case,
    counts: &mut Counts,
) -> TestResult<Vec<(CapturePath, Difference)>> {
    const MOST: usize = 4;
    for _ in 1..MOST {
        match compare(lanes, case, counts).await {
            Err(error) if error.is::<OtherEnd>() => {}
            compared => return compared,
        }
    }
    compare(lanes, case, counts).await
}

/// Runs a case everywhere. Returns the lanes that differ from their reference.
async fn compare(
    lanes: &[Lane],
    case: &Case,
    counts: &mut Counts,
) -> TestResult<Vec<(CapturePath, Difference)>> {
    let lanes: Vec<&Lane> = (lanes.iter())
        .filter(|lane| case.models_only || !lane.path.has_hooks_only())
        .collect();
    let mut left: Vec<(CapturePath, Left)> = Vec::new();
    for (lane, done) in lanes
        .iter()
        .zip(futures::future::join_all(lanes.iter().map(|lane| lane.run(case))).await)
    {
        left.push((
            lane.path,
            done.map_err(|error| format!("{:?}: {error}", lane.path))?,
        ));
    }
    let mut differences = Vec::new();
    let mut traces = Traces::new();
    let mut other_end = None;
    for (path, ours) in &left {
        if path.is_reference() {
            counts.failed += ours
                .answers
                .iter()
                .filter(|answered| answered.answer.is_error())
                .count();
            continue;
        }
        let lane = lanes.iter().find(|lane| lane.path == *path).unwrap();
        let compared_with = path.reference(lane.db.backend());
        let (_, reference) = (left.iter())
            .find(|(other, _)| *other == compared_with)
            .unwrap();
        counts.records += ours.log.len();
        let pair = Pair {
            reference: lanes
                .iter()
                .find(|lane| lane.path == compared_with)
                .unwrap(),
            lane,
            case,
            theirs: reference,
            ours,
        };
        let compared = match pair.compare(&mut traces).await {
            // What the other lanes show still counts.
            Err(error) if error.is::<OtherEnd>() => {
                other_end = Some(error);
                continue;
            }
            compared => compared?,
        };
        counts.unknown += compared.unknown;
        for (kind, is_reported) in compared.writes {
            counts.add(*path, kind, is_reported);
        }
        let found = compared.differences.into_iter();
        differences.extend(found.map(|difference| (*path, difference)));
    }
    match other_end {
        Some(error) if differences.is_empty() => Err(error),
        _ => Ok(differences),
    }
}
