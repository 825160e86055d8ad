//! The route of a statement: straight to the database, captured, reported, or refused.
//!
//! One file, because the route of a statement is one decision.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use crate::action::Source;
use crate::binding::Binding;
use crate::capture::{Affected, CaptureTarget, Gap, ServerInfo};
use crate::config::{AuditConfig, StatementPolicy};
use crate::context::AuditContext;
use crate::error::AuditError;
use crate::exec_method::ExecMethod;
use crate::sql::{
    ParsedStatement, TableName, Unsupported, Write, must_be_first, outline_of, placeholders,
    understand,
};
use crate::stats::{COUNTERS, count};
use crate::system_event::{EventType, SystemEvent};
use crate::transaction_state::Frames;
use crate::transaction_state::UncapturedStatement;

/// The route of a statement.
pub(super) enum Route {
    Straight,
    Captured(Captured),
    Uncaptured(UncapturedStatement),
}

/// The data needed to capture a statement, determined when it is run.
pub(super) struct Captured {
    pub(super) config: AuditConfig,
    pub(super) context: AuditContext,
    pub(super) source: Source,
    understood: Arc<ParsedStatement>,
    /// What is recorded of each part.
    audited: Vec<Option<CaptureTarget>>,
}

impl Captured {
    /// The parts of several statements with their texts, or the only one; and what is recorded of each.
    pub(super) fn parts(
        &self,
    ) -> impl Iterator<Item = (Option<&str>, &ParsedStatement, Option<&CaptureTarget>)> {
        let parts: Vec<(Option<&str>, &ParsedStatement)> = match self.understood.as_ref() {
            ParsedStatement::Batch(parts) => parts
                .iter()
                .map(|(sql, part)| (Some(sql.as_str()), part))
                .collect(),
            only => vec![(None, only)],
        };
        (parts.into_iter().zip(&self.audited))
            .map(|((sql, part), audited)| (sql, part, audited.as_ref()))
    }
}

impl Captured {
    /// The report if it is not captured, unless only triggers record it.
    pub(super) fn reported(
        &self,
        why: &'static str,
        outline: impl FnOnce() -> String,
    ) -> Option<UncapturedStatement> {
        let write = self.parts().find_map(|(_, part, audited)| match part {
            ParsedStatement::Write(write) if audited.is_some_and(CaptureTarget::is_captured) => {
                Some(write)
            }
            _ => None,
        })?;
        Some(UncapturedStatement::of_write(self, write, why, &outline()))
    }

    /// The report or the refusal for a statement that has more or fewer values than placeholders. The driver for MySQL
    /// then fails in the middle of its exchange with the server, and what follows on the connection would wait for an
    /// answer that never comes.
    pub(super) fn without_values(
        &self,
        backend: DbBackend,
        call: ExecMethod,
        statement: &Statement,
    ) -> Option<Result<UncapturedStatement, DbErr>> {
        let ParsedStatement::Write(write) = self.understood.as_ref() else {
            return None;
        };
        if backend != DbBackend::MySql || call == ExecMethod::Unprepared {
            return None;
        }
        let values = (statement.values.as_ref()).map_or(0, |values| values.0.len());
        let marks = (write.placeholders).or_else(|| placeholders(&statement.sql))?;
        (marks != values).then(|| {
            let outline = outline_of(backend, &statement.sql);
            UncapturedStatement::of_write(self, write, VALUES, &outline).by_policy()
        })
    }

    /// The report or the refusal for several statements that must run in one call, because the driver does more than
    /// run one after the other.
    ///
    /// PostgreSQL and MySQL refuse to prepare them, and a single row ends the text on SQLite.
    pub(super) fn whole_batch(
        &self,
        backend: DbBackend,
        call: ExecMethod,
    ) -> Option<Result<UncapturedStatement, DbErr>> {
        let ParsedStatement::Batch(parts) = self.understood.as_ref() else {
            return None;
        };
        let runs_parts = match call {
            ExecMethod::Unprepared => true,
            ExecMethod::Execute | ExecMethod::QueryAll => backend == DbBackend::Sqlite,
            ExecMethod::QueryOne => false,
        };
        if runs_parts {
            return None;
        }
        let write = parts.iter().find_map(|(_, part)| match part {
            ParsedStatement::Write(write) => Some(write.as_ref()),
            _ => None,
        })?;
        let texts: Vec<String> = (parts.iter().map(|(sql, _)| outline_of(backend, sql))).collect();
        let reported = UncapturedStatement::of_write(self, write, PREPARED_BATCH, &texts.join(";"));
        Some(reported.by_policy())
    }
}

/// Why such a statement is not captured.
const VALUES: &str = "it has another number of bound values than of placeholders";

/// Why such a text is not captured.
const PREPARED_BATCH: &str = "it has several statements, and was not sent by `execute_unprepared`";

