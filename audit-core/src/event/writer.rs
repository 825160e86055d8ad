//! Writes system events in the background.
//!
//! Whoever submits an event waits for nothing and fails at nothing. Equal events are counted where they
//! wait, so that a flood takes no room; the room for different ones is bounded, and what finds none is
//! counted, reported through `tracing` once a second, and in the end on record itself. What the database refuses waits
//! for the next try.

mod worker;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use tokio::sync::{Notify, watch};

use super::system::{EventType, SystemEvent, WINDOW};
use crate::bound::Bound;
use crate::config::AuditConfig;
use crate::context::scoped_config;
use crate::stats::{COUNTERS, count, count_many};
use worker::Worker;

tokio::task_local! {
    /// Raised while events are written, so that nothing that this logs becomes an event.
    static WRITING: ();
}

/// Whether the current task is the one that writes events, or is told that one was dropped.
#[doc(hidden)]
#[must_use]
pub fn is_writing_events() -> bool {
    WRITING.try_with(|()| ()).is_ok()
}

/// The writer of the process.
static INSTALLED: RwLock<Option<EventWriter>> = RwLock::new(None);

/// Gathers an [`EventWriter`].
#[derive(Debug, Clone)]
#[must_use = "a writer does nothing until it is started"]
pub struct EventWriterBuilder<C> {
    db: C,
    capacity: usize,
    window: Duration,
    patience: Duration,
}

impl<C: ConnectionTrait + Send + Sync + 'static> EventWriterBuilder<C> {
    /// How many different events may wait, 1,024 by default; SECURITY events at most half as many.
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = events.max(1);
        self
    }

    /// How long equal events are counted in one row, from the first on. An hour by default.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How long the writer waits before it tries again what the database refused, 5 s by default.
    pub fn retry_after(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts the writer as a task of the current Tokio runtime.
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime.
    #[must_use = "the writer ends when its last handle is dropped"]
    pub fn start(self) -> EventWriter {
        let (written, seen) = watch::channel(0);
        let queue = Arc::new(Queue {
            capacity: self.capacity,
            waiting: Mutex::default(),
            news: Notify::new(),
        });
        let worker = Worker {
            db: self.db,
            window: self.window,
            patience: self.patience,
            queue: Arc::clone(&queue),
            written,
        };
        // How the tables are called: what is bound to the connection says it, else the scope.
        let mut bound = Bound::to(&worker.db);
        bound.config = bound.config.or_else(scoped_config);
        tokio::spawn(bound.scope(WRITING.scope((), worker.run())));
        EventWriter(Arc::new(Handle { queue, seen }))
    }
}

/// A handle on the task that writes system events. Cheap to clone.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::{EventType, EventWriter, SystemEvent};
/// # use sea_orm::DatabaseConnection;
/// # async fn serve(db: DatabaseConnection) {
/// let writer = EventWriter::start(db);
/// writer.install(); // what has no writer of its own uses this one
/// writer.submit(SystemEvent::new(EventType::Info, "the server started"));
/// // .. and before the process ends:
/// writer.shutdown().await;
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct EventWriter(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    queue: Arc<Queue>,
    /// The number of the newest event that was seen to.
    seen: watch::Receiver<u64>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.waiting().closed = true;
        self.queue.news.notify_one();
    }
}

#[derive(Debug)]
struct Queue {
    capacity: usize,
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: HashMap<String, Counted>,
    /// How many events were submitted so far.
    submitted: u64,
    /// How many found no room since that was last on record.
    dropped: u64,
    untold: Untold,
    closed: bool,
}

/// How many events were dropped since that was last logged.
#[derive(Debug, Default)]
struct Untold {
    dropped: u64,
    told: Option<Instant>,
}

impl Untold {
    /// Counts one. Once a second it says how many there were.
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.dropped += 1;
        self.due(now, false)
    }

    /// How many there were, once a second, and at the end.
    fn due(&mut self, now: Instant, at_end: bool) -> Option<u64> {
        const PAUSE: Duration = Duration::from_secs(1);
        let age = self.told.map(|told| now.saturating_duration_since(told));
        if self.dropped == 0 || !at_end && age.is_some_and(|age| age < PAUSE) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.dropped))
    }
}

