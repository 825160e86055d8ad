//! Whether the triggers of a table are as they should be.

use std::collections::BTreeSet;
use std::fmt;

use sea_orm_audit_core::entity_report::entity_reports;
use sea_orm_audit_core::{AuditConfig, EntityInfo};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};

use super::{AuditTriggers, faults, installed, objects};
use crate::coverage::LiveSchema;

/// What [`AuditTriggers::check`] found. `Display` describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "what was checked should be looked at"]
pub struct TriggerCheck {
    /// Triggers that do not exist.
    pub missing: Vec<String>,
    /// Triggers that do not fire.
    pub disabled: Vec<String>,
    /// Triggers that differ from those that the entity and the configuration require, or that nothing requires.
    pub out_of_date: Vec<String>,
    /// Columns of the entity that the table does not have.
    pub columns_missing: Vec<String>,
    /// Columns of the table that the entity does not have: they are not recorded.
    pub columns_not_captured: Vec<String>,
    /// Whether the log does not exist, so that every write fails.
    pub log_missing: bool,
    /// What makes every write fail, or lets another user decide what is recorded, in words: the user who made the
    /// triggers is dropped or may not write the log, others may make functions where the triggers' are.
    pub faults: Vec<String>,
    /// Fields that hooks would store as a keyed hash, and triggers redact, having no key. No fault.
    pub redacted: Vec<String>,
}

impl TriggerCheck {
    /// Whether every change of every column is recorded as the entity asks for.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        !self.log_missing
            && self.missing.is_empty()
            && self.disabled.is_empty()
            && self.faults.is_empty()
            && self.out_of_date.is_empty()
            && self.columns_missing.is_empty()
            && self.columns_not_captured.is_empty()
    }
}

impl fmt::Display for TriggerCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = [
            ("not there", &self.missing),
            ("do not fire", &self.disabled),
            ("out of date", &self.out_of_date),
            ("columns that the table lacks", &self.columns_missing),
            ("columns that are not recorded", &self.columns_not_captured),
            ("fields redacted in place of hashed", &self.redacted),
        ];
        let log = (self.log_missing).then(|| "the log is not there: no write succeeds".to_owned());
        let names = (found.iter())
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what}: {}", names.join(", ")));
        let lines: Vec<String> = (log.into_iter())
            .chain(self.faults.iter().cloned())
            .chain(names)
            .collect();
        if lines.is_empty() {
            return f.write_str("as they should be");
        }
        f.write_str(&lines.join("; "))
    }
}

impl AuditTriggers {
    /// Compares the triggers that are there with those that should be, and the table with its entity.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn check<C: ConnectionTrait>(self, db: &C) -> Result<TriggerCheck, DbErr> {
        let mut check = self.state(db).await?;
        let info: &EntityInfo = self.info;
        let tables = AuditConfig::current().tables();
        let named = info.schema().into_iter().chain(tables.schema());
        let named: BTreeSet<String> = named.map(str::to_owned).collect();
        let schema = LiveSchema::read(db, &named).await?;
        let there = schema.columns_of(info.schema(), info.table());
        check.log_missing = !schema.has(tables.schema(), tables.log());
        check.columns_missing = (info.columns())
            .filter(|column| !there.iter().any(|there| schema.same_column(there, column)))
            .map(str::to_owned)
            .collect();
        check.columns_not_captured = (there.into_iter())
            .filter(|there| {
                !info
                    .columns()
                    .any(|column| schema.same_column(column, there))
            })
            .collect();
        check.redacted = (entity_reports(&AuditConfig::current()).into_iter())
            .filter(|entity| std::ptr::eq(entity.info, info))
            .flat_map(|entity| entity.hashed)
            .map(str::to_owned)
            .collect();
        Ok(check)
    }

    /// Compares only the triggers.
    pub(crate) async fn state<C: ConnectionTrait>(self, db: &C) -> Result<TriggerCheck, DbErr> {
        let plan = self.plan();
        let (wanted, there) = (objects(db, &plan).await?, installed(db, &plan).await?);
        let mut check = TriggerCheck::default();
        for object in &wanted {
            match there.iter().find(|there| there.name == object.name) {
                None => check.missing.push(object.name.clone()),
                Some(there) => {
                    if there.definition != object.definition {
                        check.out_of_date.push(object.name.clone());
                    }
                    if !there.enabled {
                        check.disabled.push(object.name.clone());
                    }
                }
            }
        }
        let unwanted = (there.into_iter())
            .filter(|there| !wanted.iter().any(|object| object.name == there.name));
        check.out_of_date.extend(unwanted.map(|there| there.name));
        check.faults = faults(db, &plan).await?;
        Ok(check)
    }

    /// The names of those that are there, wanted or not.
    pub(crate) async fn left<C: ConnectionTrait>(self, db: &C) -> Result<Vec<String>, DbErr> {
        let there = installed(db, &self.plan()).await?;
        let own = there.into_iter().filter(|there| !there.shared);
        Ok(own.map(|there| there.name).collect())
    }
}
