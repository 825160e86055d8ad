use sea_orm::entity::prelude::*;
use sea_orm_audit::Auditable;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
#[sea_orm(table_name = "post")]
#[audit(display = "{title} (#{id})")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    #[sea_orm(unique)]
    pub title: String,
    pub body: Option<String>,
    #[sea_orm(default_value = 7)]
    pub qty: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

pub(crate) fn new(title: &str) -> ActiveModel {
    ActiveModel {
        title: sea_orm::Set(title.to_owned()),
        ..Default::default()
    }
}

/// Sets a post's title, knowing nothing but its key.
pub(crate) fn retitle(id: i32, title: &str) -> ActiveModel {
    ActiveModel {
        id: sea_orm::Set(id),
        title: sea_orm::Set(title.to_owned()),
        ..Default::default()
    }
}
