//! The table of canonical forms, by example.

use sea_orm::prelude::{ChronoDate, ChronoTime, DateTimeUtc, DateTimeWithTimeZone, Json, Uuid};
use sea_orm::sea_query::{ArrayType, Enum, OptionEnum, Value};
use serde_json::json;

use crate::value::{ColumnKind, canonical_eq, decode, encode};
use crate::value::{DecodeError, EncodeError};

type TestResult<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn check(examples: Vec<(Value, Json)>) -> Result<(), EncodeError> {
    for (value, form) in examples {
        let text = form.to_string();
        assert_eq!(encode(&value)?.to_string(), text, "{value:?}");
    }
    Ok(())
}

#[test]
fn booleans_integers_and_texts() -> Result<(), EncodeError> {
    let mood = |value: &'static str| {
        Value::Enum(OptionEnum::Some(Box::new(Enum {
            type_name: "mood".into(),
            value: value.into(),
        })))
    };
    check(vec![
        (Value::from(true), json!(true)),
        (Value::from(-128_i8), json!(-128)),
        (Value::from(255_u8), json!(255)),
        (Value::from(i32::MIN), json!(-2_147_483_648)),
        (
            Value::from(9_007_199_254_740_991_i64),
            json!(9_007_199_254_740_991_i64),
        ),
        (
            Value::from(9_007_199_254_740_992_i64),
            json!("9007199254740992"),
        ),
        (
            Value::from(-9_007_199_254_740_991_i64),
            json!(-9_007_199_254_740_991_i64),
        ),
        (
            Value::from(-9_007_199_254_740_992_i64),
            json!("-9007199254740992"),
        ),
        (Value::from(i64::MIN), json!("-9223372036854775808")),
        (Value::from(u64::MAX), json!("18446744073709551615")),
        (
            Value::from("Größe \0 \u{1F600}"),
            json!("Größe \0 \u{1F600}"),
        ),
        (Value::from(""), json!("")),
        (Value::from('ß'), json!("ß")),
        (mood("Happy"), json!("Happy")),
        (Value::from(vec![0_u8, 1, 0xAB, 0xFF]), json!("0001abff")),
        (Value::from(Vec::<u8>::new()), json!("")),
    ])
}

#[test]
fn floats_are_numbers_where_json_has_them() -> Result<(), EncodeError> {
    check(vec![
        (Value::from(1.0), json!(1.0)),
        (Value::from(0.1), json!(0.1)),
        (Value::from(0.1_f32), json!(0.100_000_001_490_116_12)),
        (Value::from(-0.0), json!(0.0)),
        (Value::from(-0.0_f32), json!(0.0)),
        (Value::from(1e300), json!(1e300)),
        (Value::from(f64::NAN), json!("NaN")),
        (Value::from(-f64::NAN), json!("NaN")),
        (Value::from(f32::INFINITY), json!("Infinity")),
        (Value::from(f64::NEG_INFINITY), json!("-Infinity")),
    ])
}

#[test]
fn dates_and_times_of_chrono() -> TestResult {
    let zoned = |text: &str| text.parse::<DateTimeWithTimeZone>();
    let utc = |text: &str| text.parse::<DateTimeUtc>();
    let day = |text: &str| text.parse::<ChronoDate>();
    let clock = |text: &str| text.parse::<ChronoTime>();
    let noon = clock("12:00:00")?;
    Ok(check(vec![
        (
            Value::from(zoned("2026-11-23T05:05:06.123456+01:00")?),
            json!("2026-11-23T04:05:06.123456Z"),
        ),
        (
            Value::from(zoned("2026-11-23T00:05:06.123456789-04:00")?),
            json!("2026-11-23T04:05:06.123456789Z"),
        ),
        (
            Value::from(utc("2026-11-23T04:05:06Z")?),
            json!("2026-11-23T04:05:06.000000Z"),
        ),
        (
            Value::from(utc("2026-11-23T04:05:06.1Z")?),
            json!("2026-11-23T04:05:06.100000Z"),
        ),
        (
            Value::from(utc("1969-12-31T23:59:59.999999Z")?),
            json!("1969-12-31T23:59:59.999999Z"),
        ),
        (
            Value::from(utc("2016-12-31T23:59:60.5Z")?),
            json!("2016-12-31T23:59:60.500000Z"),
        ),
        (
            Value::from(day("2026-11-23")?.and_time(clock("04:05:06.123456")?)),
            json!("2026-11-23T04:05:06.123456"),
        ),
        (Value::from(day("2026-11-23")?), json!("2026-11-23")),
        (Value::from(day("0000-01-01")?), json!("0000-01-01")),
        (Value::from(day("-0044-03-15")?), json!("-0044-03-15")),
        (
            Value::from(day("+12026-11-23")?.and_time(noon)),
            json!("+12026-11-23T12:00:00.000000"),
        ),
        (
            Value::from(clock("04:05:06.123456")?),
            json!("04:05:06.123456"),
        ),
        (
            Value::from(clock("04:05:06.000000001")?),
            json!("04:05:06.000000001"),
        ),
        (Value::from(clock("23:59:60")?), json!("23:59:60.000000")),
    ])?)
}

