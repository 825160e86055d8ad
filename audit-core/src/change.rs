//! What changed: one [`Change`] per field, [`Changes`] per row.
//!
//! The stored form is `{"title": {"old": "a", "new": "b"}}`. A created row carries only `new`, a
//! deleted one only `old`, a redacted field is `{"redacted": true}`, and a field whose old value
//! could not be known is `{"new": "b", "old_unknown": true}`.

use std::borrow::Cow;

use sea_orm::prelude::Json;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Map;

/// The change of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Change(Kind);

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Created(Json),
    Updated { old: Json, new: Json },
    Deleted(Json),
    OldUnknown(Json),
    DeletedUnknown,
    Redacted,
}

impl Change {
    /// Pairs two values, or returns `None` when they are equal.
    #[must_use]
    pub fn between(old: Json, new: Json) -> Option<Self> {
        (old != new).then_some(Self(Kind::Updated { old, new }))
    }

    /// The field of a created row.
    #[must_use]
    pub const fn created(new: Json) -> Self {
        Self(Kind::Created(new))
    }

    /// The field of a deleted row.
    #[must_use]
    pub const fn deleted(old: Json) -> Self {
        Self(Kind::Deleted(old))
    }

    /// Records that a field changed, without its values.
    #[must_use]
    pub const fn redacted() -> Self {
        Self(Kind::Redacted)
    }

    /// A field that was written while its old value could not be known.
    #[must_use]
    pub const fn from_unknown(new: Json) -> Self {
        Self(Kind::OldUnknown(new))
    }

    /// The field of a deleted row whose value could not be known.
    #[must_use]
    pub const fn unknown() -> Self {
        Self(Kind::DeletedUnknown)
    }

    /// The value before, where it is known and not redacted.
    #[must_use]
    pub const fn old_value(&self) -> Option<&Json> {
        match &self.0 {
            Kind::Updated { old, .. } | Kind::Deleted(old) => Some(old),
            _ => None,
        }
    }

    /// The value after, where there is one and it is not redacted.
    #[must_use]
    pub const fn new_value(&self) -> Option<&Json> {
        match &self.0 {
            Kind::Updated { new, .. } | Kind::Created(new) | Kind::OldUnknown(new) => Some(new),
            _ => None,
        }
    }

    /// Whether the values were withheld on purpose.
    #[must_use]
    pub const fn is_redacted(&self) -> bool {
        matches!(self.0, Kind::Redacted)
    }

    /// Whether the old value existed but could not be known.
    #[must_use]
    pub const fn is_old_unknown(&self) -> bool {
        matches!(self.0, Kind::OldUnknown(_) | Kind::DeletedUnknown)
    }

    /// The same change with its values put into another form.
    pub(crate) fn map(self, form: impl Fn(Json) -> Json) -> Self {
        self.try_map(|json| Ok::<_, std::convert::Infallible>(form(json)))
            .unwrap_or_else(|never| match never {})
    }

    pub(crate) fn try_map<E>(self, form: impl Fn(Json) -> Result<Json, E>) -> Result<Self, E> {
        Ok(Self(match self.0 {
            Kind::Created(new) => Kind::Created(form(new)?),
            Kind::Updated { old, new } => Kind::Updated {
                old: form(old)?,
                new: form(new)?,
            },
            Kind::Deleted(old) => Kind::Deleted(form(old)?),
            Kind::OldUnknown(new) => Kind::OldUnknown(form(new)?),
            other @ (Kind::DeletedUnknown | Kind::Redacted) => other,
        }))
    }

    /// The stored form, by name.
    fn parts(&self) -> impl Iterator<Item = (&'static str, &Json)> {
        const YES: &Json = &Json::Bool(true);
        let (first, second) = match &self.0 {
            Kind::Created(new) => (("new", new), None),
            Kind::Updated { old, new } => (("new", new), Some(("old", old))),
            Kind::Deleted(old) => (("old", old), None),
            Kind::OldUnknown(new) => (("new", new), Some(("old_unknown", YES))),
            Kind::DeletedUnknown => (("old_unknown", YES), None),
            Kind::Redacted => (("redacted", YES), None),
        };
        std::iter::once(first).chain(second)
    }

    fn from_json(json: &Json) -> Option<Self> {
        let map = json.as_object()?;
        let flag = |name| map.get(name) == Some(&Json::Bool(true));
        if flag("redacted") {
            return Some(Self::redacted());
        }
        Some(Self(match (map.get("old"), map.get("new")) {
            (None, Some(new)) if flag("old_unknown") => Kind::OldUnknown(new.clone()),
            (None, None) if flag("old_unknown") => Kind::DeletedUnknown,
            (Some(old), Some(new)) => Kind::Updated {
                old: old.clone(),
                new: new.clone(),
            },
            (None, Some(new)) => Kind::Created(new.clone()),
            (Some(old), None) => Kind::Deleted(old.clone()),
            (None, None) => return None,
        }))
    }
}

