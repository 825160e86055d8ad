//! Two mistakes on one line give two messages, each at its own position.

use sea_orm::entity::prelude::*;
use sea_orm_audit::Auditable;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
#[sea_orm(table_name = "post")]
#[audit(nmae = "a", capture = "log", skip_actions(Read))]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    #[audit(hush)]
    pub title: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

fn main() {}