#[cfg(feature = "with-time")]
#[test]
fn dates_and_times_of_the_time_crate() -> TestResult {
    use sea_orm::prelude::{TimeDate, TimeDateTimeWithTimeZone, TimeTime};
    use sea_orm::sea_query::value::prelude::time::UtcOffset;
    let day = |year, ordinal| TimeDate::from_ordinal_date(year, ordinal);
    let clock = TimeTime::from_hms_micro(4, 5, 6, 123_456)?;
    let late = TimeTime::from_hms(23, 30, 0)?;
    let west = UtcOffset::from_hms(-1, 0, 0)?;
    Ok(check(vec![
        (Value::from(day(2026, 327)?), json!("2026-11-23")),
        (Value::from(day(-44, 75)?), json!("-0044-03-15")),
        (Value::from(clock), json!("04:05:06.123456")),
        (
            Value::from(day(2026, 327)?.with_time(clock)),
            json!("2026-11-23T04:05:06.123456"),
        ),
        (
            Value::from(TimeDateTimeWithTimeZone::new_in_offset(
                day(2026, 327)?,
                clock,
                west,
            )),
            json!("2026-11-23T05:05:06.123456Z"),
        ),
        // In UTC this is a year that the crate itself does not support.
        (
            Value::from(TimeDateTimeWithTimeZone::new_in_offset(
                day(9999, 365)?,
                late,
                west,
            )),
            json!("+10000-01-01T00:30:00.000000Z"),
        ),
    ])?)
}

/// The crate's first and last times are in years that it does not support in UTC.
#[cfg(feature = "with-time")]
#[test]
fn the_ends_of_the_time_crates_years_come_back() -> TestResult {
    use sea_orm::prelude::{TimeDate, TimeDateTimeWithTimeZone, TimeTime};
    use sea_orm::sea_query::value::prelude::time::UtcOffset;
    let last = TimeTime::from_hms_nano(23, 59, 59, 999_999_999)?;
    for (day, clock, offset) in [
        (TimeDate::MAX, last, -93_599),
        (TimeDate::MAX, last, 93_599),
        (TimeDate::MIN, TimeTime::MIDNIGHT, -93_599),
        (TimeDate::MIN, TimeTime::MIDNIGHT, 93_599),
    ] {
        let offset = UtcOffset::from_whole_seconds(offset)?;
        let value = Value::from(TimeDateTimeWithTimeZone::new_in_offset(day, clock, offset));
        let back = decode(
            &encode(&value)?,
            &ColumnKind::One(ArrayType::TimeDateTimeWithTimeZone),
        )?;
        assert!(canonical_eq(&value, &back), "{value:?}: {back:?}");
    }
    Ok(())
}

#[cfg(feature = "with-rust_decimal")]
#[test]
fn decimals_are_plain_and_without_trailing_zeros() -> TestResult {
    use sea_orm::prelude::Decimal;
    let decimal = |text: &str| text.parse::<Decimal>().map(Value::from);
    Ok(check(vec![
        (decimal("1.00")?, json!("1")),
        (decimal("-0.00")?, json!("0")),
        (decimal("100")?, json!("100")),
        (decimal("-12.340")?, json!("-12.34")),
        (
            decimal("79228162514264337593543950335")?,
            json!("79228162514264337593543950335"),
        ),
        (
            decimal("0.0000000000000000000000000001")?,
            json!("0.0000000000000000000000000001"),
        ),
    ])?)
}

#[cfg(feature = "with-bigdecimal")]
#[test]
fn big_decimals_are_plain_and_without_trailing_zeros() -> TestResult {
    use sea_orm::prelude::BigDecimal;
    let decimal = |text: &str| text.parse::<BigDecimal>().map(Value::from);
    Ok(check(vec![
        (decimal("1.00")?, json!("1")),
        (decimal("0e5")?, json!("0")),
        (decimal("1e5")?, json!("100000")),
        (decimal("1e-10")?, json!("0.0000000001")),
        (decimal("-12.340")?, json!("-12.34")),
    ])?)
}

