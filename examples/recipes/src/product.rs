use sea_orm::entity::prelude::*;
use sea_orm_audit::Auditable;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
#[sea_orm(table_name = "product")]
#[audit(display = "{name} (#{id})")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub name: String,
    pub price: i32,
    #[audit(redact)]
    pub supplier_terms: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}
// No `impl ActiveModelBehavior for ActiveModel {}`: the derive writes it.

#[cfg(test)]
pub(crate) fn new(name: &str, price: i32) -> ActiveModel {
    use sea_orm::Set;
    ActiveModel {
        name: Set(name.to_owned()),
        price: Set(price),
        ..Default::default()
    }
}
