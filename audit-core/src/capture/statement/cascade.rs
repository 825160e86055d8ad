//! Database-side cascades: the rows that go, or lose a reference, when the rows they refer to are
//! deleted.
//!
//! Only what `on_delete` of a `belongs_to` relation says is followed. What it promises is looked at
//! afterwards: a row that is still there was not deleted.

use std::collections::HashSet;
use std::sync::Arc;

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr};

use super::{Audited, Engine, Request, Server};
use crate::action::{Action, Source};
use crate::auditable::{EntityInfo, Followed, known};
use crate::config::AuditConfig;
use crate::sql::TableName;

/// An entity whose rows follow those of another.
pub(super) struct Follower {
    info: &'static EntityInfo,
    key: &'static Followed,
}

/// The entities whose rows follow those of an entity, where any of what follows is recorded here.
pub(super) fn followers(
    config: &AuditConfig,
    server: &Server,
    info: &'static EntityInfo,
) -> Vec<Follower> {
    let mut direct = direct(info);
    direct.retain(|follower| {
        let mut seen = HashSet::from([info.type_id]);
        leads_to(follower, &mut seen, &|next, action| {
            is_told_here(config, server, info, next) && !config.plan(next).skips(config, action)
        })
    });
    direct
}

/// Whether anything that follows the rows of an entity is recorded by triggers of its own.
pub(super) fn reaches_triggers(config: &AuditConfig, info: &EntityInfo) -> bool {
    let mut seen = HashSet::from([info.type_id]);
    let by_trigger = |info: &'static EntityInfo, _: &Action| config.plan(info).by_trigger;
    (direct(info).iter()).any(|follower| leads_to(follower, &mut seen, &by_trigger))
}

/// Whether a row that follows is told of here, and not by triggers: where cascades fire none, those of the
/// table that is written to tell of the tables that have their own.
fn is_told_here(
    config: &AuditConfig,
    server: &Server,
    written: &'static EntityInfo,
    info: &'static EntityInfo,
) -> bool {
    let by_trigger = |info| config.plan(info).by_trigger;
    !(by_trigger(info) && (server.cascades_fire_triggers() || by_trigger(written)))
}

fn direct(info: &EntityInfo) -> Vec<Follower> {
    let mut all = Vec::new();
    for other in known() {
        for key in other.access.followed() {
            if key.table == info.table() && key.schema.as_deref() == info.schema() {
                all.push(Follower { info: other, key });
            }
        }
    }
    // In an order that does not change from one process to the next.
    all.sort_by(|a, b| (a.info.model(), &a.key.from).cmp(&(b.info.model(), &b.key.from)));
    all
}

