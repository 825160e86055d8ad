//! What the live schema and the audited entities say of each other.

use std::collections::HashSet;

use sea_orm_audit_core::Tables;
use sea_orm_audit_core::survey::Surveyed;
use sea_orm_migration::sea_orm::DbBackend;

use super::schema::{LiveKey, LiveSchema, Reaction, TableId};
use super::{Captured, Coverage, Finding, TableCoverage};

/// The history of SeaORM's own Migrator.
const SEAORM_HISTORY: &str = "seaql_migrations";

/// Judges all but the triggers.
pub(super) fn judge(
    backend: DbBackend,
    schema: &LiveSchema,
    entities: &[Surveyed],
    audit: Tables,
) -> Coverage {
    let judge = Judge {
        backend,
        schema,
        entities,
        audit,
    };
    let mut findings = Vec::new();
    let tables = judge.tables(&mut findings);
    judge.entities(&mut findings);
    judge.keys(&mut findings);
    Coverage {
        tables,
        findings,
        accepted: Vec::new(),
    }
}

struct Judge<'a> {
    backend: DbBackend,
    schema: &'a LiveSchema,
    entities: &'a [Surveyed],
    audit: Tables,
}

impl Judge<'_> {
    /// The entity of a table; one that is recorded, if there are several.
    fn entity(&self, id: &TableId) -> Option<&Surveyed> {
        let of_table = || {
            (self.entities.iter())
                .filter(|entity| (self.schema).is(id, entity.info.schema(), entity.info.table()))
        };
        of_table()
            .find(|entity| entity.skipped.is_none())
            .or_else(|| of_table().next())
    }

    fn is_own(&self, id: &TableId) -> bool {
        let audit = self.audit;
        let own = [
            audit.log(),
            audit.login_attempt(),
            audit.data_export(),
            audit.system_event(),
            audit.trigger_context(),
        ];
        id.name == SEAORM_HISTORY
            || id.name == audit.history()
            || own
                .iter()
                .any(|name| self.schema.is(id, audit.schema(), name))
    }

    fn tables(&self, findings: &mut Vec<Finding>) -> Vec<TableCoverage> {
        let mut tables = Vec::new();
        for live in &self.schema.tables {
            let table = self.schema.shown(&live.id);
            let entity = self.entity(&live.id);
            let captured = match entity {
                _ if self.is_own(&live.id) => Captured::Own,
                None => Captured::NotAtAll,
                Some(entity) => match entity.skipped {
                    Some(by) => Captured::Skipped(by),
                    None if entity.by_trigger => Captured::Trigger,
                    None => Captured::Hook,
                },
            };
            if captured == Captured::NotAtAll {
                findings.push(Finding::NotCaptured {
                    table: table.clone(),
                });
            }
            tables.push(TableCoverage {
                table,
                model: entity.map(|entity| entity.info.model().to_owned()),
                captured,
            });
        }
        tables
    }

    fn entities(&self, findings: &mut Vec<Finding>) {
        for entity in self
            .entities
            .iter()
            .filter(|entity| entity.skipped.is_none())
        {
            let info = entity.info;
            let Some(live) = self.schema.find(info.schema(), info.table()) else {
                findings.push(Finding::TableMissing {
                    model: info.model().to_owned(),
                    table: match info.schema() {
                        Some(schema) => format!("{schema}.{}", info.table()),
                        None => info.table().to_owned(),
                    },
                });
                continue;
            };
            let table = self.schema.shown(&live.id);
            for column in info.columns() {
                if !live.columns.iter().any(|there| there == column) {
                    findings.push(Finding::ColumnMissing {
                        table: table.clone(),
                        column: column.to_owned(),
                    });
                }
            }
            for there in &live.columns {
                if !info.columns().any(|column| column == there) {
                    findings.push(Finding::ColumnNotCaptured {
                        table: table.clone(),
                        column: there.clone(),
                    });
                }
            }
            // What the derive calls plain has been thought of.
            for (column, _) in entity.plain_secrets.iter().filter(|(_, stated)| !stated) {
                findings.push(Finding::PlainSecret {
                    table: table.clone(),
                    column: (*column).to_owned(),
                });
            }
        }
    }

    fn keys(&self, findings: &mut Vec<Finding>) {
        for key in &self.schema.keys {
            let Some(child) = self.entity(&key.table) else {
                continue;
            };
            let update = self.update_hole(key, child).map(|why| (&key.table, why));
            for (on, hole) in [
                ("ON DELETE", self.delete_hole(key, child)),
                ("ON UPDATE", update),
            ] {
                if let Some((table, why)) = hole {
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
    }

    /// Whether the connection is to record what a delete does to the rows that have this key.
    fn is_wanted(&self, key: &LiveKey, child: &Surveyed) -> bool {
        let recorded = match key.on_delete {
            Reaction::Refuses => false,
            Reaction::Cascades => child.deletes,
            Reaction::Sets => child.updates,
        };
        recorded && !self.fires_triggers(child)
    }

    /// A table whose rows the connection is to record when rows of this one go, however far below.
    fn recorded_below<'k>(
        &'k self,
        table: &TableId,
        seen: &mut HashSet<&'k TableId>,
    ) -> Option<&'k TableId> {
        for key in self.schema.keys.iter().filter(|key| key.parent == *table) {
            if (self.entity(&key.table)).is_some_and(|child| self.is_wanted(key, child)) {
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

    /// Whose rows go without a record by the cascade of a delete, and why, if any do.
    fn delete_hole<'k>(
        &'k self,
        key: &'k LiveKey,
        child: &Surveyed,
    ) -> Option<(&'k TableId, &'static str)> {
        let here = self.is_wanted(key, child);
        let table = if here {
            &key.table
        } else if key.on_delete == Reaction::Cascades {
            // What is not recorded itself may lead on to what is.
            self.recorded_below(&key.table, &mut HashSet::new())?
        } else {
            return None;
        };
        let Some(parent) = self.entity(&key.parent) else {
            return Some((table, "that table has no audited entity"));
        };
        // On MySQL the parent's triggers tell of its descendants' rows.
        if here && child.by_trigger && parent.by_trigger {
            return None;
        }
        let deletes = key.on_delete == Reaction::Cascades;
        let declared = child.followed.iter().any(|followed| {
            followed.deletes == deletes
                && (self.schema).is(&key.parent, followed.schema.as_deref(), &followed.table)
                && same_columns(&followed.columns, &key.columns)
        });
        let why =
            "no `belongs_to` relation of its entity declares this foreign key with its `on_delete`";
        (!declared).then_some((table, why))
    }

    /// Why the cascade of a changed key leaves no record, if it leaves none.
    fn update_hole(&self, key: &LiveKey, child: &Surveyed) -> Option<&'static str> {
        let is_quiet = key.on_update == Reaction::Refuses || !child.updates;
        let by_triggers = self.fires_triggers(child)
            || (child.by_trigger
                && (self.entity(&key.parent)).is_some_and(|parent| parent.by_trigger));
        (!is_quiet && !by_triggers).then_some(
            "changes of keys are not followed: capture it by triggers, or accept that keys never change",
        )
    }

    /// Whether what the database does to the rows of an entity fires their triggers.
    fn fires_triggers(&self, child: &Surveyed) -> bool {
        child.by_trigger && self.backend != DbBackend::MySql
    }
}

/// Whether a declared key is the live one, in whichever order its columns stand.
fn same_columns(declared: &[(String, String)], live: &[(String, String)]) -> bool {
    declared.len() == live.len()
        && declared.iter().all(|(own, other)| {
            (live.iter()).any(|(live_own, live_other)| {
                // SQLite does not always say which columns of the parent it is.
                own == live_own && (live_other.is_empty() || other == live_other)
            })
        })
}
