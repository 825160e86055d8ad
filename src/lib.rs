#![doc = include_str!("../README.md")]

#[doc(hidden)]
pub use sea_orm_audit_core::__private;
pub use sea_orm_audit_core::entity;
pub use sea_orm_audit_core::{
    Action, Actor, ActorType, AuditConfig, AuditConfigBuilder, AuditContext, AuditError,
    AuditEvent, AuditStats, Auditable, Cause, Change, ChangeState, Changes, Clock, CustomAction,
    DecodeError, EncodeError, EntityInfo, FailurePolicy, HashKey, Outcome, RequireActor,
    SENSITIVE_WORDS, Shape, Source, StatementPolicy, Tables, Target, WithAuditContext,
    audited_entities, decode, encode, migration_mode, record_view, same,
};
#[cfg(feature = "statements")]
pub use sea_orm_audit_core::{
    AuditedConnection, AuditedDeleteMany, AuditedInsertMany, AuditedTransaction, AuditedTryInsert,
    AuditedUpdateMany,
};
#[cfg(feature = "derive")]
pub use sea_orm_audit_derive::{Auditable, behavior};

#[cfg(feature = "migration")]
pub mod migration;
#[cfg(feature = "test")]
pub mod test;
