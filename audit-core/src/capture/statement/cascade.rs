//! Database-side cascades: the rows that are deleted, or lose a reference, when the rows they refer to are deleted.
//!
//! Only the `on_delete` of a `belongs_to` relation is followed. Its effect is verified afterwards: a row that still
//! exists was not deleted.

use std::any::TypeId;
use std::collections::HashSet;

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr};

use super::image_store::{BeforeRow, Budget, Cursor, ImageStore};
use super::select_rows::RowLock;
use super::{CaptureError, CaptureTarget, Engine, Request, RowValues, ServerInfo};
use crate::action::{Action, Source};
use crate::auditable::{CascadingKey, EntityInfo, known};
use crate::catalog::TableKind;
use crate::config::AuditConfig;

/// An entity whose rows follow those of another.
pub(super) struct CascadeRule {
    info: &'static EntityInfo,
    key: &'static CascadingKey,
}

/// The entities whose rows follow those of an entity, if any of these rows are recorded here.
pub(super) fn followers(
    config: &AuditConfig,
    server: &ServerInfo,
    info: &'static EntityInfo,
) -> Vec<CascadeRule> {
    let mut direct = direct(info);
    direct.retain(|follower| {
        let mut seen = HashSet::from([info.type_id]);
        leads_to(follower, &mut seen, &|next, action| {
            is_recorded_here(config, server, info, next) && !config.plan(next).skips(config, action)
        })
    });
    direct
}

/// Whether triggers record any of the rows that follow those of an entity.
pub(super) fn reaches_triggers(config: &AuditConfig, info: &EntityInfo) -> bool {
    let mut seen = HashSet::from([info.type_id]);
    let by_trigger = |info: &'static EntityInfo, _: &Action| config.plan(info).by_trigger;
    (direct(info).iter()).any(|follower| leads_to(follower, &mut seen, &by_trigger))
}

/// Whether a following row is recorded here, not by triggers: on databases whose cascades fire no triggers, the
/// triggers of the written table record the rows of tables that have their own.
pub(super) fn is_recorded_here(
    config: &AuditConfig,
    server: &ServerInfo,
    written: &'static EntityInfo,
    info: &'static EntityInfo,
) -> bool {
    let by_trigger = |info| config.plan(info).by_trigger;
    !(by_trigger(info) && (server.cascades_fire_triggers() || by_trigger(written)))
}

/// Whether a relation of an entity declares that its rows follow those of another.
pub(super) fn declares(follower: &EntityInfo, info: &EntityInfo) -> bool {
    (direct(info).iter()).any(|found| found.info.type_id == follower.type_id)
}

fn direct(info: &EntityInfo) -> Vec<CascadeRule> {
    let mut all = Vec::new();
    for other in known() {
        for key in other.access.followed() {
            if key.table == info.table() && key.schema.as_deref() == info.schema() {
                all.push(CascadeRule { info: other, key });
            }
        }
    }
    // The order is the same in every process.
    all.sort_by(|a, b| (a.info.model(), &a.key.from).cmp(&(b.info.model(), &b.key.from)));
    all
}

