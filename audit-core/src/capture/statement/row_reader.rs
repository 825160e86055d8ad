//! Reads the values of a row: by the model's types, else by plain types, else as unreadable.
//!
//! The database may contain values that the model cannot decode. They must not fail a statement that works without
//! audit log.

mod array;
mod driver_value;
mod exact;
mod json_number;

use sea_orm::prelude::{Json, Uuid};
use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{DbBackend, QueryResult, TryGetable};

use crate::auditable::{ColumnInfo, EntityInfo};
use crate::sql::is_name;
use crate::value::{ColumnKind, unreadable};
use exact::exact;

/// Reads a row that has the entity's columns under their own names.
pub(super) fn read_row(backend: DbBackend, info: &EntityInfo, row: &QueryResult) -> Vec<Value> {
    let is_exact = |column: &ColumnInfo| exact(backend, row, column.name, &column.shape).is_some();
    // The model reads these values as others, or panics.
    let model = if info.columns.iter().any(is_exact) {
        None
    } else {
        unpanicked(|| (info.access.read)(row).ok())
    };
    (info.columns.iter().enumerate())
        .map(
            |(at, column)| match model.as_ref().and_then(|row| row.get(at)) {
                // These narrow a `DOUBLE`, or treat another number as true, without an error.
                Some(Value::Float(_) | Value::Bool(_)) | None => {
                    read_column(backend, row, column.name, &column.shape)
                }
                Some(value) => value.clone(),
            },
        )
        .collect()
}

/// Reads a row whose names may differ from the entity's by case.
pub(super) fn read_labelled(
    backend: DbBackend,
    info: &EntityInfo,
    row: &QueryResult,
) -> Vec<Value> {
    let names = row.column_names();
    let is_exact = |name: &&str| names.iter().any(|label| label == name);
    if (info.columns.iter()).all(|column| is_exact(&column.name)) {
        return read_row(backend, info, row);
    }
    (info.columns.iter())
        .map(|column| {
            let label = names.iter().find(|label| is_name(label, column.name));
            let label = label.map_or(column.name, String::as_str);
            read_column(backend, row, label, &column.shape)
        })
        .collect()
}

/// Reads a row that has the entity's columns under other names.
pub(super) fn read_aliased(
    backend: DbBackend,
    info: &EntityInfo,
    row: &QueryResult,
    alias: fn(usize) -> String,
) -> Vec<Value> {
    (info.columns.iter().enumerate())
        .map(|(at, column)| read_column(backend, row, &alias(at), &column.shape))
        .collect()
}

/// Whether reading a column's values by type is equivalent to reading them by the model.
#[allow(unreachable_patterns)] // SeaORM has more types where it has more features
pub(super) fn is_read_by_type(shape: &ColumnKind) -> bool {
    use ArrayType as T;
    match shape {
        ColumnKind::One(kind) => match kind {
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
            | T::String
            | T::Char
            | T::Enum(_)
            | T::Bytes
            | T::Json
            | T::Uuid
            | T::ChronoDate
            | T::ChronoTime
            | T::ChronoDateTime
            | T::ChronoDateTimeUtc
            | T::ChronoDateTimeLocal
            | T::ChronoDateTimeWithTimeZone => true,
            #[cfg(feature = "with-time")]
            T::TimeDate | T::TimeTime | T::TimeDateTime | T::TimeDateTimeWithTimeZone => true,
            #[cfg(feature = "with-rust_decimal")]
            T::Decimal => true,
            #[cfg(feature = "with-bigdecimal")]
            T::BigDecimal => true,
            #[cfg(feature = "with-ipnetwork")]
            T::IpNetwork => true,
            _ => false,
        },
        ColumnKind::Many(kind) => matches!(
            kind,
            T::Bool
                | T::SmallInt
                | T::Int
                | T::BigInt
                | T::Float
                | T::Double
                | T::String
                | T::Enum(_)
                | T::Uuid
        ),
        ColumnKind::Vector => false,
    }
}

fn read_column(backend: DbBackend, row: &QueryResult, name: &str, shape: &ColumnKind) -> Value {
    if let Some(value) = exact(backend, row, name, shape) {
        return value;
    }
    let typed = match shape {
        // The driver treats every number but 0 as true.
        ColumnKind::One(ArrayType::Bool) if backend != DbBackend::Postgres => {
            let number = get::<i64>(row, name);
            // BIT is unsigned.
            let unsigned =
                || get::<u64>(row, name).map(|bits| bits.and_then(|it| it.try_into().ok()));
            match number.or_else(unsigned) {
                Some(Some(number)) if number != 0 && number != 1 => {
                    Some(Value::BigInt(Some(number)))
                }
                _ => one(row, name, &ArrayType::Bool),
            }
        }
        ColumnKind::One(kind) => one(row, name, kind),
        ColumnKind::Many(kind) => many(row, name, kind),
        ColumnKind::Vector => None,
    };
    typed
        .or_else(|| plain(backend, row, name))
        .unwrap_or_else(unreadable)
}

#[allow(clippy::option_option)] // not readable as the type; or NULL
fn get<T: TryGetable>(row: &QueryResult, name: &str) -> Option<Option<T>> {
    unpanicked(|| Option::<T>::try_get(row, "", name).ok())
}

