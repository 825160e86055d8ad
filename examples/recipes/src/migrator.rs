use sea_orm_migration::prelude::*;

pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut migrations = sea_orm_audit::migration::migrations();
        migrations.push(Box::new(CreateProduct));
        migrations
    }
}

#[derive(DeriveMigrationName)]
pub struct CreateProduct;

#[async_trait::async_trait]
impl MigrationTrait for CreateProduct {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let schema = sea_orm::Schema::new(manager.get_database_backend());
        let table = schema.create_table_from_entity(crate::product::Entity);
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table(crate::product::Entity).to_owned();
        manager.drop_table(table).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn audit_tables_exist_before_the_products() -> Result<(), DbErr> {
        let db = sea_orm::Database::connect("sqlite::memory:").await?;
        Migrator::up(&db, None).await?;
        let manager = SchemaManager::new(&db);
        assert!(manager.has_table("audit_log").await?);
        assert!(manager.has_table("product").await?);
        Migrator::down(&db, Some(1)).await?;
        assert!(!manager.has_table("product").await?);
        Ok(())
    }
}
