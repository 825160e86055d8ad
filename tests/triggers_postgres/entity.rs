//! The tables.

macro_rules! no_relations {
    () => {
        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}
    };
}

/// Every type that SeaORM has on PostgreSQL.
pub(crate) mod wide {
    use mac_address::MacAddress;
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "wide")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub yes: Option<bool>,
        pub small: Option<i16>,
        pub medium: Option<i32>,
        pub large: Option<i64>,
        pub single: Option<f32>,
        pub twofold: Option<f64>,
        #[sea_orm(column_type = "Decimal(Some((20, 6)))")]
        pub exact: Option<Decimal>,
        #[sea_orm(column_type = "Decimal(None)")]
        pub big_exact: Option<BigDecimal>,
        pub short: Option<String>,
        #[sea_orm(column_type = "Text")]
        pub long: Option<String>,
        #[sea_orm(column_type = "Char(Some(6))")]
        pub padded: Option<String>,
        pub bytes: Option<Vec<u8>>,
        pub uuid: Option<Uuid>,
        pub json: Option<Json>,
        #[sea_orm(column_type = "JsonBinary")]
        pub jsonb: Option<Json>,
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
        pub mood: Option<Mood>,
        pub level: Option<Level>,
        pub address: Option<IpNetwork>,
        #[sea_orm(column_type = "MacAddr")]
        pub card: Option<MacAddress>,
        pub words: Option<Vec<String>>,
        pub numbers: Option<Vec<i32>>,
        pub larges: Option<Vec<i64>>,
        pub singles: Option<Vec<f32>>,
        pub fractions: Option<Vec<f64>>,
        pub decimals: Option<Vec<Decimal>>,
        pub uuids: Option<Vec<Uuid>>,
        pub instants: Option<Vec<DateTimeUtc>>,
        pub days: Option<Vec<Date>>,
        pub moods: Option<Vec<Mood>>,
        pub blobs: Option<Vec<Vec<u8>>>,
        pub documents: Option<Vec<Json>>,
    }

    #[derive(Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
    #[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "wide_mood")]
    pub enum Mood {
        #[sea_orm(string_value = "Glad")]
        Glad,
        #[sea_orm(string_value = "it's \"sad\", \\ or")]
        Sad,
    }

    #[derive(Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
    #[sea_orm(rs_type = "i32", db_type = "Integer")]
    pub enum Level {
        Low = 1,
        High = 2,
    }

    no_relations!();
}

/// An ordinary table.
pub(crate) mod post {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "post")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub title: String,
        pub score: Option<i32>,
    }

    no_relations!();
}

/// The root that the rows below refer to.
pub(crate) mod root {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "root")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
    }

    no_relations!();
}

/// Deleted with its root.
pub(crate) mod branch {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "branch")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub root_id: i32,
    }

    no_relations!();
}

/// Deleted with its branch, or its reference is set to NULL.
pub(crate) mod leaf {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "leaf")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub branch_id: Option<i32>,
        pub beside_id: Option<i32>,
    }

    no_relations!();
}

/// Every setting of the derive and the configuration.
pub(crate) mod marked {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "marked")]
    #[audit(
        capture = "trigger",
        name = "Marked",
        module = "shop",
        display = "{title} ({code}, {password})",
        tenant = "org_id"
    )]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(column_type = "Text")]
        pub title: String,
        pub code: Option<i32>,
        pub org_id: Option<String>,
        pub password: String,
        #[audit(redact)]
        pub salary: Option<i32>,
        #[audit(skip)]
        pub seen: Option<i32>,
        #[audit(plain)]
        pub token: Option<String>,
        pub settings: Option<Json>,
        #[audit(plain)]
        pub open_settings: Option<Json>,
    }

    no_relations!();
}

/// Only some columns, and without its changes.
pub(crate) mod partly {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "partly")]
    #[audit(capture = "trigger", only(title), skip_actions(Delete))]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub title: String,
        pub score: i32,
    }

    no_relations!();
}
