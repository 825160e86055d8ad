//! The tables of the workload.
//!
//! Numbered rows are distinguished by `code`, the others by their key.

/// Every type that all databases have.
pub(super) mod wide {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "diff_wide")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        #[sea_orm(unique)]
        pub code: i32,
        pub score: i32,
        pub yes: Option<bool>,
        pub small: Option<i16>,
        pub large: Option<i64>,
        pub single: Option<f32>,
        pub twofold: Option<f64>,
        #[sea_orm(column_type = "Decimal(Some((20, 6)))")]
        pub exact: Option<Decimal>,
        #[sea_orm(column_type = "Decimal(Some((20, 6)))")]
        pub big_exact: Option<BigDecimal>,
        pub short: Option<String>,
        #[sea_orm(column_type = "Text")]
        pub long: Option<String>,
        pub bytes: Option<Vec<u8>>,
        pub uuid: Option<Uuid>,
        pub json: Option<Json>,
        pub day: Option<Date>,
        pub clock: Option<Time>,
        pub naive: Option<DateTime>,
        pub instant: Option<DateTimeUtc>,
        pub zoned: Option<DateTimeWithTimeZone>,
        pub local: Option<DateTimeLocal>,
        pub time_day: Option<TimeDate>,
        pub time_clock: Option<TimeTime>,
        pub time_naive: Option<TimeDateTime>,
        pub time_zoned: Option<TimeDateTimeWithTimeZone>,
        pub level: Option<Level>,
        pub word: Option<Word>,
    }

    #[derive(Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
    #[sea_orm(rs_type = "i32", db_type = "Integer")]
    pub enum Level {
        Low = 1,
        High = 2,
    }

    #[derive(Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
    #[sea_orm(rs_type = "String", db_type = "String(StringLen::N(8))")]
    pub enum Word {
        #[sea_orm(string_value = "yes")]
        Yes,
        #[sea_orm(string_value = "No")]
        No,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// The integers that PostgreSQL does not have.
pub(super) mod narrow {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "diff_narrow")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        pub code: i32,
        pub score: i32,
        pub tiny: Option<i8>,
        pub byte: Option<u8>,
        pub word16: Option<u16>,
        pub word32: Option<u32>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// The integer that only MariaDB has, also as a key.
pub(super) mod huge {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "diff_huge")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: u64,
        #[sea_orm(unique)]
        pub code: i32,
        pub score: i32,
        pub count: Option<u64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// The types that only PostgreSQL has.
pub(super) mod listed {
    use mac_address::MacAddress;
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "diff_listed")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        pub code: i32,
        pub score: i32,
        pub words: Option<Vec<String>>,
        pub numbers: Option<Vec<i64>>,
        pub fractions: Option<Vec<f64>>,
        pub uuids: Option<Vec<Uuid>>,
        pub mood: Option<Mood>,
        pub moods: Option<Vec<Mood>>,
        pub address: Option<IpNetwork>,
        #[sea_orm(column_type = "MacAddr")]
        pub adapter: Option<MacAddress>,
    }

    #[derive(Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
    #[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "diff_mood")]
    pub enum Mood {
        #[sea_orm(string_value = "Glad")]
        Glad,
        #[sea_orm(string_value = "sad")]
        Sad,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// Keyed by text. Case and trailing spaces count only on some databases.
pub(super) mod label {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "diff_label")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub score: i32,
        pub short: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// Keyed by two columns.
pub(super) mod pair {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "diff_pair")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub left_half: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub right_half: Uuid,
        pub score: i32,
        pub short: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// Saved with its books.
pub(super) mod author {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "diff_author")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
        #[sea_orm(has_many)]
        pub books: HasMany<super::book::Entity>,
    }
}

/// Without a foreign key action: SeaORM itself deletes books before their author.
pub(super) mod book {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "diff_book")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub title: String,
        pub author_id: i32,
        #[sea_orm(belongs_to, from = "author_id", to = "id")]
        pub author: BelongsTo<super::author::Entity>,
    }
}

/// The root that the rows below refer to.
pub(super) mod root {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "diff_root")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub note: Option<i32>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// Deleted with its root; the reference to another root is set to NULL.
pub(super) mod branch {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "diff_branch")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub root_id: Option<i32>,
        pub other_id: Option<i32>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::root::Entity",
            from = "Column::RootId",
            to = "super::root::Column::Id",
            on_delete = "Cascade"
        )]
        Root,
        #[sea_orm(
            belongs_to = "super::root::Entity",
            from = "Column::OtherId",
            to = "super::root::Column::Id",
            on_delete = "SetNull"
        )]
        Other,
    }
}

/// The reference to its branch is set to NULL.
pub(super) mod leaf {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "diff_leaf")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub branch_id: Option<i32>,
        pub note: Option<i32>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::branch::Entity",
            from = "Column::BranchId",
            to = "super::branch::Column::Id",
            on_delete = "SetNull"
        )]
        Branch,
    }
}

/// Deleted with its branch or the node above it; the reference to the node beside it is set to NULL.
pub(super) mod node {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "diff_node")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub branch_id: Option<i32>,
        pub above_id: Option<i32>,
        pub beside_id: Option<i32>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::branch::Entity",
            from = "Column::BranchId",
            to = "super::branch::Column::Id",
            on_delete = "Cascade"
        )]
        Branch,
        #[sea_orm(
            belongs_to = "Entity",
            from = "Column::AboveId",
            to = "Column::Id",
            on_delete = "Cascade"
        )]
        Above,
        #[sea_orm(
            belongs_to = "Entity",
            from = "Column::BesideId",
            to = "Column::Id",
            on_delete = "SetNull"
        )]
        Beside,
    }
}
