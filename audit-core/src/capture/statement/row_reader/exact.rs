//! Values that the driver reads as others, or cannot read: recorded as the database writes them.
//!
//! The text is a [`Value::Json`], which the entity's column does not have: it is not bound, as the column's type does not
//! take it.
//!
//! SeaORM's decimals have 28 digits, and JSON numbers are doubles. sqlx reads PostgreSQL's time `24:00` as midnight,
//! MySQL's zero dates as NULL, panics at infinite dates, and refuses times that are negative or longer than a day.

use std::fmt::Write as _;

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use sea_orm::prelude::Json;
use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{DbBackend, QueryResult};

use super::array::array_of_postgres;
use super::driver_value::{DriverValue, driver_value};
use super::json_number::loses_numbers;
use crate::value::{ColumnKind, unreadable};

/// The digits of SeaORM's decimal that are always exact (`rust_decimal`: 96 bits).
const DIGITS: usize = 28;

const MICROSECONDS_OF_A_DAY: i64 = 86_400_000_000;

/// The value, if the types that SeaORM reads do not hold it.
pub(super) fn exact(
    backend: DbBackend,
    row: &QueryResult,
    name: &str,
    shape: &ColumnKind,
) -> Option<Value> {
    if is_exact_anyway(shape) {
        return None;
    }
    if backend == DbBackend::Sqlite {
        return is_json(shape)
            .then(|| super::get::<String>(row, name).flatten())
            .flatten()
            .filter(|text| loses_numbers(text))
            .map(written);
    }
    match driver_value(row, name)? {
        DriverValue::Postgres(bytes, kind) => match (shape, kind.strip_suffix("[]")) {
            (ColumnKind::Many(element), Some(kind)) => array_of_postgres(bytes, kind, element),
            _ => of_postgres(bytes, &kind, shape),
        },
        DriverValue::MySql(bytes, kind) => of_mysql(bytes, &kind, shape).map(Value::from),
    }
}

fn written(text: impl Into<String>) -> Value {
    Value::Json(Some(Box::new(Json::String(text.into()))))
}

fn is_json(shape: &ColumnKind) -> bool {
    matches!(shape, ColumnKind::One(ArrayType::Json))
}

/// Whether the entity reads text, and the database may have something else.
fn is_text(shape: &ColumnKind) -> bool {
    use ArrayType as T;
    matches!(shape, ColumnKind::One(T::String | T::Enum(_) | T::Char))
}

/// Whether the entity's type holds all values that it reads, and SeaORM refuses others.
fn is_exact_anyway(shape: &ColumnKind) -> bool {
    use ArrayType as T;
    match shape {
        ColumnKind::One(kind) => matches!(
            kind,
            T::Bool
                | T::TinyInt
                | T::SmallInt
                | T::Int
                | T::BigInt
                | T::TinyUnsigned
                | T::SmallUnsigned
                | T::Unsigned
                | T::BigUnsigned
                | T::Float
                | T::Double
                | T::Bytes
                | T::Uuid
        ),
        ColumnKind::Many(kind) => *kind != T::Json && !is_time(kind),
        ColumnKind::Vector => true,
    }
}

fn is_time(kind: &ArrayType) -> bool {
    match kind {
        ArrayType::ChronoTime => true,
        #[cfg(feature = "with-time")]
        ArrayType::TimeTime => true,
        _ => false,
    }
}

/// A value in PostgreSQL's binary format (`src/backend/utils/adt`: `date.c`, `timestamp.c`, `numeric.c`, `jsonb.c`).
pub(super) fn of_postgres(bytes: &[u8], kind: &str, shape: &ColumnKind) -> Option<Value> {
    match kind {
        "DATE" => {
            let days = i32::from_be_bytes(bytes.try_into().ok()?);
            if let Some(word) = infinite(days, i32::MIN, i32::MAX) {
                return Some(written(word));
            }
            match epoch().checked_add_signed(TimeDelta::days(days.into())) {
                None => Some(unreadable()),
                Some(day) => is_beyond(shape, day).then(|| day.into()),
            }
        }
        "TIMESTAMP" | "TIMESTAMPTZ" => {
            let microseconds = i64::from_be_bytes(bytes.try_into().ok()?);
            if let Some(word) = infinite(microseconds, i64::MIN, i64::MAX) {
                return Some(written(word));
            }
            let start = NaiveDateTime::new(epoch(), NaiveTime::MIN);
            match start.checked_add_signed(TimeDelta::microseconds(microseconds)) {
                None => Some(unreadable()),
                Some(time) if !is_beyond(shape, time.date()) => None,
                Some(time) if kind == "TIMESTAMP" => Some(time.into()),
                Some(time) => Some(time.and_utc().into()),
            }
        }
        "TIME" => {
            let microseconds = i64::from_be_bytes(bytes.try_into().ok()?);
            (microseconds == MICROSECONDS_OF_A_DAY).then(|| written("24:00:00.000000"))
        }
        "NUMERIC" => {
            let text = numeric(bytes)?;
            exceeds_decimal(&text).then(|| written(trimmed(text)))
        }
        "JSON" | "JSONB" => {
            let text = match (kind, bytes) {
                // The version of the format.
                ("JSONB", [1, text @ ..]) => text,
                ("JSONB", _) => return None,
                _ => bytes,
            };
            json(text, shape)
        }
        _ => None,
    }
}

