//! The task that writes events, one round after the other.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::ConnectionTrait;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::queue::{Drained, Queue, QueuedEvent, discard, warn_of_dropped};
use super::refusals::Refusals;
use crate::record::is_unavailable;
use crate::system_event::{EventType, SystemEvent};

/// After this many failed tries in a row to reach the database, the other events are not tried.
const ENOUGH: usize = 3;

/// So many new events are written in one statement: of 20 values each, and SQLite takes 32,766.
const TOGETHER: usize = 100;

/// What the task has.
pub(super) struct Worker<C> {
    pub(super) db: C,
    pub(super) window: Duration,
    pub(super) retry_interval: Duration,
    pub(super) queue: Arc<Queue>,
    pub(super) refusals: Refusals,
    /// Notified with the number of the newest processed event.
    pub(super) written: watch::Sender<u64>,
}

/// What became of a round of events.
#[derive(Default)]
struct Round {
    /// Those that the database refused.
    refused: Vec<String>,
    /// Whether the database accepted any.
    taken: bool,
    /// Whether any is to be tried again.
    failed: bool,
    /// Whether the database could not be reached in the end.
    away: bool,
}

impl<C> Drop for Worker<C> {
    /// Events after the end, be it a panic's or the runtime's, are refused and not queued.
    fn drop(&mut self) {
        let left = {
            let mut waiting = self.queue.waiting();
            waiting.closed = true;
            std::mem::take(&mut waiting.events)
        };
        // Without the lock: this is logged, and a subscriber may submit events.
        left.values().for_each(discard);
    }
}

impl<C: ConnectionTrait + Send + Sync + 'static> Worker<C> {
    pub(super) async fn run(mut self) {
        // When what was refused is tried again.
        let mut again: Option<Instant> = None;
        let mut taken = false;
        loop {
            let due = again.is_none_or(|again| again <= Instant::now());
            let Drained {
                batch,
                dropped,
                submitted,
                closed,
            } = self.queue.take(due);
            let mut round = self.write(batch).await;
            let mut waits = round.failed;
            if dropped > 0 && !round.away {
                waits |= !self.record_dropped(dropped, &mut round).await;
            } else {
                self.queue.waiting().dropped += dropped;
            }
            self.log_dropped(closed);
            self.refusals.log(closed);
            taken |= round.taken;
            if due && taken {
                // The database is reachable: what it refuses nevertheless, it may refuse for ever.
                self.queue.refused(&round.refused);
                taken = false;
            }
            self.written.send_replace(submitted);
            if closed {
                return;
            }
            if due {
                again = None;
            }
            if waits {
                again.get_or_insert_with(|| Instant::now() + self.retry_interval);
            }
            match again {
                // Do not ask it for every event that comes meanwhile.
                Some(again) if round.away => self.sleep(again).await,
                again => {
                    self.news(again).await;
                }
            }
        }
    }

    /// Waits for events, and no longer than until then; returns whether there were any. Logs dropped and refused events
    /// meanwhile.
    async fn news(&mut self, until: Option<Instant>) -> bool {
        loop {
            let dropped = self.queue.waiting().warning.next();
            let dropped = dropped.map(Instant::from_std);
            let refused = self.refusals.next().map(Instant::from_std);
            // A permit is kept for what came before.
            let news = self.queue.news.notified();
            let Some(end) = [until, dropped, refused].into_iter().flatten().min() else {
                news.await;
                return true;
            };
            if timeout_at(end, news).await.is_ok() {
                return true;
            }
            self.log_dropped(false);
            self.refusals.log(false);
            if until.is_some_and(|until| until <= Instant::now()) {
                return false;
            }
        }
    }

    /// Logs how many events were dropped, once a second, and at the end.
    fn log_dropped(&self, at_end: bool) {
        let mut waiting = self.queue.waiting();
        let dropped = waiting.warning.due(std::time::Instant::now(), at_end);
        // Without the lock: a subscriber may submit events.
        drop(waiting);
        if let Some(dropped) = dropped {
            warn_of_dropped(dropped);
        }
    }

    /// Waits before the next try, or until the writer is shut down.
    async fn sleep(&mut self, until: Instant) {
        while !self.queue.waiting().closed {
            if !self.news(Some(until)).await {
                return;
            }
            // A flush does not wait for an unavailable database.
            let submitted = self.queue.waiting().submitted;
            self.written.send_replace(submitted);
        }
    }

    /// Writes events: new ones together, and one by one those that count up a row, or that the database
    /// does not take together.
    async fn write(&mut self, batch: Vec<(String, QueuedEvent)>) -> Round {
        let (mut round, mut one_by_one) = (Round::default(), Vec::new());
        let mut batch = batch.into_iter().peekable();
        while batch.peek().is_some() {
            let some: Vec<_> = batch.by_ref().take(TOGETHER).collect();
            let there = self.write_together(&some).await;
            for (print, counted) in some {
                match &there {
                    Some(there) if !there.contains(&print) => {
                        self.queue.written(&print, counted.times);
                        round.taken = true;
                    }
                    // Single writes show which of them was refused.
                    _ => one_by_one.push((print, counted)),
                }
            }
        }
        self.write_one_by_one(one_by_one, round).await
    }

    /// Writes those that are new. Returns those that are not; `None` where that failed.
    async fn write_together(&self, events: &[(String, QueuedEvent)]) -> Option<HashSet<String>> {
        if events.len() < 2 {
            return None;
        }
        let events = (events.iter()).map(|(_, counted)| (counted.event.clone(), counted.times));
        SystemEvent::insert_new(&self.db, events.collect(), self.window)
            .await
            .ok()
    }

    async fn write_one_by_one(
        &mut self,
        batch: Vec<(String, QueuedEvent)>,
        mut round: Round,
    ) -> Round {
        let mut unreachable = 0;
        for (print, counted) in batch {
            let times = counted.times;
            let written = counted
                .event
                .count_or_insert(&self.db, times, self.window)
                .await;
            match written {
                Ok(_) => {
                    self.queue.written(&print, times);
                    (round.taken, unreachable) = (true, 0);
                }
                Err(error) => {
                    round.failed = true;
                    if let Some(counted) = self.queue.waiting().events.get_mut(&print) {
                        counted.tried = true;
                    }
                    // A database that answers may accept the next event.
                    if error.cause().is_none_or(is_unavailable) {
                        unreachable += 1;
                    } else {
                        unreachable = 0;
                        round.refused.push(print);
                    }
                    self.refusals.add(error);
                    if unreachable >= ENOUGH {
                        break;
                    }
                }
            }
        }
        round.away = unreachable > 0;
        round
    }

    /// Writes how many events were dropped; returns `false`, and retries later, when that is refused.
    async fn record_dropped(&self, dropped: u64, round: &mut Round) -> bool {
        let title = "system events were dropped: too many waited to be written";
        let times = i64::try_from(dropped).unwrap_or(i64::MAX);
        let written = SystemEvent::new(EventType::Maintenance, title)
            .count_or_insert(&self.db, times, self.window)
            .await;
        match written {
            Ok(_) => {
                round.taken = true;
                true
            }
            Err(error) => {
                tracing::error!(%error, dropped, "that system events were dropped cannot be written");
                self.queue.waiting().dropped += dropped;
                false
            }
        }
    }
}