impl Waiting {
    /// Whether no more different events of this kind should wait: what attackers do must not leave the
    /// system's own errors without room.
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

/// What is taken off to be written.
struct Taken {
    batch: Vec<(String, Counted)>,
    /// How many found no room.
    dropped: u64,
    /// How many events were submitted until then.
    submitted: u64,
    closed: bool,
}

#[derive(Debug, Clone)]
struct Counted {
    event: SystemEvent,
    times: i64,
    /// The first equal one that came since this was taken to be written. It counts in another row where this one's is
    /// too old by then.
    next: Option<Box<SystemEvent>>,
    is_taken: bool,
    /// Its place in the order of arrival.
    number: u64,
    /// Whether it was tried at least once, and waits for the next try.
    tried: bool,
    /// How often the database refused it while it took others.
    refusals: u32,
}

impl Counted {
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

/// An event that the database refuses so often while it takes others is given up.
const MOST_REFUSALS: u32 = 3;
impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what has happened; `false` where there is no room.
    fn add(&self, event: SystemEvent) -> bool {
        let print = event.print();
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
                place.insert(Counted {
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

    /// What is to be written now, oldest first, and how many events were dropped: what was refused
    /// before only when that is due, or at the end. It keeps its room until it is written.
    fn take(&self, due: bool) -> Taken {
        let mut waiting = self.waiting();
        let due = due || waiting.closed;
        let mut batch: Vec<(String, Counted)> = (waiting.events.iter_mut())
            .filter(|(_, event)| due || !event.tried)
            .map(|(print, event)| (print.clone(), event.take()))
            .collect();
        batch.sort_by_key(|(_, event)| event.number);
        let dropped = if due {
            std::mem::take(&mut waiting.dropped)
        } else {
            0
        };
        Taken {
            batch,
            dropped,
            submitted: waiting.submitted,
            closed: waiting.closed,
        }
    }

    /// Takes off what was written; what came meanwhile waits on.
    fn written(&self, print: &str, times: i64) {
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

    /// Notes that the database refused events while it took others; some are given up.
    fn refused(&self, prints: &[String]) {
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
        lost.iter().for_each(lose);
    }
}

impl EventWriter {
    /// Starts a writer that uses this connection, with the defaults.
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime.
    pub fn start<C: ConnectionTrait + Send + Sync + 'static>(db: C) -> Self {
        Self::builder(db).start()
    }

    /// Begins a writer that uses this connection.
    pub fn builder<C: ConnectionTrait + Send + Sync + 'static>(db: C) -> EventWriterBuilder<C> {
        EventWriterBuilder {
            db,
            capacity: 1024,
            window: WINDOW,
            patience: Duration::from_secs(5),
        }
    }

    /// Makes this the writer of the process, in place of the one before. Migration mode, changes of the
    /// configuration and panics are reported to it; what there was of the first two before any writer was installed,
    /// up to 64 events, it writes now.
    pub fn install(&self) {
        let early = {
            // Whoever reports meanwhile either is early or finds this one.
            let mut early = EARLY.lock().unwrap_or_else(PoisonError::into_inner);
            *INSTALLED.write().unwrap_or_else(PoisonError::into_inner) = Some(self.clone());
            std::mem::take(&mut *early)
        };
        for event in early {
            self.take(event);
        }
    }

    /// The writer of the process, where one is installed.
    #[must_use]
    pub fn installed() -> Option<Self> {
        INSTALLED
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Hands an event over, to be written soon. Actor, address and request are taken from the context
    /// that applies here, unless the event states them.
    ///
    /// Never waits. Returns `false` when there was no room, or the writer has been shut down; that is
    /// counted in `AuditStats::events_dropped`.
    #[allow(clippy::must_use_candidate)] // there is mostly nothing that one could do
    pub fn submit(&self, event: SystemEvent) -> bool {
        if is_writing_events() {
            return false;
        }
        self.take(event.in_current_context())
    }

    /// Takes an event that says where it comes from.
    fn take(&self, event: SystemEvent) -> bool {
        let taken = self.0.queue.add(event);
        if taken {
            self.0.queue.news.notify_one();
        } else {
            count(&COUNTERS.events_dropped);
            let untold = self.0.queue.waiting().untold.count(Instant::now());
            if let Some(dropped) = untold {
                // Whoever makes events of warnings must not make one of this.
                WRITING.sync_scope((), || tell_of(dropped));
            }
        }
        taken
    }

    /// Waits until everything that was submitted so far has been written, or refused by the database
    /// once. Returns at once when the writer has ended. While the database cannot be reached it takes as long
    /// as the connection waits for it; bound it with `tokio::time::timeout` where that is too long.
    pub async fn flush(&self) {
        let submitted = self.0.queue.waiting().submitted;
        let mut seen = self.0.seen.clone();
        self.0.queue.news.notify_one();
        // An error means that the writer has ended.
        let _ = seen.wait_for(|seen| *seen >= submitted).await;
    }

    /// Ends the writer, with all its handles, after everything that was submitted so far has been
    /// written, or refused by the database. As with [`flush`](Self::flush), that may take as long as the
    /// connection waits for a database that is away.
    pub async fn shutdown(&self) {
        if let Some(event) = AuditConfig::current().suppressed_so_far() {
            self.submit(event);
        }
        self.0.queue.waiting().closed = true;
        self.0.queue.news.notify_one();
        let mut seen = self.0.seen.clone();
        // Fails when the writer has ended.
        while seen.changed().await.is_ok() {}
    }
}

/// What was reported before any writer was installed.
static EARLY: Mutex<Vec<SystemEvent>> = Mutex::new(Vec::new());

/// So many events wait for the first writer. An application installs it when it starts, or never.
const MOST_EARLY: usize = 64;

/// Submits an event to the writer of the process, or keeps it for the first one.
#[doc(hidden)]
pub fn report(event: SystemEvent) {
    let event = event.in_current_context();
    let mut early = EARLY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(writer) = EventWriter::installed() {
        drop(early);
        writer.take(event);
    } else if early.len() < MOST_EARLY {
        early.push(event);
    } else {
        count(&COUNTERS.events_dropped);
    }
}

fn tell_of(dropped: u64) {
    tracing::warn!(
        dropped,
        "system events were dropped: too many wait to be written, or the writer has ended"
    );
}

fn lose(event: &Counted) {
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
        let told = |event: SystemEvent| event.request().unwrap_or_default().to_owned();
        taken
            .map(|(_, counted)| (told(counted.event), counted.times))
            .collect()
    }

    #[test]
    fn what_was_dropped_is_told_once_a_second_with_its_number() {
        let (mut untold, now) = (Untold::default(), Instant::now());
        let mut after = |millis| untold.count(now + Duration::from_millis(millis));
        let told: Vec<_> = [0, 0, 1, 999, 1_000, 1_001, 2_500].map(&mut after).into();
        assert_eq!(told, [Some(1), None, None, None, Some(4), None, Some(2)]);
        // What comes after that is told when the writer comes round, and at the end.
        let millis = |millis| now + Duration::from_millis(millis);
        assert_eq!(untold.count(millis(2_600)), None);
        assert_eq!(untold.due(millis(2_700), false), None);
        assert_eq!(untold.due(millis(3_500), false), Some(1));
        assert_eq!(untold.count(millis(3_600)), None);
        assert_eq!(untold.due(millis(3_600), true), Some(1));
        assert_eq!(untold.due(millis(9_000), true), None);
    }

    /// Else a flood that goes on while it is written would be one row, of its first moment, for ever.
    #[test]
    fn what_comes_while_an_equal_event_is_written_is_an_event_of_its_own_time() {
        let queue = Queue {
            capacity: 8,
            waiting: Mutex::default(),
            news: Notify::new(),
        };
        let print = equal_event("").print();
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
