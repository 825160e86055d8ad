//! What is recorded, where, and what happens if recording fails.
//!
//! | item | use it |
//! |---|---|
//! | [`AuditConfig`], [`AuditConfigBuilder`] | to build a configuration and install it |
//! | [`FailurePolicy`] | to choose whether a change fails if its record fails |
//! | [`StatementPolicy`] | to choose what happens to statements that cannot be captured |
//! | [`RequireActor`] | to choose what happens to changes without an actor |
//! | [`HashKey`] | to record sensitive values as keyed hashes |
//! | [`SENSITIVE_WORDS`] | to see which column names are redacted without a rule |
//! | [`Tables`] | to name the audit tables and their schema |
//! | [`Clock`] | to set the time in tests |

pub use sea_orm_audit_core::{
    AuditConfig, AuditConfigBuilder, Clock, FailurePolicy, HashKey, RequireActor, SENSITIVE_WORDS,
    StatementPolicy, Tables,
};