/// PostgreSQL's word for the greatest or the least value of a type.
fn infinite<T: PartialEq>(value: T, least: T, greatest: T) -> Option<&'static str> {
    if value == least {
        Some("-infinity")
    } else {
        (value == greatest).then_some("infinity")
    }
}

/// The day from which PostgreSQL counts.
fn epoch() -> NaiveDate {
    NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default()
}

/// Whether the types of the crate `time`, which have the years from -9999 to 9999, panic at a date.
fn is_beyond(shape: &ColumnKind, day: NaiveDate) -> bool {
    let ends_at_9999 = match shape {
        #[cfg(feature = "with-time")]
        ColumnKind::One(
            ArrayType::TimeDate | ArrayType::TimeDateTime | ArrayType::TimeDateTimeWithTimeZone,
        ) => true,
        _ => false,
    };
    ends_at_9999 && day.year().unsigned_abs() > 9999
}

/// A `numeric`: the number of digits, the weight of the first, the sign, the number of decimals; then the digits, each
/// of base 10,000. All are of two bytes.
fn numeric(bytes: &[u8]) -> Option<String> {
    let mut parts = bytes
        .chunks_exact(2)
        .map(|two| i16::from_be_bytes([two[0], two[1]]));
    let (_count, weight) = (parts.next()?, i32::from(parts.next()?));
    let (sign, decimals) = (
        parts.next()?.cast_unsigned(),
        usize::try_from(parts.next()?).ok()?,
    );
    match sign {
        0xC000 => return Some("NaN".into()),
        0xD000 => return Some("Infinity".into()),
        0xF000 => return Some("-Infinity".into()),
        _ => {}
    }
    let digits: Vec<i16> = parts.collect();
    let digit = |place: i32| {
        usize::try_from(place)
            .ok()
            .and_then(|at| digits.get(at))
            .unwrap_or(&0)
    };
    let mut text = String::from(if sign == 0x4000 { "-" } else { "" });
    // Writing to a `String` cannot fail.
    if weight < 0 {
        text.push('0');
    } else {
        let _ = write!(text, "{}", digit(0));
        for place in 1..=weight {
            let _ = write!(text, "{:04}", digit(place));
        }
    }
    if decimals > 0 {
        let mut fraction = String::new();
        let mut place = weight + 1;
        while fraction.len() < decimals {
            let _ = write!(fraction, "{:04}", digit(place));
            place += 1;
        }
        fraction.truncate(decimals);
        text.push('.');
        text.push_str(&fraction);
    }
    Some(text)
}

/// A value in MySQL's binary format: numbers and JSON are texts, dates and times have their length before them.
/// Source: the protocol's "Binary Protocol Value".
fn of_mysql(bytes: &[u8], kind: &str, shape: &ColumnKind) -> Option<String> {
    let has_length =
        (bytes.split_first()).is_some_and(|(length, rest)| usize::from(*length) == rest.len());
    if matches!(kind, "DATE" | "DATETIME" | "TIMESTAMP" | "TIME") && !has_length {
        return None;
    }
    match (kind, bytes) {
        ("DECIMAL", _) => {
            let text = std::str::from_utf8(bytes).ok()?;
            exceeds_decimal(text).then(|| trimmed(text.to_owned()))
        }
        ("DATE", [_, date @ ..]) => {
            let (year, month, day) = date_parts(date);
            (NaiveDate::from_ymd_opt(year.into(), month.into(), day.into()).is_none())
                .then(|| format!("{year:04}-{month:02}-{day:02}"))
        }
        ("DATETIME" | "TIMESTAMP", [_, date @ ..]) => {
            let (year, month, day) = date_parts(date);
            if NaiveDate::from_ymd_opt(year.into(), month.into(), day.into()).is_some() {
                return None;
            }
            let time = date.get(4..).unwrap_or_default();
            Some(format!(
                "{year:04}-{month:02}-{day:02} {}",
                time_of(0, time)
            ))
        }
        ("TIME", [_, negative, d0, d1, d2, d3, time @ ..]) => {
            let days = u32::from_le_bytes([*d0, *d1, *d2, *d3]);
            let sign = if *negative == 0 { "" } else { "-" };
            (*negative != 0 || days > 0).then(|| format!("{sign}{}", time_of(days, time)))
        }
        _ => match std::str::from_utf8(bytes) {
            Ok(_) if is_json(shape) => json_text(bytes),
            _ => None,
        },
    }
}

