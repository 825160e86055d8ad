//! A primary key of several columns.

mod seat {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "seat")]
    #[audit(
        display = "{row}{number} in {hall}",
        tenant = "hall",
        redact_by_default
    )]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hall: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub row: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i32,
        pub guest: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

fn main() {
    use sea_orm_audit::Auditable;
    let columns: Vec<_> = seat::Entity::info().columns().collect();
    assert_eq!(columns, ["hall", "row", "number", "guest"]);
}
