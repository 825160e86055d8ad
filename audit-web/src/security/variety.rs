//! How many different findings one network makes, in bounded memory.
//!
//! Equal findings of one client are one row that counts; different ones are a row each, and whoever asks for
//! everything that the rules know could fill the log, and the room of the writer, alone. So after
//! [`MOST`] different ones within [`WINDOW`] a network's further ones are told as one.
//!
//! # Bounds
//! As with bursts, there is room for a fixed number of networks, in sets of eight that a keyed hash chooses.
//! A new network that finds its set full takes the place with the fewest findings, the oldest of equals: to
//! begin its count anew, a network needs eight others of its set that found more.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many different findings of one network are told one by one.
pub(super) const MOST: usize = 50;

/// From the first finding on. As long as the event writer counts equal events.
const WINDOW: Duration = Duration::from_hours(1);

const WAYS: usize = 8;
const SETS: usize = 256;

/// The different findings of each network.
#[derive(Debug)]
pub(super) struct Variety {
    hasher: RandomState,
    slots: Mutex<Box<[Slot]>>,
}

#[derive(Debug, Clone, Default)]
struct Slot {
    network: u64,
    since: Option<Instant>,
    /// Their keyed hashes.
    findings: Vec<u64>,
}

impl Slot {
    fn is_over(&self, now: Instant) -> bool {
        let age = self.since.map(|since| now.saturating_duration_since(since));
        age.is_none_or(|age| age >= WINDOW)
    }
}

impl Default for Variety {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            slots: Mutex::new(vec![Slot::default(); WAYS * SETS].into()),
        }
    }
}

impl Variety {
    /// Whether a finding of this network is one of the first, or equal to one of these.
    pub(super) fn admits(&self, network: &str, finding: &str, now: Instant) -> bool {
        let hash = |text: &str| self.hasher.hash_one(text);
        let (network, finding) = (hash(network), hash(finding));
        // A panic elsewhere cannot leave a place half written: go on.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let set = usize::try_from(network % SETS as u64).unwrap_or_default() * WAYS;
        let set = &mut slots[set..set + WAYS];
        let place = set
            .iter()
            .position(|slot| slot.since.is_some() && slot.network == network)
            .unwrap_or_else(|| weakest(set, now));
        let slot = &mut set[place];
        if slot.network != network || slot.is_over(now) {
            *slot = Slot {
                network,
                since: Some(now),
                findings: Vec::new(),
            };
        }
        if slot.findings.contains(&finding) {
            return true;
        }
        let admits = slot.findings.len() < MOST;
        if admits {
            slot.findings.push(finding);
        }
        admits
    }
}

/// Chooses the place that a new network takes.
fn weakest(set: &[Slot], now: Instant) -> usize {
    let strength = |slot: &Slot| {
        let found = if slot.is_over(now) {
            0
        } else {
            slot.findings.len()
        };
        (found, slot.since)
    };
    (0..set.len())
        .min_by_key(|place| strength(&set[*place]))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_fifty_different_findings_a_network_makes_no_more_and_others_do() {
        let (variety, now) = (Variety::default(), Instant::now());
        for number in 0..MOST {
            assert!(variety.admits("192.0.2.1", &number.to_string(), now));
        }
        assert!(!variety.admits("192.0.2.1", "one more", now));
        assert!(variety.admits("192.0.2.1", "7", now), "it is known already");
        assert!(variety.admits("192.0.2.2", "one more", now));
    }

    #[test]
    fn the_count_begins_anew_after_an_hour() {
        let (variety, now) = (Variety::default(), Instant::now());
        for number in 0..=MOST {
            variety.admits("192.0.2.1", &number.to_string(), now);
        }
        let (soon, later) = (now + WINDOW / 2, now + WINDOW);
        assert!(!variety.admits("192.0.2.1", "one more", soon));
        assert!(variety.admits("192.0.2.1", "one more", later));
    }

    #[test]
    fn a_flood_of_networks_takes_no_more_memory_and_hides_no_scanner() {
        let (variety, now) = (Variety::default(), Instant::now());
        for number in 0..=MOST {
            variety.admits("192.0.2.1", &number.to_string(), now);
        }
        for number in 0..100_000 {
            variety.admits(&number.to_string(), "a finding", now);
        }
        assert!(!variety.admits("192.0.2.1", "one more", now));
        let slots = variety.slots.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(slots.len(), WAYS * SETS);
    }
}
