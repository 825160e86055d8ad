use sea_orm::entity::prelude::*;
use sea_orm_audit::Auditable;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
#[sea_orm(table_name = "post")]
#[audit(soft_delete = "deleted_at")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    #[audit(skip)]
    pub deleted_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

fn main() {}
