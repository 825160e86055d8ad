//! Database value → canonical JSON, and back.
//!
//! The canonical form depends on the database value (`sea_orm::Value`) alone, so models need no
//! `Serialize`, and SQL can produce it, too:
//!
//! | type | form |
//! |---|---|
//! | bool, integers | JSON; integers beyond ±(2^53−1) as strings ([RFC 8259], section 6) |
//! | f32, f64 | number, f32 widened; NaN, Infinity, -Infinity as strings; -0 as 0 |
//! | decimal | plain string, trailing zeros trimmed |
//! | date-time with zone | UTC, `2026-11-23T04:05:06.123456Z` ([RFC 3339]); 9 digits when the nanoseconds are not zero |
//! | naive date, time, date-time | the same without `Z` |
//! | bytes | lower-case hexadecimal |
//! | uuid, inet, mac, enum | their text, lower-case where case does not count |
//! | arrays | JSON arrays, element by element |
//! | JSON | itself |
//!
//! NULL is null, and so is a JSON `null`.
//!
//! [RFC 8259]: https://www.rfc-editor.org/rfc/rfc8259
//! [RFC 3339]: https://www.rfc-editor.org/rfc/rfc3339

mod decode;
mod error;
mod normal;
mod time_text;

use std::fmt::Write as _;

use sea_orm::prelude::Json;
use sea_orm::sea_query::{OptionEnum, Value};
use serde_json::Number;

pub(crate) use decode::unhex;
pub use decode::{ColumnKind, decode};
pub use error::{DecodeError, EncodeError};
pub use normal::normalize;

use time_text::TimeText;

/// 2^53 − 1, the largest integer that every JSON reader keeps exact.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The canonical JSON of a database value.
///
/// # Errors
/// Returns [`EncodeError`] when the value is of a type whose feature of this crate is not enabled.
///
/// # Examples
/// ```
/// use sea_orm::Value;
/// use sea_orm_audit_core::encode;
/// assert_eq!(encode(&Value::from(i64::MAX))?, "9223372036854775807");
/// assert_eq!(encode(&Value::from(vec![0xCA, 0xFEu8]))?, "cafe");
/// # Ok::<(), sea_orm_audit_core::EncodeError>(())
/// ```
pub fn encode(value: &Value) -> Result<Json, EncodeError> {
    let json = match value {
        Value::Bool(v) => v.map(Json::Bool),
        Value::TinyInt(v) => v.map(Json::from),
        Value::SmallInt(v) => v.map(Json::from),
        Value::Int(v) => v.map(Json::from),
        Value::BigInt(v) => v.map(|v| {
            if v.unsigned_abs() <= MAX_SAFE_INTEGER {
                Json::from(v)
            } else {
                Json::String(v.to_string())
            }
        }),
        Value::TinyUnsigned(v) => v.map(Json::from),
        Value::SmallUnsigned(v) => v.map(Json::from),
        Value::Unsigned(v) => v.map(Json::from),
        Value::BigUnsigned(v) => v.map(|v| {
            if v <= MAX_SAFE_INTEGER {
                Json::from(v)
            } else {
                Json::String(v.to_string())
            }
        }),
        Value::Float(v) => v.map(|v| float(f64::from(v))),
        Value::Double(v) => v.map(float),
        Value::String(v) => v.clone().map(Json::String),
        Value::Enum(OptionEnum::Some(v)) => Some(Json::String(v.value.to_string())),
        Value::Enum(OptionEnum::None(_)) => None,
        Value::Char(v) => v.map(|v| Json::String(v.to_string())),
        Value::Bytes(v) => v.as_deref().map(|v| Json::String(hex(v))),
        Value::Json(v) => v.as_deref().cloned(),
        Value::ChronoDate(_)
        | Value::ChronoTime(_)
        | Value::ChronoDateTime(_)
        | Value::ChronoDateTimeUtc(_)
        | Value::ChronoDateTimeLocal(_)
        | Value::ChronoDateTimeWithTimeZone(_) => chrono_text(value).map(Json::String),
        Value::Uuid(v) => v.map(|v| Json::String(v.to_string())),
        Value::Array(_, v) => match v {
            Some(items) => Some(Json::Array(
                items.iter().map(encode).collect::<Result<_, _>>()?,
            )),
            None => None,
        },
        #[cfg(feature = "with-time")]
        Value::TimeDate(_)
        | Value::TimeTime(_)
        | Value::TimeDateTime(_)
        | Value::TimeDateTimeWithTimeZone(_) => time_crate_text(value).map(Json::String),
        #[cfg(feature = "with-rust_decimal")]
        Value::Decimal(v) => v.map(|v| Json::String(v.normalize().to_string())),
        #[cfg(feature = "with-bigdecimal")]
        Value::BigDecimal(v) => v
            .as_deref()
            .map(|v| Json::String(v.normalized().to_plain_string())),
        #[cfg(feature = "with-ipnetwork")]
        Value::IpNetwork(v) => v.map(|v| Json::String(v.to_string())),
        #[cfg(feature = "with-mac_address")]
        Value::MacAddress(v) => v.map(|v| Json::String(v.to_string().to_ascii_lowercase())),
        #[cfg(feature = "postgres-vector")]
        Value::Vector(v) => v.as_ref().map(|v| {
            let items = v.as_slice().iter().map(|v| float(f64::from(*v)));
            Json::Array(items.collect())
        }),
        // Which types exist is decided by the features of the whole build, not by ours.
        #[allow(unreachable_patterns, clippy::match_wildcard_for_single_variants)]
        other => return Err(feature_missing(other)),
    };
    Ok(json.unwrap_or(Json::Null))
}

