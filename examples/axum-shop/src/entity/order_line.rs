//! One product of an order.

use sea_orm::entity::prelude::*;
use sea_orm_audit::Auditable;

/// A line of an order.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
#[sea_orm(table_name = "order_line")]
pub struct Model {
    /// The line's number.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// The order.
    pub order_id: i32,
    /// The product.
    pub product_id: i32,
    /// The quantity.
    pub quantity: i32,
    /// The price of one when it was ordered.
    #[sea_orm(column_type = "Decimal(Some((10, 2)))")]
    pub price: Decimal,
    /// The order.
    #[sea_orm(belongs_to, from = "order_id", to = "id")]
    pub order: BelongsTo<super::customer_order::Entity>,
    /// The product.
    #[sea_orm(belongs_to, from = "product_id", to = "id")]
    pub product: BelongsTo<super::product::Entity>,
}
