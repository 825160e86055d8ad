//! What triggers store → canonical JSON, by the type of the column.
//!
//! A database writes in a trigger what it can: a decimal with all its zeros or with an exponent, a time in its own
//! manner, a truth value as 0 or 1. This module reads all of these, from any database. It does not guess: what does not
//! read as the column's type stays.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use sea_orm::prelude::{Json, Uuid};
use sea_orm::sea_query::{ArrayType, Value};

use super::{ColumnKind, encode};

/// Brings a value that a trigger stored into the canonical form of its column's type.
///
/// Canonical forms stay as they are, and so does what cannot be read as the type.
///
/// # Examples
/// ```
/// use sea_orm::sea_query::ArrayType;
/// use sea_orm_audit_core::{ColumnKind, normalize};
/// use serde_json::json;
///
/// let instant = ColumnKind::One(ArrayType::ChronoDateTimeUtc);
/// assert_eq!(
///     normalize(json!("2026-11-23 05:05:06.5+01"), &instant),
///     "2026-11-23T04:05:06.500000Z",
/// );
/// assert_eq!(normalize(json!("soon"), &instant), "soon");
/// ```
#[must_use]
pub fn normalize(json: Json, shape: &ColumnKind) -> Json {
    match (shape, json) {
        (_, Json::Null) => Json::Null,
        (ColumnKind::One(kind), json) => one(json, kind),
        (ColumnKind::Many(kind), Json::Array(items)) => {
            items.into_iter().map(|item| one(item, kind)).collect()
        }
        (ColumnKind::Vector, Json::Array(items)) => {
            let item = |item| one(item, &ArrayType::Float);
            items.into_iter().map(item).collect()
        }
        (_, json) => json,
    }
}

fn one(json: Json, kind: &ArrayType) -> Json {
    match read(&json, kind).and_then(|value| encode(&value).ok()) {
        Some(canonical) => canonical,
        None => json,
    }
}

/// The value that a JSON is most likely meant for.
fn read(json: &Json, kind: &ArrayType) -> Option<Value> {
    use ArrayType as T;
    let text = json.as_str();
    match kind {
        T::Bool => truth(json).map(|v| Value::Bool(Some(v))),
        T::TinyInt
        | T::SmallInt
        | T::Int
        | T::BigInt
        | T::TinyUnsigned
        | T::SmallUnsigned
        | T::Unsigned
        | T::BigUnsigned => integer(json),
        // As the column holds it: `0.1` of a FLOAT is the `f32` next to it.
        #[allow(clippy::cast_possible_truncation)]
        T::Float => double(json).map(|v| Value::Float(Some(v as f32))),
        T::Double => double(json).map(|v| Value::Double(Some(v))),
        T::String | T::Enum(_) | T::Char => {
            (json.is_number()).then(|| Value::String(Some(json.to_string())))
        }
        T::Bytes => text.and_then(bytes).map(|v| Value::Bytes(Some(v))),
        T::Uuid => text
            .and_then(|text| text.trim().parse::<Uuid>().ok())
            .map(|v| Value::Uuid(Some(v))),
        T::ChronoDate => day(text?).map(|v| Value::ChronoDate(Some(v))),
        T::ChronoTime => clock(text?).map(|v| Value::ChronoTime(Some(v))),
        T::ChronoDateTime => naive(json).map(|v| Value::ChronoDateTime(Some(v))),
        T::ChronoDateTimeUtc | T::ChronoDateTimeLocal | T::ChronoDateTimeWithTimeZone => {
            instant(json)
        }
        #[cfg(feature = "with-time")]
        T::TimeDate => day(text?).map(|v| Value::ChronoDate(Some(v))),
        #[cfg(feature = "with-time")]
        T::TimeTime => clock(text?).map(|v| Value::ChronoTime(Some(v))),
        #[cfg(feature = "with-time")]
        T::TimeDateTime => naive(json).map(|v| Value::ChronoDateTime(Some(v))),
        #[cfg(feature = "with-time")]
        T::TimeDateTimeWithTimeZone => instant(json),
        #[cfg(feature = "with-rust_decimal")]
        T::Decimal => decimal(json),
        #[cfg(feature = "with-bigdecimal")]
        T::BigDecimal => big_decimal(json),
        #[cfg(feature = "with-ipnetwork")]
        T::IpNetwork => text?.parse().ok().map(|v| Value::IpNetwork(Some(v))),
        #[cfg(feature = "with-mac_address")]
        T::MacAddress => text?.parse().ok().map(|v| Value::MacAddress(Some(v))),
        _ => None,
    }
}

