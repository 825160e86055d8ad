//! Computes the writes of an undo, and their conflicts.

use std::collections::{BTreeMap, HashMap};

use sea_orm::prelude::Json;
use sea_orm::sea_query::Value;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter};

use super::goal::{Goal, GoalField};
use super::order::ordered;
use super::plan::{Conflict, ConflictKind, PlannedWrite, Resolution, UndoPlan, WriteKind};
use super::references::{missing_references, referring_rows};
use super::target::{Undo, refused};
use crate::as_of::{key_of, read_rows};
use crate::auditable::EntityInfo;
use crate::capture::generated_columns;
use crate::change::{Change, Changes};
use crate::config::{AuditConfig, Plan, RecordingMode};
use crate::entity::audit_log::{self, Column as C};
use crate::query::{FieldState, UnknownReason};
use crate::value::{canonical_eq, decode, encode};

/// One write of an undo.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) info: &'static EntityInfo,
    pub(super) object_id: String,
    pub(super) kind: WriteKind,
    /// The key as it is now.
    pub(super) key: Vec<Value>,
    /// The columns to write, and their values.
    pub(super) values: BTreeMap<usize, Value>,
    /// The row as it is.
    pub(super) row: Option<Vec<Value>>,
    changes: Changes,
    position: i64,
}

pub(super) struct Computed {
    pub(super) steps: Vec<Step>,
    pub(super) conflicts: Vec<Conflict>,
}

impl Computed {
    pub(super) fn into_plan(self) -> UndoPlan {
        let writes = (self.steps.into_iter()).map(|step| PlannedWrite {
            model: step.info.model().to_owned(),
            object_id: step.object_id,
            kind: step.kind,
            changes: step.changes,
        });
        UndoPlan {
            writes: writes.collect(),
            conflicts: self.conflicts,
        }
    }
}

pub(super) async fn compute<Db: ConnectionTrait>(
    db: &Db,
    config: &AuditConfig,
    undo: &Undo,
    goals: Vec<Goal>,
    lock: bool,
) -> Result<Computed, DbErr> {
    let mut steps = Vec::new();
    let mut conflicts = Vec::new();
    let mut generated: HashMap<&'static str, Vec<usize>> = HashMap::new();
    for goal in goals {
        if !generated.contains_key(goal.info.table()) {
            let columns = generated_columns(db, goal.info).await?;
            generated.insert(goal.info.table(), columns);
        }
        let planner = Planner {
            db,
            config,
            plan: &config.plan(goal.info),
            undo,
            goal: &goal,
            generated: &generated[goal.info.table()],
        };
        steps.extend(planner.step(lock, &mut conflicts).await?);
    }
    steps.sort_by_key(|step| std::cmp::Reverse(step.position));
    let needs = missing_references(db, &steps, &mut conflicts).await?;
    referring_rows(db, config, &steps, &mut conflicts).await?;
    let order = ordered(steps.len(), |at| needs[at].clone());
    let mut places: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    Ok(Computed {
        steps: (order.into_iter())
            .filter_map(|at| places[at].take())
            .collect(),
        conflicts,
    })
}

struct Planner<'a, Db> {
    db: &'a Db,
    config: &'a AuditConfig,
    plan: &'a Plan,
    undo: &'a Undo,
    goal: &'a Goal,
    generated: &'a [usize],
}

