//! Who acts, from where and why: the context that every record of a task carries.
//!
//! | item | use it |
//! |---|---|
//! | [`AuditContext`] | to name the actor, the address and the reason of some work, and to run it with [`AuditContext::scope`] |
//! | [`Actor`], [`ActorType`] | to name who acts: a user, a service, a system |
//! | [`WithAuditContext`] | to take the current context along into a spawned task |
//! | [`AuditScope`] | to leave a context and enter it again, for example in a response body |
//! | [`migration_mode`] | to keep the writes of a backfill out of the log, with a reason |

pub use sea_orm_audit_core::{
    Actor, ActorType, AuditContext, AuditScope, WithAuditContext, migration_mode,
};
