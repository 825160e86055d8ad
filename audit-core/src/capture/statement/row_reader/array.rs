//! Arrays of PostgreSQL with elements that the driver reads as others.

use chrono::{NaiveTime, TimeDelta};
use sea_orm::prelude::Json;
use sea_orm::sea_query::{ArrayType, Value};

use super::exact::of_postgres;
use crate::value::{ColumnKind, encode};

/// An array of PostgreSQL: the number of dimensions, flags, the type, the length and first index of each dimension; then
/// the elements with their lengths. Source: `array_send` in `src/backend/utils/adt/arrayfuncs.c`.
///
/// `None` where the types that SeaORM reads hold all elements, or the array has several dimensions, which SeaORM does not
/// read.
pub(super) fn array_of_postgres(bytes: &[u8], kind: &str, element: &ArrayType) -> Option<Value> {
    let (header, mut rest) = bytes.split_at_checked(20)?;
    if header[..4] != 1_i32.to_be_bytes() {
        return None;
    }
    let shape = ColumnKind::One(element.clone());
    let (mut elements, mut is_inexact) = (Vec::new(), false);
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        // -1 is NULL.
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            elements.push(Json::Null);
            rest = tail;
            continue;
        };
        let (element, tail) = tail.split_at_checked(length)?;
        rest = tail;
        elements.push(match of_postgres(element, kind, &shape) {
            Some(Value::Json(Some(text))) => {
                is_inexact = true;
                *text
            }
            _ => readable(element, kind)?,
        });
    }
    is_inexact.then(|| Value::Json(Some(Box::new(Json::Array(elements)))))
}

/// An element that SeaORM's types hold, in the canonical form.
fn readable(bytes: &[u8], kind: &str) -> Option<Json> {
    match kind {
        "JSON" => serde_json::from_slice(bytes).ok(),
        "JSONB" => serde_json::from_slice(bytes.get(1..)?).ok(),
        "TIME" => {
            let microseconds = i64::from_be_bytes(bytes.try_into().ok()?);
            let time = NaiveTime::MIN + TimeDelta::microseconds(microseconds);
            encode(&time.into()).ok()
        }
        _ => None,
    }
}
