//! The audited tables that a statement changes without naming them: it writes a partition, an inheriting table or a
//! view with another name, or rows of an audited table follow by a foreign key.
//!
//! None of that is captured, so it is reported. The catalogue is queried for the links between tables outside of the
//! application's transactions, which keep their own snapshots, locks and first statements.

mod catalogue;
mod table_links;

use super::cascade::declares;
use super::{CaptureTarget, ServerInfo};
use crate::auditable::EntityInfo;
use crate::config::AuditConfig;
use crate::sql::{ConflictAction, Kind, ParsedStatement, TableName, Write, is_name};
pub(super) use catalogue::Catalogue;
use table_links::{By, Link, Links};

const ITSELF: &str = "it writes a partition, an inheriting table or a view of an audited table";
const FOLLOWS: &str = "rows of an audited table follow those that it changes, by a foreign key";
const UNKNOWN: &str = "it writes a view whose definition the role may not read";

/// The audited tables that a statement changes without naming them.
#[derive(Debug)]
pub(crate) struct Affected {
    /// The first table that it names.
    pub(crate) table: String,
    /// The audited tables.
    pub(crate) audited: Vec<String>,
    pub(crate) why: &'static str,
    /// Whether triggers record all of it.
    pub(crate) is_recorded: bool,
}

/// How rows of a table change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Effect {
    deletes: bool,
    sets: Sets,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Sets {
    These(Vec<String>),
    Any,
}

impl Effect {
    const ANY: Self = Self {
        deletes: true,
        sets: Sets::Any,
    };

    fn of(write: &Write) -> Self {
        let (deletes, sets) = match &write.kind {
            Kind::Insert(insert) => match &insert.conflict {
                Some(conflict) => (
                    conflict.action == ConflictAction::Replace,
                    conflict.assigned.clone(),
                ),
                None => (false, Vec::new()),
            },
            Kind::UpdateOrDelete(change) => (change.delete, change.assigned.clone()),
            Kind::Merge(merge) => (merge.deletes, merge.assigned.clone()),
            // It is refused if other tables refer to the table.
            Kind::Truncate => (false, Vec::new()),
        };
        Self {
            deletes,
            sets: Sets::These(sets),
        }
    }

    /// How the rows at the end of a link change, if they do.
    fn along(&self, by: &By) -> Option<Self> {
        let sets_any = |deletes: bool| Self {
            deletes,
            sets: Sets::Any,
        };
        match by {
            By::Parent | By::Child => Some(self.clone()),
            // The view's columns have other names.
            By::View => Some(sets_any(self.deletes)),
            By::Rule => Some(Self::ANY),
            By::Delete { .. } if !self.deletes => None,
            By::Delete { deletes: true } => Some(Self {
                deletes: true,
                sets: Sets::These(Vec::new()),
            }),
            By::Delete { deletes: false } => Some(sets_any(false)),
            By::Update { columns } => {
                (self.sets_one_of(columns.as_deref())).then(|| sets_any(false))
            }
        }
    }

    fn sets_one_of(&self, columns: Option<&[String]>) -> bool {
        let (Sets::These(sets), Some(columns)) = (&self.sets, columns) else {
            return self.sets != Sets::These(Vec::new());
        };
        // On SQLite these names may set a key.
        let is_row_id = |set: &str| {
            ["rowid", "oid", "_rowid_"]
                .iter()
                .any(|id| is_name(set, id))
        };
        (sets.iter()).any(|set| is_row_id(set) || columns.iter().any(|column| is_name(set, column)))
    }
}

/// A reached table, and how it is reached.
#[derive(Debug, Clone, PartialEq)]
struct Reached {
    name: TableName,
    effect: Effect,
    /// From a child to its parent: the parent's other children are not written.
    is_parent: bool,
    why: &'static str,
    /// Whether row triggers of that table fire.
    fires_triggers: bool,
}

