#![doc = include_str!("../README.md")]

#[doc(hidden)]
pub use sea_orm_audit_core::__private;
pub use sea_orm_audit_core::entity;
pub use sea_orm_audit_core::{
    Action, Actor, ActorCount, ActorType, AuditConfig, AuditConfigBuilder, AuditContext,
    AuditError, AuditEvent, AuditScope, AuditStats, Auditable, Cause, Change, ChangeState, Changes,
    Clock, ColumnKind, Count, CustomAction, DataExport, DecodeError, EncodeError, EntityInfo,
    EventType, EventWriter, EventWriterBuilder, ExportCount, FailurePolicy, HashKey, Lockout,
    LockoutDecision, LoginAdmission, LoginAttempt, LoginReservation, LoginStatus, ObjectCount,
    Outcome, RequireActor, SENSITIVE_WORDS, Source, StatementPolicy, Summary, SummaryQuery,
    SystemEvent, Tables, Target, WithAuditContext, audited_entities, canonical_eq, clean_text,
    decode, encode, finish_recording, migration_mode, normalize, record_logout, record_view,
};
#[cfg(feature = "statements")]
pub use sea_orm_audit_core::{
    AuditedConnection, AuditedDeleteMany, AuditedEntity, AuditedInsertMany, AuditedTransaction,
    AuditedTryInsert, AuditedUpdateMany,
};
#[cfg(feature = "derive")]
pub use sea_orm_audit_derive::{Auditable, behavior};

#[cfg(feature = "migration")]
pub mod migration;
#[cfg(feature = "test")]
pub mod test;
#[cfg(feature = "web")]
#[doc(inline)]
pub use sea_orm_audit_web as web;