impl Route {
    /// Determines the route of a statement.
    ///
    /// # Errors
    /// Returns [`AuditError::Refused`] and any other error that prevents a statement from running.
    pub(super) fn of(
        is_mock: bool,
        binding: &Binding,
        server: &ServerInfo,
        backend: DbBackend,
        sql: &str,
    ) -> Result<Self, DbErr> {
        if is_mock {
            return Ok(Self::Straight);
        }
        let understood = understand(backend, sql);
        if matches!(
            *understood,
            ParsedStatement::Read | ParsedStatement::DdlOrTransaction
        ) {
            return Ok(Self::Straight);
        }
        let config = binding.config();
        let audited = |part: &ParsedStatement| match part {
            ParsedStatement::Write(write) => CaptureTarget::of(&config, server, write),
            _ => None,
        };
        let mut audited: Vec<Option<CaptureTarget>> = match understood.as_ref() {
            ParsedStatement::Batch(parts) => {
                for (_, part) in parts {
                    if let ParsedStatement::Unsupported(opaque) = part
                        && !is_harmless(&config, server, opaque)
                    {
                        return Self::opaque(binding, config, server, opaque, (backend, sql));
                    }
                }
                parts.iter().map(|(_, part)| audited(part)).collect()
            }
            ParsedStatement::Unsupported(opaque) => {
                return Self::opaque(binding, config, server, opaque, (backend, sql));
            }
            only => vec![audited(only)],
        };
        let wanted = audited.iter().any(Option::is_some);
        if wanted
            && let ParsedStatement::Batch(parts) = understood.as_ref()
            && parts.iter().any(|(_, part)| {
                matches!(
                    part,
                    ParsedStatement::DdlOrTransaction | ParsedStatement::Unsupported(_)
                )
            })
        {
            let opaque = Unsupported {
                why: MIXED,
                tables: None,
                outline: outline_of(backend, sql),
            };
            return Self::opaque(binding, config, server, &opaque, (backend, sql));
        }
        let captured = audited.iter().flatten().any(CaptureTarget::is_captured);
        if captured && config.suppresses_write() {
            // Triggers do not know migration mode, and must record the actor.
            audited = (audited.into_iter())
                .map(|audited| audited.and_then(CaptureTarget::for_triggers_only))
                .collect();
        }
        if audited.iter().all(Option::is_none) {
            return Ok(Self::Straight);
        }
        let context = binding.context();
        config.check_actor(&context)?;
        Ok(Self::Captured(Captured {
            config,
            context,
            source: super::bulk::source(),
            understood,
            audited,
        }))
    }

    fn opaque(
        binding: &Binding,
        config: AuditConfig,
        server: &ServerInfo,
        opaque: &Unsupported,
        (backend, sql): (DbBackend, &str),
    ) -> Result<Self, DbErr> {
        if is_harmless(&config, server, opaque) {
            return Ok(Self::Straight);
        }
        let silent = config.is_suppressed();
        let table = opaque.tables.as_deref().and_then(<[TableName]>::first);
        let reported = UncapturedStatement {
            silent,
            commits: opaque.why == MIXED,
            must_be_first: must_be_first(backend, sql),
            context: binding.context(),
            config,
            table: table.map(|table| table.table.clone()).unwrap_or_default(),
            why: opaque.why,
            outline: opaque.outline.clone(),
        };
        if silent {
            return Ok(Self::Uncaptured(reported));
        }
        reported.by_policy().map(Self::Uncaptured)
    }
}

/// The title of reports, most of which are written before the statement runs.
const TITLE: &str = "a statement may have changed data that is not recorded";

/// Why such a text is not captured.
const MIXED: &str = "it mixes writes with transaction control or changes of the schema";

/// Whether an unsupported text names its tables, none of them audited.
fn is_harmless(config: &AuditConfig, server: &ServerInfo, opaque: &Unsupported) -> bool {
    (opaque.tables.as_ref()).is_some_and(|tables| !CaptureTarget::any(config, server, tables))
}

impl UncapturedStatement {
    pub(super) fn of_write(
        captured: &Captured,
        write: &Write,
        why: &'static str,
        outline: &str,
    ) -> Self {
        Self {
            silent: false,
            commits: false,
            must_be_first: false,
            config: captured.config.clone(),
            context: captured.context.clone(),
            table: write.table.table.clone(),
            why,
            outline: outline.to_owned(),
        }
    }

    /// For a statement that may change rows of audited tables that it does not name.
    pub(super) fn of_affected(
        binding: &Binding,
        config: AuditConfig,
        affected: Affected,
        outline: &str,
    ) -> Result<Self, DbErr> {
        let silent = affected.is_recorded || config.is_suppressed();
        let reported = Self {
            silent,
            commits: false,
            must_be_first: false,
            context: binding.context(),
            config,
            table: affected.table,
            why: affected.why,
            outline: format!("{outline} (tables: {})", affected.audited.join(", ")),
        };
        if silent {
            return Ok(reported);
        }
        reported.by_policy()
    }

    /// Refuses to stream, unless the statement passes without a report.
    pub(super) fn refuse_stream(self) -> Result<(), DbErr> {
        if self.silent {
            return Ok(());
        }
        Err(streamed().into())
    }

