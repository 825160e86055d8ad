//! Migration mode for the application's own Migrator.

use std::marker::PhantomData;

use async_trait::async_trait;
use sea_orm_audit_core::{
    AuditConfig, EventWriter, SystemEvent, Tables, migration_mode, recorded_migration_mode, report,
};
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DbBackend, DbErr, DynIden, Statement, TransactionTrait,
};
use sea_orm_migration::{
    MigrationName, MigrationTrait, MigratorTrait, SchemaManager, SchemaManagerConnection,
};

/// The application's Migrator, in migration mode: what its migrations seed or rewrite through audited entities is kept
/// out of the log. A MAINTENANCE event for each migration records this and the number of writes. The installed
/// [`EventWriter`] writes it. Without a writer, as in a program that only migrates, the migration itself writes it,
/// once the audit tables exist.
///
/// Use it in place of the Migrator that it wraps; history table and order stay the same. The commands (`up`, `fresh`,
/// …) are SeaORM's: the wrapped Migrator's own commands are not run.
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
        let reason = format!("{} up", self.name());
        Box::pin(quietly(reason, manager, self.0.up(manager))).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let reason = format!("{} down", self.name());
        Box::pin(quietly(reason, manager, self.0.down(manager))).await
    }

    fn use_transaction(&self) -> Option<bool> {
        self.0.use_transaction()
    }
}

/// Runs a migration in migration mode, and records that. The result of the migration does not depend on the record.
async fn quietly(
    reason: String,
    manager: &SchemaManager<'_>,
    run: impl Future<Output = Result<(), DbErr>>,
) -> Result<(), DbErr> {
    if EventWriter::installed().is_some() {
        return migration_mode(reason, run).await;
    }
    let (done, event) = recorded_migration_mode(reason, run).await;
    let db = manager.get_connection();
    if let Err(error) = record(db, event.clone()).await {
        tracing::warn!(%error, "the event about migration mode could not be recorded");
        report(event);
    }
    done
}

/// Records the event once the tables exist; in a migration's transaction, in a savepoint: a statement that fails would
/// else end the transaction.
async fn record(db: &SchemaManagerConnection<'_>, event: SystemEvent) -> Result<(), DbErr> {
    if let SchemaManagerConnection::Connection(db) = db {
        return record_on(*db, event).await;
    }
    let savepoint = db.begin().await?;
    record_on(&savepoint, event).await?;
    savepoint.commit().await
}

async fn record_on<C: ConnectionTrait>(db: &C, event: SystemEvent) -> Result<(), DbErr> {
    if has_events(db, AuditConfig::current().tables()).await? {
        event.record(db).await?;
    } else {
        report(event);
    }
    Ok(())
}

/// Whether there is a table for events, by the catalogue.
async fn has_events<C: ConnectionTrait>(db: &C, tables: Tables) -> Result<bool, DbErr> {
    let backend = db.get_database_backend();
    let name = tables.system_event().into();
    let schema = tables.schema().into();
    let (sql, values) = match backend {
        DbBackend::Postgres => (
            "SELECT 1 FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relname = $1 AND CASE WHEN $2::text IS NULL \
             THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = $2::text END",
            vec![name, schema],
        ),
        DbBackend::Sqlite => (
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?",
            vec![name],
        ),
        _ => (
            "SELECT 1 FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?",
            vec![schema, name],
        ),
    };
    let found = Statement::from_sql_and_values(backend, sql, values);
    Ok(db.query_one_raw(found).await?.is_some())
}
