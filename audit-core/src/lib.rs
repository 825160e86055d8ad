//! The logic of `sea-orm-audit`: values, context, configuration, capture and storage.
//!
//! Applications depend on the facade crate `sea-orm-audit`, which re-exports what they need.

mod action;
mod actor;
mod auditable;
mod begin;
mod bound;
mod capture;
mod change;
mod config;
#[cfg(feature = "statements")]
mod connection;
mod context;
pub mod entity;
mod error;
mod event;
mod hash;
#[doc(hidden)]
pub mod panic;
mod read;
mod recorder;
mod redact;
#[cfg(feature = "statements")]
mod sql;
mod stats;
#[doc(hidden)]
pub mod survey;
mod target;
#[doc(hidden)]
pub mod task;
mod text;
#[doc(hidden)]
pub mod trigger;
mod value;

#[doc(hidden)]
pub mod __private;

pub use action::{Action, CustomAction, Outcome, Source};
pub use actor::{Actor, ActorType};
pub use auditable::{Auditable, EntityInfo, audited_entities};
pub use change::{Change, Changes};
pub use config::{
    AuditConfig, AuditConfigBuilder, Clock, FailurePolicy, RequireActor, StatementPolicy, Tables,
};
#[cfg(feature = "statements")]
pub use connection::{
    AuditedConnection, AuditedDeleteMany, AuditedInsertMany, AuditedTransaction, AuditedTryInsert,
    AuditedUpdateMany,
};
#[doc(hidden)]
pub use context::migration_mode_told;
pub use context::{AuditContext, AuditScope, WithAuditContext, migration_mode};
pub use error::{AuditError, Cause, ChangeState, DecodeError, EncodeError};
pub use event::{
    AuditEvent, DataExport, EventType, EventWriter, EventWriterBuilder, Lockout, LockoutDecision,
    LoginAdmission, LoginAttempt, LoginReservation, LoginStatus, SystemEvent, record_logout,
    record_view,
};
#[doc(hidden)]
pub use event::{is_writing_events, network_of, report, site_of, unknown_name};
pub use hash::HashKey;
#[doc(hidden)]
pub use hash::private_hash;
pub use read::{ActorCount, Count, ExportCount, ObjectCount, Summary, SummaryQuery};
#[doc(hidden)]
pub use recorder::limits;
pub use redact::SENSITIVE_WORDS;
pub use stats::AuditStats;
pub use target::Target;
pub use task::finish_recording;
pub use text::clean as clean_text;
pub use value::{Shape, decode, encode, normalize, same};
