use sea_orm::{DatabaseConnection, DbErr};
use sea_orm_audit::AuditedConnection;
use sea_orm_audit::migration::{Migrator, MigratorTrait};

use crate::product;

/// The tables of the entities are created on SeaORM's own connection.
pub async fn open(db: DatabaseConnection) -> Result<AuditedConnection, DbErr> {
    Migrator::up(&db, None).await?; // the audit tables
    db.get_schema_builder()
        .register(product::Entity)
        .sync(&db)
        .await?;
    Ok(AuditedConnection::new(db))
}

#[cfg(test)]
mod tests {
    use sea_orm::ActiveModelTrait;
    use sea_orm_audit::Action;
    use sea_orm_audit::test::Log;

    use super::*;

    #[tokio::test]
    async fn synchronised_table_is_audited() -> Result<(), DbErr> {
        let db = open(sea_orm::Database::connect("sqlite::memory:").await?).await?;
        product::new("Tea", 300).insert(&db).await?;
        let log = Log::read(&db).await?;
        log.only(Action::Create, "product", 1)
            .began_with("name", "Tea");
        Ok(())
    }
}
