//! Migration mode for the application's own Migrator.

use std::marker::PhantomData;

use async_trait::async_trait;
use sea_orm_audit_core::migration_mode;
use sea_orm_migration::sea_orm::{DbErr, DynIden};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

/// The application's Migrator, in migration mode: what its migrations seed or rewrite through
/// audited entities is kept out of the log.
///
/// Use it in place of the Migrator that it wraps; history table and order stay the same. The commands
/// (`up`, `fresh`, …) are SeaORM's: where the wrapped Migrator has its own, those are not run.
///
/// # Examples
/// ```
/// # use sea_orm_migration::prelude::*;
/// # pub struct Migrator;
/// # #[async_trait::async_trait]
/// # impl MigratorTrait for Migrator {
/// #     fn migrations() -> Vec<Box<dyn MigrationTrait>> { vec![] }
/// # }
/// use sea_orm_audit_migration::AuditedMigrator;
/// # async fn run(db: &sea_orm_migration::sea_orm::DatabaseConnection) -> Result<(), DbErr> {
/// AuditedMigrator::<Migrator>::up(db, None).await
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct AuditedMigrator<M>(PhantomData<M>);

#[async_trait]
impl<M: MigratorTrait> MigratorTrait for AuditedMigrator<M> {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        M::migrations()
            .into_iter()
            .map(|migration| Box::new(Quiet(migration)) as Box<dyn MigrationTrait>)
            .collect()
    }

    fn migration_table_name() -> DynIden {
        M::migration_table_name()
    }
}

/// A migration whose runs are in migration mode.
struct Quiet(Box<dyn MigrationTrait>);

impl MigrationName for Quiet {
    fn name(&self) -> &str {
        self.0.name()
    }
}

#[async_trait]
impl MigrationTrait for Quiet {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        migration_mode(format!("{} up", self.name()), self.0.up(manager)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        migration_mode(format!("{} down", self.name()), self.0.down(manager)).await
    }

    fn use_transaction(&self) -> Option<bool> {
        self.0.use_transaction()
    }
}
