//! The connection that records every statement, its transactions, and bulk writes.
//!
//! | item | use it |
//! |---|---|
//! | [`AuditedConnection`] | instead of SeaORM's `DatabaseConnection` |
//! | [`AuditedTransaction`] | instead of SeaORM's `DatabaseTransaction`; `begin` returns it |
//! | [`AuditedEntity`] | to record bulk writes that run on SeaORM's own connection: `Entity::audited_insert_many` and the like |
//! | [`AuditedInsertMany`], [`AuditedTryInsert`], [`AuditedUpdateMany`], [`AuditedDeleteMany`] | the builders that its functions return |

pub use sea_orm_audit_core::{
    AuditedConnection, AuditedDeleteMany, AuditedEntity, AuditedInsertMany, AuditedTransaction,
    AuditedTryInsert, AuditedUpdateMany,
};
