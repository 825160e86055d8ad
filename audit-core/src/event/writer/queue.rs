//! The events that wait to be written, counted where they are equal, in bounded memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::stats::{COUNTERS, count_many};
use crate::system_event::{EventType, SystemEvent};

#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    waiting: Mutex<Waiting>,
    pub(super) news: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) events: HashMap<String, QueuedEvent>,
    /// How many events were submitted so far.
    pub(super) submitted: u64,
    /// How many events the full queue dropped since their number was last recorded.
    pub(super) dropped: u64,
    pub(super) warning: LineLimit,
    pub(super) closed: bool,
}

/// How many events were dropped, or refused, since that was last logged.
#[derive(Debug, Default)]
pub(super) struct LineLimit {
    count: u64,
    logged_at: Option<Instant>,
}

/// So often at most it is logged.
const PAUSE: Duration = Duration::from_secs(1);

impl LineLimit {
    /// Counts one. Once a second it returns the number.
    pub(super) fn count(&mut self, now: Instant) -> Option<u64> {
        self.add();
        self.due(now, false)
    }

    /// Counts one.
    pub(super) const fn add(&mut self) {
        self.count += 1;
    }

    /// Whether one waits to be logged, and none before it: the writer is to be woken for it.
    pub(super) const fn begins_to_wait(&self) -> bool {
        self.count == 1
    }

    /// When those that wait are to be logged, where there are any.
    pub(super) fn next(&self) -> Option<Instant> {
        self.logged_at
            .filter(|_| self.count > 0)
            .map(|logged| logged + PAUSE)
    }

    /// How many there were, once a second, and at the end.
    pub(super) fn due(&mut self, now: Instant, at_end: bool) -> Option<u64> {
        let age = self
            .logged_at
            .map(|logged| now.saturating_duration_since(logged));
        if self.count == 0 || !at_end && age.is_some_and(|age| age < PAUSE) {
            return None;
        }
        self.logged_at = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

impl Waiting {
    /// Whether no more different events of this kind should wait: an attack must not displace the system's own errors.
    fn has_enough_of(&self, event: &SystemEvent, capacity: usize) -> bool {
        let is_security = |event: &SystemEvent| event.kind() == EventType::Security;
        let half = capacity.div_ceil(2);
        is_security(event)
            && self.events.len() >= half
            && (self
                .events
                .values()
                .filter(|other| is_security(&other.event)))
            .count()
                >= half
    }
}

/// The events taken to be written.
pub(super) struct Drained {
    pub(super) batch: Vec<(String, QueuedEvent)>,
    /// How many events the full queue dropped.
    pub(super) dropped: u64,
    /// How many events were submitted until then.
    pub(super) submitted: u64,
    pub(super) closed: bool,
}

#[derive(Debug, Clone)]
pub(super) struct QueuedEvent {
    pub(super) event: SystemEvent,
    pub(super) times: i64,
    /// The first equal event since this one was taken to be written. It counts in another row when this one's row is
    /// too old by then.
    pub(super) next: Option<Box<SystemEvent>>,
    pub(super) is_taken: bool,
    /// Its place in the order of arrival.
    pub(super) number: u64,
    /// Whether it was tried at least once, and waits for the next try.
    pub(super) tried: bool,
    /// How often the database refused it while it accepted others.
    pub(super) refusals: u32,
}

impl QueuedEvent {
    /// Counts an equal one.
    fn count(&mut self, event: SystemEvent) {
        self.times += 1;
        if self.is_taken && self.next.is_none() {
            self.next = Some(Box::new(event));
        }
    }

    /// As it is now, to be written.
    fn take(&mut self) -> Self {
        // These are among those that are written now.
        (self.is_taken, self.next) = (true, None);
        self.clone()
    }
}

/// An event that the database refuses this often while it accepts others is dropped.
const MOST_REFUSALS: u32 = 3;

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            waiting: Mutex::default(),
            news: Notify::new(),
        }
    }

    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event; `false` where the queue is full.
    pub(super) fn add(&self, event: SystemEvent) -> bool {
        let print = event.stored_fingerprint();
        let mut waiting = self.waiting();
        if waiting.closed {
            return false;
        }
        waiting.submitted += 1;
        let number = waiting.submitted;
        let full =
            waiting.events.len() >= self.capacity || waiting.has_enough_of(&event, self.capacity);
        match waiting.events.entry(print) {
            Entry::Occupied(mut same) => same.get_mut().count(event),
            Entry::Vacant(_) if full => {
                waiting.dropped += 1;
                return false;
            }
            Entry::Vacant(place) => {
                place.insert(QueuedEvent {
                    event,
                    times: 1,
                    next: None,
                    is_taken: false,
                    number,
                    tried: false,
                    refusals: 0,
                });
            }
        }
        true
    }

    /// What is to be written now, oldest first, and how many events were dropped. Events that were refused before are
    /// included only when due, or at the end. An event keeps its place until it is written.
    pub(super) fn take(&self, due: bool) -> Drained {
        let mut waiting = self.waiting();
        let due = due || waiting.closed;
        let mut batch: Vec<(String, QueuedEvent)> = (waiting.events.iter_mut())
            .filter(|(_, event)| due || !event.tried)
            .map(|(print, event)| (print.clone(), event.take()))
            .collect();
        batch.sort_by_key(|(_, event)| event.number);
        let dropped = if due {
            std::mem::take(&mut waiting.dropped)
        } else {
            0
        };
        Drained {
            batch,
            dropped,
            submitted: waiting.submitted,
            closed: waiting.closed,
        }
    }

    /// Takes off what was written; what came meanwhile waits on.
    pub(super) fn written(&self, print: &str, times: i64) {
        let mut waiting = self.waiting();
        if let Some(counted) = waiting.events.get_mut(print) {
            counted.times -= times;
            counted.tried = false;
            counted.refusals = 0;
            if counted.times == 0 {
                waiting.events.remove(print);
            } else if let Some(next) = counted.next.take() {
                counted.event = *next;
                counted.is_taken = false;
            }
        }
    }

    /// Records that the database refused events while it accepted others; drops some of them.
    pub(super) fn refused(&self, prints: &[String]) {
        let mut lost = Vec::new();
        {
            let mut waiting = self.waiting();
            for print in prints {
                if let Entry::Occupied(mut counted) = waiting.events.entry(print.clone()) {
                    counted.get_mut().refusals += 1;
                    if counted.get().refusals >= MOST_REFUSALS {
                        lost.push(counted.remove());
                    }
                }
            }
        }
        lost.iter().for_each(discard);
    }
}