/// Year, month and day. Without bytes all are zero.
fn date_parts(bytes: &[u8]) -> (u16, u8, u8) {
    match bytes {
        [low, high, month, day, ..] => (u16::from_le_bytes([*low, *high]), *month, *day),
        _ => (0, 0, 0),
    }
}

/// As MySQL prints a time. Without bytes all are zero.
fn time_of(days: u32, bytes: &[u8]) -> String {
    let at = |place: usize| bytes.get(place).copied().unwrap_or_default();
    let hours = u64::from(days) * 24 + u64::from(at(0));
    let mut text = format!("{hours:02}:{:02}:{:02}", at(1), at(2));
    if let Some([a, b, c, d]) = bytes.get(3..7) {
        // Writing to a `String` cannot fail.
        let _ = write!(text, ".{:06}", u32::from_le_bytes([*a, *b, *c, *d]));
    }
    text
}

fn json(text: &[u8], shape: &ColumnKind) -> Option<Value> {
    (is_json(shape) || is_text(shape))
        .then(|| json_text(text))
        .flatten()
        .map(written)
}

/// A JSON text with a number that is read as another.
fn json_text(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    loses_numbers(text).then(|| text.to_owned())
}

/// Whether a number has more digits than SeaORM's decimal, or is none.
fn exceeds_decimal(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if digits <= DIGITS {
        return digits == 0;
    }
    let trimmed = trimmed(text.to_owned());
    let trimmed = trimmed.trim_start_matches(['-', '0']);
    trimmed.bytes().filter(u8::is_ascii_digit).count() > DIGITS
}

/// The canonical text of a decimal: without zeros at the end.
fn trimmed(mut text: String) -> String {
    if text.contains('.') {
        let length = text.trim_end_matches('0').trim_end_matches('.').len();
        text.truncate(length);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric_of(parts: &[i16]) -> Option<String> {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_be_bytes()).collect();
        numeric(&bytes)
    }

    #[test]
    fn numeric_is_read_as_the_database_prints_it() {
        let negative = 0x4000;
        let number = numeric_of(&[3, 1, 0, 2, 1, 23, 4500]);
        assert_eq!(number.as_deref(), Some("10023.45"));
        let number = numeric_of(&[1, -2, negative, 8, 12]);
        assert_eq!(number.as_deref(), Some("-0.00000012"));
        let number = numeric_of(&[1, 2, 0, 0, 5]);
        assert_eq!(number.as_deref(), Some("500000000"));
        assert_eq!(numeric_of(&[0, 0, 0, 3]).as_deref(), Some("0.000"));
    }

    #[test]
    fn only_numbers_beyond_the_decimal_exceed_it() {
        let nines = "9".repeat(28);
        assert!(!exceeds_decimal(&nines));
        assert!(!exceeds_decimal(&format!("-0.{nines}000")));
        assert!(!exceeds_decimal(&format!("{nines}.000")));
        assert!(exceeds_decimal(&format!("{nines}.1")));
        assert!(exceeds_decimal(&format!("0.{}1", "0".repeat(28))));
        assert!(exceeds_decimal("NaN"));
    }

    #[test]
    fn times_are_written_as_mysql_prints_them() {
        let time = |bytes: &[u8]| of_mysql(bytes, "TIME", &ColumnKind::One(ArrayType::ChronoTime));
        assert_eq!(
            time(&[8, 1, 0, 0, 0, 0, 1, 2, 3]).as_deref(),
            Some("-01:02:03")
        );
        let long = [12, 0, 34, 0, 0, 0, 22, 59, 59, 1, 0, 0, 0];
        assert_eq!(time(&long).as_deref(), Some("838:59:59.000001"));
        assert_eq!(time(&[8, 0, 0, 0, 0, 0, 1, 2, 3]), None);
        assert_eq!(time(&[0]), None);
        let date = |bytes: &[u8]| {
            of_mysql(
                bytes,
                "DATETIME",
                &ColumnKind::One(ArrayType::ChronoDateTime),
            )
        };
        assert_eq!(date(&[0]).as_deref(), Some("0000-00-00 00:00:00"));
        assert_eq!(
            date(&[4, 228, 7, 0, 1]).as_deref(),
            Some("2020-00-01 00:00:00")
        );
        assert_eq!(date(&[4, 228, 7, 1, 1]), None);
    }
}
