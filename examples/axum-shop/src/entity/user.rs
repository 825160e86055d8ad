//! The users.

use sea_orm::entity::prelude::*;
use sea_orm_audit::Auditable;

/// The role of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "snake_case"
)]
pub enum Role {
    /// May buy.
    Customer,
    /// May sell, export, and read the log.
    Admin,
}

/// A user. `password_hash` looks like a secret: the log records that it changed, not its values.
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
    /// The name in its comparison form: `auth::name_key`.
    #[sea_orm(unique)]
    pub name_key: String,
    /// The password's hash, in PHC string format.
    pub password_hash: String,
    /// The role.
    pub role: Role,
    /// The orders.
    #[sea_orm(has_many)]
    pub orders: HasMany<super::customer_order::Entity>,
}