fn truth(json: &Json) -> Option<bool> {
    match json {
        Json::Bool(truth) => Some(*truth),
        Json::Number(number) => number.as_i64().map(|number| number != 0),
        Json::String(text) => match text.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" => Some(true),
            "0" | "f" | "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn integer(json: &Json) -> Option<Value> {
    let text = match json {
        // A whole number that some database prints with a fraction; beyond 2^53 the exact number is unknown.
        Json::Number(number) if number.is_f64() => {
            let number = number
                .as_f64()
                .filter(|v| v.fract() == 0.0 && v.abs() < 9e15)?;
            format!("{number:.0}")
        }
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.clone(),
        _ => return None,
    };
    let signed = text.parse().map(|v| Value::BigInt(Some(v)));
    let value = signed.or_else(|_| text.parse().map(|v| Value::BigUnsigned(Some(v))));
    value.ok()
}

fn double(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        // Rust reads `nan` and `inf`, in any case and in full, as well.
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix("\\x").unwrap_or(text);
    let text = text.strip_prefix("0x").unwrap_or(text);
    super::decode::unhex(text)
}

/// The text of a number that is none too long to be written out.
#[cfg(any(feature = "with-rust_decimal", feature = "with-bigdecimal"))]
fn digits(json: &Json) -> Option<String> {
    let text = match json {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.clone(),
        _ => return None,
    };
    let exponent = text.split(['e', 'E']).nth(1).unwrap_or("0");
    let exponent: i32 = exponent.parse().ok()?;
    (exponent.abs() <= 5000).then_some(text)
}

/// A number with a fraction is a double that SQLite keeps in place of a decimal: it is read as SeaORM
/// reads that.
#[cfg(feature = "with-rust_decimal")]
fn decimal(json: &Json) -> Option<Value> {
    use sea_orm::prelude::Decimal;
    let number = match json {
        Json::Number(number) if number.is_f64() => Decimal::try_from(number.as_f64()?).ok()?,
        _ => {
            let text = digits(json)?;
            (Decimal::from_str_exact(&text).ok())
                .or_else(|| Decimal::from_scientific(&text).ok())?
        }
    };
    Some(Value::Decimal(Some(number)))
}

#[cfg(feature = "with-bigdecimal")]
fn big_decimal(json: &Json) -> Option<Value> {
    use sea_orm::prelude::BigDecimal;
    let number = match json {
        Json::Number(number) if number.is_f64() => BigDecimal::try_from(number.as_f64()?).ok()?,
        _ => digits(json)?.parse().ok()?,
    };
    Some(Value::BigDecimal(Some(Box::new(number))))
}

fn day(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    // MySQL and SQLite allow a midnight after a day.
    let day = match text.split_once(['T', ' ']) {
        Some((day, rest)) if clock(rest)?.num_seconds_from_midnight() == 0 => day,
        Some(_) => return None,
        None => text,
    };
    day.parse().ok()
}

fn clock(text: &str) -> Option<NaiveTime> {
    let forms = ["%H:%M:%S%.f", "%H:%M"];
    (forms.into_iter()).find_map(|form| NaiveTime::parse_from_str(text.trim(), form).ok())
}

/// A date-time and its offset in seconds, where it has one.
fn moment(text: &str) -> Option<(NaiveDateTime, Option<i32>)> {
    let (date, rest) = text.trim().split_once(['T', 't', ' '])?;
    let date: NaiveDate = date.parse().ok()?;
    let (time, zone) = match rest.find(['Z', 'z', '+', '-']) {
        Some(at) => (&rest[..at], Some(offset(&rest[at..])?)),
        None => (rest, None),
    };
    Some((date.and_time(clock(time)?), zone))
}

/// `Z`, `+01`, `+0130`, `+01:30` or `+01:30:15`, in seconds.
fn offset(text: &str) -> Option<i32> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 2 | 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2).map_or(Ok(0), str::parse::<i32>).ok();
    Some(sign * (part(0)? * 3600 + part(2)? * 60 + part(4)?))
}

fn naive(json: &Json) -> Option<NaiveDateTime> {
    match json.as_str() {
        Some(text) => moment(text).map(|(moment, _)| moment),
        None => seconds(json).map(|moment| moment.naive_utc()),
    }
}

fn instant(json: &Json) -> Option<Value> {
    let utc = match json.as_str() {
        Some(text) => {
            let (local, zone) = moment(text)?;
            let zone = FixedOffset::east_opt(zone.unwrap_or(0))?;
            local.checked_sub_offset(zone)?.and_utc()
        }
        None => seconds(json)?,
    };
    Some(Value::ChronoDateTimeUtc(Some(utc)))
}

/// Seconds since 1970, as SeaORM reads an integer of SQLite.
fn seconds(json: &Json) -> Option<DateTime<chrono::Utc>> {
    DateTime::from_timestamp(json.as_i64()?, 0)
}

#[cfg(test)]
mod tests;