fn leads_to(
    follower: &CascadeRule,
    seen: &mut HashSet<TypeId>,
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

/// Rows of one entity that follow others.
pub(super) struct CascadedRows {
    pub(super) audited: CaptureTarget,
    /// The columns that refer to the written rows.
    pub(super) columns: Vec<String>,
    pub(super) rows: ImageStore,
}

/// What is known of the following rows.
struct Found {
    /// The rows that have been found. Only their keys are kept in memory.
    known: HashSet<(TypeId, RowValues)>,
    /// The deleted rows: a row that loses its reference by one key may be deleted by another.
    deleted: HashSet<(TypeId, RowValues)>,
    budget: Budget,
    trails: Vec<CascadedRows>,
    /// The rows of the next level.
    next: Vec<(&'static EntityInfo, ImageStore)>,
}

/// The columns that following rows of other entities refer to.
pub(super) fn referred_columns(info: &EntityInfo) -> Vec<usize> {
    let is_referred = |name: &str| {
        (direct(info).iter()).any(|follower| follower.key.to.iter().any(|column| column == name))
    };
    (info.columns.iter().enumerate())
        .filter(|(_, column)| is_referred(column.name))
        .map(|(at, _)| at)
        .collect()
}

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Finds the rows that follow these rows, level by level: one query for each level and foreign key.
    pub(super) async fn descendants(
        &self,
        request: Request<'_>,
        rows: &mut ImageStore,
    ) -> Result<Vec<CascadedRows>, CaptureError> {
        let (audited, call) = (request.audited, request.call);
        self.check_kept(call, rows)?;
        let mut found = Found {
            known: HashSet::new(),
            deleted: HashSet::new(),
            budget: rows.budget().clone(),
            trails: Vec::new(),
            next: Vec::new(),
        };
        let mut cursor = Cursor::default();
        loop {
            let chunk = self.chunk_before(call, rows, &mut cursor)?;
            if chunk.is_empty() {
                break;
            }
            let key = |row: &BeforeRow| (audited.info.type_id, audited.info.key_of(row.values()));
            found.known.extend(chunk.iter().map(key));
        }
        found.deleted = found.known.clone();
        Box::pin(self.follow(request, audited.info, rows, &mut found)).await?;
        while !found.next.is_empty() {
            for (parent, mut rows) in std::mem::take(&mut found.next) {
                Box::pin(self.follow(request, parent, &mut rows, &mut found)).await?;
            }
        }
        Ok(found.trails)
    }

    /// Stores rows that have been read, for [`Self::descendants`].
    pub(super) fn store_of(&self, request: Request<'_>, rows: &[RowValues]) -> ImageStore {
        let (info, plan) = (request.audited.info, &request.audited.plan);
        let budget = Budget::new(self.config.before_row_bytes());
        let mut store = ImageStore::new(self.config, plan, info, &budget);
        for row in rows {
            store.push(row.clone());
        }
        store.finish();
        store
    }

    /// Finds the rows that follow those of one level.
    async fn follow(
        &self,
        request: Request<'_>,
        parent: &'static EntityInfo,
        rows: &mut ImageStore,
        found: &mut Found,
    ) -> Result<(), CaptureError> {
        let call = request.call;
        for follower in direct(parent) {
            let info = follower.info;
            let name = info.table_name();
            let live =
                (self.live_table(&name).await).map_err(|error| self.extra_read(call, error))?;
            if live.kind == TableKind::Missing {
                continue;
            }
            if live.kind == TableKind::Temporary {
                self.gap(
                    "a temporary table hides one whose rows refer to those that it deletes",
                    &[],
                );
                continue;
            }
            let columns: Vec<&str> = info.columns().collect();
            // The database cascades without the role's privileges; reading and locking needs them.
            let is_locked_out = self.server.is_postgres() && !live.is_lockable;
            if is_locked_out || live.refuses_reading(&columns).is_some() || live.lacks(&columns) {
                self.gap(
                    "rows that refer to those that it deletes cannot be read",
                    &[],
                );
                continue;
            }
            let plan = self.config.plan(info);
            let new_store = || ImageStore::new(self.config, &plan, info, &found.budget);
            let (mut going, mut fresh) = (new_store(), new_store());
            let is_recorded =
                is_recorded_here(self.config, self.server, request.audited.info, info);
            let leads_on = follower.key.deletes && !direct(info).is_empty();
            let (known, deleted) = (&mut found.known, &mut found.deleted);
            let mut cursor = Cursor::default();
            loop {
                let chunk = self.chunk_before(call, rows, &mut cursor)?;
                if chunk.is_empty() {
                    break;
                }
                let mut each = |row: RowValues| {
                    let identity = (info.type_id, info.key_of(&row));
                    let is_going = follower.key.deletes && deleted.insert(identity.clone());
                    let is_fresh = known.insert(identity) && is_recorded;
                    match (is_going && leads_on, is_fresh) {
                        (true, true) => {
                            going.push(row.clone());
                            fresh.push(row);
                        }
                        (true, false) => going.push(row),
                        (false, true) => fresh.push(row),
                        (false, false) => {}
                    }
                };
                // Rows that lose their reference keep their keys.
                let lock = RowLock::of_keys(follower.key.deletes).unless_snapshot(&live);
                let read = self.following(parent, &chunk, &follower, lock, &mut each);
                match self.guarded_read(call, live.is_secured, read).await {
                    Ok(()) => {}
                    // A policy that cannot be evaluated hides the rows, which `check_hidden` reports.
                    Err(CaptureError::Uncapturable(_)) if live.is_secured => break,
                    Err(problem) => return Err(problem),
                }
            }
            going.finish();
            fresh.finish();
            self.check_kept(call, &going)?;
            self.check_kept(call, &fresh)?;
            if going.len() > 0 {
                found.next.push((info, going));
            }
            if fresh.len() > 0 {
                found.trails.push(CascadedRows {
                    audited: CaptureTarget {
                        info,
                        plan,
                        followers: Vec::new(),
                        records: true,
                        fires_triggers: false,
                    },
                    columns: follower.key.from.clone(),
                    rows: fresh,
                });
            }
        }
        Ok(())
    }

    /// Reports a gap if the rows that follow those of an entity may be hidden from the role and so are not recorded.
    pub(super) async fn check_hidden(&self, request: Request<'_>) -> Result<(), DbErr> {
        if !self.server.is_postgres() {
            return Ok(());
        }
        for info in reached(request.audited.info) {
            let name = info.table_name();
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
        rows: &[BeforeRow],
        follower: &CascadeRule,
        lock: RowLock,
        each: &mut (dyn FnMut(RowValues) + Send),
    ) -> Result<(), DbErr> {
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
            return Ok(());
        };
        let mut values: Vec<Vec<Value>> = Vec::new();
        let mut seen = HashSet::new();
        for row in rows {
            let value: Vec<Value> = to.iter().map(|at| row.values()[*at].clone()).collect();
            if seen.insert(value.clone()) {
                values.push(value);
            }
        }
        self.each_row_where(follower.info, &from, &values, lock, each)
            .await
            .map(|_| ())
    }

    /// Records the changes of the following rows.
    pub(super) async fn record_descendants(&self, trails: Vec<CascadedRows>) -> Result<(), DbErr> {
        for mut trail in trails {
            let info = trail.audited.info;
            let mut cursor = Cursor::default();
            loop {
                let rows = self.chunk_after(&mut trail.rows, &mut cursor)?;
                if rows.is_empty() {
                    break;
                }
                let keys: Vec<RowValues> =
                    rows.iter().map(|row| info.key_of(row.values())).collect();
                let Some(mut now) = self.by_key_if_read(info, &keys).await? else {
                    continue;
                };
                for (row, key) in rows.iter().zip(&keys) {
                    let (audited, source) = (&trail.audited, Source::Cascade);
                    match now.remove(key) {
                        Some(new) => {
                            let set = trail.columns.as_slice();
                            self.record_updated_row(audited, source, set, row, &new)?;
                        }
                        None => self.record_deleted_row(audited, source, row)?,
                    }
                    self.flush_when_full().await?;
                }
            }
        }
        Ok(())
    }
}
