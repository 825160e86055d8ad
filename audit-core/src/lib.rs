//! The logic of `sea-orm-audit`: values, context, configuration, capture and storage.
//!
//! Applications depend on the facade crate `sea-orm-audit`, which re-exports what they need.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod action;
mod actor;
#[cfg(feature = "statements")]
mod as_of;
mod auditable;
#[cfg(feature = "statements")]
mod baseline;
mod begin;
mod binding;
mod capture;
#[cfg(feature = "statements")]
mod catalog;
mod change;
mod config;
#[cfg(feature = "statements")]
mod connection;
mod connection_kind;
mod context;
pub mod entity;
#[doc(hidden)]
pub mod entity_report;
mod error;
mod event;
mod exec_method;
mod hash;
mod install;
#[doc(hidden)]
pub mod limits;
mod migration_mode;
#[doc(hidden)]
pub mod panic;
#[cfg(any(feature = "pool-mysql", feature = "pool-postgres"))]
mod pool_context;
mod query;
mod record;
mod redact;
#[cfg(feature = "statements")]
mod restore;
#[doc(hidden)]
pub mod routine;
#[cfg(feature = "statements")]
mod sql;
mod stats;
mod suppression;
mod system_event;
mod target;
#[doc(hidden)]
pub mod task;
mod text;
#[cfg(feature = "statements")]
mod transaction_state;
#[doc(hidden)]
pub mod trigger_plan;
mod value;

#[doc(hidden)]
pub mod __private;

pub use action::{Action, CustomAction, Outcome, Source};
pub use actor::{Actor, ActorType};
#[cfg(feature = "statements")]
pub use as_of::{
    AsOf, AsOfObject, AuditAsOf, Moment, PastConnection, PastObject, PastSource, Snapshot,
    UnknownColumn, UnknownValues,
};
pub use auditable::{Auditable, EntityInfo, audited_entities};
#[cfg(feature = "statements")]
#[doc(hidden)]
pub use baseline::tables_without_baseline;
#[cfg(feature = "statements")]
pub use baseline::{Backfill, Backfilled, backfill};
pub use change::{Change, Changes};
pub use config::{
    AuditConfig, AuditConfigBuilder, Clock, FailurePolicy, RequireActor, StatementPolicy, Tables,
};
#[cfg(feature = "statements")]
pub use connection::{
    AuditedConnection, AuditedDeleteMany, AuditedEntity, AuditedInsertMany, AuditedTransaction,
    AuditedTryInsert, AuditedUpdateMany,
};
pub use context::{AuditContext, AuditScope, WithAuditContext};
pub use error::{AuditError, Cause, ChangeState};
pub use event::{
    AuditEvent, DataExport, EventWriter, EventWriterBuilder, Lockout, LockoutDecision,
    LoginAdmission, LoginAttempt, LoginReservation, LoginStatus, record_logout, record_view,
};
#[doc(hidden)]
pub use event::{network_of, site_of, unknown_name};
pub use hash::HashKey;
pub use migration_mode::migration_mode;
#[doc(hidden)]
pub use migration_mode::recorded_migration_mode;
#[cfg(any(feature = "pool-mysql", feature = "pool-postgres"))]
pub use pool_context::{PoolContext, PoolDatabase};
pub use query::{
    ActorCount, AuditHistory, AuditLogSelect, AuditQuery, Blame, Completion, Condition, Count,
    Cursor, Estimate, ExportCount, FieldState, Filter, FilterValue, HistoryQuery, ObjectCount,
    ObjectState, OneOrMore, Page, PageQuery, Period, QueryError, RecordedHistory, RecordedPast,
    RecordedVersion, Summary, SummaryQuery, UnknownReason, Version,
};
#[cfg(feature = "statements")]
pub use query::{ReferenceLabel, Timeline, TimelineEntry, TimelineRelation};
pub use redact::SENSITIVE_WORDS;
#[cfg(feature = "statements")]
pub use restore::{
    AuditRestore, Conflict, ConflictKind, PlannedWrite, Resolution, Undo, UndoPlan, Undone,
    WriteKind,
};
pub use stats::AuditStats;
pub use system_event::{EventType, SystemEvent};
#[doc(hidden)]
pub use system_event::{is_writing_events, report};
pub use target::Target;
pub use task::finish_recording;
pub use text::clean as clean_text;
pub use value::{ColumnKind, DecodeError, EncodeError, canonical_eq, decode, encode, normalize};
