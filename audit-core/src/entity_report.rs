//! The metadata of all audited entities, for the report that compares it with the live schema.

use crate::action::Action;
use crate::auditable::{EntityInfo, FieldPolicy};
use crate::config::{AuditConfig, RecordingMode};

/// An audited entity under a configuration.
#[derive(Debug)]
pub struct EntityReport {
    /// What the derive declares.
    pub info: &'static EntityInfo,
    /// What skips the entity, if anything.
    pub skipped: Option<SkippedBy>,
    /// Whether triggers record its changes.
    pub by_trigger: bool,
    /// Whether deletes of its rows are recorded.
    pub deletes: bool,
    /// Whether updates of its rows are recorded.
    pub updates: bool,
    /// Columns that look like secrets and are stored in plain text all the same, and whether the derive declares this
    /// (`plain`).
    pub plain_secrets: Vec<(&'static str, bool)>,
    /// Columns of which triggers store less than hooks do: `hash`.
    pub hashed: Vec<&'static str>,
    /// The foreign keys whose cascades are captured with the statement that starts them.
    pub followed: Vec<FollowedKey>,
}

/// What leaves an entity out of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkippedBy {
    /// Its derive: `#[audit(skip)]`.
    Attribute,
    /// The configuration: `skip_model`, `skip_entity`.
    Configuration,
}

/// A foreign key with an action, as a `belongs_to` relation declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowedKey {
    /// The table that is referred to.
    pub table: String,
    pub schema: Option<String>,
    /// The entity's columns, and those of that table that they refer to.
    pub columns: Vec<(String, String)>,
    /// Whether the row is deleted; else its columns are set.
    pub deletes: bool,
}

/// All known audited entities, in the order of their names.
#[must_use]
pub fn entity_reports(config: &AuditConfig) -> Vec<EntityReport> {
    let mut all: Vec<EntityReport> = known().into_iter().map(|info| of(info, config)).collect();
    all.sort_by_key(|entity| entity.info.model());
    all
}

#[cfg(feature = "statements")]
fn known() -> Vec<&'static EntityInfo> {
    crate::auditable::known()
}

#[cfg(not(feature = "statements"))]
fn known() -> Vec<&'static EntityInfo> {
    crate::auditable::audited_entities().collect()
}

fn of(info: &'static EntityInfo, config: &AuditConfig) -> EntityReport {
    let plan = config.plan(info);
    let columns = || info.columns.iter().zip(&plan.columns);
    let plain_secrets = columns().filter_map(|(column, treatment)| {
        let names = column.field.into_iter().chain([column.name]);
        let open = matches!(treatment, RecordingMode::Record | RecordingMode::Plain);
        let is_secret =
            open && column.can_be_secret && names.into_iter().any(crate::redact::is_secret);
        is_secret.then_some((column.name, column.policy == FieldPolicy::Plain))
    });
    let hashed = columns().filter(|(_, treatment)| **treatment == RecordingMode::Hash);
    EntityReport {
        info,
        skipped: match (info.skip, plan.skip) {
            (true, _) => Some(SkippedBy::Attribute),
            (false, true) => Some(SkippedBy::Configuration),
            (false, false) => None,
        },
        by_trigger: plan.by_trigger,
        deletes: !plan.skips(config, &Action::Delete),
        updates: !plan.skips(config, &Action::Update),
        plain_secrets: plain_secrets.collect(),
        hashed: hashed.map(|(column, _)| column.name).collect(),
        followed: followed(info),
    }
}

#[cfg(feature = "statements")]
fn followed(info: &EntityInfo) -> Vec<FollowedKey> {
    (info.access.followed().iter())
        .map(|key| FollowedKey {
            table: key.table.clone(),
            schema: key.schema.clone(),
            columns: key
                .from
                .iter()
                .cloned()
                .zip(key.to.iter().cloned())
                .collect(),
            deletes: key.deletes,
        })
        .collect()
}

/// Without statement capture no cascade is.
#[cfg(not(feature = "statements"))]
fn followed(_: &EntityInfo) -> Vec<FollowedKey> {
    Vec::new()
}