/// Logs how many events were dropped.
pub(super) fn warn_of_dropped(dropped: u64) {
    tracing::warn!(
        dropped,
        "system events were dropped: too many wait to be written, or the writer has ended"
    );
}

pub(super) fn discard(event: &QueuedEvent) {
    count_many(&COUNTERS.events_dropped, event.times.unsigned_abs());
    tracing::error!(event = ?event.event, "a system event is given up");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal_event(request: &str) -> SystemEvent {
        let event = SystemEvent::new(EventType::Error, "a flood").request_id(request);
        event.in_current_context()
    }

    /// What one round would write: of each event the request, and how often.
    fn take(queue: &Queue) -> Vec<(String, i64)> {
        let taken = queue.take(true).batch.into_iter();
        let request = |event: SystemEvent| event.request().unwrap_or_default().to_owned();
        taken
            .map(|(_, counted)| (request(counted.event), counted.times))
            .collect()
    }

    #[test]
    fn dropped_events_are_logged_once_a_second_with_their_number() {
        let (mut warning, now) = (LineLimit::default(), Instant::now());
        let mut after = |millis| warning.count(now + Duration::from_millis(millis));
        let logged: Vec<_> = [0, 0, 1, 999, 1_000, 1_001, 2_500].map(&mut after).into();
        assert_eq!(logged, [Some(1), None, None, None, Some(4), None, Some(2)]);
        // Later drops are logged on the writer's next round, and at the end.
        let millis = |millis| now + Duration::from_millis(millis);
        assert_eq!((warning.next(), warning.begins_to_wait()), (None, false));
        assert_eq!(warning.count(millis(2_600)), None);
        let next = Some(millis(3_500));
        assert_eq!((warning.next(), warning.begins_to_wait()), (next, true));
        assert_eq!(warning.due(millis(2_700), false), None);
        assert_eq!(warning.due(millis(3_500), false), Some(1));
        assert_eq!(warning.count(millis(3_600)), None);
        assert_eq!(warning.due(millis(3_600), true), Some(1));
        assert_eq!(warning.due(millis(9_000), true), None);
    }

    /// Else a flood that continues while it is written would be one row, of its first moment, for ever.
    #[test]
    fn event_during_the_write_of_an_equal_one_has_its_own_time() {
        let queue = Queue::new(8);
        let print = equal_event("").stored_fingerprint();
        let add = |requests: &[&str]| {
            for request in requests {
                assert!(queue.add(equal_event(request)));
            }
        };
        add(&["1", "2"]);
        assert_eq!(take(&queue), [("1".to_owned(), 2)]);
        add(&["3", "4"]);
        queue.written(&print, 2);
        assert_eq!(take(&queue), [("3".to_owned(), 2)]);
        // That was refused: the next try is all of it, with what came meanwhile.
        add(&["5"]);
        assert_eq!(take(&queue), [("3".to_owned(), 3)]);
        add(&["6"]);
        queue.written(&print, 3);
        assert_eq!(take(&queue), [("6".to_owned(), 1)]);
        queue.written(&print, 1);
        assert_eq!(take(&queue), []);
    }
}
