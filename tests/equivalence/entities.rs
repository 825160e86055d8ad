//! The entities, each twice: plain and audited.
//!
//! Order of columns, unique indexes, checks and triggers differ from the tables' on purpose; see `schema`.

macro_rules! entity {
    ($name:ident, $table:tt, { $($fields:tt)* }, { $($relations:tt)* }) => {
        pub(crate) mod $name {
            pub(crate) mod plain {
                use sea_orm::entity::prelude::*;

                #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
                #[sea_orm(table_name = $table)]
                pub struct Model { $($fields)* }

                #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
                pub enum Relation {}

                impl ActiveModelBehavior for ActiveModel {}
            }

            pub(crate) mod audited {
                use sea_orm::entity::prelude::*;
                use sea_orm_audit::Auditable;

                #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
                #[sea_orm(table_name = $table)]
                pub struct Model { $($fields)* }

                #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
                pub enum Relation { $($relations)* }
            }
        }
    };
}

entity!(item, "item", {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub code: Option<String>,
    pub name: Option<String>,
    pub n: i32,
    pub p: f64,
    pub flag: bool,
}, {});

entity!(pair, "pair", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub a: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub b: i32,
    pub note: Option<String>,
    pub n: Option<i32>,
}, {});

entity!(label, "label", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub score: i32,
    pub note: Option<String>,
}, {});

entity!(acct, "acct", {
    pub n: i32,
    pub k: Option<i64>,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    #[sea_orm(unique)]
    pub email: String,
}, {});

entity!(parent, "parent", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub title: String,
}, {});

entity!(child, "child", {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub parent_id: Option<i32>,
    pub friend_id: Option<i32>,
    pub n: i32,
}, {
    #[sea_orm(
        belongs_to = "super::super::parent::audited::Entity",
        from = "Column::ParentId",
        to = "super::super::parent::audited::Column::Id",
        on_delete = "Cascade"
    )]
    Parent,
    #[sea_orm(
        belongs_to = "super::super::parent::audited::Entity",
        from = "Column::FriendId",
        to = "super::super::parent::audited::Column::Id",
        on_delete = "SetNull",
        on_update = "Cascade"
    )]
    Friend,
});

entity!(tree, "tree", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub up_id: Option<i32>,
    pub n: i32,
}, {
    #[sea_orm(
        belongs_to = "Entity",
        from = "Column::UpId",
        to = "Column::Id",
        on_delete = "Cascade"
    )]
    Up,
});

entity!(shop, "shop", {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub title: String,
    pub n: i32,
    pub stamp: i32,
}, {});

entity!(calc, "calc", {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub a: i32,
    pub b: Option<i32>,
    pub total: Option<i32>,
    pub name: String,
}, {});

entity!(long, "long_table_name_that_has_sixty_three_bytes_as_postgresql_allows", {
    #[sea_orm(primary_key, auto_increment = false, column_name = "long_key_column_name_that_has_sixty_three_bytes_as_pg_allows_it")]
    pub id: i32,
    #[sea_orm(column_name = "long_value_column_name_with_sixty_three_bytes_as_pg_allows_it_1")]
    pub first: Option<i32>,
    #[sea_orm(column_name = "long_value_column_name_with_sixty_three_bytes_as_pg_allows_it_2")]
    pub second: Option<String>,
}, {});

entity!(wide, "wide", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub small: Option<i16>,
    pub big: Option<i64>,
    pub single: Option<f32>,
    pub twofold: Option<f64>,
    #[sea_orm(column_type = "Decimal(Some((12, 4)))")]
    pub exact: Option<Decimal>,
    #[sea_orm(column_type = "Text", nullable)]
    pub t: Option<String>,
    pub bytes: Option<Vec<u8>>,
    pub day: Option<Date>,
    pub at: Option<DateTime>,
    pub zoned: Option<DateTimeUtc>,
    pub j: Option<Json>,
    pub u: Option<Uuid>,
}, {});

/// Runs code for the entity of a table, plain or audited; without a choice the audited one.
macro_rules! with_entity {
    ($table:expr, $audited:expr, $entity:ident => $run:expr) => {
        $crate::entities::with_entity!(@ $table, $audited, $entity => $run;
            item, pair, label, acct, parent, child, tree, shop, calc, long, wide)
    };
    ($table:expr, $entity:ident => $run:expr) => {
        $crate::entities::with_entity!(@ $table, $entity => $run;
            item, pair, label, acct, parent, child, tree, shop, calc, long, wide)
    };
    (@ $table:expr, $entity:ident => $run:expr; $($name:ident),*) => {
        match $table {
            $(
                stringify!($name) => {
                    use $crate::entities::$name::audited::Entity as $entity;
                    $run
                }
            )*
            other => panic!("no entity {other}"),
        }
    };
    (@ $table:expr, $audited:expr, $entity:ident => $run:expr; $($name:ident),*) => {
        match ($table, $audited) {
            $(
                (stringify!($name), false) => {
                    use $crate::entities::$name::plain::Entity as $entity;
                    $run
                }
                (stringify!($name), true) => {
                    use $crate::entities::$name::audited::Entity as $entity;
                    $run
                }
            )*
            (other, _) => panic!("no entity {other}"),
        }
    };
}
pub(crate) use with_entity;

/// Runs code for each audited entity.
macro_rules! each_audited {
    ($entity:ident => $run:expr) => {
        $crate::entities::each_audited!(@ $entity => $run;
            item, pair, label, acct, parent, child, tree, shop, calc, long, wide)
    };
    (@ $entity:ident => $run:expr; $($name:ident),*) => {
        $({
            use $crate::entities::$name::audited::Entity as $entity;
            $run
        })*
    };
}
pub(crate) use each_audited;
