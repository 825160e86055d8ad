//! What one configuration does with one entity, worked out once and kept.

mod old_value;

use sea_orm::prelude::Json;
use sea_orm::sea_query::Value;

pub(crate) use old_value::OldValue;
#[cfg(feature = "statements")]
pub(crate) use old_value::{StoredRow, StoredValue};

use super::{AuditConfig, Settings};
use crate::action::Action;
use crate::auditable::{EntityInfo, FieldPolicy, Part};
use crate::change::{Change, Changes};
use crate::error::Cause;
use crate::redact::{REDACTED, is_json};
use crate::target::{OBJECT_ID_LIMIT, REPR_LIMIT, object_id, shorten, text_of, truncate_hashed};
use crate::value::{EncodeError, encode};

/// What is stored of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordingMode {
    /// Its values; inside JSON, secrets are replaced.
    Record,
    /// Its values as they are.
    Plain,
    /// That it changed.
    Redact,
    /// Keyed hashes of its values.
    Hash,
    /// Nothing, and it must not show elsewhere either.
    Skip,
    /// Nothing, as `only` does not list it; it may show in the label and the object id.
    LeftOut,
}

impl RecordingMode {
    /// Whether changes of the column are recorded at all.
    pub(crate) const fn is_recorded(self) -> bool {
        !matches!(self, Self::Skip | Self::LeftOut)
    }

    /// Whether the column's values may be read in plain text.
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Record | Self::Plain | Self::LeftOut)
    }
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) info: &'static EntityInfo,
    pub(crate) skip: bool,
    /// The database's own triggers record the changes.
    pub(crate) by_trigger: bool,
    pub(crate) columns: Vec<RecordingMode>,
}

impl Plan {
    pub(super) fn new(settings: &Settings, info: &'static EntityInfo) -> Self {
        let columns = info
            .columns
            .iter()
            .map(|column| {
                let names = || column.field.into_iter().chain([column.name]);
                let listed = |list: &std::collections::HashSet<String>| {
                    !list.is_empty() && names().any(|name| list.contains(&name.to_lowercase()))
                };
                let secret =
                    || column.can_be_secret && names().any(|name| settings.sensitive.matches(name));
                match column.policy {
                    _ if listed(&settings.skip_fields) => RecordingMode::Skip,
                    FieldPolicy::Skip => RecordingMode::Skip,
                    _ if listed(&settings.redact_fields) => RecordingMode::Redact,
                    FieldPolicy::Redact => RecordingMode::Redact,
                    FieldPolicy::Hash => RecordingMode::Hash,
                    FieldPolicy::Plain => RecordingMode::Plain,
                    FieldPolicy::LeftOut if secret() => RecordingMode::Skip,
                    FieldPolicy::LeftOut => RecordingMode::LeftOut,
                    FieldPolicy::Detect if secret() => RecordingMode::Redact,
                    FieldPolicy::Detect => RecordingMode::Record,
                }
            })
            .collect();
        Self {
            info,
            skip: info.skip
                || settings.skip_models.contains(info.model())
                || settings.skip_types.contains(&info.type_id),
            by_trigger: info.by_trigger || settings.trigger_types.contains(&info.type_id),
            columns,
        }
    }

    /// Whether an action on the entity is left out, by its own attributes or by configuration.
    pub(crate) fn skips(&self, config: &AuditConfig, action: &Action) -> bool {
        self.skip || self.info.skip_actions.contains(action) || config.skips_action(action)
    }

    /// The action of a change: of an update, whether it marks the row as deleted, or takes the mark away.
    pub(crate) fn action_of(&self, action: Action, changes: &Changes) -> Action {
        let (Action::Update, Some(at)) = (&action, self.info.soft_delete) else {
            return action;
        };
        let change = changes.get(self.info.columns[at].name);
        let sides = change.and_then(|change| change.old_value().zip(change.new_value()));
        // A mark is a value, such as a time, or `true`.
        let is_set = |value: &Json| !value.is_null() && *value != Json::Bool(false);
        match sides.map(|(old, new)| (is_set(old), is_set(new))) {
            Some((false, true)) => Action::SoftDelete,
            Some((true, false)) => Action::Restore,
            _ => action,
        }
    }

    pub(crate) fn missing_hash_key(&self, field: &str) -> Cause {
        Cause::MissingHashKey {
            model: self.info.model().to_owned(),
            field: field.to_owned(),
        }
    }

