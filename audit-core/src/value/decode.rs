//! Canonical JSON → database value, by the type of the column.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use sea_orm::prelude::Json;
use sea_orm::sea_query::{ArrayType, Enum, OptionEnum, Value};
use sea_orm::{ColumnTrait, EntityTrait, ModelTrait, sea_query::ColumnType};

use super::DecodeError;

/// The kind of database value that a canonical JSON represents.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ColumnKind {
    /// One value.
    One(ArrayType),
    /// An array of values.
    Many(ArrayType),
    /// A pgvector `vector`.
    Vector,
}

impl ColumnKind {
    /// The kind of an entity's column.
    #[must_use]
    pub fn of_column<E: EntityTrait>(column: E::Column) -> Self {
        match column.def().get_column_type() {
            ColumnType::Vector(_) => Self::Vector,
            // However it is declared: SeaORM has no value type for it, and panics when asked.
            ColumnType::Custom(name) if name.to_string().starts_with("vector") => Self::Vector,
            ColumnType::Array(_) => Self::Many(<E::Model as ModelTrait>::get_value_type(column)),
            _ => Self::One(<E::Model as ModelTrait>::get_value_type(column)),
        }
    }
}

/// The database value of a canonical JSON.
///
/// # Errors
/// Returns [`DecodeError`] when the JSON is not a canonical form of the kind, or the kind's type is behind a feature of
/// this crate that is not enabled.
pub fn decode(json: &Json, shape: &ColumnKind) -> Result<Value, DecodeError> {
    let wrong = || DecodeError {
        shape: shape.clone(),
    };
    match shape {
        ColumnKind::One(kind) => decode_one(json, kind).ok_or_else(wrong),
        ColumnKind::Many(kind) => {
            let items = match json {
                Json::Null => return Ok(Value::Array(kind.clone(), None)),
                Json::Array(items) => items,
                _ => return Err(wrong()),
            };
            let items = items
                .iter()
                .map(|item| decode_one(item, kind).ok_or_else(wrong))
                .collect::<Result<_, _>>()?;
            Ok(Value::Array(kind.clone(), Some(Box::new(items))))
        }
        ColumnKind::Vector => decode_vector(json).ok_or_else(wrong),
    }
}

#[cfg(feature = "postgres-vector")]
fn decode_vector(json: &Json) -> Option<Value> {
    let items = match json {
        Json::Null => return Some(Value::Vector(None)),
        Json::Array(items) => items,
        _ => return None,
    };
    let items: Vec<f32> = items
        .iter()
        .map(|item| float(item).map(narrow))
        .collect::<Option<_>>()?;
    Some(Value::Vector(Some(items.into())))
}

#[cfg(not(feature = "postgres-vector"))]
fn decode_vector(_: &Json) -> Option<Value> {
    None
}

fn decode_one(json: &Json, kind: &ArrayType) -> Option<Value> {
    let null = json.is_null();
    // `null` becomes the kind's own NULL; anything else must read as the kind.
    macro_rules! or_null {
        ($variant:ident, $read:expr) => {
            Value::$variant(if null { None } else { Some($read?) })
        };
    }
    Some(match kind {
        ArrayType::Bool => or_null!(Bool, json.as_bool()),
        ArrayType::TinyInt => or_null!(TinyInt, integer(json)),
        ArrayType::SmallInt => or_null!(SmallInt, integer(json)),
        ArrayType::Int => or_null!(Int, integer(json)),
        ArrayType::BigInt => or_null!(BigInt, integer(json)),
        ArrayType::TinyUnsigned => or_null!(TinyUnsigned, integer(json)),
        ArrayType::SmallUnsigned => or_null!(SmallUnsigned, integer(json)),
        ArrayType::Unsigned => or_null!(Unsigned, integer(json)),
        ArrayType::BigUnsigned => or_null!(BigUnsigned, integer(json)),
        ArrayType::Float => or_null!(Float, float(json).map(narrow)),
        ArrayType::Double => or_null!(Double, float(json)),
        ArrayType::String => or_null!(String, json.as_str().map(str::to_owned)),
        ArrayType::Enum(type_name) => Value::Enum(if null {
            OptionEnum::None((**type_name).clone())
        } else {
            OptionEnum::Some(Box::new(Enum {
                type_name: (**type_name).clone(),
                value: json.as_str()?.to_owned().into(),
            }))
        }),
        ArrayType::Char => or_null!(Char, parse(json)),
        ArrayType::Bytes => or_null!(Bytes, json.as_str().and_then(unhex)),
        ArrayType::Json => or_null!(Json, Some(Box::new(json.clone()))),
        ArrayType::ChronoDate => or_null!(ChronoDate, parse(json)),
        ArrayType::ChronoTime => or_null!(ChronoTime, clock(json)),
        ArrayType::ChronoDateTime => or_null!(ChronoDateTime, naive(json)),
        ArrayType::ChronoDateTimeUtc => or_null!(ChronoDateTimeUtc, utc(json)),
        ArrayType::ChronoDateTimeLocal => {
            or_null!(ChronoDateTimeLocal, utc(json).map(Into::into))
        }
        ArrayType::ChronoDateTimeWithTimeZone => {
            or_null!(
                ChronoDateTimeWithTimeZone,
                utc(json).map(|v| v.fixed_offset())
            )
        }
        ArrayType::Uuid => or_null!(Uuid, parse(json)),
        #[cfg(feature = "with-time")]
        ArrayType::TimeDate => or_null!(TimeDate, parse(json).and_then(time_date)),
        #[cfg(feature = "with-time")]
        ArrayType::TimeTime => or_null!(TimeTime, clock(json).and_then(time_time)),
        #[cfg(feature = "with-time")]
        ArrayType::TimeDateTime => or_null!(
            TimeDateTime,
            naive(json).and_then(|v| Some(sea_orm::prelude::TimeDateTime::new(
                time_date(v.date())?,
                time_time(v.time())?
            )))
        ),
        #[cfg(feature = "with-time")]
        ArrayType::TimeDateTimeWithTimeZone => or_null!(
            TimeDateTimeWithTimeZone,
            utc(json).and_then(|v| time_instant(v.naive_utc()))
        ),
        #[cfg(feature = "with-rust_decimal")]
        ArrayType::Decimal => or_null!(Decimal, parse(json)),
        #[cfg(feature = "with-bigdecimal")]
        ArrayType::BigDecimal => or_null!(BigDecimal, parse(json).map(Box::new)),
        #[cfg(feature = "with-ipnetwork")]
        ArrayType::IpNetwork => or_null!(IpNetwork, parse(json)),
        #[cfg(feature = "with-mac_address")]
        ArrayType::MacAddress => or_null!(MacAddress, parse(json)),
        // As for `encode`: the build may know more types than this crate.
        #[allow(unreachable_patterns)]
        _ => return None,
    })
}

