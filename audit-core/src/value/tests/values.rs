//! Values of every kind that SeaORM has, for property tests.
//!
//! One file, because it has one generator for each kind of value.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use proptest::prelude::*;
use proptest::sample::select;
use sea_orm::prelude::Json;
use sea_orm::sea_query::{ArrayType, Enum, OptionEnum, Value};

use crate::value::ColumnKind;

/// All kinds of single values.
pub(crate) fn kinds() -> Vec<ArrayType> {
    use ArrayType as T;
    vec![
        T::Bool,
        T::TinyInt,
        T::SmallInt,
        T::Int,
        T::BigInt,
        T::TinyUnsigned,
        T::SmallUnsigned,
        T::Unsigned,
        T::BigUnsigned,
        T::Float,
        T::Double,
        T::String,
        T::Enum(Box::new("mood".into())),
        T::Char,
        T::Bytes,
        T::Json,
        T::ChronoDate,
        T::ChronoTime,
        T::ChronoDateTime,
        T::ChronoDateTimeUtc,
        T::ChronoDateTimeLocal,
        T::ChronoDateTimeWithTimeZone,
        #[cfg(feature = "with-time")]
        T::TimeDate,
        #[cfg(feature = "with-time")]
        T::TimeTime,
        #[cfg(feature = "with-time")]
        T::TimeDateTime,
        #[cfg(feature = "with-time")]
        T::TimeDateTimeWithTimeZone,
        T::Uuid,
        #[cfg(feature = "with-rust_decimal")]
        T::Decimal,
        #[cfg(feature = "with-bigdecimal")]
        T::BigDecimal,
        #[cfg(feature = "with-ipnetwork")]
        T::IpNetwork,
        #[cfg(feature = "with-mac_address")]
        T::MacAddress,
    ]
}

/// All column kinds.
pub(crate) fn shapes() -> Vec<ColumnKind> {
    let one = kinds().into_iter().map(ColumnKind::One);
    let many = kinds().into_iter().map(ColumnKind::Many);
    #[allow(unused_mut)]
    let mut all: Vec<_> = one.chain(many).collect();
    #[cfg(feature = "postgres-vector")]
    all.push(ColumnKind::Vector);
    all
}

/// Values of a column kind, NULL among them.
pub(crate) fn of_shape(shape: &ColumnKind) -> BoxedStrategy<Value> {
    match shape {
        ColumnKind::One(kind) => of_kind(kind),
        ColumnKind::Many(kind) => {
            let kind = kind.clone();
            let items = proptest::collection::vec(of_kind(&kind), 0..4);
            proptest::option::weighted(0.9, items)
                .prop_map(move |items| Value::Array(kind.clone(), items.map(Box::new)))
                .boxed()
        }
        #[cfg(feature = "postgres-vector")]
        ColumnKind::Vector => {
            let item = prop_oneof![proptest::num::f32::ANY, select(vec![0.0, -0.0, f32::NAN]),];
            let items = proptest::collection::vec(item, 0..4);
            proptest::option::weighted(0.9, items)
                .prop_map(|items| Value::Vector(items.map(Into::into)))
                .boxed()
        }
        #[cfg(not(feature = "postgres-vector"))]
        ColumnKind::Vector => Just(Value::Int(None)).boxed(),
    }
}

/// An integer, often one near a limit of JSON or of its own type.
macro_rules! integers {
    ($variant:ident: $type:ty) => {
        maybe(
            prop_oneof![
                any::<$type>(),
                select(vec![<$type>::MIN, 0, 1, <$type>::MAX]),
            ],
            Value::$variant,
        )
    };
    ($variant:ident: $type:ty, $($edge:expr),*) => {
        maybe(
            prop_oneof![
                any::<$type>(),
                select(vec![<$type>::MIN, 0, 1, <$type>::MAX, $($edge),*]),
            ],
            Value::$variant,
        )
    };
}

