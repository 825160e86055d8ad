//! UUIDs of version 7 (RFC 9562), those of one thread in the order in which they were made.
//!
//! The crate `uuid` has such a sequence, too. It looks at the clock and asks for random bits for every id; a
//! request's clock was looked at already, and bits for every millisecond are enough where nobody must be kept from
//! guessing (method 2 of section 6.2, with steps of one). Within a millisecond the text itself is counted up.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use coarsetime::Instant;
use uuid::fmt::Hyphenated;
use uuid::{Builder, Uuid};

/// An id as it is written.
pub(super) type Text = [u8; Hyphenated::LENGTH];

/// So long the system's clock is believed to go as the monotonic one does.
const TRUSTED: Duration = Duration::from_secs(1);

/// Where the digits begin that are counted up: the last group, 48 bits.
const COUNTER: usize = Hyphenated::LENGTH - 12;

thread_local! {
    /// One for all threads would be a lock that every request takes.
    static SEQUENCE: RefCell<Option<Sequence>> = const { RefCell::new(None) };
}

struct Sequence {
    /// When the system's clock was last looked at, and what it said, in milliseconds since 1970.
    looked: (Instant, u64),
    /// The milliseconds of the last id, and when they are over.
    millis: u64,
    over: Instant,
    /// The last id.
    text: Text,
}

/// The next id of this thread.
pub(super) fn next(now: Instant) -> Text {
    SEQUENCE.with_borrow_mut(|sequence| match sequence {
        Some(sequence) => sequence.next(now),
        None => sequence.insert(Sequence::starting(now)).text,
    })
}

impl Sequence {
    fn starting(now: Instant) -> Self {
        let millis = system_millis();
        Self {
            looked: (now, millis),
            millis,
            over: now + Duration::from_millis(1).into(),
            text: starting_text(millis),
        }
    }

    #[inline]
    fn next(&mut self, now: Instant) -> Text {
        if now < self.over {
            self.count();
        } else {
            self.look(now);
        }
        self.text
    }

    fn count(&mut self) {
        if !count_up(&mut self.text[COUNTER..]) {
            self.start(self.millis + 1);
        }
    }

    /// A millisecond is over.
    #[cold]
    fn look(&mut self, now: Instant) {
        let since = |looked| Duration::from(now.duration_since(looked));
        if since(self.looked.0) >= TRUSTED {
            self.looked = (now, system_millis());
        }
        let (looked, at) = self.looked;
        let since = millis(since(looked));
        self.over = looked + Duration::from_millis(since + 1).into();
        // A clock that is set back does not turn the order round.
        if at + since > self.millis {
            self.start(at + since);
        } else {
            self.count();
        }
    }

    fn start(&mut self, millis: u64) {
        self.millis = millis;
        self.text = starting_text(millis);
    }
}

/// Counts hexadecimal digits up by one. `false` where all of them are the last.
fn count_up(digits: &mut [u8]) -> bool {
    for digit in digits.iter_mut().rev() {
        *digit = match *digit {
            b'f' => b'0',
            b'9' => b'a',
            other => other + 1,
        };
        if *digit != b'0' {
            return true;
        }
    }
    false
}

fn starting_text(millis: u64) -> Text {
    // What is not random in them is where the version and the variant are.
    let mut random = [0; 10];
    random.copy_from_slice(&Uuid::new_v4().as_bytes()[6..]);
    // Room to count: 2^47 ids at least.
    random[4] &= 0x7f;
    let mut text = [0; Hyphenated::LENGTH];
    let id = Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    id.hyphenated().encode_lower(&mut text);
    text
}

fn system_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    millis(since.unwrap_or_default())
}

const fn millis(duration: Duration) -> u64 {
    duration.as_secs() * 1_000 + duration.subsec_millis() as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn ids(now: Instant, times: impl IntoIterator<Item = u64>) -> Vec<Uuid> {
        let mut sequence = Sequence::starting(now);
        let first = sequence.text;
        let next = |time| sequence.next(now + Duration::from_micros(time).into());
        let texts = std::iter::once(first).chain(times.into_iter().map(next));
        texts.map(|text| id(&text)).collect()
    }

    fn id(text: &Text) -> Uuid {
        Uuid::try_parse_ascii(text).unwrap_or_default()
    }

    fn millis_of(id: &Uuid) -> u64 {
        let (seconds, nanos) = id.get_timestamp().map_or((0, 0), |it| it.to_unix());
        seconds * 1_000 + u64::from(nanos) / 1_000_000
    }

    #[test]
    fn ids_are_of_version_7_and_in_order_however_fast_they_are_made() {
        let ids = ids(Instant::now(), (0..10_000).map(|n| n / 10));
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        assert!(
            ids.iter()
                .all(|id| id.get_variant() == uuid::Variant::RFC4122)
        );
    }

    #[test]
    fn an_id_tells_when_it_was_made() {
        let ids_at = ids(Instant::now(), [0, 998, 1_002, 999_998]);
        let since: Vec<_> = ids_at
            .iter()
            .map(|id| millis_of(id) - millis_of(&ids_at[0]))
            .collect();
        assert_eq!(since, [0, 0, 0, 1, 999]);
        assert!(system_millis().abs_diff(millis_of(&ids_at[0])) < 10_000);
        // After a second the system's clock is asked again; nothing but its milliseconds count from then on.
        let later = ids(Instant::now(), [5_000_000]);
        assert!(millis_of(&later[1]) < millis_of(&later[0]) + 5_000);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_turn_the_order_round() {
        let now = Instant::now();
        let mut sequence = Sequence::starting(now);
        let ahead = system_millis() + 3_600_000;
        sequence.start(ahead);
        let mut last = sequence.text;
        for seconds in [0, 1, 2, 4] {
            let next = sequence.next(now + Duration::from_secs(seconds).into());
            assert!(next > last);
            assert_eq!(millis_of(&id(&next)), ahead);
            last = next;
        }
    }

    #[test]
    fn digits_are_counted_up_and_begun_anew_when_all_are_used() {
        let count = |text: &str| {
            let mut digits = text.as_bytes().to_vec();
            let more = count_up(&mut digits);
            (String::from_utf8(digits).unwrap_or_default(), more)
        };
        assert_eq!(count("0008"), ("0009".to_owned(), true));
        assert_eq!(count("0009"), ("000a".to_owned(), true));
        assert_eq!(count("09ff"), ("0a00".to_owned(), true));
        assert_eq!(count("ffff"), ("0000".to_owned(), false));

        let now = Instant::now();
        let mut sequence = Sequence::starting(now);
        sequence.text[COUNTER..].fill(b'f');
        let last = sequence.text;
        let next = sequence.next(now);
        assert!(next > last);
        assert_eq!(millis_of(&id(&next)), millis_of(&id(&last)) + 1);
    }

    #[test]
    fn sequences_that_start_together_do_not_meet() {
        let now = Instant::now();
        let all: HashSet<_> = (0..100).flat_map(|_| ids(now, 0..100)).collect();
        assert_eq!(all.len(), 100 * 101);
        let starts: HashSet<_> = (0..1_000)
            .map(|_| starting_text(0)[14..18].to_vec())
            .collect();
        assert!(starts.len() > 500);
        assert!((0..1_000).all(|_| starting_text(0)[COUNTER] < b'8'));
    }

    #[test]
    fn the_ids_of_a_thread_are_one_sequence() {
        let ids: Vec<_> = (0..1_000).map(|_| next(Instant::now())).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }
}
