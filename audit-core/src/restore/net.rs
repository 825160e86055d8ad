//! What some records did to each object, taken together.

use std::collections::{BTreeMap, HashMap};

use sea_orm::prelude::Json;

use crate::action::Action;
use crate::as_of::moved_to;
use crate::auditable::EntityInfo;
use crate::change::{Change, Changes};
use crate::entity::audit_log;
use crate::query::{FieldState, UnknownReason, known};

/// What some records did to one object.
#[derive(Debug, Clone)]
pub(super) struct Net {
    pub(super) info: &'static EntityInfo,
    /// The object id after the records.
    pub(super) object_id: String,
    pub(super) existed: bool,
    pub(super) exists: bool,
    /// By the names of the fields in the log.
    pub(super) fields: BTreeMap<String, NetField>,
    /// The record by which its undo has its place in the order.
    pub(super) position: i64,
    pub(super) last: i64,
}

/// What some records did to one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NetField {
    /// The value before the first one.
    pub(super) before: FieldState,
    /// The value after the last one, as it is in the log; `None` if the log does not have it.
    pub(super) after: Option<Json>,
}

impl Net {
    fn new(info: &'static EntityInfo, object_id: String, record: i64) -> Self {
        Self {
            info,
            object_id,
            existed: true,
            exists: true,
            fields: BTreeMap::new(),
            position: record,
            last: record,
        }
    }

    fn add(&mut self, action: &Action, changes: &Changes, record: i64) {
        self.last = record;
        match action {
            Action::Create if self.exists => {
                self.existed = false;
                self.position = record;
            }
            Action::Create => {
                self.exists = true;
                self.position = record;
            }
            Action::Delete => {
                self.exists = false;
                self.position = record;
            }
            _ if self.existed => self.position = record,
            _ => {}
        }
        for (field, change) in changes {
            // Under the name that the column has now.
            let field = match self.info.column_in_log(field) {
                Some(at) => self.info.columns[at].name,
                None => field,
            };
            let after = change.new_value().cloned();
            if let Some(known) = self.fields.get_mut(field) {
                known.after = after;
            } else {
                let before = before(change);
                self.fields
                    .insert(field.to_owned(), NetField { before, after });
            }
        }
    }

    /// The fields of a row that existed before and after, without those that are the same again.
    fn drop_same(&mut self) {
        if self.existed && self.exists {
            self.fields
                .retain(|_, field| match (&field.before, &field.after) {
                    (FieldState::Known(before), Some(after)) => before != after,
                    _ => true,
                });
        }
    }

    /// Whether nothing is left to undo.
    fn is_nothing(&self) -> bool {
        match (self.existed, self.exists) {
            (false, false) => true,
            (true, true) => self.fields.is_empty(),
            _ => false,
        }
    }
}

fn before(change: &Change) -> FieldState {
    match change.old_value() {
        Some(value) => known(value),
        None if change.is_redacted() => FieldState::Unknown(UnknownReason::Redacted),
        None => FieldState::Unknown(UnknownReason::NotRecorded),
    }
}

/// Combines records, which are in ascending order. `entity` finds the entity of a model.
///
/// # Errors
/// Returns what is wrong with a record.
pub(super) fn combine(
    records: &[audit_log::Model],
    entity: impl Fn(&str) -> Option<&'static EntityInfo>,
) -> Result<Vec<Net>, String> {
    let mut nets: Vec<Net> = Vec::new();
    // By model and object id now. A deleted object stays, since a new one may get its key.
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    for record in records {
        let (Some(model), Some(id)) = (&record.model, &record.object_id) else {
            continue;
        };
        let action: Action = (record.action.parse()).map_err(|_| {
            format!(
                "the record {} has the action `{}`",
                record.id, record.action
            )
        })?;
        let Some(info) = entity(model) else {
            return Err(format!(
                "the record {} is of `{model}`, which is no audited entity of this program",
                record.id
            ));
        };
        let changes = match &record.changes {
            Some(json) => Changes::from_json(json)
                .ok_or_else(|| format!("the record {} is not in the form of the log", record.id))?,
            None => Changes::new(),
        };
        if action == Action::Snapshot {
            continue;
        }
        let key = (model.clone(), id.clone());
        let at = places.remove(&key).unwrap_or_else(|| {
            nets.push(Net::new(info, id.clone(), record.id));
            nets.len() - 1
        });
        nets[at].add(&action, &changes, record.id);
        let now = moved_to(info, id, &changes).unwrap_or_else(|| id.clone());
        nets[at].object_id.clone_from(&now);
        places.insert((model.clone(), now), at);
    }
    for net in &mut nets {
        net.drop_same();
    }
    nets.retain(|net| !net.is_nothing());
    Ok(nets)
}
