//! SeaORM copies derive and attributes to `ModelEx`; each message appears once all the same.

use sea_orm::entity::prelude::*;
use sea_orm_audit::Auditable;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
#[sea_orm(table_name = "post")]
#[audit(nmae = "article")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    #[audit(hush)]
    pub title: String,
}

fn main() {}
