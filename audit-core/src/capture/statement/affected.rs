//! The audited tables that a statement changes although it names none of them: it writes a partition, an inheriting
//! table or a view under a name of its own, or rows of an audited table follow by a foreign key.
//!
//! Nothing of that is captured, so it is reported. What leads from one table to another is asked of the catalogue, once
//! for a pool of connections, and kept for a short time, since other clients may change the schema.

mod mysql;
mod postgres;
mod sqlite;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use super::{Audited, Server};
use crate::auditable::EntityInfo;
use crate::config::AuditConfig;
use crate::connection::Frames;
use crate::recorder::is_contention;
use crate::sql::{ConflictAction, Kind, TableName, Understood, Write, is_name};

/// How long an answer of the catalogue is kept.
const KEPT: Duration = Duration::from_mins(1);
/// Of how many tables. Beyond it all are forgotten.
const MOST: usize = 4_096;

const ITSELF: &str = "it writes a partition, an inheriting table or a view of an audited table";
const FOLLOWS: &str = "rows of an audited table follow those that it changes, by a foreign key";
const UNKNOWN: &str = "it writes a view whose definition the role may not read";

/// What a statement changes of audited tables that it does not name.
pub(crate) struct Affected {
    /// The table that it names.
    pub(crate) table: String,
    /// The audited tables.
    pub(crate) audited: Vec<String>,
    pub(crate) why: &'static str,
    /// Whether triggers record all of it.
    pub(crate) is_recorded: bool,
}

/// From one table to another, whose rows change along.
#[derive(Debug)]
struct Link {
    /// `None` where the catalogue does not say.
    to: Option<TableName>,
    by: By,
    /// Whether the row triggers of that table fire.
    fires_triggers: bool,
}

#[derive(Debug)]
enum By {
    /// The rows are the same.
    Itself,
    /// A foreign key with an action of ON DELETE, which deletes the rows or sets their columns.
    Delete { deletes: bool },
    /// A foreign key to these columns, with an action of ON UPDATE.
    Update { columns: Vec<String> },
}

/// What becomes of rows of a table.
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
            Kind::Change(change) => (change.delete, change.assigned.clone()),
            Kind::Merge(merge) => (merge.deletes, merge.assigned.clone()),
            // It is refused where other tables refer to the table.
            Kind::Truncate => (false, Vec::new()),
        };
        Self {
            deletes,
            sets: Sets::These(sets),
        }
    }

    /// What becomes of the rows to which a link leads, if anything does.
    fn along(&self, by: &By) -> Option<Self> {
        let sets_any = Self {
            deletes: false,
            sets: Sets::Any,
        };
        match by {
            By::Itself => Some(self.clone()),
            By::Delete { .. } if !self.deletes => None,
            By::Delete { deletes: true } => Some(Self {
                deletes: true,
                sets: Sets::These(Vec::new()),
            }),
            By::Delete { deletes: false } => Some(sets_any),
            By::Update { columns } => {
                let is_set = match &self.sets {
                    Sets::Any => true,
                    Sets::These(sets) => {
                        (sets.iter()).any(|set| columns.iter().any(|column| is_name(set, column)))
                    }
                };
                is_set.then_some(sets_any)
            }
        }
    }
}

type ByTable = HashMap<TableName, (Instant, Arc<[Link]>)>;

/// What is known of the tables of one database.
#[derive(Debug, Default)]
pub(super) struct KnownLinks(Mutex<ByTable>);

impl KnownLinks {
    fn known(&self) -> MutexGuard<'_, ByTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, name: &TableName) -> Option<Arc<[Link]>> {
        let known = self.known();
        let (since, links) = known.get(name)?;
        (since.elapsed() < KEPT).then(|| Arc::clone(links))
    }

    fn insert(&self, name: &TableName, links: &Arc<[Link]>) {
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(name.clone(), (Instant::now(), Arc::clone(links)));
    }

    fn clear(&self) {
        self.known().clear();
    }
}

/// A table that is reached, and how.
struct Reached {
    name: TableName,
    effect: Effect,
    why: &'static str,
    fires_triggers: bool,
}

