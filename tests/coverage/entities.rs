//! Twenty tables, all of which are recorded.

/// Tables without special features.
macro_rules! plain {
    ($($name:ident = $table:tt),* $(,)?) => { $(
        pub mod $name {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            #[sea_orm(table_name = $table)]
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                pub note: String,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}
        }
    )* };
}

/// Tables that refer to another.
macro_rules! referring {
    ($($name:ident = $table:tt by $capture:tt to $parent:tt, $id:tt, on delete $on_delete:tt;)*) => { $(
        pub mod $name {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            #[sea_orm(table_name = $table)]
            #[audit(capture = $capture)]
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                pub parent_id: Option<i32>,
                pub note: Option<String>,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {
                #[sea_orm(
                    belongs_to = $parent,
                    from = "Column::ParentId",
                    to = $id,
                    on_delete = $on_delete
                )]
                Parent,
            }
        }
    )* };
}

plain! {
    author = "author",
    order = "order",
    odd = "Odd \"Name\"",
    t11 = "t11",
    t12 = "t12",
    t13 = "t13",
    t14 = "t14",
    t15 = "t15",
    t16 = "t16",
    t17 = "t17",
}

referring! {
    book = "book" by "hook" to "super::author::Entity", "super::author::Column::Id", on delete "Cascade";
    chapter = "chapter" by "hook" to "super::book::Entity", "super::book::Column::Id", on delete "Cascade";
    review = "review" by "hook" to "super::book::Entity", "super::book::Column::Id", on delete "SetNull";
    comment = "comment" by "hook" to "super::review::Entity", "super::review::Column::Id", on delete "NoAction";
    entry = "entry" by "trigger" to "super::ledger::Entity", "super::ledger::Column::Id", on delete "Cascade";
    page = "page" by "trigger" to "super::book::Entity", "super::book::Column::Id", on delete "Cascade";
}

/// A table with triggers.
pub mod ledger {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "ledger")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub amount: i32,
        #[audit(hash)]
        pub account: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// A table with secrets, and with columns that only look like secrets.
pub mod login {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "login")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub password_hash: String,
        #[audit(plain)]
        pub token_count: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// A table with a composite key.
pub mod membership {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "membership")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub club: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub person: i32,
        pub since: Date,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// A table that needs no records.
pub mod cache {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "cache")]
    #[audit(skip)]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}
