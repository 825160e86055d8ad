//! Recognising scanners that name themselves.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use foldhash::quality::RandomState;

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

/// How many harmless user agents are remembered.
const REMEMBERED: usize = 256;

/// The user agents that were found harmless: few are sent again and again, and reading one takes longer than
/// all the rest of an inspection.
///
/// What is kept is 63 bits of a keyed hash, each in the one place that it chooses. To be taken for a harmless agent
/// whoever wants to sends that one; so the hash is a fast one.
pub(super) struct Harmless {
    hasher: RandomState,
    /// Zero where there is none.
    hashes: Box<[AtomicU64; REMEMBERED]>,
}

impl Harmless {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            hashes: Box::new([const { AtomicU64::new(0) }; REMEMBERED]),
        }
    }

    /// Looks at an agent with `inspect`, unless it is remembered as one in which that finds nothing.
    pub(super) fn or_else<T>(
        &self,
        agent: &[u8],
        inspect: impl FnOnce() -> Option<T>,
    ) -> Option<T> {
        // An odd number, so never the zero of an empty place.
        let hash = self.hasher.hash_one(agent) | 1;
        let place = &self.hashes[(hash >> 1) as usize % REMEMBERED];
        if place.load(Relaxed) == hash {
            return None;
        }
        let found = inspect();
        if found.is_none() {
            place.store(hash, Relaxed);
        }
        found
    }
}

impl fmt::Debug for Harmless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harmless").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_harmless_agent_is_inspected_once_and_a_harmful_one_every_time() {
        let harmless = Harmless::new();
        let mut inspected = 0;
        for _ in 0..3 {
            let found = harmless.or_else(b"Firefox", || {
                inspected += 1;
                None::<()>
            });
            assert_eq!(found, None);
        }
        assert_eq!(inspected, 1);
        for _ in 0..3 {
            assert_eq!(harmless.or_else(b"sqlmap", || Some(7)), Some(7));
        }
        assert_eq!(harmless.or_else(b"", || Some(7)), Some(7));
    }

    #[test]
    fn agents_that_share_a_place_push_each_other_out() {
        let harmless = Harmless::new();
        let agents: Vec<_> = (0..10 * REMEMBERED).map(|n| n.to_string()).collect();
        let look = |agent: &String| harmless.or_else(agent.as_bytes(), || None::<()>);
        assert!(agents.iter().all(|agent| look(agent).is_none()));
        // All of them are harmful now: whoever is not remembered any more is found.
        let found = |agent: &&String| harmless.or_else(agent.as_bytes(), || Some(())).is_some();
        let found = agents.iter().filter(found).count();
        assert!(found >= 9 * REMEMBERED, "{found}");
    }
}
