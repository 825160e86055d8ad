use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, Set};
use sea_orm_audit::Auditable;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
#[sea_orm(table_name = "note")]
#[audit(behavior = "own")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub text: String,
    pub length: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

#[sea_orm_audit::behavior] // above #[async_trait]
#[async_trait::async_trait]
impl ActiveModelBehavior for ActiveModel {
    async fn before_save<C: ConnectionTrait>(mut self, _: &C, _: bool) -> Result<Self, DbErr> {
        if let ActiveValue::Set(text) = &self.text {
            self.length = Set(i32::try_from(text.len()).unwrap_or(i32::MAX)); // is in the record, too
        }
        Ok(self)
    }
}
