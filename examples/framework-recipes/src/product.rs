use sea_orm::entity::prelude::*;
use sea_orm_audit::Auditable;
use serde::{Deserialize, Serialize};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, DeriveEntityModel, Auditable)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub name: String,
    pub price: i32,
}
