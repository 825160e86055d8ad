//! The memory size of a value.

use sea_orm::prelude::Json;
use sea_orm::sea_query::Value;

/// The approximate size of a value in bytes, including what it points to.
pub(in crate::capture) fn weight(value: &Value) -> usize {
    let heap = match value {
        Value::String(Some(text)) => text.len(),
        Value::Bytes(Some(bytes)) => bytes.len(),
        Value::Json(Some(json)) => weight_of_json(json),
        Value::Array(_, Some(items)) => items.iter().map(weight).sum(),
        // The largest of the others: a decimal has any length, but is seldom long.
        _ => 32,
    };
    size_of::<Value>() + heap
}

fn weight_of_json(json: &Json) -> usize {
    let inner = match json {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(weight_of_json).sum(),
        Json::Object(map) => {
            let members = (map.iter()).map(|(name, item)| 48 + name.len() + weight_of_json(item));
            members.sum()
        }
        _ => 0,
    };
    size_of::<Json>() + inner
}
