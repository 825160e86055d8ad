//! ON UPDATE of foreign keys: the rows that change along with a key, or with another column that they refer to.
//!
//! The catalogue shows which foreign keys have such an action. For an UPDATE, the following rows are read before it,
//! and again after it, if they keep their own keys. If they cannot be followed this way, and after an upsert, the
//! tables concerned are reported once a referenced value has really changed.

use std::any::TypeId;
use std::collections::HashSet;
use std::sync::PoisonError;

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr};

use super::cascade::{CascadedRows, is_recorded_here};
use super::image_store::{BeforeRow, Budget, ImageStore};
use super::select_rows::RowLock;
use super::{CaptureError, CaptureTarget, Engine, Gap, Request, RowValues};
use crate::action::Action;
use crate::auditable::{EntityInfo, find, known};
use crate::catalog::{LiveTable, ReferringKey, TableKind};
use crate::sql::{Kind, Write, is_name};
use crate::value::canonical_eq;
use crate::value::is_null;

const FOLLOWED: &str = "rows that refer to what it changed were changed by ON UPDATE, too";

/// A foreign key by which rows of an audited entity change along with others.
#[derive(Debug, Clone)]
pub(crate) struct UpdateFollower {
    parent: &'static EntityInfo,
    info: &'static EntityInfo,
    key: ReferringKey,
    /// Whether a referenced value has changed.
    is_changed: bool,
}

impl UpdateFollower {
    /// The positions of the referring columns, and of the referenced ones.
    fn columns(&self) -> Option<(Vec<usize>, Vec<usize>)> {
        Some((
            positions(self.info, &self.key.from)?,
            positions(self.parent, &self.key.to)?,
        ))
    }

    fn is_of(&self, entity: TypeId) -> bool {
        self.parent.type_id == entity
    }
}

fn positions(info: &EntityInfo, names: &[String]) -> Option<Vec<usize>> {
    let position =
        |name: &String| (info.columns.iter()).position(|column| is_name(column.name, name));
    names.iter().map(position).collect()
}

/// The columns that a write sets in existing rows.
fn assigned(write: &Write) -> &[String] {
    match &write.kind {
        Kind::UpdateOrDelete(change) => &change.assigned,
        Kind::Merge(merge) => &merge.assigned,
        Kind::Insert(insert) => (insert.conflict.as_ref()).map_or(&[], |c| &c.assigned),
        Kind::Truncate => &[],
    }
}

