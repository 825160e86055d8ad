//! Every type that SeaORM has on MariaDB.

use sea_orm::entity::prelude::*;
use sea_orm_audit::Auditable;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
#[sea_orm(table_name = "kinds")]
#[audit(capture = "trigger")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub yes: Option<bool>,
    pub tiny: Option<i8>,
    pub small: Option<i16>,
    pub int: Option<i32>,
    pub large: Option<i64>,
    pub byte: Option<u8>,
    pub word16: Option<u16>,
    pub word32: Option<u32>,
    pub word64: Option<u64>,
    pub single: Option<f32>,
    pub twofold: Option<f64>,
    #[sea_orm(column_type = "Decimal(Some((28, 6)))")]
    pub exact: Option<Decimal>,
    #[sea_orm(column_type = "Decimal(Some((20, 0)))")]
    pub big_exact: Option<BigDecimal>,
    pub short: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub long: Option<String>,
    #[sea_orm(column_type = "Char(Some(4))")]
    pub letter: Option<String>,
    pub bytes: Option<Vec<u8>>,
    #[sea_orm(column_type = "Binary(4)")]
    pub four: Option<Vec<u8>>,
    #[sea_orm(column_type = "Blob")]
    pub blob: Option<Vec<u8>>,
    pub uuid: Option<Uuid>,
    pub json: Option<Json>,
    pub day: Option<Date>,
    #[sea_orm(column_type = "custom(\"time(6)\")")]
    pub clock: Option<Time>,
    pub naive: Option<DateTime>,
    #[sea_orm(column_type = "custom(\"datetime(6)\")")]
    pub fine: Option<DateTime>,
    #[sea_orm(column_type = "custom(\"datetime(6)\")")]
    pub utc: Option<DateTimeUtc>,
    #[sea_orm(column_type = "custom(\"timestamp(6) null\")")]
    pub instant: Option<DateTimeUtc>,
    #[sea_orm(column_type = "custom(\"timestamp null\")")]
    pub zoned: Option<DateTimeWithTimeZone>,
    #[sea_orm(column_type = "custom(\"timestamp null\")")]
    pub local: Option<DateTimeLocal>,
    pub time_day: Option<TimeDate>,
    pub time_clock: Option<TimeTime>,
    pub time_naive: Option<TimeDateTime>,
    #[sea_orm(column_type = "custom(\"timestamp(3) null\")")]
    pub time_zoned: Option<TimeDateTimeWithTimeZone>,
    pub level: Option<Level>,
    pub mood: Option<Mood>,
}

#[derive(Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub enum Level {
    Low = 1,
    High = 2,
}

#[derive(Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "mood")]
pub enum Mood {
    #[sea_orm(string_value = "Glad é")]
    Glad,
    #[sea_orm(string_value = "sad \"x\"")]
    Sad,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}
