//! UUIDs of version 7 (RFC 9562), those of one thread in the order in which they were made.
//!
//! The crate `uuid` has such a sequence, too. It looks at the clock and asks for random bits for every id; a
//! request's clock was looked at already, and bits for every millisecond are enough where nobody must be kept from
//! guessing (method 2 of section 6.2, with steps of one).

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use uuid::{Builder, Uuid};

/// So long the system's clock is believed to go as the monotonic one does.
const TRUSTED: Duration = Duration::from_secs(1);

/// What follows the milliseconds and is counted up, without its highest bit, so that there is room.
const COUNTER: u64 = (1 << 61) - 1;

thread_local! {
    /// One for all threads would be a lock that every request takes.
    static SEQUENCE: Cell<Option<Sequence>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Sequence {
    /// When the system's clock was last looked at, and what it said, in milliseconds since 1970.
    looked: (Instant, u64),
    /// The milliseconds of the last id.
    millis: u64,
    /// What follows them: 12 bits, and 62 that are counted up.
    bits: (u16, u64),
}

/// The next id of this thread.
pub(super) fn next(now: Instant) -> Uuid {
    let next = SEQUENCE
        .get()
        .map_or_else(|| Sequence::starting(now), |it| it.next(now));
    SEQUENCE.set(Some(next));
    next.id()
}

impl Sequence {
    fn starting(now: Instant) -> Self {
        let millis = millis(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        );
        Self {
            looked: (now, millis),
            millis,
            bits: random_bits(),
        }
    }

    fn next(self, now: Instant) -> Self {
        let (looked, at) = self.looked;
        let since = now.saturating_duration_since(looked);
        let (looked, millis) = if since < TRUSTED {
            (self.looked, at + millis(since))
        } else {
            let new = Self::starting(now);
            (new.looked, new.millis)
        };
        // A clock that is set back does not turn the order round.
        if millis > self.millis {
            return Self {
                looked,
                millis,
                bits: random_bits(),
            };
        }
        let (fixed, counter) = self.bits;
        Self {
            looked,
            millis: self.millis,
            bits: (fixed, counter + 1),
        }
    }

    fn id(self) -> Uuid {
        let mut bytes = [0; 10];
        bytes[..2].copy_from_slice(&self.bits.0.to_be_bytes());
        bytes[2..].copy_from_slice(&self.bits.1.to_be_bytes());
        Builder::from_unix_timestamp_millis(self.millis, &bytes).into_uuid()
    }
}

const fn millis(duration: Duration) -> u64 {
    duration.as_secs() * 1_000 + duration.subsec_millis() as u64
}

fn random_bits() -> (u16, u64) {
    let (high, low) = Uuid::new_v4().as_u64_pair();
    // The version is in the bits 12 to 15 of `high`, the variant in the two highest of `low`.
    ((high & 0xfff) as u16, low & COUNTER)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn sequence(now: Instant, times: impl IntoIterator<Item = u64>) -> Vec<Uuid> {
        let mut last = Sequence::starting(now);
        let mut ids = vec![last.id()];
        for time in times {
            last = last.next(now + Duration::from_micros(time));
            ids.push(last.id());
        }
        ids
    }

    fn millis_of(id: &Uuid) -> u64 {
        let (seconds, nanos) = id.get_timestamp().map_or((0, 0), |it| it.to_unix());
        seconds * 1_000 + u64::from(nanos) / 1_000_000
    }

    #[test]
    fn ids_are_of_version_7_and_in_order_however_fast_they_are_made() {
        let ids = sequence(Instant::now(), (0..10_000).map(|n| n / 10));
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        assert!(
            ids.iter()
                .all(|id| id.get_variant() == uuid::Variant::RFC4122)
        );
    }

    #[test]
    fn an_id_tells_when_it_was_made() {
        let ids = sequence(Instant::now(), [0, 999_000, 999_500]);
        assert_eq!(millis_of(&ids[1]), millis_of(&ids[0]));
        assert_eq!(millis_of(&ids[2]), millis_of(&ids[0]) + 999);
        let now = millis(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        );
        assert!(now.abs_diff(millis_of(&ids[0])) < 10_000);
        // After a second the system's clock is asked again; nothing but its milliseconds count from then on.
        let later = sequence(Instant::now(), [5_000_000]);
        assert!(millis_of(&later[1]) < millis_of(&later[0]) + 5_000);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_turn_the_order_round() {
        let now = Instant::now();
        let mut last = Sequence::starting(now);
        last.millis += 3_600_000;
        let next = last.next(now + Duration::from_secs(2));
        assert!(next.id() > last.id());
        assert_eq!(next.millis, last.millis);
    }

    #[test]
    fn sequences_that_start_together_do_not_meet() {
        let now = Instant::now();
        let all: HashSet<_> = (0..100).flat_map(|_| sequence(now, 0..100)).collect();
        assert_eq!(all.len(), 100 * 101);
        let starts: HashSet<_> = (0..1_000).map(|_| random_bits().0).collect();
        assert!(starts.len() > 500);
        assert!((0..1_000).all(|_| random_bits().1 <= COUNTER));
    }

    #[test]
    fn the_ids_of_a_thread_are_one_sequence() {
        let ids: Vec<_> = (0..1_000).map(|_| next(Instant::now())).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }
}
