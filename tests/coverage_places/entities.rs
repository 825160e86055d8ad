//! Entities of unusual kinds of tables, or of tables in another schema.

/// An entity that refers to no other.
macro_rules! alone {
    ($name:ident, [$($meta:tt)*], [$($audit:tt)*], { $($fields:tt)* }) => {
        pub mod $name {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            #[sea_orm($($meta)*)]
            #[audit(name = $($audit)*)]
            pub struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub id: i32,
                $($fields)*
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}
        }
    };
}

alone!(elsewhere, [schema_name = "elsewhere", table_name = "item"], ["elsewhere"], { pub note: String, });
// SQLite's own databases.
alone!(at_main, [schema_name = "main", table_name = "at_main"], ["at_main"], { pub note: String, });
alone!(at_temp, [schema_name = "temp", table_name = "at_temp"], ["at_temp"], { pub note: String, });
alone!(mixed, [table_name = "Mixed"], ["mixed"], {
    #[sea_orm(column_name = "Note")]
    pub note: String,
});
// One table with an entity of all its columns and one of some. In the order of names the partial one is first.
alone!(person, [table_name = "person"], ["person"], { pub name: String, pub note: String, });
alone!(person_brief, [table_name = "person"], ["brief_person"], { pub name: String, });
// It does not declare what `guest` refers to.
alone!(guest_brief, [table_name = "guest"], ["brief_guest"], { pub x: i32, });
// The same by triggers. A table has one set of triggers.
alone!(shelf, [table_name = "shelf"], ["shelf", capture = "trigger"], { pub name: String, pub note: String, });
alone!(shelf_brief, [table_name = "shelf"], ["shelf_brief", capture = "trigger", skip_actions(Delete)],
    { pub name: String, });
alone!(person_name, [table_name = "person_name"], ["person_name"], { pub name: String, });
alone!(made, [table_name = "made"], ["made"], { pub qty: i32, pub twice: i32, });
alone!(measure, [table_name = "measure"], ["measure"], { pub person_id: Option<i32>, });
alone!(metered, [table_name = "metered"], ["metered", capture = "trigger"], { pub person_id: Option<i32>, });
alone!(words, [table_name = "words"], ["words"], { pub word: String, });
alone!(ware, [table_name = "ware"], ["ware", capture = "trigger"], { pub name: String, pub qty: i32, });

pub mod mixed_child {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "mixed_child")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub mixed_id: Option<i32>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::mixed::Entity",
            from = "Column::MixedId",
            to = "super::mixed::Column::Id",
            on_delete = "Cascade"
        )]
        Mixed,
    }
}

pub mod couple {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "couple")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub a: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub b: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

pub mod guest {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "guest")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub x: i32,
        pub y: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::couple::Entity",
            from = "(Column::X, Column::Y)",
            to = "(super::couple::Column::A, super::couple::Column::B)",
            on_delete = "Cascade"
        )]
        Couple,
    }
}
