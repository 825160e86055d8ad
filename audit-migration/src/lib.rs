//! The audit tables as SeaORM migrations.
//!
//! Two ways to run them, never both on one database:
//!
//! - [`Migrator`] by itself, beside the application's own: it keeps its history in a table of its
//!   own, since two Migrators that share one history table fail in SeaORM.
//! - [`migrations()`] in the application's Migrator. Their names are spelled out and prefixed, so
//!   that they collide with none.
//!
//! Names of tables and schema come from the `AuditConfig` that applies when a run begins.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod audited;
mod context_fields;
mod coverage;
mod create_tables;
mod create_trigger_context;
mod table;
mod trigger;

use async_trait::async_trait;
use sea_orm_audit_core::{AuditConfig, Tables};
use sea_orm_migration::sea_orm::sea_query::{Alias, IntoIden};
use sea_orm_migration::sea_orm::{DbErr, DynIden};
use sea_orm_migration::{IntoSchemaManagerConnection, MigrationTrait};

pub use audited::AuditedMigrator;
pub use coverage::{
    Captured, Coverage, CoverageIncomplete, Finding, Note, TableCoverage, coverage,
};
pub use sea_orm_audit_core::entity_report::SkippedBy;
pub use sea_orm_migration::MigratorTrait;
pub use trigger::{AuditTriggers, TriggerCheck};

/// The migrations of the audit tables, to be put into the application's own Migrator.
///
/// They come first: a later migration may write to an audited entity, which needs the audit tables. Later releases add
/// to the end of theirs; SeaORM runs those that a database lacks.
///
/// # Examples
/// ```
/// use sea_orm_migration::prelude::*;
///
/// pub struct Migrator;
///
/// #[async_trait::async_trait]
/// impl MigratorTrait for Migrator {
///     fn migrations() -> Vec<Box<dyn MigrationTrait>> {
///         let mut migrations = sea_orm_audit_migration::migrations();
///         migrations.push(Box::new(CreateProduct));
///         migrations
///     }
/// }
///
/// #[derive(DeriveMigrationName)]
/// pub struct CreateProduct;
///
/// #[async_trait::async_trait]
/// impl MigrationTrait for CreateProduct {
///     async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
///         let id = ColumnDef::new("id").integer().primary_key().to_owned();
///         manager.create_table(Table::create().table("product").col(id).to_owned()).await
///     }
/// }
/// ```
#[must_use]
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    migrations_for(AuditConfig::current().tables())
}

/// The migrations of audit tables with these names.
#[must_use]
pub fn migrations_for(tables: Tables) -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(create_tables::Migration(tables)),
        Box::new(create_trigger_context::Migration(tables)),
    ]
}

/// The names of the indexes of the audit tables, each with its table, for tools.
#[doc(hidden)]
#[must_use]
pub fn index_names(tables: Tables) -> Vec<(&'static str, String)> {
    create_tables::index_names(tables)
}

/// Runs the migrations of the audit tables, with a history table of its own (`audit_migrations`).
///
/// # Examples
/// ```no_run
/// use sea_orm_migration::MigratorTrait;
/// # async fn run(db: &sea_orm_migration::sea_orm::DatabaseConnection) -> Result<(), sea_orm_migration::DbErr> {
/// sea_orm_audit_migration::Migrator::up(db, None).await
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        migrations()
    }

    fn migration_table_name() -> DynIden {
        Alias::new(AuditConfig::current().tables().history()).into_iden()
    }

    /// Drops the audit tables and creates them again. Unlike SeaORM's default it leaves every other table alone.
    async fn fresh<'c, C>(db: C) -> Result<(), DbErr>
    where
        C: IntoSchemaManagerConnection<'c>,
    {
        Self::refresh(db).await
    }
}
