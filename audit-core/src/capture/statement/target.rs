//! The entity that a statement writes, and what is recorded of it.

use std::sync::Arc;

use super::ServerInfo;
use super::cascade::{self, CascadeRule};
use crate::action::Action;
use crate::auditable::{EntityInfo, find};
use crate::catalog::{LiveTable, TableKind};
use crate::config::{AuditConfig, Plan};
use crate::sql::{ConflictAction, Kind, TableName, Write, is_name};

/// The entity that a statement writes, and what is recorded of it.
pub(crate) struct CaptureTarget {
    pub(super) info: &'static EntityInfo,
    pub(super) plan: Arc<Plan>,
    /// The entities whose rows are deleted, or change, along with the deleted rows.
    pub(super) followers: Vec<CascadeRule>,
    /// Whether the rows that are written themselves are recorded.
    pub(super) records: bool,
    /// Whether it fires triggers that record, too.
    pub(super) fires_triggers: bool,
}

/// The result of checking an entity, found by name, against the catalogue.
pub(super) enum Resolved {
    Same,
    /// The table belongs to another entity.
    Other(CaptureTarget),
    /// The table belongs to no audited entity.
    None,
}

impl CaptureTarget {
    /// The entity of a table, or `None` if nothing is recorded of this write.
    pub(crate) fn of(config: &AuditConfig, server: &ServerInfo, write: &Write) -> Option<Self> {
        let info = Self::entity(&write.table, server)?;
        Self::of_entity(config, server, write, info)
    }

    fn of_entity(
        config: &AuditConfig,
        server: &ServerInfo,
        write: &Write,
        info: &'static EntityInfo,
    ) -> Option<Self> {
        let plan = config.plan(info);
        let deletes = match &write.kind {
            Kind::UpdateOrDelete(change) => change.delete,
            Kind::Merge(merge) => merge.deletes,
            Kind::Truncate => true,
            Kind::Insert(insert) => (insert.conflict.as_ref())
                .is_some_and(|conflict| conflict.action == ConflictAction::Replace),
        };
        let recorded = |action: &Action| !plan.by_trigger && !plan.skips(config, action);
        let records = match &write.kind {
            Kind::UpdateOrDelete(change) if change.delete => recorded(&Action::Delete),
            Kind::Truncate => recorded(&Action::Delete),
            Kind::Merge(_) => {
                recorded(&Action::Create) || recorded(&Action::Update) || recorded(&Action::Delete)
            }
            Kind::Insert(insert) if insert.conflict.is_some() => {
                recorded(&Action::Create) || recorded(&Action::Update) || recorded(&Action::Delete)
            }
            Kind::Insert(_) => recorded(&Action::Create),
            Kind::UpdateOrDelete(_) => recorded(&Action::Update),
        };
        let followers = if deletes {
            cascade::followers(config, server, info)
        } else {
            Vec::new()
        };
        let fires_triggers = plan.by_trigger
            || ((deletes || moves_key(info, write))
                && server.cascades_fire_triggers()
                && cascade::reaches_triggers(config, info));
        (records || !followers.is_empty() || fires_triggers).then_some(Self {
            info,
            plan,
            followers,
            records,
            fires_triggers,
        })
    }

    /// Whether the table that the name means here is the entity's.
    pub(super) fn resolve(
        &self,
        config: &AuditConfig,
        server: &ServerInfo,
        write: &Write,
        live: &LiveTable,
    ) -> Resolved {
        if matches!(live.kind, TableKind::Temporary | TableKind::Missing) && !server.is_mysql() {
            return Resolved::None;
        }
        let Some(schema) = &live.schema else {
            return Resolved::Same;
        };
        let is_table =
            |info: &EntityInfo| !server.is_case_sensitive() || info.table() == write.table.table;
        let is_own = |info: &EntityInfo| {
            is_table(info) && (info.schema()).is_some_and(|own| is_schema(server, own, schema))
        };
        let is_by_name =
            |info: &EntityInfo| is_table(info) && info.schema().is_none() && live.is_found_by_name;
        // Among several entities, one that has no more columns than the table, if there is one.
        let fits = |info: &EntityInfo| !live.lacks(&info.columns().collect::<Vec<_>>());
        let table = &write.table.table;
        let found = find(table, |info| is_own(info) && fits(info))
            .or_else(|| find(table, |info| is_by_name(info) && fits(info)))
            .or_else(|| find(table, is_own))
            .or_else(|| find(table, is_by_name));
        match found {
            None => Resolved::None,
            Some(info) if std::ptr::eq(info, self.info) => Resolved::Same,
            Some(info) => match Self::of_entity(config, server, write, info) {
                Some(other) if other.is_captured() => Resolved::Other(other),
                _ => Resolved::None,
            },
        }
    }

    /// Whether the engine has anything to do.
    pub(crate) fn is_captured(&self) -> bool {
        self.records || !self.followers.is_empty()
    }

    /// Whether triggers are notified of who writes.
    pub(crate) fn fires_triggers(&self) -> bool {
        self.fires_triggers
    }

    /// The remaining target if the engine defers to triggers.
    pub(crate) fn for_triggers_only(self) -> Option<Self> {
        self.fires_triggers.then_some(Self {
            followers: Vec::new(),
            records: false,
            ..self
        })
    }

    /// The entity that a name may refer to. Unless both name and entity have a schema, the match depends on the
    /// search path, the database or what is attached at that moment: the catalogue decides.
    pub(super) fn entity(name: &TableName, server: &ServerInfo) -> Option<&'static EntityInfo> {
        find(&name.table, |info| {
            (!server.is_case_sensitive() || info.table() == name.table)
                && match (&name.schema, info.schema()) {
                    (Some(named), Some(own)) => is_schema(server, own, named),
                    _ => true,
                }
        })
    }

    /// Whether one of these tables is an audited entity's.
    pub(crate) fn any(config: &AuditConfig, server: &ServerInfo, tables: &[TableName]) -> bool {
        tables
            .iter()
            .any(|name| Self::entity(name, server).is_some_and(|info| !config.plan(info).skip))
    }

    pub(super) fn key_columns(&self) -> Vec<&'static str> {
        let name = |at: &usize| self.info.columns[*at].name;
        self.info.key.iter().map(name).collect()
    }

    pub(super) fn all_columns(&self) -> Vec<&'static str> {
        self.info.columns().collect()
    }

    /// Whether one of these columns is a key column.
    pub(super) fn has_key_among(&self, columns: &[String]) -> bool {
        let is_among = |key: &&str| columns.iter().any(|column| is_name(column, key));
        self.key_columns().iter().any(is_among)
    }
}

fn is_schema(server: &ServerInfo, a: &str, b: &str) -> bool {
    if server.is_case_sensitive() {
        a == b
    } else {
        is_name(a, b)
    }
}

/// Whether a write may change a key, so that rows follow by ON UPDATE.
fn moves_key(info: &EntityInfo, write: &Write) -> bool {
    let is_key =
        |column: &String| (info.key.iter()).any(|at| is_name(column, info.columns[*at].name));
    match &write.kind {
        Kind::UpdateOrDelete(change) => change.assigned.iter().any(is_key),
        Kind::Merge(merge) => merge.assigned.iter().any(is_key),
        Kind::Insert(_) | Kind::Truncate => false,
    }
}
