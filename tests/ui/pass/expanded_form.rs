//! The expanded form: entity, columns and primary key are written manually.

mod cake {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Copy, Clone, Default, Debug, DeriveEntity)]
    pub struct Entity;

    impl EntityName for Entity {
        fn table_name(&self) -> &'static str {
            "cake"
        }
    }

    #[derive(Clone, Debug, PartialEq, Eq, DeriveModel, DeriveActiveModel, Auditable)]
    #[audit(name = "pastry", display = "{name}", only(id, name))]
    pub struct Model {
        pub id: i32,
        pub name: String,
        #[audit(hash)]
        pub recipe: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveColumn)]
    pub enum Column {
        Id,
        #[sea_orm(column_name = "label")]
        Name,
        Recipe,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DerivePrimaryKey)]
    pub enum PrimaryKey {
        Id,
    }

    impl PrimaryKeyTrait for PrimaryKey {
        type ValueType = i32;

        fn auto_increment() -> bool {
            true
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ColumnTrait for Column {
        type EntityName = Entity;

        fn def(&self) -> ColumnDef {
            match self {
                Self::Id => ColumnType::Integer.def(),
                Self::Name => ColumnType::Text.def(),
                Self::Recipe => ColumnType::Text.def().null(),
            }
        }
    }
}

fn main() {
    use sea_orm_audit::Auditable;
    let info = cake::Entity::info();
    assert_eq!((info.model(), info.table()), ("pastry", "cake"));
    let columns: Vec<_> = info.columns().collect();
    assert_eq!(columns, ["id", "label", "recipe"]);
}