impl Server {
    /// What a statement changes of audited tables that it does not name. `frames` are those of the transaction that it
    /// is in.
    ///
    /// # Errors
    /// Returns an error of the database that the statement itself would have met: a lock, a lost connection.
    pub(crate) async fn affected<C: ConnectionTrait>(
        &self,
        db: &C,
        config: &AuditConfig,
        understood: &Understood,
        frames: Option<&Frames>,
    ) -> Result<Option<Affected>, DbErr> {
        if changes_schema(understood) {
            self.links.clear();
        }
        let mut written = Vec::new();
        add_written(understood, &mut |name, write| {
            let entity = Audited::entity(name, self);
            // Else the statement is captured, or reported by its own table.
            if entity.is_none_or(|info| config.plan(info).skip) {
                let effect = write.map_or(Effect::ANY, Effect::of);
                written.push((name, effect, entity));
            }
        });
        for (name, effect, entity) in written {
            let found = (self.affected_by(db, config, frames, name, effect, entity)).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    async fn affected_by<C: ConnectionTrait>(
        &self,
        db: &C,
        config: &AuditConfig,
        frames: Option<&Frames>,
        name: &TableName,
        effect: Effect,
        entity: Option<&EntityInfo>,
    ) -> Result<Option<Affected>, DbErr> {
        let mut seen = vec![(name.clone(), effect.clone())];
        let mut next = vec![Reached {
            name: name.clone(),
            effect,
            why: ITSELF,
            fires_triggers: true,
        }];
        let mut found = Affected {
            table: name.table.clone(),
            audited: Vec::new(),
            why: ITSELF,
            is_recorded: true,
        };
        while let Some(at) = next.pop() {
            for link in self.links(db, config, frames, &at.name).await?.iter() {
                // What follows the rows of an entity that is skipped is captured with the statement.
                let is_captured = entity.is_some() && at.name == *name;
                if is_captured && !matches!(link.by, By::Itself) {
                    continue;
                }
                let Some(effect) = at.effect.along(&link.by) else {
                    continue;
                };
                let fires_triggers = at.fires_triggers && link.fires_triggers;
                let why = match link.by {
                    _ if link.to.is_none() => UNKNOWN,
                    By::Itself => at.why,
                    By::Delete { .. } | By::Update { .. } => FOLLOWS,
                };
                let Some(to) = &link.to else {
                    found.audited.push(at.name.table.clone());
                    (found.why, found.is_recorded) = (why, false);
                    continue;
                };
                let audited = Audited::entity(to, self).map(|info| config.plan(info));
                if let Some(plan) = audited.filter(|plan| !plan.skip) {
                    found.audited.push(to.table.clone());
                    if !(plan.by_trigger && fires_triggers) {
                        (found.why, found.is_recorded) = (why, false);
                    }
                    continue;
                }
                let is_seen = |(name, known): &(TableName, Effect)| name == to && *known == effect;
                if !seen.iter().any(is_seen) {
                    seen.push((to.clone(), effect.clone()));
                    next.push(Reached {
                        name: to.clone(),
                        effect,
                        why,
                        fires_triggers,
                    });
                }
            }
        }
        Ok((!found.audited.is_empty()).then_some(found))
    }

    /// The tables whose rows change along with those of a table.
    async fn links<C: ConnectionTrait>(
        &self,
        db: &C,
        config: &AuditConfig,
        frames: Option<&Frames>,
        name: &TableName,
    ) -> Result<Arc<[Link]>, DbErr> {
        if let Some(known) = self.links.get(name) {
            return Ok(known);
        }
        let asked = match (db.get_database_backend(), frames) {
            (DbBackend::Postgres, Some(_)) => postgres::ask_inside(db, name).await,
            (DbBackend::Postgres, None) => postgres::ask(db, name).await.map(Some),
            (DbBackend::Sqlite, frames) => sqlite::ask(db, config, frames, name).await,
            _ => mysql::ask(db, name).await.map(Some),
        };
        let links: Arc<[Link]> = match asked {
            Ok(Some(links)) => links.into(),
            Ok(None) => return Ok(Arc::default()),
            Err(error) if is_contention(&error) => return Err(error),
            Err(error) => {
                tracing::warn!(
                    %error,
                    table = name.table.as_str(),
                    "the catalogue could not be asked whether audited tables change along with this one: \
                     such changes are not reported"
                );
                Arc::default()
            }
        };
        self.links.insert(name, &links);
        Ok(links)
    }
}

/// Whether a text may change what the catalogue says.
fn changes_schema(understood: &Understood) -> bool {
    match understood {
        Understood::Control => true,
        Understood::Opaque(opaque) => opaque.tables.is_none(),
        Understood::Several(parts) => parts.iter().any(|(_, part)| changes_schema(part)),
        Understood::Read | Understood::Write(_) => false,
    }
}

/// Adds the tables that a text writes, with the write that is known.
fn add_written<'a>(
    understood: &'a Understood,
    add: &mut impl FnMut(&'a TableName, Option<&'a Write>),
) {
    match understood {
        Understood::Read | Understood::Control => {}
        Understood::Write(write) => add(&write.table, Some(write)),
        Understood::Several(parts) => (parts.iter()).for_each(|(_, part)| add_written(part, add)),
        Understood::Opaque(opaque) => {
            (opaque.tables.iter().flatten()).for_each(|name| add(name, None));
        }
    }
}
