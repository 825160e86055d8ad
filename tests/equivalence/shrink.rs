//! Shrinks a failing case as long as it fails in the same way.

use std::time::{Duration, Instant};

use crate::account::Traces;
use crate::case::{Case, Step};
use crate::compare::{Difference, OtherEnd, Pair};
use crate::lane::Lane;
use crate::support::TestResult;

/// How often a case is tried, and for how long.
const TRIES: usize = 200;
const TIME: Duration = Duration::from_secs(10);

/// The smallest case found that differs in the same way.
pub(crate) async fn shrink(
    reference: &Lane,
    lane: &Lane,
    case: Case,
    found: Difference,
) -> TestResult<(Case, Difference)> {
    let mut best = (case, found);
    let mut tries = TRIES;
    let begun = Instant::now();
    loop {
        let mut smaller = false;
        for candidate in candidates(&best.0) {
            if tries == 0 || begun.elapsed() > TIME {
                return Ok(best);
            }
            tries -= 1;
            let (theirs, ours) =
                futures::future::try_join(reference.run(&candidate), lane.run(&candidate)).await?;
            let pair = Pair {
                reference,
                lane,
                case: &candidate,
                theirs: &theirs,
                ours: &ours,
            };
            let found = match pair.compare(&mut Traces::new()).await {
                Err(error) if error.is::<OtherEnd>() => continue,
                compared => compared?.differences,
            };
            let what = best.1.what();
            if let Some(found) = found.into_iter().find(|found| found.what() == what) {
                best = (candidate, found);
                smaller = true;
                break;
            }
        }
        if !smaller {
            return Ok(best);
        }
    }
}

/// Smaller cases, the smallest first.
fn candidates(case: &Case) -> Vec<Case> {
    let mut all: Vec<Case> = (steps(&case.steps).into_iter())
        .map(|steps| Case {
            steps,
            ..case.clone()
        })
        .collect();
    if !case.commit {
        all.push(Case {
            commit: true,
            ..case.clone()
        });
    }
    all
}

fn steps(all: &[Step]) -> Vec<Vec<Step>> {
    let mut smaller = Vec::new();
    if all.len() > 2 {
        smaller.extend(all.iter().map(|step| vec![step.clone()]));
        smaller.push(all[..all.len() / 2].to_vec());
        smaller.push(all[all.len() / 2..].to_vec());
    }
    if all.len() > 1 {
        for at in 0..all.len() {
            let mut fewer = all.to_vec();
            fewer.remove(at);
            smaller.push(fewer);
        }
    }
    for (at, step) in all.iter().enumerate() {
        let mut with = |steps: Vec<Step>| {
            let mut changed = all.to_vec();
            changed.splice(at..=at, steps);
            smaller.push(changed);
        };
        match step {
            Step::Savepoint {
                steps: inner,
                commit,
            } => {
                with(inner.clone());
                for fewer in steps(inner) {
                    with(vec![Step::Savepoint {
                        steps: fewer,
                        commit: *commit,
                    }]);
                }
                if !commit {
                    with(vec![Step::Savepoint {
                        steps: inner.clone(),
                        commit: true,
                    }]);
                }
            }
            Step::Other(other) => {
                for smaller in other.smaller() {
                    with(vec![Step::Other(smaller)]);
                }
            }
            Step::Do(made) => {
                for made in choices(made) {
                    with(vec![Step::Do(made)]);
                }
            }
        }
    }
    smaller
}

/// Fewer and smaller choices.
fn choices(made: &[u32]) -> Vec<Vec<u32>> {
    let mut smaller = Vec::new();
    let trimmed = made
        .iter()
        .rposition(|&choice| choice != 0)
        .map_or(0, |at| at + 1);
    if trimmed < made.len() {
        smaller.push(made[..trimmed].to_vec());
        return smaller;
    }
    // The first choices select the statement.
    for kept in [4, 8, 16] {
        if kept < made.len() {
            smaller.push(made[..kept].to_vec());
        }
    }
    let mut length = made.len() / 2;
    while length > 0 {
        smaller.push(made[..made.len() - length].to_vec());
        length /= 2;
    }
    for length in [8, 4, 2, 1] {
        let mut at = 0;
        while at + length <= made.len() {
            let mut fewer = made.to_vec();
            fewer.drain(at..at + length);
            smaller.push(fewer);
            at += length;
        }
    }
    for at in 0..made.len() {
        if made[at] != 0 {
            let mut zero = made.to_vec();
            zero[at] = 0;
            smaller.push(zero);
        }
    }
    smaller
}