/// sqlx panics at PostgreSQL's infinite dates.
fn unpanicked<T>(read: impl FnOnce() -> Option<T>) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).unwrap_or_default()
}

#[allow(unreachable_patterns)] // SeaORM has more types where it has more features
fn one(row: &QueryResult, name: &str, kind: &ArrayType) -> Option<Value> {
    use ArrayType as T;
    Some(match kind {
        T::Bool => Value::Bool(get(row, name)?),
        T::TinyInt => Value::TinyInt(get(row, name)?),
        T::SmallInt => Value::SmallInt(get(row, name)?),
        T::Int => Value::Int(get(row, name)?),
        T::BigInt => Value::BigInt(get(row, name)?),
        T::TinyUnsigned => Value::TinyUnsigned(get(row, name)?),
        T::SmallUnsigned => Value::SmallUnsigned(get(row, name)?),
        T::Unsigned => Value::Unsigned(get(row, name)?),
        T::BigUnsigned => Value::BigUnsigned(get(row, name)?),
        T::Float | T::Double => match get::<f64>(row, name) {
            Some(value) => Value::Double(value),
            None => Value::Float(get(row, name)?),
        },
        T::String | T::Char | T::Enum(_) => Value::String(get(row, name)?),
        T::Bytes => Value::Bytes(get(row, name)?),
        T::Json => Value::Json(get::<Json>(row, name)?.map(Box::new)),
        T::Uuid => Value::Uuid(get::<Uuid>(row, name)?),
        T::ChronoDate => Value::ChronoDate(get(row, name)?),
        T::ChronoTime => Value::ChronoTime(get(row, name)?),
        T::ChronoDateTime => Value::ChronoDateTime(get(row, name)?),
        T::ChronoDateTimeUtc => Value::ChronoDateTimeUtc(get(row, name)?),
        T::ChronoDateTimeLocal => Value::ChronoDateTimeLocal(get(row, name)?),
        T::ChronoDateTimeWithTimeZone => Value::ChronoDateTimeWithTimeZone(get(row, name)?),
        #[cfg(feature = "with-time")]
        T::TimeDate => Value::TimeDate(get(row, name)?),
        #[cfg(feature = "with-time")]
        T::TimeTime => Value::TimeTime(get(row, name)?),
        #[cfg(feature = "with-time")]
        T::TimeDateTime => Value::TimeDateTime(get(row, name)?),
        #[cfg(feature = "with-time")]
        T::TimeDateTimeWithTimeZone => Value::TimeDateTimeWithTimeZone(get(row, name)?),
        #[cfg(feature = "with-rust_decimal")]
        T::Decimal => Value::Decimal(get(row, name)?),
        #[cfg(feature = "with-bigdecimal")]
        T::BigDecimal => {
            Value::BigDecimal(get::<sea_orm::prelude::BigDecimal>(row, name)?.map(Box::new))
        }
        #[cfg(feature = "with-ipnetwork")]
        T::IpNetwork => Value::IpNetwork(get(row, name)?),
        _ => return None,
    })
}

/// Arrays, which only PostgreSQL has.
fn many(row: &QueryResult, name: &str, kind: &ArrayType) -> Option<Value> {
    use ArrayType as T;
    #[allow(clippy::option_option)] // not readable as the type; or NULL
    fn items<T>(
        row: &QueryResult,
        name: &str,
        make: fn(T) -> Value,
    ) -> Option<Option<Box<Vec<Value>>>>
    where
        Vec<T>: TryGetable,
    {
        let found = get::<Vec<T>>(row, name)?;
        Some(found.map(|list| Box::new(list.into_iter().map(make).collect())))
    }
    let found = match kind {
        T::Bool => items::<bool>(row, name, Value::from)?,
        T::SmallInt => items::<i16>(row, name, Value::from)?,
        T::Int => items::<i32>(row, name, Value::from)?,
        T::BigInt => items::<i64>(row, name, Value::from)?,
        T::Float => items::<f32>(row, name, Value::from)?,
        T::Double => items::<f64>(row, name, Value::from)?,
        T::String | T::Enum(_) => items::<String>(row, name, Value::from)?,
        T::Uuid => items::<Uuid>(row, name, Value::from)?,
        _ => return None,
    };
    Some(Value::Array(kind.clone(), found))
}

/// The first plain type that the driver reads the value as. Drivers refuse types that are not the value's.
fn plain(backend: DbBackend, row: &QueryResult, name: &str) -> Option<Value> {
    use ArrayType as T;
    const NUMBERS: &[ArrayType] = &[T::BigInt, T::BigUnsigned, T::Double];
    let texts: &[ArrayType] = if backend == DbBackend::Sqlite {
        // Its texts are dates as well, if they look like one.
        &[T::String, T::Bytes]
    } else {
        &[
            T::SmallInt,
            T::Int,
            T::Bool,
            #[cfg(feature = "with-rust_decimal")]
            T::Decimal,
            T::ChronoDateTimeUtc,
            T::ChronoDateTime,
            T::ChronoDate,
            T::ChronoTime,
            T::Uuid,
            T::Json,
            T::String,
            T::Bytes,
        ]
    };
    (NUMBERS.iter().chain(texts)).find_map(|kind| one(row, name, kind))
}