    pub(crate) fn hashed_field(&self) -> Option<&'static str> {
        let at = self
            .columns
            .iter()
            .position(|t| *t == RecordingMode::Hash)?;
        Some(self.info.columns[at].name)
    }

    /// The stored form of one value of one column.
    fn stored(&self, config: &AuditConfig, at: usize, value: &Value) -> Result<Json, Cause> {
        let mut json = encode(value).map_err(|error| self.refused(at, error))?;
        match self.columns[at] {
            RecordingMode::Hash => json = self.hashed(config, at, &json)?,
            RecordingMode::Record if is_json(value) => config.sensitive().redact_json(&mut json),
            _ => {}
        }
        Ok(json)
    }

    fn refused(&self, at: usize, error: EncodeError) -> Cause {
        Cause::Value {
            model: self.info.model().to_owned(),
            field: self.info.columns[at].name.to_owned(),
            error,
        }
    }

    /// The changes of a created or deleted row.
    fn whole_row<'v>(
        &self,
        config: &AuditConfig,
        row: impl Iterator<Item = OldValue<'v>>,
        change: fn(Json) -> Change,
    ) -> Result<Changes, Cause> {
        let mut changes = Changes::new();
        for (at, value) in row.enumerate() {
            let change = match self.columns[at] {
                treatment if !treatment.is_recorded() => continue,
                RecordingMode::Redact => Change::redacted(),
                _ => change(value.stored(self, config, at)?),
            };
            changes.insert(self.info.columns[at].name, change);
        }
        Ok(changes)
    }

    pub(crate) fn created(&self, config: &AuditConfig, row: &[Value]) -> Result<Changes, Cause> {
        self.whole_row(config, row.iter().map(OldValue::Read), Change::created)
    }

    pub(crate) fn deleted(&self, config: &AuditConfig, row: &[Value]) -> Result<Changes, Cause> {
        self.deleted_row(config, row.iter().map(OldValue::Read))
    }

    /// The same, of a row in either form.
    pub(crate) fn deleted_row<'v>(
        &self,
        config: &AuditConfig,
        row: impl Iterator<Item = OldValue<'v>>,
    ) -> Result<Changes, Cause> {
        self.whole_row(config, row, Change::deleted)
    }

    /// The changes of a deleted row whose values were not kept.
    pub(crate) fn deleted_unknown(&self) -> Changes {
        (self.info.columns.iter().zip(&self.columns))
            .filter(|(_, treatment)| treatment.is_recorded())
            .map(|(column, _)| (column.name.to_owned(), Change::unknown()))
            .collect()
    }

    /// The changes between two images. A column whose old value is `None` is not compared.
    pub(crate) fn updated(
        &self,
        config: &AuditConfig,
        old: &[Option<Value>],
        new: &[Value],
    ) -> Result<Changes, Cause> {
        let old = old.iter().map(|old| old.as_ref().map(OldValue::Read));
        self.updated_row(config, old, new)
    }

    /// The same, of a row in either form.
    pub(crate) fn updated_row<'v>(
        &self,
        config: &AuditConfig,
        old: impl Iterator<Item = Option<OldValue<'v>>>,
        new: &[Value],
    ) -> Result<Changes, Cause> {
        let mut changes = Changes::new();
        for (at, (old, new)) in old.zip(new).enumerate() {
            let Some(old) = old else { continue };
            if !self.columns[at].is_recorded() || old.is_same(self, at, new) {
                continue;
            }
            let change = if self.columns[at] == RecordingMode::Redact {
                Some(Change::redacted())
            } else {
                let (old, new) = (old.stored(self, config, at)?, self.stored(config, at, new)?);
                // Only what was replaced inside a JSON value can have differed.
                let hidden = is_json_hidden(self.columns[at], &old, &new);
                Change::between(old, new).or(hidden.then(Change::redacted))
            };
            if let Some(change) = change {
                changes.insert(self.info.columns[at].name, change);
            }
        }
        Ok(changes)
    }

    /// The changes of a row whose old values were not kept: the columns in `written`, or all.
    pub(crate) fn updated_from_unknown(
        &self,
        config: &AuditConfig,
        written: impl Fn(usize) -> bool,
        new: &[Value],
    ) -> Result<Changes, Cause> {
        let mut changes = Changes::new();
        for (at, new) in new.iter().enumerate() {
            let change = match self.columns[at] {
                treatment if !treatment.is_recorded() || !written(at) => continue,
                RecordingMode::Redact => Change::redacted(),
                _ => Change::from_unknown(self.stored(config, at, new)?),
            };
            changes.insert(self.info.columns[at].name, change);
        }
        Ok(changes)
    }

    /// Changes that the application states itself, as they may be stored. Fields that the entity
    /// does not have, or all without an entity, are classified by their names.
    pub(crate) fn stated(
        plan: Option<&Self>,
        config: &AuditConfig,
        changes: Changes,
    ) -> Result<Changes, Cause> {
        let mut stored = Changes::new();
        for (field, change) in changes {
            let column = plan.and_then(|plan| {
                let at = plan.info.columns.iter().position(|column| {
                    column.name == field || column.field == Some(field.as_ref())
                })?;
                Some((plan, at, plan.columns[at]))
            });
            // The name that the hooks use.
            let field = column.map_or(field, |(plan, at, _)| plan.info.columns[at].name.into());
            let change = match column {
                Some((_, _, RecordingMode::Skip | RecordingMode::LeftOut)) => continue,
                Some((_, _, RecordingMode::Redact)) => Change::redacted(),
                Some((_, _, RecordingMode::Plain)) => change,
                Some((plan, at, RecordingMode::Hash)) => {
                    change.try_map(|json| plan.hashed(config, at, &json))?
                }
                Some((_, _, RecordingMode::Record)) => {
                    change.map(|json| config.without_secrets(json))
                }
                None if config.redacts(&field) => Change::redacted(),
                None => change.map(|json| config.without_secrets(json)),
            };
            stored.insert(field, change);
        }
        Ok(stored)
    }

    fn hashed(&self, config: &AuditConfig, at: usize, json: &Json) -> Result<Json, Cause> {
        let field = self.info.columns[at].name;
        let key = (config.hash_key()).ok_or_else(|| self.missing_hash_key(field))?;
        Ok(key.hash(self.info.model(), field, json))
    }

    /// The object id of a row: key columns that are secrets are hashed, or redacted where there is no hash key.
    pub(crate) fn object_id(&self, config: &AuditConfig, key: &[Value]) -> Result<String, Cause> {
        let at = |part: usize| self.info.key.get(part).copied().unwrap_or_default();
        let secret = |part: usize| {
            (self.columns.get(at(part))).is_some_and(|treatment| !treatment.is_open())
        };
        if !(0..key.len()).any(secret) {
            return object_id(key).map_err(|error| self.refused(at(0), error));
        }
        let mut parts = Vec::with_capacity(key.len());
        for (part, value) in key.iter().enumerate() {
            let json = encode(value).map_err(|error| self.refused(at(part), error))?;
            parts.push(match config.hash_key() {
                _ if !secret(part) => json,
                Some(key) => key.hash(self.info.model(), self.info.columns[at(part)].name, &json),
                None => Json::String(REDACTED.into()),
            });
        }
        let text = match <[Json; 1]>::try_from(parts) {
            Ok([one]) => text_of(one),
            Err(many) => Json::Array(many).to_string(),
        };
        Ok(truncate_hashed(text, OBJECT_ID_LIMIT))
    }

    /// How to show a row: the `display` template, by default the model and the object id.
    pub(crate) fn label(
        &self,
        config: &AuditConfig,
        row: &[Value],
        object_id: &str,
    ) -> Result<String, Cause> {
        if self.info.display.is_empty() {
            return Ok(shorten(
                format!("{} #{object_id}", self.info.model()),
                REPR_LIMIT,
            ));
        }
        let mut label = String::new();
        for part in &self.info.display {
            match part {
                Part::Text(text) => label.push_str(text),
                Part::Column(at) => match self.columns[*at] {
                    treatment if treatment.is_open() => match row.get(*at) {
                        Some(value) => {
                            let json = self.stored(config, *at, value)?;
                            if !json.is_null() {
                                label.push_str(&text_of(json));
                            }
                        }
                        None => label.push('?'),
                    },
                    _ => label.push_str(REDACTED),
                },
            }
        }
        Ok(shorten(label, REPR_LIMIT))
    }

    /// The tenant of a row, where the derive names the column.
    pub(crate) fn tenant(&self, row: &[Value]) -> Result<Option<String>, Cause> {
        let readable = |at: &usize| self.columns.get(*at).is_some_and(|t| t.is_open());
        let Some(at) = self.info.tenant.filter(readable) else {
            return Ok(None);
        };
        let Some(value) = row.get(at) else {
            return Ok(None);
        };
        let json = encode(value).map_err(|error| self.refused(at, error))?;
        Ok((!json.is_null()).then(|| text_of(json)))
    }
}

/// Two stored JSON values that are equal although the database values were not.
fn is_json_hidden(treatment: RecordingMode, old: &Json, new: &Json) -> bool {
    treatment == RecordingMode::Record && old == new && (old.is_object() || old.is_array())
}

#[cfg(test)]
mod tests;