#[test]
fn uuids_and_arrays() -> TestResult {
    let uuid: Uuid = "936DA01F-9ABD-4D9D-80C7-02AF85C822A8".parse()?;
    Ok(check(vec![
        (
            Value::from(uuid),
            json!("936da01f-9abd-4d9d-80c7-02af85c822a8"),
        ),
        (Value::from(vec![1_i32, 2]), json!([1, 2])),
        (Value::from(vec![i64::MAX]), json!(["9223372036854775807"])),
        (
            Value::Array(ArrayType::Int, Some(Box::new(vec![Value::Int(None)]))),
            json!([null]),
        ),
        (
            Value::Array(ArrayType::Int, Some(Box::default())),
            json!([]),
        ),
        (Value::Array(ArrayType::Int, None), json!(null)),
    ])?)
}

#[cfg(feature = "with-ipnetwork")]
#[test]
fn networks_are_their_text() -> TestResult {
    let network = |text: &str| text.parse::<sea_orm::prelude::IpNetwork>().map(Value::from);
    Ok(check(vec![
        (network("10.1.2.3/8")?, json!("10.1.2.3/8")),
        (network("10.1.2.3")?, json!("10.1.2.3/32")),
        (network("2001:DB8::1")?, json!("2001:db8::1/128")),
    ])?)
}

#[cfg(feature = "with-mac_address")]
#[test]
fn hardware_addresses_are_lower_case() -> Result<(), EncodeError> {
    use sea_orm::sea_query::value::prelude::MacAddress;
    let address = MacAddress::new([0x00, 0x1B, 0x44, 0x11, 0x3A, 0xB7]);
    check(vec![(Value::from(address), json!("00:1b:44:11:3a:b7"))])
}

#[cfg(feature = "postgres-vector")]
#[test]
fn vectors_are_arrays_of_numbers() -> Result<(), EncodeError> {
    let vector = sea_orm::prelude::PgVector::from(vec![1.0, -0.0, 0.5]);
    check(vec![(Value::from(vector), json!([1.0, 0.0, 0.5]))])
}

#[test]
fn json_is_itself_and_compared_by_structure() -> Result<(), EncodeError> {
    let a = Value::from(json!({"b": [1, 1.0, null], "a": {"x": "y"}}));
    let b = Value::from(json!({"a": {"x": "y"}, "b": [1, 1.0, null]}));
    let c = Value::from(json!({"a": {"x": "y"}, "b": [1, 1, null]}));
    assert_eq!(encode(&a)?, json!({"a": {"x": "y"}, "b": [1, 1.0, null]}));
    assert!(canonical_eq(&a, &b));
    assert!(
        !canonical_eq(&a, &c),
        "an integer and a float are not the same JSON"
    );
    assert!(canonical_eq(&Value::Json(None), &Value::from(Json::Null)));
    Ok(())
}

#[test]
fn noncanonical_form_is_refused() {
    use ArrayType as T;
    for (json, kind) in [
        (json!("yes"), T::Bool),
        (json!(1), T::Bool),
        (json!(128), T::TinyInt),
        (json!(-1), T::Unsigned),
        (json!(1.5), T::Int),
        (json!("12x"), T::BigInt),
        (json!("+1"), T::BigInt),
        (json!(""), T::BigInt),
        (json!("18446744073709551616"), T::BigUnsigned),
        (json!("nan"), T::Double),
        (json!("1.5"), T::Double),
        (json!(1), T::String),
        (json!("ab"), T::Char),
        (json!(""), T::Char),
        (json!("abc"), T::Bytes),
        (json!("0g"), T::Bytes),
        (json!("+1"), T::Bytes),
        (json!("äöü"), T::Bytes),
        (json!("2026-02-30"), T::ChronoDate),
        (json!("2026-11-23T04:05:06"), T::ChronoDate),
        (json!("24:00:00.000000"), T::ChronoTime),
        (json!("2026-11-23"), T::ChronoDateTime),
        (json!("2026-11-23T04:05:06.123456"), T::ChronoDateTimeUtc),
        (json!("2026-11-23T04:05:06.123456Z"), T::ChronoDateTime),
        (json!("936da01f"), T::Uuid),
        (json!([1]), T::Int),
    ] {
        let shape = ColumnKind::One(kind);
        assert_eq!(decode(&json, &shape), Err(DecodeError { shape }), "{json}");
    }
    for json in [json!(1), json!({}), json!([1, "x"]), json!([[1]])] {
        let shape = ColumnKind::Many(T::Int);
        assert_eq!(decode(&json, &shape), Err(DecodeError { shape }), "{json}");
    }
}

/// The features of the whole build decide which types exist.
#[cfg(not(feature = "postgres-vector"))]
#[test]
fn shape_whose_feature_is_missing_is_refused() {
    assert!(decode(&json!([1.0]), &ColumnKind::Vector).is_err());
}
