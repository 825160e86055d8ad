//! What an undo is to reach, object by object.

use std::collections::BTreeMap;

use sea_orm::prelude::Json;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr};

use super::net::{Net, combine};
use super::plan::WriteKind;
use super::target::{object_id, refused};
use crate::action::Action;
use crate::as_of::{Moment, Objects, Past, PastValue, past_of, read_rows};
use crate::auditable::{EntityInfo, ForeignKey, known as known_entities};
use crate::change::Changes;
use crate::config::AuditConfig;
use crate::entity::audit_log;
use crate::query::{FieldState, UnknownReason};

/// What an undo is to do to one object.
#[derive(Debug, Clone)]
pub(super) struct Goal {
    pub(super) info: &'static EntityInfo,
    /// The object id as it is now.
    pub(super) object_id: String,
    pub(super) kind: WriteKind,
    /// By the names of the fields in the log.
    pub(super) fields: BTreeMap<String, GoalField>,
    /// By which its write has its place in the order, backwards.
    pub(super) position: i64,
    /// The last record that is undone; `None` if later changes are overwritten.
    pub(super) last: Option<i64>,
}

/// What an undo is to do to one field.
#[derive(Debug, Clone)]
pub(super) struct GoalField {
    /// The value to write.
    pub(super) value: FieldState,
    /// The value that the undone change left; `None` if the log does not have it.
    pub(super) left: Option<Json>,
}

impl From<Net> for Goal {
    fn from(net: Net) -> Self {
        let kind = match (net.existed, net.exists) {
            (true, false) => WriteKind::Insert,
            (false, true) => WriteKind::Delete,
            _ => WriteKind::Update,
        };
        Self {
            info: net.info,
            object_id: net.object_id,
            kind,
            fields: (net.fields.into_iter())
                .map(|(name, field)| {
                    let field = GoalField {
                        value: field.before,
                        left: field.after,
                    };
                    (name, field)
                })
                .collect(),
            position: net.position,
            last: Some(net.last),
        }
    }
}

impl Goal {
    /// Keeps the goals of these fields only.
    pub(super) fn keep_fields(&mut self, names: &[String]) -> Result<(), DbErr> {
        if self.kind != WriteKind::Update {
            return Err(refused(format!(
                "{} {} was created or deleted, which cannot be undone of some fields only",
                self.info.model(),
                self.object_id
            )));
        }
        let missing = (names.iter()).find(|name| !self.fields.contains_key(*name));
        if let Some(missing) = missing {
            return Err(refused(format!(
                "`{missing}` of {} {} did not change",
                self.info.model(),
                self.object_id
            )));
        }
        self.fields.retain(|name, _| names.contains(name));
        Ok(())
    }
}

/// The entity of a model, of those that this program has.
fn entity(model: &str) -> Option<&'static EntityInfo> {
    // Of several, the one whose table has the model's name, then the one with the most columns; any to a skipped one.
    (known_entities().into_iter())
        .filter(|info| info.model() == model)
        .min_by_key(|info| {
            (
                info.skip,
                info.table() != model,
                std::cmp::Reverse(info.columns.len()),
                info.type_name,
            )
        })
}

pub(super) fn goals_of_records(records: &[audit_log::Model]) -> Result<Vec<Goal>, DbErr> {
    let nets = combine(records, entity).map_err(refused)?;
    Ok(nets.into_iter().map(Goal::from).collect())
}

/// The deletion of an object, and what the same transaction did to rows because they referred to it.
pub(super) fn goals_of_deleted(
    deleted: audit_log::Model,
    others: Vec<audit_log::Model>,
) -> Result<Vec<Goal>, DbErr> {
    let mut found = vec![deleted];
    let mut others: Vec<_> = others
        .into_iter()
        .filter(|record| record.id != found[0].id)
        .collect();
    let mut at = 0;
    while let Some(parent) = found.get(at) {
        if parent.action == Action::Delete.as_str() {
            let (followers, rest): (Vec<_>, Vec<_>) = others
                .into_iter()
                .partition(|record| follows(record, parent));
            others = rest;
            found.extend(followers);
        }
        at += 1;
    }
    found.sort_by_key(|record| record.id);
    goals_of_records(&found)
}

/// Whether a record deletes a row that referred to a deleted one, or takes its reference away.
fn follows(record: &audit_log::Model, parent: &audit_log::Model) -> bool {
    let info = |record: &audit_log::Model| record.model.as_deref().and_then(entity);
    let (Some(info), Some(parent_info)) = (info(record), info(parent)) else {
        return false;
    };
    let (Some(changes), Some(parent)) = (record.changed(), parent.changed()) else {
        return false;
    };
    let old = |changes: &Changes, field: &String| {
        changes
            .get(field)
            .and_then(|change| change.old_value().cloned())
    };
    let refers = |key: &ForeignKey| {
        key.table == parent_info.table()
            && (key.from.iter().zip(&key.to)).all(|(from, to)| {
                let value = old(&changes, from);
                value.is_some() && value == old(&parent, to)
            })
    };
    record.action != Action::Create.as_str() && (info.access.references)().iter().any(refers)
}

/// The difference between a row and its past state.
pub(super) async fn goals_of_moment<Db: ConnectionTrait>(
    db: &Db,
    config: &AuditConfig,
    info: &'static EntityInfo,
    key: &[Value],
    moment: Moment,
) -> Result<Vec<Goal>, DbErr> {
    let plan = config.plan(info);
    let objects = Objects {
        db,
        config,
        plan: &plan,
        moment,
        place: moment.find(db).await?,
    };
    objects.check_recorded()?;
    let id = object_id(config, info, key)?;
    let row = read_rows(db, info, &[key.to_vec()], "").await?.pop();
    let past = past_of(&objects, &id).await?;
    let mut goal = Goal {
        info,
        object_id: id,
        kind: WriteKind::Update,
        fields: BTreeMap::new(),
        position: 0,
        last: None,
    };
    match (past, row) {
        (None, _) => {
            return Err(refused(format!(
                "it is not known whether {} {} existed {moment}",
                info.model(),
                goal.object_id
            )));
        }
        (Some(Past::Absent), None) => return Ok(Vec::new()),
        (Some(Past::Absent), Some(_)) => goal.kind = WriteKind::Delete,
        (Some(Past::Present(past)), row) => {
            if row.is_none() {
                goal.kind = WriteKind::Insert;
            }
            for (column, value) in info.columns.iter().zip(past.values) {
                let value = match value {
                    PastValue::Recorded(json) => FieldState::Known(json),
                    // A column that the log leaves out stays as it is.
                    PastValue::Unknown(UnknownReason::NotRecorded, Some(_))
                    | PastValue::Current(_) => continue,
                    PastValue::Unknown(reason, _) => FieldState::Unknown(reason),
                };
                let field = GoalField { value, left: None };
                goal.fields.insert(column.name.to_owned(), field);
            }
        }
    }
    Ok(vec![goal])
}
