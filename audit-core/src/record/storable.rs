//! JSON that the log's column cannot hold: a string of its text replaces it, as the triggers write it.

use sea_orm::DbBackend;
use serde_json::Value as Json;

use crate::change::Changes;

/// The levels of a value that MariaDB accepts: its JSON functions refuse more than 31, and a record is two levels
/// around the value.
const DEEPEST: usize = 29;

/// The changes, with strings in place of values that the database would refuse.
pub(super) fn storable(backend: DbBackend, changes: Changes) -> Changes {
    let is_refused = |json: &Json| match backend {
        DbBackend::MySql => is_deeper(json, DEEPEST),
        // `->>` and `jsonb` refuse such a character, with all of the record; a column of the type `json` may have it.
        DbBackend::Postgres => has_nul(json),
        _ => false,
    };
    let is_held = changes.iter().all(|(_, change)| {
        ![change.old_value(), change.new_value()]
            .into_iter()
            .flatten()
            .any(is_refused)
    });
    if is_held {
        return changes;
    }
    let held = |json: Json| {
        if is_refused(&json) {
            Json::String(json.to_string())
        } else {
            json
        }
    };
    (changes.into_iter())
        .map(|(field, change)| (field, change.map(held)))
        .collect()
}

/// Whether a value has more levels of arrays and objects.
fn is_deeper(json: &Json, levels: usize) -> bool {
    let inner = |item: &Json| is_deeper(item, levels.saturating_sub(1));
    match json {
        Json::Array(items) => levels == 0 || items.iter().any(inner),
        Json::Object(map) => levels == 0 || map.values().any(inner),
        _ => false,
    }
}

fn has_nul(json: &Json) -> bool {
    match json {
        Json::String(text) => text.contains('\0'),
        Json::Array(items) => items.iter().any(has_nul),
        Json::Object(map) => map.iter().any(|(k, v)| k.contains('\0') || has_nul(v)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Change;
    use serde_json::json;

    fn nested(levels: usize) -> Json {
        (1..levels).fold(json!([]), |inner, _| json!([inner]))
    }

    fn held(backend: DbBackend, value: &Json) -> Option<Json> {
        let changes = [("a", Change::created(value.clone()))];
        let held = storable(backend, changes.into_iter().collect());
        held.get("a").and_then(Change::new_value).cloned()
    }

    #[test]
    fn json_that_the_database_refuses_becomes_text() {
        let nul = json!({"a": ["b\0"], "c\0": 1});
        let text = |json: &Json| Some(Json::String(json.to_string()));
        let (deep, low) = (nested(DEEPEST + 1), nested(DEEPEST));
        assert_eq!(held(DbBackend::MySql, &deep), text(&deep));
        assert_eq!(held(DbBackend::MySql, &low), Some(low));
        assert_eq!(held(DbBackend::MySql, &nul), Some(nul.clone()));
        assert_eq!(held(DbBackend::Postgres, &deep), Some(deep));
        assert_eq!(held(DbBackend::Postgres, &nul), text(&nul));
        assert!(!has_nul(&text(&nul).unwrap_or_default()));
        assert_eq!(held(DbBackend::Sqlite, &nul), Some(nul));
    }
}