// Without the features of this crate there are no other kinds.
#[allow(unreachable_patterns)]
fn of_kind(kind: &ArrayType) -> BoxedStrategy<Value> {
    use ArrayType as T;
    match kind {
        T::Bool => maybe(any::<bool>(), Value::Bool),
        T::TinyInt => integers!(TinyInt: i8),
        T::SmallInt => integers!(SmallInt: i16),
        T::Int => integers!(Int: i32),
        T::BigInt => integers!(
            BigInt: i64,
            (1 << 53) - 1, 1 << 53, -(1 << 53) + 1, -(1 << 53)
        ),
        T::TinyUnsigned => integers!(TinyUnsigned: u8),
        T::SmallUnsigned => integers!(SmallUnsigned: u16),
        T::Unsigned => integers!(Unsigned: u32),
        T::BigUnsigned => integers!(BigUnsigned: u64, (1 << 53) - 1, 1 << 53),
        T::Float => maybe(
            prop_oneof![
                proptest::num::f32::ANY,
                select(vec![0.0, -0.0, 0.1, f32::MIN_POSITIVE, f32::MAX, f32::NAN]),
            ],
            Value::Float,
        ),
        T::Double => maybe(
            prop_oneof![
                proptest::num::f64::ANY,
                select(vec![0.0, -0.0, 0.1, f64::MIN_POSITIVE, f64::MAX, f64::NAN]),
            ],
            Value::Double,
        ),
        T::String => maybe(any::<String>(), Value::String),
        T::Enum(type_name) => {
            let type_name = type_name.as_ref().clone();
            let words = select(vec!["happy", "Sad", "null", ""]);
            proptest::option::weighted(0.9, words)
                .prop_map(move |word| {
                    Value::Enum(match word {
                        None => OptionEnum::None(type_name.clone()),
                        Some(word) => OptionEnum::Some(Box::new(Enum {
                            type_name: type_name.clone(),
                            value: word.into(),
                        })),
                    })
                })
                .boxed()
        }
        T::Char => maybe(any::<char>(), Value::Char),
        T::Bytes => maybe(proptest::collection::vec(any::<u8>(), 0..9), Value::Bytes),
        T::Json => maybe(json(), |json| Value::Json(json.map(Box::new))),
        T::ChronoDate => maybe(day(), Value::ChronoDate),
        T::ChronoTime => maybe(clock(), Value::ChronoTime),
        T::ChronoDateTime => maybe(moment(), Value::ChronoDateTime),
        T::ChronoDateTimeUtc => maybe(moment(), |moment| {
            Value::ChronoDateTimeUtc(moment.map(|moment| moment.and_utc()))
        }),
        T::ChronoDateTimeLocal => maybe(moment(), |moment| {
            Value::ChronoDateTimeLocal(moment.map(|moment| moment.and_utc().into()))
        }),
        T::ChronoDateTimeWithTimeZone => {
            let zoned =
                (moment(), -86_399..=86_399_i32).prop_filter_map("no offset", |(utc, at)| {
                    let offset = FixedOffset::east_opt(at)?;
                    Some(DateTime::from_naive_utc_and_offset(utc, offset))
                });
            maybe(zoned, Value::ChronoDateTimeWithTimeZone)
        }
        T::Uuid => maybe(any::<u128>(), |bits| {
            Value::Uuid(bits.map(sea_orm::prelude::Uuid::from_u128))
        }),
        other => of_optional_kind(other),
    }
}