impl<Db: ConnectionTrait> Planner<'_, Db> {
    async fn step(&self, lock: bool, conflicts: &mut Vec<Conflict>) -> Result<Option<Step>, DbErr> {
        let (info, goal) = (self.goal.info, self.goal);
        let key = key_of(self.config, self.plan, &goal.object_id).ok_or_else(|| {
            refused(format!(
                "the object id `{}` of {} is not the text of a key",
                goal.object_id,
                info.model()
            ))
        })?;
        let lock = match self.db.get_database_backend() {
            DbBackend::Sqlite => "",
            _ if !lock => "",
            _ => " FOR UPDATE",
        };
        let row = read_rows(self.db, info, std::slice::from_ref(&key), lock)
            .await?
            .pop();
        let is_there = row.is_some();
        if is_there == (goal.kind == WriteKind::Insert) {
            let kind = if is_there {
                ConflictKind::Exists
            } else {
                ConflictKind::Missing
            };
            self.conflict(None, kind, conflicts);
            return Ok(None);
        }
        let current = match &row {
            Some(row) => (self.plan.created(self.config, row))
                .map_err(|cause| DbErr::Type(cause.to_string()))?,
            None => Changes::new(),
        };
        if goal.kind != WriteKind::Insert {
            self.check_left(&current, conflicts).await?;
        }
        let mut values = match goal.kind {
            WriteKind::Delete => BTreeMap::new(),
            WriteKind::Update => self.updated(conflicts),
            WriteKind::Insert => self.inserted(conflicts),
        };
        if let (WriteKind::Update, Some(row)) = (goal.kind, &row) {
            values.retain(|at, value| !canonical_eq(&row[*at], value));
        }
        let changes = self.changes(&current, &values)?;
        if goal.kind == WriteKind::Update && values.is_empty() {
            return Ok(None);
        }
        Ok(Some(Step {
            info,
            object_id: goal.object_id.clone(),
            kind: goal.kind,
            key,
            values,
            row,
            changes,
            position: goal.position,
        }))
    }

    fn conflict(&self, field: Option<&str>, kind: ConflictKind, conflicts: &mut Vec<Conflict>) {
        conflicts.push(Conflict {
            model: self.goal.info.model().to_owned(),
            object_id: self.goal.object_id.clone(),
            field: field.map(str::to_owned),
            kind,
        });
    }

    fn resolution(&self, field: &str) -> Option<&Resolution> {
        (self.undo).resolution(self.goal.info.model(), &self.goal.object_id, field)
    }

    /// Whether the row is as the undone changes left it.
    async fn check_left(
        &self,
        current: &Changes,
        conflicts: &mut Vec<Conflict>,
    ) -> Result<(), DbErr> {
        let Some(last) = self.goal.last else {
            return Ok(());
        };
        for (name, field) in &self.goal.fields {
            if self.resolution(name).is_some() || current.get(name).is_none() {
                continue;
            }
            let found = current.get(name).and_then(Change::new_value).cloned();
            let is_left = match (&field.left, &found) {
                (Some(left), Some(found)) => left == found,
                // The values cannot be compared; a later record says that it was changed.
                _ => !self.is_changed_after(last, name).await?,
            };
            if !is_left {
                let kind = ConflictKind::Changed {
                    left: field.left.clone(),
                    found,
                };
                self.conflict(Some(name), kind, conflicts);
            }
        }
        Ok(())
    }

    async fn is_changed_after(&self, last: i64, field: &str) -> Result<bool, DbErr> {
        let later = audit_log::Entity::find()
            .filter(C::Model.eq(self.goal.info.model()))
            .filter(C::ObjectId.eq(self.goal.object_id.as_str()))
            .filter(C::Id.gt(last))
            .all(self.db)
            .await?;
        let changes = |record: &audit_log::Model| {
            (record.changed()).is_some_and(|changes| changes.get(field).is_some())
        };
        Ok(later.iter().any(changes))
    }

    /// The values of a row that is updated.
    fn updated(&self, conflicts: &mut Vec<Conflict>) -> BTreeMap<usize, Value> {
        let mut values = BTreeMap::new();
        for (name, field) in &self.goal.fields {
            let resolution = self.resolution(name);
            if resolution == Some(&Resolution::Keep) {
                continue;
            }
            let Some(at) = self.column(name) else {
                self.conflict(Some(name), ConflictKind::NoColumn, conflicts);
                continue;
            };
            if self.generated.contains(&at) {
                continue;
            }
            match self.value(at, Some(field), resolution) {
                Ok(value) => {
                    values.insert(at, value);
                }
                Err(reason) => {
                    self.conflict(Some(name), ConflictKind::NotKnown(reason), conflicts);
                }
            }
        }
        values
    }

    /// The values of a row that is inserted.
    fn inserted(&self, conflicts: &mut Vec<Conflict>) -> BTreeMap<usize, Value> {
        let mut values = BTreeMap::new();
        for (at, column) in self.goal.info.columns.iter().enumerate() {
            let resolution = self.resolution(column.name);
            if resolution == Some(&Resolution::Keep) || self.generated.contains(&at) {
                continue;
            }
            match self.value(at, self.goal.fields.get(column.name), resolution) {
                Ok(value) => {
                    values.insert(at, value);
                }
                Err(reason) => {
                    self.conflict(Some(column.name), ConflictKind::NotKnown(reason), conflicts);
                }
            }
        }
        values
    }

    fn column(&self, name: &str) -> Option<usize> {
        (self.goal.info.columns.iter()).position(|column| column.name == name)
    }

    fn value(
        &self,
        at: usize,
        field: Option<&GoalField>,
        resolution: Option<&Resolution>,
    ) -> Result<Value, UnknownReason> {
        let shape = &self.goal.info.columns[at].shape;
        let json = match (resolution, field.map(|field| &field.value)) {
            (Some(Resolution::Value(json)), _) | (_, Some(FieldState::Known(json))) => json,
            (_, Some(FieldState::Unknown(reason))) => return Err(*reason),
            (_, None) => return Err(UnknownReason::NotRecorded),
        };
        decode(json, shape).map_err(|_| UnknownReason::Unreadable)
    }

    /// What the write changes, as the log would have it.
    fn changes(
        &self,
        current: &Changes,
        values: &BTreeMap<usize, Value>,
    ) -> Result<Changes, DbErr> {
        let mut changes = Changes::new();
        if self.goal.kind == WriteKind::Delete {
            for (name, change) in current {
                let change = match change.new_value() {
                    Some(value) => Change::deleted(value.clone()),
                    None => Change::redacted(),
                };
                changes.insert(name.to_owned(), change);
            }
            return Ok(changes);
        }
        for (at, value) in values {
            let name = self.goal.info.columns[*at].name;
            let mode = self.plan.columns[*at];
            if !matches!(mode, RecordingMode::Record | RecordingMode::Plain) {
                changes.insert(name, Change::redacted());
                continue;
            }
            let mut json = encode(value).map_err(|error| DbErr::Type(error.to_string()))?;
            if mode == RecordingMode::Record && crate::redact::is_json(value) {
                self.config.sensitive().redact_json(&mut json);
            }
            let old: Option<&Json> = current.get(name).and_then(Change::new_value);
            let change = match old {
                Some(old) => Change::between(old.clone(), json),
                None => Some(Change::created(json)),
            };
            if let Some(change) = change {
                changes.insert(name, change);
            }
        }
        Ok(changes)
    }
}
