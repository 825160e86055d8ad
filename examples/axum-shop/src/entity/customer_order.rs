//! The orders.

use sea_orm::entity::prelude::*;
use sea_orm_audit::Auditable;

/// An order.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
#[sea_orm(table_name = "customer_order")]
pub struct Model {
    /// The order's number.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// The user's id.
    pub user_id: i32,
    /// The time of the order.
    pub placed_at: DateTimeUtc,
    /// The user.
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
    /// The lines.
    #[sea_orm(has_many)]
    pub lines: HasMany<super::order_line::Entity>,
}