/// Kinds that depend on features of this crate.
fn of_optional_kind(kind: &ArrayType) -> BoxedStrategy<Value> {
    #[allow(unused_imports)]
    use sea_orm::sea_query::value::prelude as types;
    match kind {
        #[cfg(feature = "with-time")]
        ArrayType::TimeDate => maybe(time_day(), Value::TimeDate),
        #[cfg(feature = "with-time")]
        ArrayType::TimeTime => maybe(time_clock(), Value::TimeTime),
        #[cfg(feature = "with-time")]
        ArrayType::TimeDateTime => maybe(
            (time_day(), time_clock()).prop_map(|(day, clock)| day.with_time(clock)),
            Value::TimeDateTime,
        ),
        #[cfg(feature = "with-time")]
        ArrayType::TimeDateTimeWithTimeZone => {
            use types::time::{OffsetDateTime, UtcOffset};
            let zoned = (time_day(), time_clock(), -93_599..=93_599_i32);
            let zoned = zoned.prop_filter_map("no offset", |(day, clock, at)| {
                let offset = UtcOffset::from_whole_seconds(at).ok()?;
                Some(OffsetDateTime::new_in_offset(day, clock, offset))
            });
            maybe(zoned, Value::TimeDateTimeWithTimeZone)
        }
        #[cfg(feature = "with-rust_decimal")]
        ArrayType::Decimal => {
            let parts = (any::<[u32; 3]>(), any::<bool>(), 0..=28_u32);
            let any = parts.prop_map(|([lo, mid, hi], negative, scale)| {
                types::Decimal::from_parts(lo, mid, hi, negative, scale)
            });
            let short = (-1000..1000_i64, 0..6_u32)
                .prop_map(|(mantissa, scale)| types::Decimal::new(mantissa, scale));
            maybe(prop_oneof![any, short], Value::Decimal)
        }
        #[cfg(feature = "with-bigdecimal")]
        ArrayType::BigDecimal => {
            let parts = (any::<i128>(), -40..40_i64);
            let any =
                parts.prop_map(|(digits, scale)| types::BigDecimal::new(digits.into(), scale));
            let short = (-1000..1000_i32, -3..3_i64)
                .prop_map(|(digits, scale)| types::BigDecimal::new(digits.into(), scale));
            maybe(prop_oneof![any, short], |number| {
                Value::BigDecimal(number.map(Box::new))
            })
        }
        #[cfg(feature = "with-ipnetwork")]
        ArrayType::IpNetwork => {
            let v4 = (any::<[u8; 4]>(), 0..=32_u8)
                .prop_map(|(address, prefix)| (std::net::IpAddr::from(address), prefix));
            let v6 = (any::<[u8; 16]>(), 0..=128_u8)
                .prop_map(|(address, prefix)| (std::net::IpAddr::from(address), prefix));
            let networks = prop_oneof![v4, v6].prop_filter_map("no prefix", |(address, prefix)| {
                types::IpNetwork::new(address, prefix).ok()
            });
            maybe(networks, Value::IpNetwork)
        }
        #[cfg(feature = "with-mac_address")]
        ArrayType::MacAddress => maybe(any::<[u8; 6]>(), |bytes| {
            Value::MacAddress(bytes.map(types::MacAddress::new))
        }),
        // `kinds` lists no other; without a value every test that uses it fails.
        _ => Just(Value::Int(None))
            .prop_filter("no such kind", |_| false)
            .boxed(),
    }
}

/// A value, or now and then NULL.
fn maybe<S>(values: S, wrap: impl Fn(Option<S::Value>) -> Value + 'static) -> BoxedStrategy<Value>
where
    S: Strategy + 'static,
    S::Value: Clone,
{
    proptest::option::weighted(0.9, values)
        .prop_map(wrap)
        .boxed()
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        select(vec![1.0, -0.0, 1e300]).prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

/// Any day that chrono supports, often one near the years 0, 1970 and 10000.
fn day() -> impl Strategy<Value = NaiveDate> {
    let days = prop_oneof![
        // One day less at either end, so that every offset from UTC is a valid date.
        -95_745_397..95_745_397_i32,
        -400..400_i32,
        719_162 - 400..719_162 + 400_i32,
        3_652_059 - 400..3_652_059 + 400_i32,
    ];
    days.prop_filter_map("no day", NaiveDate::from_num_days_from_ce_opt)
}

/// Nanoseconds, often a whole number of microseconds.
fn nanosecond() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(0),
        (0..1_000_000_u32).prop_map(|micros| micros * 1000),
        0..1_000_000_000_u32,
    ]
}

/// Any time of day, leap seconds among them.
fn clock() -> impl Strategy<Value = NaiveTime> {
    let second = prop_oneof![4 => 0..60_u32, 1 => Just(60)];
    (0..24_u32, 0..60_u32, second, nanosecond()).prop_filter_map(
        "no time",
        |(hour, minute, second, nano)| match second {
            60 => NaiveTime::from_hms_nano_opt(hour, minute, 59, nano + 1_000_000_000),
            _ => NaiveTime::from_hms_nano_opt(hour, minute, second, nano),
        },
    )
}