impl ServerInfo {
    /// The audited tables that a statement changes without naming them, as far as the catalogue is known.
    pub(crate) fn affected(
        &self,
        config: &AuditConfig,
        understood: &ParsedStatement,
    ) -> Option<Affected> {
        let links = self.catalogue.links()?;
        let mut found = Affected {
            table: String::new(),
            audited: Vec::new(),
            why: ITSELF,
            is_recorded: true,
        };
        each_written(understood, &mut |name, write| {
            self.add_affected(&links, config, (name, write), &mut found);
        });
        found.audited.sort_unstable();
        found.audited.dedup();
        (!found.audited.is_empty()).then_some(found)
    }

    fn add_affected(
        &self,
        links: &Links,
        config: &AuditConfig,
        (name, write): (&TableName, Option<&Write>),
        found: &mut Affected,
    ) {
        if config.tables().has(&name.table) || !links.has(name) {
            return;
        }
        let start = Reached {
            name: name.clone(),
            effect: write.map_or(Effect::ANY, Effect::of),
            is_parent: false,
            why: ITSELF,
            fires_triggers: true,
        };
        let entity = CaptureTarget::entity(name, self);
        let mut seen = vec![start.clone()];
        let mut next = vec![start];
        while let Some(at) = next.pop() {
            for link in links.of(&at.name) {
                let is_start = at.name == *name;
                if is_start && entity.is_some_and(|info| self.is_captured(config, info, name, link))
                {
                    continue;
                }
                let Some(to) = &link.to else {
                    found.add(name, &at.name, UNKNOWN, false);
                    continue;
                };
                let Some(reached) = at.along(link, to) else {
                    continue;
                };
                let plan = CaptureTarget::entity(&reached.name, self).map(|info| config.plan(info));
                if let Some(plan) = plan.filter(|plan| !plan.skip) {
                    let is_recorded = plan.by_trigger && reached.fires_triggers;
                    found.add(name, &reached.name, reached.why, is_recorded);
                } else if !seen.contains(&reached) {
                    seen.push(reached.clone());
                    next.push(reached);
                }
            }
        }
    }

    /// Whether the statement's capture or report covers the rows that follow an entity's rows by a link.
    fn is_captured(
        &self,
        config: &AuditConfig,
        info: &'static EntityInfo,
        name: &TableName,
        link: &Link,
    ) -> bool {
        let is_skipped = config.plan(info).skip;
        let to = (link.to.as_ref()).and_then(|to| CaptureTarget::entity(to, self));
        match link.by {
            By::Delete { .. } => to.is_some_and(|to| declares(to, info)),
            By::Update { .. } => !is_skipped && to.is_some(),
            // A table with the entity's name in an explicit schema may be another one.
            _ => !is_skipped && (name.schema.is_none() || info.schema().is_some()),
        }
    }
}

impl Affected {
    fn add(&mut self, named: &TableName, audited: &TableName, why: &'static str, recorded: bool) {
        if self.audited.is_empty() {
            self.table.clone_from(&named.table);
        }
        self.audited.push(audited.table.clone());
        if !recorded {
            (self.why, self.is_recorded) = (why, false);
        }
    }
}

impl Reached {
    /// The target of a link, if its rows change.
    fn along(&self, link: &Link, to: &TableName) -> Option<Self> {
        // Rows of other children are not rows of this one.
        if self.is_parent && matches!(link.by, By::Child) {
            return None;
        }
        let is_key = matches!(link.by, By::Delete { .. } | By::Update { .. });
        Some(Self {
            name: to.clone(),
            effect: self.effect.along(&link.by)?,
            is_parent: matches!(link.by, By::Parent),
            why: if is_key { FOLLOWS } else { self.why },
            fires_triggers: self.fires_triggers && link.fires_triggers,
        })
    }
}

/// Iterates over the tables that a text writes, with the write if it is known.
fn each_written<'a>(
    understood: &'a ParsedStatement,
    see: &mut impl FnMut(&'a TableName, Option<&'a Write>),
) {
    match understood {
        ParsedStatement::Read | ParsedStatement::DdlOrTransaction => {}
        ParsedStatement::Write(write) => see(&write.table, Some(write)),
        ParsedStatement::Batch(parts) => {
            for (_, part) in parts {
                each_written(part, see);
            }
        }
        ParsedStatement::Unsupported(opaque) => {
            (opaque.tables.iter().flatten()).for_each(|name| see(name, None));
        }
    }
}
