//! The shop's tables, and its initial products.

use sea_orm::{ActiveModelTrait, DbBackend, EntityTrait, Set};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    decimal_len, integer, pk_auto, string_len, string_len_uniq, timestamp_with_time_zone,
};

use crate::entity::product;

/// Runs the shop's migrations. Wrap it in `AuditedMigrator`, so that their seeds are not recorded as a user's work.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateTables), Box::new(FillShelves)]
    }
}

struct CreateTables;

impl MigrationName for CreateTables {
    fn name(&self) -> &'static str {
        "m20261101_000001_create_tables"
    }
}

/// A reference from a column to the `id` of another table.
fn reference(
    from: (&'static str, &'static str),
    to: &'static str,
    on_delete: ForeignKeyAction,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(from.0, from.1)
        .to(to, "id")
        .on_delete(on_delete)
        .to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for CreateTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let user = Table::create()
            .table("user")
            .col(pk_auto("id"))
            .col(string_len("name", 64))
            // NFKC converts one character to up to eighteen.
            .col(string_len_uniq("name_key", 250))
            .col(string_len("password_hash", 255))
            .col(string_len("role", 16))
            .to_owned();
        let product = Table::create()
            .table("product")
            .col(pk_auto("id"))
            .col(string_len("name", 200))
            .col(decimal_len("price", 10, 2))
            .col(integer("stock"))
            .to_owned();
        let customer_order = Table::create()
            .table("customer_order")
            .col(pk_auto("id"))
            .col(integer("user_id"))
            .col(timestamp_with_time_zone("placed_at"))
            .foreign_key(&mut reference(
                ("customer_order", "user_id"),
                "user",
                ForeignKeyAction::Restrict,
            ))
            .to_owned();
        let order_line = Table::create()
            .table("order_line")
            .col(pk_auto("id"))
            .col(integer("order_id"))
            .col(integer("product_id"))
            .col(integer("quantity"))
            .col(decimal_len("price", 10, 2))
            .foreign_key(&mut reference(
                ("order_line", "order_id"),
                "customer_order",
                ForeignKeyAction::Cascade,
            ))
            .foreign_key(&mut reference(
                ("order_line", "product_id"),
                "product",
                ForeignKeyAction::Restrict,
            ))
            .to_owned();
        for mut table in [user, product, customer_order, order_line] {
            // Names are in any script, whatever the database's default is. `name_key` decides which of them are
            // equal: the default collation treats Zoe and Zoë as equal, and all emoji.
            if manager.get_database_backend() == DbBackend::MySql {
                table.character_set("utf8mb4").collate("utf8mb4_bin");
            }
            manager.create_table(table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["order_line", "customer_order", "product", "user"] {
            let drop = Table::drop().table(table).to_owned();
            manager.drop_table(drop).await?;
        }
        Ok(())
    }
}

struct FillShelves;

impl MigrationName for FillShelves {
    fn name(&self) -> &'static str {
        "m20261101_000002_fill_shelves"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for FillShelves {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let shelves = [("Tea", 320, 100), ("Coffee", 850, 100), ("Mug", 1250, 20)];
        let products = shelves.map(|(name, cents, stock)| product::ActiveModel {
            name: Set(name.to_owned()),
            price: Set(sea_orm::prelude::Decimal::new(cents, 2)),
            stock: Set(stock),
            ..Default::default()
        });
        let db = manager.get_connection();
        for product in products {
            product.insert(db).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        product::Entity::delete_many()
            .exec(manager.get_connection())
            .await?;
        Ok(())
    }
}
