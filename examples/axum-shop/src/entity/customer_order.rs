//! What somebody ordered.

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
    /// Who ordered.
    pub user_id: i32,
    /// When.
    pub placed_at: DateTimeUtc,
    /// Who ordered.
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::user::Entity>,
    /// What they ordered.
    #[sea_orm(has_many)]
    pub lines: HasMany<super::order_line::Entity>,
}
