//! Converts errors that the application logs into system events.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use sea_orm_audit_core::{
    AuditConfig, EventType, EventWriter, SystemEvent, clean_text, is_writing_events,
};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The longest field that is stored, in characters.
const FIELD_LIMIT: usize = 1000;

/// A layer for `tracing-subscriber` that turns ERROR events, and WARN on request, into system events.
///
/// It stores message, target, file and line, and of the other fields those that are allowed by name: fields may
/// contain secrets. Equal events, by level, target and line, are one row that counts.
///
/// Events of this crate are included, except those of the event writer, those logged while it writes, and those that
/// are system events already. Of the slow statements that sqlx logs, those that name an audit table of the current
/// configuration are excluded: sqlx logs some of them on threads of its own, outside of the writer's scope, and each
/// would cause the next.
///
/// # Examples
/// ```
/// use sea_orm_audit_web::AuditTracingLayer;
/// use tracing_subscriber::layer::SubscriberExt;
/// let subscriber = tracing_subscriber::registry()
///     .with(AuditTracingLayer::new().field("order_id"));
/// # drop(subscriber);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing until it is part of a subscriber"]
pub struct AuditTracingLayer {
    level: Level,
    fields: Vec<String>,
    writer: Option<EventWriter>,
}

impl Default for AuditTracingLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl AuditTracingLayer {
    /// Errors only, without fields, for the installed [`EventWriter`].
    pub const fn new() -> Self {
        Self {
            level: Level::ERROR,
            fields: Vec::new(),
            writer: None,
        }
    }

    /// Warnings as well.
    pub const fn warnings(mut self) -> Self {
        self.level = Level::WARN;
        self
    }

    /// Stores the field with this name, too.
    pub fn field(mut self, name: impl Into<String>) -> Self {
        self.fields.push(name.into());
        self
    }

    /// Sets the writer of events, in place of the installed one.
    pub fn writer(mut self, writer: EventWriter) -> Self {
        self.writer = Some(writer);
        self
    }
}

/// Whether an event of this crate is excluded.
fn is_left_out(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    // Events of the writer, also while it does not write.
    target.starts_with("sea_orm_audit_core::event::writer")
        // Logged while the configuration is built, which an event would need.
        || target == "sea_orm_audit_core::config::builder"
        || target.starts_with("sea_orm_audit") && metadata.fields().field("system_event").is_some()
}

/// The target of the statements that sqlx logs.
const STATEMENTS: &str = "sqlx::query";

/// Whether a statement that sqlx logs uses an audit table.
fn is_on_audit_table(event: &Event<'_>) -> bool {
    let mut statement = Statement(String::new());
    event.record(&mut statement);
    let tables = AuditConfig::current().tables();
    let mut words = statement
        .0
        .split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
    let tables = [
        tables.log(),
        tables.login_attempt(),
        tables.data_export(),
        tables.system_event(),
    ];
    words.any(|word| tables.contains(&word))
}

/// The text of a statement. A long statement has its first words in one field, and the whole text in another.
struct Statement(String);

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        if matches!(field.name(), "summary" | "db.statement") {
            self.0.push_str(value);
            self.0.push(' ');
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if matches!(field.name(), "summary" | "db.statement") {
            // Writing to a string never fails.
            let _ = write!(self.0, "{value:?} ");
        }
    }
}

impl<S: Subscriber> Layer<S> for AuditTracingLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // Events from the crate `log` have their target and location in fields.
        let of_log = event.normalized_metadata();
        let metadata = of_log.as_ref().unwrap_or_else(|| event.metadata());
        // In tracing, a more serious level is the smaller one.
        if *metadata.level() > self.level || is_left_out(metadata) || is_writing_events() {
            return;
        }
        if metadata.target() == STATEMENTS && is_on_audit_table(event) {
            return;
        }
        let Some(writer) = self.writer.clone().or_else(EventWriter::installed) else {
            return;
        };
        let mut fields = Fields {
            allowed: &self.fields,
            message: String::new(),
            others: BTreeMap::new(),
        };
        event.record(&mut fields);
        let (kind, title) = if *metadata.level() == Level::ERROR {
            (EventType::Error, "the application logged an error")
        } else {
            (EventType::Warning, "the application logged a warning")
        };
        let mut system = SystemEvent::new(kind, title)
            .fingerprint(format!(
                "tracing\n{}\n{}\n{:?}\n{:?}",
                metadata.level(),
                metadata.target(),
                metadata.file(),
                metadata.line()
            ))
            .description(fields.message)
            .module(metadata.target());
        if let Some(line) = metadata.line() {
            system = system.line(line);
        }
        if let Some(file) = metadata.file() {
            system = system.metadata("file", file);
        }
        for (name, value) in fields.others {
            system = system.metadata(name, value);
        }
        writer.submit(system);
    }
}

struct Fields<'a> {
    allowed: &'a [String],
    message: String,
    others: BTreeMap<&'static str, String>,
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.wants(field) {
            self.keep(field, &format!("{value:?}"));
        }
    }
}

impl Fields<'_> {
    fn wants(&self, field: &Field) -> bool {
        field.name() == "message" || self.allowed.iter().any(|name| name == field.name())
    }

    fn keep(&mut self, field: &Field, value: &str) {
        if !self.wants(field) {
            return;
        }
        let value = clean_text(value, FIELD_LIMIT).into_owned();
        if field.name() == "message" {
            self.message = value;
        } else {
            self.others.insert(field.name(), value);
        }
    }
}
