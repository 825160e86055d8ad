//! System events as data, and where they are reported: to the installed [`EventWriter`](crate::EventWriter), or the
//! first one that is installed later.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::prelude::{DateTimeUtc, Json};
use serde_json::Map;

use crate::actor::Actor;
use crate::config::AuditConfig;
use crate::context::AuditContext;
use crate::hash::digest;
use crate::stats::{COUNTERS, count};

/// What kind of event the system had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventType {
    /// Something failed.
    Error,
    /// Something may fail, or deviates from the expected.
    Warning,
    /// Useful information.
    Info,
    /// Something that an attacker does.
    Security,
    /// Something took too long.
    Performance,
    /// Something was done to the system: migration mode, another configuration.
    Maintenance,
}

impl EventType {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Info => "INFO",
            Self::Security => "SECURITY",
            Self::Performance => "PERFORMANCE",
            Self::Maintenance => "MAINTENANCE",
        }
    }
}

/// An event of the system, to be recorded.
///
/// Actor, address and request come from the current [`AuditContext`], unless they are set here.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::{AuditError, EventType, SystemEvent};
/// # use sea_orm::DatabaseConnection;
/// # async fn warn(db: &DatabaseConnection) -> Result<(), AuditError> {
/// SystemEvent::new(EventType::Warning, "the disk is nearly full")
///     .description("92 % of /var are used")
///     .metadata("free_bytes", 12_000_000)
///     .record(db)
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "an event is recorded only when `record` is awaited, or when it is submitted to a writer"]
pub struct SystemEvent {
    pub(crate) kind: EventType,
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) module: Option<String>,
    pub(crate) function: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) error_code: Option<String>,
    pub(crate) stack_trace: Option<String>,
    pub(crate) fingerprint: Option<String>,
    pub(crate) occurred_at: Option<DateTimeUtc>,
    pub(crate) context: AuditContext,
    pub(crate) metadata: Map<String, Json>,
}

impl SystemEvent {
    /// An event with a title, which should be the same for all events of the kind: what differs from
    /// one to the next belongs into the description.
    pub fn new(kind: EventType, title: impl Into<String>) -> Self {
        Self {
            kind,
            title: title.into(),
            description: None,
            module: None,
            function: None,
            line: None,
            error_code: None,
            stack_trace: None,
            fingerprint: None,
            occurred_at: None,
            context: AuditContext::new(),
            metadata: Map::new(),
        }
    }

    /// What happened, at length; stored to 32,000 characters.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// The module it happened in.
    pub fn module(mut self, module: impl Into<String>) -> Self {
        self.module = Some(module.into());
        self
    }

    /// The function it happened in.
    pub fn function(mut self, function: impl Into<String>) -> Self {
        self.function = Some(function.into());
        self
    }

    /// The line it happened in.
    pub fn line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    /// The error's code.
    pub fn error_code(mut self, code: impl Into<String>) -> Self {
        self.error_code = Some(code.into());
        self
    }

    /// The stack trace; stored to 32,000 characters.
    pub fn stack_trace(mut self, trace: impl Into<String>) -> Self {
        self.stack_trace = Some(trace.into());
        self
    }

    /// Whom it happened to, in place of the context's actor.
    pub fn actor(mut self, actor: Actor) -> Self {
        self.context.actor = Some(actor);
        self
    }

    /// The client's address, in place of the context's.
    pub fn ip_address(mut self, address: IpAddr) -> Self {
        self.context = self.context.ip_address(address);
        self
    }

    /// The request's id, in place of the context's.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.context.request_id = Some(id.into());
        self
    }

    /// What equal events have in common, and others not. By default kind, title, module, line and
    /// error code.
    pub fn fingerprint(mut self, text: impl AsRef<str>) -> Self {
        self.fingerprint = Some(digest(text.as_ref()));
        self
    }

    /// Adds an application-defined value. Values behind names that look like secrets are replaced when they are stored.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Json>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Takes missing fields from a context.
    #[cfg(feature = "statements")]
    pub(crate) fn in_context(mut self, context: AuditContext) -> Self {
        self.context = self.context.or(&context);
        self
    }

    /// Takes missing fields from the context that applies here, and the time from the configuration, and removes the
    /// secrets: the task that writes the event later may have another configuration.
    pub(crate) fn in_current_context(mut self) -> Self {
        let config = AuditConfig::current();
        self.context = self.context.or(&AuditContext::current());
        self.occurred_at = Some(config.now());
        let metadata = Json::Object(std::mem::take(&mut self.metadata));
        if let Json::Object(metadata) = config.without_secrets(metadata) {
            self.metadata = metadata;
        }
        self
    }

    #[cfg(test)]
    pub(crate) fn request(&self) -> Option<&str> {
        self.context.get_request_id()
    }

    pub(crate) const fn kind(&self) -> EventType {
        self.kind
    }

    /// What is stored as the fingerprint.
    pub(crate) fn stored_fingerprint(&self) -> String {
        match &self.fingerprint {
            Some(print) => print.clone(),
            None => digest(&format!(
                "{}\n{}\n{:?}\n{:?}\n{:?}",
                self.kind.as_str(),
                self.title,
                self.module,
                self.line,
                self.error_code
            )),
        }
    }
}

impl fmt::Debug for SystemEvent {
    /// Leaves out what may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemEvent")
            .field("kind", &self.kind)
            .field("title", &self.title)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

tokio::task_local! {
    /// Set while events are written, so that nothing that this logs becomes an event.
    pub(crate) static WRITING: ();
}

/// Whether the current task is the one that writes events, or logs that one was dropped.
#[doc(hidden)]
#[must_use]
pub fn is_writing_events() -> bool {
    WRITING.try_with(|()| ()).is_ok()
}

/// The receiver of reported events.
type Sink = Arc<dyn Fn(SystemEvent) + Send + Sync>;

/// The receiver of events, and those that were reported before any writer was installed.
struct Reports {
    sink: Option<Sink>,
    early: Vec<SystemEvent>,
}

static REPORTS: Mutex<Reports> = Mutex::new(Reports {
    sink: None,
    early: Vec::new(),
});

/// This many events wait for the first writer. An application installs it when it starts, or never.
const MOST_EARLY: usize = 64;

/// Sends reported events to this sink from now on. Returns those that were reported before any sink.
pub(crate) fn install_sink(sink: impl Fn(SystemEvent) + Send + Sync + 'static) -> Vec<SystemEvent> {
    let mut reports = REPORTS.lock().unwrap_or_else(PoisonError::into_inner);
    reports.sink = Some(Arc::new(sink));
    std::mem::take(&mut reports.early)
}

/// Submits an event to the writer of the process, or keeps it for the first one.
#[doc(hidden)]
pub fn report(event: SystemEvent) {
    let event = event.in_current_context();
    let mut reports = REPORTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sink) = reports.sink.clone() {
        // Without the lock: what the sink logs may be reported, too.
        drop(reports);
        sink(event);
    } else if reports.early.len() < MOST_EARLY {
        reports.early.push(event);
    } else {
        count(&COUNTERS.events_dropped);
    }
}

/// Submits an event to the writer of the process, where one is installed and this is not its own task.
pub(crate) fn submit_installed(event: SystemEvent) {
    if is_writing_events() {
        return;
    }
    let sink = (REPORTS.lock().unwrap_or_else(PoisonError::into_inner))
        .sink
        .clone();
    if let Some(sink) = sink {
        sink(event.in_current_context());
    }
}