/// Whether a foreign key may refer to one of these columns: it is in the key, or unique by the table or the entity,
/// or a relation of another entity refers to it.
fn may_be_referred(info: &EntityInfo, live: &LiveTable, columns: &[String]) -> bool {
    let has = |name: &str| columns.iter().any(|column| is_name(column, name));
    let is_indexed = || {
        (live
            .unique
            .iter()
            .flat_map(|index| &index.columns)
            .flatten())
        .any(|c| has(&c.name))
    };
    info.key.iter().any(|at| has(info.columns[*at].name))
        || info.access.unique.iter().any(|name| has(name))
        || is_indexed()
        || (known().iter().flat_map(|other| other.access.followed()))
            .any(|key| key.table == info.table() && key.to.iter().any(|name| has(name)))
}

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Finds the rows of other tables that may change along with those that a statement writes. The catalogue is
    /// queried only if the statement sets a column that they may refer to.
    pub(super) async fn find_followers(
        &self,
        write: &Write,
        audited: &CaptureTarget,
        live: &mut LiveTable,
    ) -> Result<(), DbErr> {
        self.set_followers(Vec::new());
        let (info, columns) = (audited.info, assigned(write));
        if columns.is_empty() {
            return Ok(());
        }
        let has = |name: &String| columns.iter().any(|column| is_name(column, name));
        let is_referred = if self.server.is_postgres() {
            live.referred.iter().any(has)
        } else {
            may_be_referred(info, live, columns)
        };
        if is_referred {
            live.referring = self.referring_keys(&write.table, live).await?;
        }
        let found = self
            .followers_of(info, &live.referring, columns, info)
            .await?;
        // A row that refers to itself or to another of its table is final only after the action.
        live.has_triggers |= found.iter().any(|f| f.info.type_id == info.type_id);
        self.set_followers(found);
        Ok(())
    }

    fn set_followers(&self, followers: Vec<UpdateFollower>) {
        *self
            .followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = followers;
    }

    /// The audited entities among those whose rows refer to one of these columns.
    async fn followers_of(
        &self,
        parent: &'static EntityInfo,
        keys: &[ReferringKey],
        columns: &[String],
        written: &'static EntityInfo,
    ) -> Result<Vec<UpdateFollower>, DbErr> {
        let mut found = Vec::new();
        for key in keys.iter().filter(|key| key.refers_to(columns)) {
            let Some(info) = self.entity_of(key).await? else {
                continue;
            };
            let is_skipped = self.config.plan(info).skips(self.config, &Action::Update);
            if !is_skipped && is_recorded_here(self.config, self.server, written, info) {
                found.push(UpdateFollower {
                    parent,
                    info,
                    key: key.clone(),
                    is_changed: false,
                });
            }
        }
        Ok(found)
    }

    /// The entity of the referring table.
    async fn entity_of(&self, key: &ReferringKey) -> Result<Option<&'static EntityInfo>, DbErr> {
        let is_table =
            |info: &EntityInfo| !self.server.is_case_sensitive() || info.table() == key.table;
        let has_schema = |info: &EntityInfo| match (info.schema(), &key.schema) {
            (Some(own), Some(schema)) => is_name(own, schema),
            _ => false,
        };
        if let Some(info) = find(&key.table, |info| is_table(info) && has_schema(info)) {
            return Ok(Some(info));
        }
        let Some(info) = find(&key.table, |info| is_table(info) && info.schema().is_none()) else {
            return Ok(None);
        };
        if !self.server.is_postgres() {
            return Ok(Some(info));
        }
        // Its name may resolve to a table in another schema.
        let live = self.live_table(&info.table_name()).await?;
        Ok((live.schema == key.schema).then_some(info))
    }

    /// Reads and locks the rows that are going to follow those of an UPDATE. Those that cannot be followed stay among
    /// the reported followers.
    pub(super) async fn update_followers(
        &self,
        request: Request<'_>,
        before: &[RowValues],
    ) -> Result<Vec<CascadedRows>, CaptureError> {
        let followers: Vec<UpdateFollower> = (self
            .followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
        .clone();
        if followers.is_empty() || before.is_empty() {
            return Ok(Vec::new());
        }
        let written = request.audited.info;
        let (mut trails, mut reported) = (Vec::new(), Vec::new());
        for follower in &followers {
            let same_entity = |other: &&UpdateFollower| other.info.type_id == follower.info.type_id;
            // A row that follows by two keys would be recorded twice.
            let is_alone = followers.iter().filter(same_entity).count() == 1;
            let trail = if is_alone && follower.info.type_id != written.type_id {
                self.follow_update(request, follower, before).await?
            } else {
                None
            };
            match trail {
                Some((trail, further)) => {
                    trails.push(trail);
                    reported.extend(further);
                }
                None => reported.push(follower.clone()),
            }
        }
        self.set_followers(reported);
        Ok(trails)
    }

    /// Reads the rows that follow by one key, and finds the rows that follow those in turn; `None` if that cannot be
    /// done.
    async fn follow_update(
        &self,
        request: Request<'_>,
        follower: &UpdateFollower,
        before: &[RowValues],
    ) -> Result<Option<(CascadedRows, Vec<UpdateFollower>)>, CaptureError> {
        let (info, call) = (follower.info, request.call);
        let Some((from, to)) = follower.columns() else {
            return Ok(None);
        };
        // A row whose own key changes cannot be found again.
        if info.key.is_empty() || from.iter().any(|at| info.key.contains(at)) {
            return Ok(None);
        }
        let failed = |error| self.extra_read(call, error);
        let name = info.table_name();
        let live = self.live_table(&name).await.map_err(failed)?;
        let columns: Vec<&str> = info.columns().collect();
        if live.kind != TableKind::Table
            || live.is_secured
            || (self.server.is_postgres() && !live.is_lockable)
            || live.refuses_reading(&columns).is_some()
            || live.lacks(&columns)
        {
            return Ok(None);
        }
        let set = &follower.key.from;
        let keys = (self.referring_keys(&name, &live).await).map_err(failed)?;
        let further = (self
            .followers_of(info, &keys, set, request.audited.info)
            .await)
            .map_err(failed)?;
        let mut values: Vec<Vec<Value>> = Vec::new();
        let mut seen = HashSet::new();
        for row in before {
            let value: Vec<Value> = to.iter().map(|at| row[*at].clone()).collect();
            if !value.iter().any(is_null) && seen.insert(value.clone()) {
                values.push(value);
            }
        }
        let plan = self.config.plan(info);
        let budget = Budget::new(self.config.before_row_bytes());
        let mut rows = ImageStore::new(self.config, &plan, info, &budget);
        let mut push = |row| rows.push(row);
        let lock = RowLock::KeepingKeys.unless_snapshot(&live);
        (self
            .each_row_where(info, &from, &values, lock, &mut push)
            .await)
            .map_err(failed)?;
        rows.finish();
        self.check_kept(call, &rows)?;
        let audited = CaptureTarget {
            info,
            plan,
            followers: Vec::new(),
            records: true,
            fires_triggers: false,
        };
        let trail = CascadedRows {
            audited,
            columns: set.clone(),
            rows,
        };
        Ok(Some((trail, further)))
    }

    /// Records which followers the change of a row concerns.
    pub(super) fn observe_followers(
        &self,
        audited: &CaptureTarget,
        old: &BeforeRow,
        new: &[Value],
    ) {
        let is_changed = |follower: &UpdateFollower| match (old, follower.columns()) {
            (BeforeRow::Read(old), Some((_, to))) => {
                to.iter().any(|at| !canonical_eq(&old[*at], &new[*at]))
            }
            // The form of the values does not show it, or the entity does not have the columns.
            _ => true,
        };
        self.each_follower(audited, is_changed);
    }

    /// The same for a row whose old values are unknown.
    pub(super) fn observe_followers_of_unknown(
        &self,
        audited: &CaptureTarget,
        assigned: &[String],
    ) {
        self.each_follower(audited, |follower| follower.key.refers_to(assigned));
    }

    fn each_follower(&self, audited: &CaptureTarget, is_changed: impl Fn(&UpdateFollower) -> bool) {
        let mut all = self
            .followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for follower in (all.iter_mut()).filter(|f| f.is_of(audited.info.type_id)) {
            follower.is_changed = follower.is_changed || is_changed(follower);
        }
    }

    /// Reports the tables whose rows have changed without being recorded.
    pub(super) fn report_followers(&self) {
        let all = std::mem::take(
            &mut *self
                .followers
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        let mut tables: Vec<&str> = (all.iter().filter(|f| f.is_changed))
            .map(|follower| follower.key.table.as_str())
            .collect();
        tables.sort_unstable();
        tables.dedup();
        if !tables.is_empty() {
            let gap = Gap {
                why: FOLLOWED,
                keys: String::new(),
                tables: tables.join(", "),
            };
            (self.gaps.lock().unwrap_or_else(PoisonError::into_inner)).push(gap);
        }
    }
}
