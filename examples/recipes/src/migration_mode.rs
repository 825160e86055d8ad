use sea_orm::{ActiveModelTrait, DatabaseConnection, DbErr};
use sea_orm_audit::context::migration_mode;
use sea_orm_audit::migration::{AuditedMigrator, MigratorTrait};

use crate::{migrator, product};

/// The migrations, and what they seed, have no records. The log has one event that says so.
pub async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    AuditedMigrator::<migrator::Migrator>::up(db, None).await
}

pub async fn import(db: &DatabaseConnection, old: Vec<product::ActiveModel>) -> Result<(), DbErr> {
    migration_mode("import of the old shop", async {
        for product in old {
            product.insert(db).await?;
        }
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    use sea_orm_audit::test::Log;

    use super::*;

    #[tokio::test]
    async fn imported_rows_have_no_records() -> Result<(), DbErr> {
        let db = sea_orm::Database::connect("sqlite::memory:").await?;
        migrate(&db).await?;
        import(&db, vec![product::new("Tea", 300)]).await?;
        Log::read(&db).await?.none();
        Ok(())
    }
}
