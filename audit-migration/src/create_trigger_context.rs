//! The table in which a transaction tells triggers who acts, on databases without settings of a
//! transaction.

use async_trait::async_trait;
use sea_orm_audit_core::Tables;
use sea_orm_migration::sea_orm::sea_query::Table;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(crate) struct Migration(pub(crate) Tables);

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000001_sea_orm_audit_create_trigger_context"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let name = self.0.trigger_context();
        let create = match manager.get_database_backend() {
            // A setting that ends with the transaction does it there.
            DbBackend::Postgres => return Ok(()),
            // Everybody's own file has one writer at a time, and so one row.
            DbBackend::Sqlite => format!(
                "CREATE TABLE IF NOT EXISTS \"{name}\" (\"id\" INTEGER PRIMARY KEY CHECK (\"id\" = 1), \
                 \"context\" TEXT, \"transaction_id\" BLOB)"
            ),
            // Rows go with the transaction that wrote them: InnoDB, whatever the default is.
            _ => format!(
                "CREATE TABLE IF NOT EXISTS {} (`connection_id` BIGINT UNSIGNED NOT NULL PRIMARY KEY, \
                 `context` JSON NOT NULL) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                match self.0.schema() {
                    // Plain identifiers only, as `Tables` makes sure.
                    Some(schema) => format!("`{schema}`.`{name}`"),
                    None => format!("`{name}`"),
                }
            ),
        };
        manager.get_connection().execute_unprepared(&create).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            return Ok(());
        }
        let mut table = Table::drop();
        table
            .table(self.0.reference(self.0.trigger_context()))
            .if_exists();
        manager.get_connection().execute(&table).await?;
        Ok(())
    }
}
