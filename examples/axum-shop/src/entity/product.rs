//! The products.

use sea_orm::entity::prelude::*;
use sea_orm_audit::Auditable;
use serde::Serialize;

/// A product.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable, Serialize)]
#[sea_orm(table_name = "product")]
#[audit(display = "{name} (#{id})")]
pub struct Model {
    /// The product's number.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// The name.
    pub name: String,
    /// The price of one.
    #[sea_orm(column_type = "Decimal(Some((10, 2)))")]
    pub price: Decimal,
    /// The stock.
    pub stock: i32,
}