    /// For a statement that ran, and changed more than was recorded.
    pub(super) fn of_gap(captured: &Captured, write: &Write, gap: &Gap, outline: &str) -> Self {
        let named = |what: &str, names: &str| {
            if names.is_empty() {
                String::new()
            } else {
                format!(" ({what}: {names})")
            }
        };
        let keys = named("keys", &gap.keys);
        let outline = format!("{outline}{keys}{}", named("tables", &gap.tables));
        Self::of_write(captured, write, gap.why, &outline)
    }

    /// The configuration and context for the trigger context, if it is set.
    pub(super) fn trigger_context(&self) -> Option<(&AuditConfig, &AuditContext)> {
        (!self.commits).then_some((&self.config, &self.context))
    }

    /// Refuses the statement, allows it with a report, or allows it without one.
    pub(super) fn by_policy(self) -> Result<Self, DbErr> {
        match self.config.statement_policy() {
            StatementPolicy::Deny => Err(AuditError::Refused {
                table: if self.table.is_empty() {
                    String::new()
                } else {
                    format!(" on `{}`", self.table)
                },
                why: self.why,
                outline: self.outline,
            }
            .into()),
            StatementPolicy::Allow => Ok(Self {
                silent: true,
                ..self
            }),
            StatementPolicy::Capture => Ok(self),
        }
    }

    /// Reports a statement before it runs: counts it, warns, and writes a system event, or counts another occurrence
    /// of the existing one; inside a transaction, of the one that the transaction wrote. The report stays whatever
    /// the statement's outcome: it may change data and then fail, or be dropped.
    ///
    /// # Errors
    /// Returns the error that prevented the event from being written; the error is logged.
    pub(super) async fn report<C: ConnectionTrait>(
        &self,
        db: &C,
        inside: Option<&Frames>,
    ) -> Result<(), AuditError> {
        if self.silent {
            return Ok(());
        }
        self.warn();
        let written = match inside {
            Some(frames) => self.write_inside(db, frames).await,
            None => self.write_on_pool(db).await,
        };
        if let Err(error) = &written {
            tracing::error!(%error, "the system event of an uncaptured statement failed");
        }
        written
    }

    /// Counts the statement and writes a warning, which need no database.
    pub(super) fn warn(&self) {
        count(&COUNTERS.uncaptured);
        tracing::warn!(
            // A system event reports it already: code that turns warnings into events skips it.
            system_event = true,
            table = self.table.as_str(),
            why = self.why,
            statement = self.outline.as_str(),
            TITLE
        );
    }

    /// Whether it must come first in a transaction.
    pub(super) const fn must_be_first(&self) -> bool {
        self.must_be_first
    }

    /// Whether it passes without a report.
    pub(super) const fn is_silent(&self) -> bool {
        self.silent
    }

    pub(super) fn event(&self) -> SystemEvent {
        let what = format!("{}: {}", self.why, self.outline);
        SystemEvent::new(EventType::Warning, TITLE)
            .fingerprint(format!("uncaptured\n{}\n{}", self.why, self.outline))
            .description(what)
            .in_context(self.context.clone())
    }

    async fn write_on_pool<C: ConnectionTrait>(&self, db: &C) -> Result<(), AuditError> {
        self.event().count_in_shared_row(db).await.map(|_| ())
    }

    /// In a row that belongs to the transaction.
    async fn write_inside<C: ConnectionTrait>(
        &self,
        db: &C,
        frames: &Frames,
    ) -> Result<(), AuditError> {
        let event = self.event();
        let print = event.stored_fingerprint();
        let own_row = frames.report_row(&print);
        let id = event.count_in_own_row(db, own_row).await?;
        frames.note_report_row(print, id);
        Ok(())
    }
}

/// Whether a statement may write rows of an audited table.
fn may_write(config: &AuditConfig, server: &ServerInfo, understood: &ParsedStatement) -> bool {
    match understood {
        ParsedStatement::Read | ParsedStatement::DdlOrTransaction => false,
        ParsedStatement::Write(write) => CaptureTarget::of(config, server, write).is_some(),
        ParsedStatement::Batch(parts) => {
            (parts.iter()).any(|(_, part)| may_write(config, server, part))
        }
        ParsedStatement::Unsupported(opaque) => !is_harmless(config, server, opaque),
    }
}

/// Refuses to stream a write.
pub(super) fn refuse_stream(
    binding: &Binding,
    server: &ServerInfo,
    understood: &ParsedStatement,
) -> Result<(), DbErr> {
    let config = binding.config();
    if !may_write(&config, server, understood)
        || config.is_suppressed()
        || config.statement_policy() == StatementPolicy::Allow
    {
        return Ok(());
    }
    Err(streamed().into())
}

fn streamed() -> AuditError {
    AuditError::Refused {
        table: String::new(),
        why: "its rows are streamed; ask for all of them instead",
        outline: String::new(),
    }
}
