//! The table in which a transaction stores the context for triggers, on databases without settings of a transaction.

use async_trait::async_trait;
use sea_orm_audit_core::Tables;
use sea_orm_migration::sea_orm::sea_query::Table;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::context_fields;

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
            // Each database file has one writer at a time, and so one row.
            DbBackend::Sqlite => format!(
                "CREATE TABLE IF NOT EXISTS \"{name}\" (\"id\" INTEGER PRIMARY KEY CHECK (\"id\" = 1), \
                 \"context\" TEXT, \"transaction_id\" BLOB)"
            ),
            _ => mysql(self.0.schema(), name),
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

/// One row for each connection that is in a transaction with a context.
/// Programs write `connection_id` and `context`, a JSON object. What triggers need of it is extracted once for each
/// transaction, not once for each row that is changed. No content of the context makes this fail.
fn mysql(schema: Option<&str>, name: &str) -> String {
    let generated = context_fields::of("`context`").map(|field| {
        let (name, kind, expression) = (field.name, field.kind, field.expression);
        format!("`{name}` {kind} GENERATED ALWAYS AS ({expression}) STORED")
    });
    let columns = [
        "`connection_id` BIGINT UNSIGNED NOT NULL PRIMARY KEY".to_owned(),
        "`context` JSON NOT NULL".to_owned(),
    ];
    let columns: Vec<String> = columns.into_iter().chain(generated).collect();
    // Plain identifiers only, as `Tables` makes sure.
    let schema = schema.map_or_else(String::new, |schema| format!("`{schema}`."));
    // The transaction that wrote the rows deletes them: InnoDB, whatever the default is.
    format!(
        "CREATE TABLE IF NOT EXISTS {schema}`{name}` ({}) \
         ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        columns.join(", ")
    )
}
