//! Audit logging for SeaORM: who changed what, when, from where and why, with the old and the new value, in the
//! transaction of the change.
//!
//! Derive [`Auditable`] on each `Model`, run the [`migration`], and wrap the connection in an [`AuditedConnection`].
//! An [`AuditContext`] around the work says who acts; in a web application `web::AuditLayer` makes one for each request.
//! The records are SeaORM entities in [`entity`].
//!
//! The everyday items are here, all others in modules: [`context`], [`config`], [`connection`], [`event`], [`query`],
//! `export`, `undo`, [`error`], [`migration`], [`mod@test`], `web`, and [`value`] for tools.
//!
//! ```
//! use sea_orm::{ActiveModelTrait, DbErr, Set};
//! use sea_orm_audit::{Actor, AuditContext, AuditedConnection};
//!
//! mod product {
//!     use sea_orm::entity::prelude::*;
//!     use sea_orm_audit::Auditable;
//!
//!     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
//!     #[sea_orm(table_name = "product")]
//!     pub struct Model {
//!         #[sea_orm(primary_key)]
//!         pub id: i32,
//!         pub name: String,
//!     }
//!
//!     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
//!     pub enum Relation {}
//! }
//!
//! async fn add(db: &AuditedConnection, name: &str) -> Result<product::Model, DbErr> {
//!     let product = product::ActiveModel { name: Set(name.to_owned()), ..Default::default() };
//!     let ann = AuditContext::new().actor(Actor::user(7).named("Ann"));
//!     ann.scope(product.insert(db)).await
//! }
//! # fn main() {}
//! ```
//!
//! The guides are in the folder `docs` of the repository, and start with `README.md`.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod config;
#[cfg(any(
    feature = "statements",
    feature = "pool-mysql",
    feature = "pool-postgres"
))]
pub mod connection;
pub mod context;
pub mod error;
pub mod event;
#[cfg(feature = "export")]
pub mod export;
#[cfg(feature = "migration")]
pub mod migration;
pub mod query;
#[cfg(feature = "test")]
pub mod test;
#[cfg(feature = "statements")]
pub mod undo;
pub mod value;

#[doc(hidden)]
pub use sea_orm_audit_core::__private;
pub use sea_orm_audit_core::entity;
pub use sea_orm_audit_core::{
    Action, Actor, AuditConfig, AuditContext, AuditError, AuditEvent, AuditStats, Auditable,
};
#[cfg(feature = "statements")]
pub use sea_orm_audit_core::{AuditedConnection, AuditedEntity, AuditedTransaction, backfill};
#[cfg(feature = "derive")]
pub use sea_orm_audit_derive::{Auditable, behavior};
#[cfg(feature = "web")]
#[doc(inline)]
pub use sea_orm_audit_web as web;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
