//! Whoever signed up.

use sea_orm::entity::prelude::*;
use sea_orm_audit::Auditable;

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "snake_case"
)]
pub enum Role {
    /// Buy.
    Customer,
    /// Sell, export, and read the log.
    Admin,
}

/// A user. `password_hash` looks like a secret: the log says that it changed, not to what.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
#[sea_orm(table_name = "user")]
#[audit(display = "{name} (#{id})")]
pub struct Model {
    /// The user's number.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// The name to sign in with.
    pub name: String,
    /// The name as it is compared: `auth::name_key`.
    #[sea_orm(unique)]
    pub name_key: String,
    /// The password's hash, in PHC string format.
    pub password_hash: String,
    /// What they may do.
    pub role: Role,
    /// What they ordered.
    #[sea_orm(has_many)]
    pub orders: HasMany<super::customer_order::Entity>,
}
