//! Object ids and the keys that they are the text of.

use sea_orm::prelude::Json;
use sea_orm::sea_query::Value;

use crate::auditable::EntityInfo;
use crate::change::Changes;
use crate::config::{AuditConfig, Plan};
use crate::target::text_of;
use crate::value::decode;

/// The key that has this object id; `None` if the id does not say it, because it is hashed, redacted or cut.
pub(crate) fn key_of(config: &AuditConfig, plan: &Plan, object_id: &str) -> Option<Vec<Value>> {
    let info = plan.info;
    let key: Vec<Value> = if let [at] = info.key.as_slice() {
        let shape = &info.columns[*at].shape;
        let text = Json::String(object_id.to_owned());
        let value = decode(&text, shape).ok().or_else(|| {
            let json: Json = serde_json::from_str(object_id).ok()?;
            decode(&json, shape).ok()
        });
        vec![value?]
    } else {
        let parts: Vec<Json> = serde_json::from_str(object_id).ok()?;
        if parts.len() != info.key.len() {
            return None;
        }
        (info.key.iter().zip(&parts))
            .map(|(at, json)| decode(json, &info.columns[*at].shape).ok())
            .collect::<Option<_>>()?
    };
    let again = plan.object_id(config, &key).ok()?;
    (again == object_id).then_some(key)
}

/// The object id that a change of the key leads to; `None` if the key does not change, or its new value is not known.
pub(crate) fn moved_to(info: &EntityInfo, object_id: &str, changes: &Changes) -> Option<String> {
    let new_part = |at: &usize| {
        let column = &info.columns[*at];
        let was = || column.was.and_then(|was| changes.get(was));
        let change = changes.get(column.name).or_else(was)?;
        change.old_value()?;
        change.new_value()
    };
    if let [at] = info.key.as_slice() {
        return new_part(at).map(|new| text_of(new.clone()));
    }
    let new: Vec<Option<&Json>> = info.key.iter().map(new_part).collect();
    if new.iter().all(Option::is_none) {
        return None;
    }
    let old: Vec<Json> = serde_json::from_str(object_id).ok()?;
    let parts = (old.into_iter().zip(new)).map(|(old, new)| new.cloned().unwrap_or(old));
    Some(Json::Array(parts.collect()).to_string())
}