fn leads_to(
    follower: &Follower,
    seen: &mut HashSet<std::any::TypeId>,
    is_wanted: &impl Fn(&'static EntityInfo, &Action) -> bool,
) -> bool {
    let action = if follower.key.deletes {
        Action::Delete
    } else {
        Action::Update
    };
    if is_wanted(follower.info, &action) {
        return true;
    }
    follower.key.deletes
        && seen.insert(follower.info.type_id)
        && direct(follower.info)
            .iter()
            .any(|next| leads_to(next, seen, is_wanted))
}

/// The entities whose rows may follow those of another, at any distance.
fn reached(info: &'static EntityInfo) -> Vec<&'static EntityInfo> {
    let mut found: Vec<&'static EntityInfo> = Vec::new();
    let mut next = vec![info];
    while let Some(info) = next.pop() {
        for follower in direct(info) {
            if !found
                .iter()
                .any(|known| known.type_id == follower.info.type_id)
            {
                found.push(follower.info);
                if follower.key.deletes {
                    next.push(follower.info);
                }
            }
        }
    }
    found
}

/// Rows of one entity that follow.
pub(super) struct Trail {
    audited: Audited,
    /// The columns that refer to the deleted rows.
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Finds what follows these rows, level by level: one query for each level and foreign key.
    pub(super) async fn descendants(
        &self,
        audited: &Audited,
        rows: &[Vec<Value>],
    ) -> Result<Vec<Trail>, DbErr> {
        let mut told: HashSet<(std::any::TypeId, Vec<Value>)> = (rows.iter())
            .map(|row| (audited.info.type_id, audited.info.key_of(row)))
            .collect();
        // A row that one key lets forget may go by another.
        let mut gone = told.clone();
        let mut trails = Vec::new();
        let mut level: Vec<(&'static EntityInfo, Vec<Vec<Value>>)> =
            vec![(audited.info, rows.to_vec())];
        while !level.is_empty() {
            let mut next = Vec::new();
            for (parent, rows) in level {
                for follower in direct(parent) {
                    let found = self.following(parent, &rows, &follower).await?;
                    let identity =
                        |row: &[Value]| (follower.info.type_id, follower.info.key_of(row));
                    if follower.key.deletes {
                        let going: Vec<Vec<Value>> = (found.iter())
                            .filter(|row| gone.insert(identity(row)))
                            .cloned()
                            .collect();
                        if !going.is_empty() {
                            next.push((follower.info, going));
                        }
                    }
                    let fresh: Vec<Vec<Value>> = found
                        .into_iter()
                        .filter(|row| told.insert(identity(row)))
                        .collect();
                    if fresh.is_empty()
                        || !is_told_here(self.config, self.server, audited.info, follower.info)
                    {
                        continue;
                    }
                    trails.push(Trail {
                        audited: Audited {
                            info: follower.info,
                            plan: Arc::clone(&self.config.plan(follower.info)),
                            followers: Vec::new(),
                            records: true,
                            fires_triggers: false,
                        },
                        columns: follower.key.from.clone(),
                        rows: fresh,
                    });
                }
            }
            level = next;
        }
        Ok(trails)
    }

    /// Reports where rows that follow those of an entity may be hidden from the role, so that nothing records
    /// what becomes of them.
    pub(super) async fn check_hidden(&self, request: Request<'_>) -> Result<(), DbErr> {
        if !self.server.is_postgres() {
            return Ok(());
        }
        for info in reached(request.audited.info) {
            let name = TableName {
                schema: info.schema().map(str::to_owned),
                table: info.table().to_owned(),
            };
            let live = self.live_table(&name).await?;
            if live.is_secured {
                self.gap(
                    "row-level security may hide rows that refer to those that it deletes",
                    &[],
                );
                return Ok(());
            }
        }
        Ok(())
    }

    async fn following(
        &self,
        parent: &EntityInfo,
        rows: &[Vec<Value>],
        follower: &Follower,
    ) -> Result<Vec<Vec<Value>>, DbErr> {
        let position = |info: &EntityInfo, name: &String| {
            info.columns.iter().position(|column| column.name == name)
        };
        let from: Option<Vec<usize>> = follower
            .key
            .from
            .iter()
            .map(|name| position(follower.info, name))
            .collect();
        let to: Option<Vec<usize>> = follower
            .key
            .to
            .iter()
            .map(|name| position(parent, name))
            .collect();
        let (Some(from), Some(to)) = (from, to) else {
            return Ok(Vec::new());
        };
        let mut values: Vec<Vec<Value>> = Vec::new();
        let mut seen = HashSet::new();
        for row in rows {
            let value: Vec<Value> = to.iter().map(|at| row[*at].clone()).collect();
            if seen.insert(value.clone()) {
                values.push(value);
            }
        }
        self.rows_where(follower.info, &from, &values, true).await
    }

    /// Records what became of the rows that were to follow.
    pub(super) async fn record_descendants(&self, trails: Vec<Trail>) -> Result<(), DbErr> {
        for trail in trails {
            let info = trail.audited.info;
            let keys: Vec<Vec<Value>> = trail.rows.iter().map(|row| info.key_of(row)).collect();
            let mut now = self.by_key(info, &keys).await?;
            for row in trail.rows {
                match now.remove(&info.key_of(&row)) {
                    Some(new) => {
                        let set = trail.columns.as_slice();
                        self.record_updated(&trail.audited, Source::Cascade, set, row, &new)?;
                    }
                    None => self.record_deleted(&trail.audited, Source::Cascade, &row)?,
                }
                self.flush_when_full().await?;
            }
        }
        Ok(())
    }
}
