//! Recognising scanners that name themselves.

use super::classes::{WORD, class};
use super::runs::{Run, Runs};

/// Finds a scanner's name among the whole words of a user agent.
pub(super) fn scanner<'r>(scanners: &'r Runs, agent: &[u8]) -> Option<&'r Run> {
    let mut rest = words(agent);
    loop {
        let word = rest.next()?;
        if let Some(run) = scanners.starting(word, &rest, false) {
            return Some(run);
        }
    }
}

/// Splits a text into words of letters and digits.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    text.split(|byte| class(*byte) & WORD == 0)
        .filter(|word| !word.is_empty())
}