impl Serialize for Change {
    /// The stored form.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.parts())
    }
}

/// The changed fields of one row, by column name.
// Sorted. A tree of maps takes most of the time in which a thousand rows are recorded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes(Vec<Entry>);

impl Changes {
    /// No change yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces the change of one field.
    pub fn insert(&mut self, field: impl Into<Cow<'static, str>>, change: Change) {
        let field = field.into();
        match self.place(&field) {
            Ok(at) => self.0[at].1 = change,
            Err(at) => self.0.insert(at, (field, change)),
        }
    }

    /// The change of one field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Change> {
        self.place(field).ok().map(|at| &self.0[at].1)
    }

    /// Where a field is, or would be.
    fn place(&self, field: &str) -> Result<usize, usize> {
        self.0
            .binary_search_by(|(name, _)| name.as_ref().cmp(field))
    }

    /// The fields and their changes, in alphabetical order.
    pub fn iter(&self) -> Iter<'_> {
        self.0
            .iter()
            .map(|(field, change)| (field.as_ref(), change))
    }

    /// How many fields changed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Brings a row from the state before to the state after.
    ///
    /// Fields of a deleted row are removed; redacted and unknown fields are left as they are.
    pub fn apply(&self, row: &mut Map<String, Json>) {
        for (field, change) in &self.0 {
            match &change.0 {
                Kind::Created(new) | Kind::Updated { new, .. } | Kind::OldUnknown(new) => {
                    row.insert(field.clone().into_owned(), new.clone());
                }
                Kind::Deleted(_) | Kind::DeletedUnknown => {
                    row.remove(field.as_ref());
                }
                Kind::Redacted => {}
            }
        }
    }

    /// The stored form.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let form = |change: &Change| {
            let parts = change.parts();
            parts
                .map(|(name, value)| (name.to_owned(), value.clone()))
                .collect()
        };
        self.iter()
            .map(|(field, change)| (field.to_owned(), Json::Object(form(change))))
            .collect()
    }

    /// Reads the stored form; `None` when it is not one.
    #[must_use]
    pub fn from_json(json: &Json) -> Option<Self> {
        json.as_object()?
            .iter()
            .map(|(field, change)| Some((field.clone(), Change::from_json(change)?)))
            .collect()
    }
}

type Entry = (Cow<'static, str>, Change);
type Iter<'a> = std::iter::Map<std::slice::Iter<'a, Entry>, fn(&'a Entry) -> (&'a str, &'a Change)>;

impl<'a> IntoIterator for &'a Changes {
    type Item = (&'a str, &'a Change);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for Changes {
    /// The stored form.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (field, change) in &self.0 {
            map.serialize_entry(field, change)?;
        }
        map.end()
    }
}

impl IntoIterator for Changes {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<F: Into<Cow<'static, str>>> FromIterator<(F, Change)> for Changes {
    fn from_iter<I: IntoIterator<Item = (F, Change)>>(changes: I) -> Self {
        let mut all = Self::new();
        for (field, change) in changes {
            all.insert(field, change);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_change_reads_back_from_its_stored_form() {
        let all: Changes = [
            ("created".to_owned(), Change::created(json!(null))),
            ("deleted".to_owned(), Change::deleted(json!(1))),
            ("redacted".to_owned(), Change::redacted()),
            ("unknown".to_owned(), Change::from_unknown(json!("x"))),
            ("lost".to_owned(), Change::unknown()),
        ]
        .into_iter()
        .chain(Change::between(json!(1), json!(2)).map(|c| ("updated".to_owned(), c)))
        .collect();
        assert_eq!(all.len(), 6);
        assert_eq!(
            all.to_json(),
            json!({
                "created": {"new": null},
                "deleted": {"old": 1},
                "lost": {"old_unknown": true},
                "redacted": {"redacted": true},
                "unknown": {"new": "x", "old_unknown": true},
                "updated": {"old": 1, "new": 2},
            })
        );
        assert_eq!(serde_json::to_value(&all).ok(), Some(all.to_json()));
        assert_eq!(Changes::from_json(&all.to_json()), Some(all));
    }

    #[test]
    fn malformed_change_is_refused() {
        for json in [json!([]), json!({"a": 1}), json!({"a": {}})] {
            assert_eq!(Changes::from_json(&json), None, "{json}");
        }
    }

    #[test]
    fn equal_values_are_no_change() {
        assert_eq!(Change::between(json!(1), json!(1)), None);
    }
}