fn parse<T: std::str::FromStr>(json: &Json) -> Option<T> {
    json.as_str()?.parse().ok()
}

fn integer<T: TryFrom<i128>>(json: &Json) -> Option<T> {
    let wide = match json {
        Json::Number(number) => number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from))?,
        Json::String(text) if !text.starts_with('+') => text.parse().ok()?,
        _ => return None,
    };
    T::try_from(wide).ok()
}

fn float(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// The value was widened from an `f32`, so narrowing it loses nothing.
#[allow(clippy::cast_possible_truncation)]
fn narrow(value: f64) -> f32 {
    value as f32
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    // `from_str_radix` alone would take a sign for a digit.
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

fn clock(json: &Json) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(json.as_str()?, "%H:%M:%S%.f").ok()
}

fn naive(json: &Json) -> Option<NaiveDateTime> {
    let (day, clock) = json.as_str()?.split_once('T')?;
    Some(
        day.parse::<NaiveDate>()
            .ok()?
            .and_time(NaiveTime::parse_from_str(clock, "%H:%M:%S%.f").ok()?),
    )
}

fn utc(json: &Json) -> Option<DateTime<chrono::Utc>> {
    let text = json.as_str()?.strip_suffix('Z')?;
    Some(naive(&Json::String(text.to_owned()))?.and_utc())
}

#[cfg(feature = "with-time")]
fn time_date(day: NaiveDate) -> Option<sea_orm::prelude::TimeDate> {
    use chrono::Datelike;
    let ordinal = u16::try_from(day.ordinal()).ok()?;
    sea_orm::prelude::TimeDate::from_ordinal_date(day.year(), ordinal).ok()
}

#[cfg(feature = "with-time")]
fn time_time(clock: NaiveTime) -> Option<sea_orm::prelude::TimeTime> {
    use chrono::Timelike;
    let part = |v: u32| u8::try_from(v).ok();
    sea_orm::prelude::TimeTime::from_hms_nano(
        part(clock.hour())?,
        part(clock.minute())?,
        part(clock.second())?,
        clock.nanosecond(),
    )
    .ok()
}

/// An instant in UTC, or, where the years of the `time` crate end in between, in another zone.
#[cfg(feature = "with-time")]
fn time_instant(utc: NaiveDateTime) -> Option<sea_orm::prelude::TimeDateTimeWithTimeZone> {
    use sea_orm::sea_query::value::prelude::time::UtcOffset;
    // The most distant zones that the crate supports, in seconds.
    [0, -93_599, 93_599].into_iter().find_map(|seconds| {
        let local = utc.checked_add_signed(chrono::TimeDelta::seconds(seconds.into()))?;
        Some(sea_orm::prelude::TimeDateTimeWithTimeZone::new_in_offset(
            time_date(local.date())?,
            time_time(local.time())?,
            UtcOffset::from_whole_seconds(seconds).ok()?,
        ))
    })
}
