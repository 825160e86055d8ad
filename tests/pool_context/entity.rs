//! A table with triggers.

pub mod ledger {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "ledger")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub title: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    pub(crate) fn new(id: i32) -> ActiveModel {
        ActiveModel {
            id: sea_orm::Set(id),
            title: sea_orm::Set("new".to_owned()),
        }
    }
}