fn moment() -> impl Strategy<Value = NaiveDateTime> {
    (day(), clock()).prop_map(|(day, clock)| day.and_time(clock))
}

#[cfg(feature = "with-time")]
fn time_day() -> impl Strategy<Value = sea_orm::prelude::TimeDate> {
    use sea_orm::prelude::TimeDate as Day;
    let (min, max) = (Day::MIN.to_julian_day(), Day::MAX.to_julian_day());
    let days = prop_oneof![min..=max, min..min + 3, max - 3..=max, 1_721_000..1_721_500];
    days.prop_filter_map("no day", |day| Day::from_julian_day(day).ok())
}

#[cfg(feature = "with-time")]
fn time_clock() -> impl Strategy<Value = sea_orm::prelude::TimeTime> {
    (0..24_u8, 0..60_u8, 0..60_u8, nanosecond()).prop_filter_map(
        "no time",
        |(hour, minute, second, nano)| {
            sea_orm::prelude::TimeTime::from_hms_nano(hour, minute, second, nano).ok()
        },
    )
}

/// The same value as another client would write it: another zone, another scale, another zero.
pub(crate) fn written_differently(value: &Value) -> Value {
    match value {
        Value::Float(Some(v)) if *v == 0.0 || v.is_nan() => Value::Float(Some(-v)),
        Value::Double(Some(v)) if *v == 0.0 || v.is_nan() => Value::Double(Some(-v)),
        Value::Json(None) => Value::Json(Some(Box::new(Json::Null))),
        Value::Json(Some(json)) => Value::Json(Some(Box::new(reversed(json)))),
        Value::ChronoDateTimeWithTimeZone(Some(v)) => {
            let other = FixedOffset::east_opt(if v.offset().local_minus_utc() == 0 {
                60
            } else {
                0
            });
            Value::ChronoDateTimeWithTimeZone(other.map(|zone| v.with_timezone(&zone)))
        }
        Value::Array(kind, Some(items)) => {
            let items = items.iter().map(written_differently).collect();
            Value::Array(kind.clone(), Some(Box::new(items)))
        }
        other => optional_written_differently(other),
    }
}

fn optional_written_differently(value: &Value) -> Value {
    match value {
        #[cfg(feature = "with-time")]
        Value::TimeDateTimeWithTimeZone(Some(v)) => {
            use sea_orm::sea_query::value::prelude::time::UtcOffset;
            let zone = UtcOffset::from_whole_seconds(-3600).ok();
            let other = zone.and_then(|zone| v.checked_to_offset(zone));
            Value::TimeDateTimeWithTimeZone(other.or(Some(*v)))
        }
        #[cfg(feature = "with-rust_decimal")]
        Value::Decimal(Some(v)) => {
            let mut other = *v;
            if v.is_zero() {
                other.set_sign_negative(!v.is_sign_negative());
            } else if v.scale() < 28 {
                other.rescale(v.scale() + 1);
            }
            Value::Decimal(Some(other))
        }
        #[cfg(feature = "with-bigdecimal")]
        Value::BigDecimal(Some(v)) => {
            let (_, scale) = v.as_bigint_and_exponent();
            Value::BigDecimal(Some(Box::new(v.with_scale(scale + 2))))
        }
        #[cfg(feature = "postgres-vector")]
        Value::Vector(Some(v)) => {
            let other = v
                .as_slice()
                .iter()
                .map(|v| if *v == 0.0 || v.is_nan() { -v } else { *v });
            Value::Vector(Some(other.collect::<Vec<_>>().into()))
        }
        other => other.clone(),
    }
}

/// The same JSON, its keys written in another order.
fn reversed(json: &Json) -> Json {
    match json {
        Json::Object(map) => (map.iter().rev())
            .map(|(key, value)| (key.clone(), reversed(value)))
            .collect(),
        Json::Array(items) => items.iter().map(reversed).collect(),
        other => other.clone(),
    }
}
