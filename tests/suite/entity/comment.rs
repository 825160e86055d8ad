use sea_orm::entity::prelude::*;
use sea_orm_audit::Auditable;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
#[sea_orm(table_name = "comment")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub post_id: i32,
    pub text: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::post::Entity",
        from = "Column::PostId",
        to = "super::post::Column::Id"
    )]
    Post,
}

pub(crate) fn new(post_id: i32, text: &str) -> ActiveModel {
    ActiveModel {
        post_id: sea_orm::Set(post_id),
        text: sea_orm::Set(text.to_owned()),
        ..Default::default()
    }
}
