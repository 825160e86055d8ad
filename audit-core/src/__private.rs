//! All that the macros' output may name. Nothing here is public API.

pub use inventory;
pub use sea_orm::prelude::async_trait::async_trait;
pub use sea_orm::{ActiveModelBehavior, ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait};
pub use std::sync::OnceLock;

pub use crate::action::ChangeActions;
pub use crate::auditable::{
    Auditable, EntityInfo, Field, FieldPolicy, Options, Registration, Segment,
};
pub use crate::capture::{after_delete, after_save, before_delete, before_save, deleted, saved};

/// An `ActiveModelBehavior` that `#[sea_orm_audit::behavior]` wove the capture into.
#[diagnostic::on_unimplemented(
    message = "the entity's `impl ActiveModelBehavior` does not record anything",
    label = "says that the entity has an `impl ActiveModelBehavior` of its own",
    note = "put `#[sea_orm_audit::behavior]` on that impl, or remove both the impl and `behavior = \"own\"`"
)]
pub trait Woven {}

/// Fails to compile for an active model whose behaviour was not woven.
pub const fn assert_woven<A: Woven>() {}
