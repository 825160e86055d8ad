//! Writes system events in the background.
//!
//! A caller that submits an event never waits and never fails. The queue counts equal events, so that a flood takes no
//! memory; it limits the number of different ones. Events beyond the limit are counted, reported through `tracing` once
//! a second, and in the end recorded. Events that the database refuses wait for the next try,
//! which is logged once a second.

mod queue;
mod refusals;
mod worker;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use tokio::sync::watch;

use super::system::WINDOW;
use crate::binding::Binding;
use crate::config::AuditConfig;
use crate::context::scoped_config;
use crate::stats::{COUNTERS, count};
use crate::system_event::{SystemEvent, WRITING, install_sink, is_writing_events};
use queue::{Queue, warn_of_dropped};
use refusals::Refusals;
use worker::Worker;

/// The writer of the process.
static INSTALLED: RwLock<Option<EventWriter>> = RwLock::new(None);

/// Gathers an [`EventWriter`].
#[derive(Debug, Clone)]
#[must_use = "a writer does nothing until it is started"]
pub struct EventWriterBuilder<C> {
    db: C,
    capacity: usize,
    window: Duration,
    retry_interval: Duration,
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
    pub fn retry_after(mut self, retry_interval: Duration) -> Self {
        self.retry_interval = retry_interval;
        self
    }

    /// Starts the writer as a task of the current Tokio runtime.
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime.
    #[must_use = "the writer ends when its last handle is dropped"]
    pub fn start(self) -> EventWriter {
        let (written, seen) = watch::channel(0);
        let queue = Arc::new(Queue::new(self.capacity));
        let worker = Worker {
            db: self.db,
            window: self.window,
            retry_interval: self.retry_interval,
            queue: Arc::clone(&queue),
            refusals: Refusals::default(),
            written,
        };
        // The tables' names: from the binding of the connection, else from the scope.
        let mut bound = Binding::to(&worker.db);
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
    /// The number of the newest processed event.
    seen: watch::Receiver<u64>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.waiting().closed = true;
        self.queue.news.notify_one();
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
            retry_interval: Duration::from_secs(5),
        }
    }

    /// Makes this the writer of the process, in place of the one before. Migration mode, changes of the configuration
    /// and panics are reported to it. It now writes those of the first two that occurred before any writer was
    /// installed, up to 64 events.
    pub fn install(&self) {
        let early = {
            // Both change together: of two writers that are installed at once, one is the process's.
            let mut installed = INSTALLED.write().unwrap_or_else(PoisonError::into_inner);
            *installed = Some(self.clone());
            let writer = self.clone();
            install_sink(move |event| {
                writer.take(event);
            })
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

    /// Submits an event, to be written soon. Actor, address and request are taken from the context that applies here,
    /// unless the event states them.
    ///
    /// Never waits. Returns `false` when the queue is full, or the writer has been shut down;
    /// `AuditStats::events_dropped` counts that.
    #[allow(clippy::must_use_candidate)] // there is mostly nothing that one could do
    pub fn submit(&self, event: SystemEvent) -> bool {
        if is_writing_events() {
            return false;
        }
        self.take(event.in_current_context())
    }

    /// Queues an event that has its own context.
    fn take(&self, event: SystemEvent) -> bool {
        let taken = self.0.queue.add(event);
        if taken {
            self.0.queue.news.notify_one();
        } else {
            count(&COUNTERS.events_dropped);
            let (due, begins_to_wait) = {
                let warning = &mut self.0.queue.waiting().warning;
                (warning.count(Instant::now()), warning.begins_to_wait())
            };
            if let Some(dropped) = due {
                // A subscriber that makes events of warnings must not make one of this.
                WRITING.sync_scope((), || warn_of_dropped(dropped));
            } else if begins_to_wait {
                // It logs these when the second is over, also where no further one is submitted.
                self.0.queue.news.notify_one();
            }
        }
        taken
    }

    /// Waits until everything that was submitted so far has been written, or refused by the database once. Returns at
    /// once when the writer has ended. While the database is unavailable it takes as long as the connection waits for
    /// it; limit it with `tokio::time::timeout` where that is too long.
    pub async fn flush(&self) {
        let submitted = self.0.queue.waiting().submitted;
        let mut seen = self.0.seen.clone();
        self.0.queue.news.notify_one();
        // An error means that the writer has ended.
        let _ = seen.wait_for(|seen| *seen >= submitted).await;
    }

    /// Ends the writer, with all its handles, after everything that was submitted so far has been written, or refused
    /// by the database. As with [`flush`](Self::flush), that may take as long as the connection waits for an
    /// unavailable database.
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
