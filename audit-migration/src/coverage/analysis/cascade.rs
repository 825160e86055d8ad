//! What the database itself does to the rows of audited tables.

use std::collections::HashSet;

use sea_orm_audit_core::entity_report::EntityReport;
use sea_orm_migration::sea_orm::DbBackend;

use super::super::Finding;
use super::super::schema::{LiveKey, Reaction, TableId};
use super::Analyzer;

const NO_ENTITY: &str = "that table has no audited entity";
const NOT_DECLARED: &str =
    "no `belongs_to` relation of its entity declares this foreign key with its `on_delete`";
const OF_PARTITION: &str = "it is the key of one partition, and triggers of the whole table see nothing of what it does: \
     give the key to the table";
const KEYS_CHANGE: &str =
    "changes of keys are not followed: capture it by triggers, or accept that keys never change";
const PARENT_BY_HOOK: &str = "rows that follow a changed key are recorded by the triggers of the table where it begins, which has none: \
     capture that by triggers, or accept that keys never change";

impl Analyzer<'_> {
    pub(super) fn cascades(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for key in &self.schema.keys {
            for (on, gap) in [
                ("ON DELETE", self.delete_gap(key)),
                ("ON DELETE", self.emptied_gap(key)),
                ("ON UPDATE", self.update_gap(key)),
            ] {
                if let Some((table, why)) = gap {
                    findings.push(Finding::CascadeNotCaptured {
                        table: self.schema.shown(table),
                        key: key.name.clone(),
                        parent: self.schema.shown(&key.parent),
                        on,
                        why,
                    });
                }
            }
        }
        findings
    }

    /// The entity that is to be recorded when the database does this to rows of its table.
    fn wanted(&self, key: &LiveKey, reaction: Reaction) -> Option<&EntityReport> {
        self.recorded(&key.table).find(|child| match reaction {
            Reaction::Refuses => false,
            Reaction::Cascades => child.deletes,
            Reaction::Sets => child.updates,
        })
    }

    /// The same, where none of its own triggers records it.
    fn wanted_of_connection(&self, key: &LiveKey) -> Option<&EntityReport> {
        let child = self.wanted(key, key.on_delete)?;
        (!self.fires_triggers(key, child)).then_some(child)
    }

    /// A table whose rows the connection is to record when rows of this one are deleted, at any depth.
    fn recorded_below<'k>(
        &'k self,
        table: &TableId,
        seen: &mut HashSet<&'k TableId>,
    ) -> Option<&'k TableId> {
        for key in self.schema.keys.iter().filter(|key| key.parent == *table) {
            if self.wanted_of_connection(key).is_some() {
                return Some(&key.table);
            }
            if key.on_delete == Reaction::Cascades
                && seen.insert(&key.table)
                && let Some(below) = self.recorded_below(&key.table, seen)
            {
                return Some(below);
            }
        }
        None
    }

    /// The table whose rows the cascade of a delete changes without a record, and why, if there is one.
    fn delete_gap<'k>(&'k self, key: &'k LiveKey) -> Option<(&'k TableId, &'static str)> {
        let here = self.wanted_of_connection(key);
        let table = if here.is_some() {
            &key.table
        } else if key.on_delete == Reaction::Cascades && self.has_entity(&key.table) {
            // An unrecorded table may lead on to a recorded one.
            self.recorded_below(&key.table, &mut HashSet::new())?
        } else {
            return None;
        };
        if here.is_some_and(|child| child.by_trigger) && self.backend != DbBackend::MySql {
            return Some((table, OF_PARTITION));
        }
        if !self.has_entity(&key.parent) {
            return Some((table, NO_ENTITY));
        }
        // On MySQL the parent's triggers record its descendants' rows.
        let by_trigger = |table: &TableId| self.recorded(table).any(|entity| entity.by_trigger);
        if here.is_some_and(|child| child.by_trigger) && by_trigger(&key.parent) {
            return None;
        }
        (!self.is_declared(key)).then_some((table, NOT_DECLARED))
    }

    /// Whether a relation of an entity of the table declares what the key does.
    fn is_declared(&self, key: &LiveKey) -> bool {
        let deletes = key.on_delete == Reaction::Cascades;
        let mut followed = self
            .entities_of(&key.table)
            .flat_map(|entity| &entity.followed);
        followed.any(|followed| {
            followed.deletes == deletes
                && (self.schema).is(&key.parent, followed.schema.as_deref(), &followed.table)
                && self.same_columns(&followed.columns, &key.columns)
        })
    }

    /// The table whose rows change without a record when a key changes, and why, if there is one.
    fn update_gap<'k>(&'k self, key: &'k LiveKey) -> Option<(&'k TableId, &'static str)> {
        if key.on_update == Reaction::Refuses {
            return None;
        }
        let child = self.recorded(&key.table).find(|child| child.updates);
        let parent_tells = self.parent_tells(key);
        if let Some(child) = child {
            if !child.by_trigger {
                return Some((&key.table, KEYS_CHANGE));
            }
            if key.is_of_partition {
                return Some((&key.table, OF_PARTITION));
            }
            if !self.fires_triggers(key, child) && !parent_tells {
                return Some((&key.table, PARENT_BY_HOOK));
            }
        }
        // Below, each key is analysed by itself; but on MySQL the triggers of the first table record the changes.
        if self.backend != DbBackend::MySql || parent_tells {
            return None;
        }
        let below = self.moved_below(key, &mut HashSet::from([&key.parent, &key.table]))?;
        Some((below, PARENT_BY_HOOK))
    }

    /// The table whose rows change without a record as a delete empties the columns of this key, which they refer to.
    fn emptied_gap<'k>(&'k self, key: &'k LiveKey) -> Option<(&'k TableId, &'static str)> {
        let goes_on = self.backend == DbBackend::MySql && key.on_delete == Reaction::Sets;
        if !goes_on || self.parent_tells(key) {
            return None;
        }
        let below = self.moved_below(key, &mut HashSet::from([&key.parent, &key.table]))?;
        Some((below, PARENT_BY_HOOK))
    }

    /// Whether the triggers of the table that a key refers to record what follows there, as on MySQL.
    fn parent_tells(&self, key: &LiveKey) -> bool {
        self.backend == DbBackend::MySql
            && (self.recorded(&key.parent)).any(|parent| parent.by_trigger)
    }

    /// A table with triggers whose rows change when the columns of this key do.
    fn moved_below<'k>(
        &'k self,
        above: &LiveKey,
        seen: &mut HashSet<&'k TableId>,
    ) -> Option<&'k TableId> {
        let moved = |column: &str| {
            (above.columns.iter()).any(|(own, _)| self.schema.same_column(own, column))
        };
        for key in &self.schema.keys {
            let follows = key.parent == above.table
                && key.on_update != Reaction::Refuses
                && key.columns.iter().any(|(_, parent)| moved(parent));
            if !follows || !seen.insert(&key.table) {
                continue;
            }
            if (self.recorded(&key.table)).any(|entity| entity.updates && entity.by_trigger) {
                return Some(&key.table);
            }
            if let Some(below) = self.moved_below(key, seen) {
                return Some(below);
            }
        }
        None
    }

    /// Whether what the database does to the rows of an entity fires their triggers.
    fn fires_triggers(&self, key: &LiveKey, child: &EntityReport) -> bool {
        child.by_trigger && self.backend != DbBackend::MySql && !key.is_of_partition
    }

    /// Whether a declared key is the live one, in any order of its columns.
    fn same_columns(&self, declared: &[(String, String)], live: &[(String, String)]) -> bool {
        let same = |one: &str, other: &str| self.schema.same_column(one, other);
        declared.len() == live.len()
            && declared.iter().all(|(own, other)| {
                (live.iter()).any(|(live_own, live_other)| {
                    // SQLite does not always report which columns of the parent it is.
                    same(own, live_own) && (live_other.is_empty() || same(other, live_other))
                })
            })
    }
}
