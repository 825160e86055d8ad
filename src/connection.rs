//! The connection that records every statement, its transactions, bulk writes, and the actor on SeaORM's own pool.
//!
//! | item | use it |
//! |---|---|
//! | [`AuditedConnection`] | instead of SeaORM's `DatabaseConnection` |
//! | [`AuditedTransaction`] | instead of SeaORM's `DatabaseTransaction`; `begin` returns it |
//! | [`AuditedEntity`] | to record bulk writes that run on SeaORM's own connection: `Entity::audited_insert_many` and the like |
//! | [`AuditedInsertMany`], [`AuditedTryInsert`], [`AuditedUpdateMany`], [`AuditedDeleteMany`] | the builders that its functions return |
//! | [`backfill`], [`Backfill`], [`Backfilled`] | to record a baseline of the rows that are older than the log |
//! | `PoolContext` (features `pool-postgres`, `pool-mysql`) | to tell triggers who acts on SeaORM's own connection pool |

#[cfg(feature = "statements")]
pub use sea_orm_audit_core::{
    AuditedConnection, AuditedDeleteMany, AuditedEntity, AuditedInsertMany, AuditedTransaction,
    AuditedTryInsert, AuditedUpdateMany, Backfill, Backfilled, backfill,
};
#[cfg(any(feature = "pool-mysql", feature = "pool-postgres"))]
pub use sea_orm_audit_core::{PoolContext, PoolDatabase};