/// The replacement of a value that the database holds and no type reads: `{"unreadable": true}`.
#[cfg(feature = "statements")]
pub(crate) fn unreadable() -> Value {
    Value::Json(Some(Box::new(serde_json::json!({"unreadable": true}))))
}

#[cfg(feature = "statements")]
pub(crate) fn is_unreadable(value: &Value) -> bool {
    matches!(value, Value::Json(Some(json))
        if json.as_object().is_some_and(|o| o.len() == 1 && o.get("unreadable") == Some(&Json::Bool(true))))
}

/// Whether a value is NULL, of whichever type.
#[cfg(feature = "statements")]
pub(crate) fn is_null(value: &Value) -> bool {
    *value == value.as_null()
}

fn feature_missing(value: &Value) -> EncodeError {
    let text = format!("{value:?}");
    let kind = text.split('(').next().unwrap_or_default().to_owned();
    EncodeError::FeatureMissing { kind }
}

fn float(value: f64) -> Json {
    if value.is_nan() {
        return Json::String("NaN".into());
    }
    // Adding zero turns -0 into 0, as databases that compare them as equal do not keep the sign.
    match Number::from_f64(value + 0.0) {
        Some(number) => Json::Number(number),
        None if value > 0.0 => Json::String("Infinity".into()),
        None => Json::String("-Infinity".into()),
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn chrono_text(value: &Value) -> Option<String> {
    use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
    let day = |text: TimeText, d: NaiveDate| text.date(d.year(), d.month(), d.day());
    let clock =
        |text: TimeText, t: NaiveTime| text.time(t.hour(), t.minute(), t.second(), t.nanosecond());
    let both = |v: NaiveDateTime| clock(day(TimeText::new(), v.date()), v.time());
    match value {
        Value::ChronoDate(v) => v.map(|v| day(TimeText::new(), v).naive()),
        Value::ChronoTime(v) => v.map(|v| clock(TimeText::new(), v).naive()),
        Value::ChronoDateTime(v) => v.map(|v| both(v).naive()),
        Value::ChronoDateTimeUtc(v) => v.map(|v| both(v.naive_utc()).utc()),
        Value::ChronoDateTimeLocal(v) => v.map(|v| both(v.naive_utc()).utc()),
        Value::ChronoDateTimeWithTimeZone(v) => v.map(|v| both(v.naive_utc()).utc()),
        _ => None,
    }
}

#[cfg(feature = "with-time")]
fn time_crate_text(value: &Value) -> Option<String> {
    use sea_orm::prelude::{TimeDate, TimeDateTime, TimeTime};
    use sea_orm::sea_query::value::prelude::time::UtcOffset;
    let day = |text: TimeText, d: TimeDate| {
        text.date(d.year(), u8::from(d.month()).into(), d.day().into())
    };
    let clock = |text: TimeText, t: TimeTime| {
        let (hour, minute, second, nanosecond) = t.as_hms_nano();
        text.time(hour.into(), minute.into(), second.into(), nanosecond)
    };
    let both = |v: TimeDateTime| clock(day(TimeText::new(), v.date()), v.time());
    match value {
        Value::TimeDate(v) => v.map(|v| day(TimeText::new(), v).naive()),
        Value::TimeTime(v) => v.map(|v| clock(TimeText::new(), v).naive()),
        Value::TimeDateTime(v) => v.map(|v| both(v).naive()),
        Value::TimeDateTimeWithTimeZone(v) => v.and_then(|v| {
            // Each crate has years that the other has not: this one ends at 9999, where UTC may be in the next, but
            // with its feature `large-dates` it has more years than chrono.
            let nanos = v.unix_timestamp_nanos();
            let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
            let rest = u32::try_from(nanos.rem_euclid(1_000_000_000)).ok()?;
            match chrono::DateTime::from_timestamp(seconds, rest) {
                Some(utc) => chrono_text(&Value::ChronoDateTimeUtc(Some(utc))),
                None => v
                    .checked_to_offset(UtcOffset::UTC)
                    .map(|utc| both(TimeDateTime::new(utc.date(), utc.time())).utc()),
            }
        }),
        _ => None,
    }
}

/// Whether two values of one column are the same to the database.
///
/// Compares as the type does, not as text: decimals by number, times by instant, JSON by structure,
/// NaN equal to NaN, -0 equal to 0.
#[must_use]
pub fn canonical_eq(a: &Value, b: &Value) -> bool {
    match (a, b) {
        // What `==` would compare as text.
        (Value::Json(a), Value::Json(b)) => {
            a.as_deref().unwrap_or(&Json::Null) == b.as_deref().unwrap_or(&Json::Null)
        }
        (Value::Array(_, Some(a)), Value::Array(_, Some(b))) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| canonical_eq(a, b))
        }
        // SeaORM turns on `hashable-value`, under which NaN is equal to NaN.
        _ => a == b,
    }
}

#[cfg(test)]
pub(crate) mod tests;
