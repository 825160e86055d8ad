//! What happened to an object, to the rows that refer to it, and beside it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::prelude::{Json, Uuid};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::HistoryQuery;
use crate::action::Action;
use crate::auditable::{Auditable, EntityInfo, ForeignKey, known};
use crate::binding::Binding;
use crate::change::Changes;
use crate::config::AuditConfig;
use crate::entity::audit_log::{self, Column as C};
use crate::query::{AuditQuery, BUDGET};
use crate::target::text_of;

/// How many values one statement binds.
const CHUNK: usize = 500;

/// What happened to an object, to the rows that refer to it, and beside it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Timeline {
    /// In the order of the records.
    pub entries: Vec<TimelineEntry>,
    /// Whether all rows that refer to the object, or did so, were found. They are looked for among a bounded number of
    /// records.
    pub complete: bool,
}

/// A record of a timeline.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TimelineEntry {
    /// The record.
    pub record: audit_log::Model,
    /// Why it is in the timeline.
    pub relation: TimelineRelation,
    /// The changed fields.
    pub changes: Changes,
    /// The objects that the changed fields refer to, before and after.
    pub references: Vec<ReferenceLabel>,
}

/// Why a record is in a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimelineRelation {
    /// It is of the object.
    Object,
    /// It is of a row that refers to the object, or did so before or after, by these columns.
    Referring(Vec<String>),
    /// It is of the same transaction as a record of the object.
    SameTransaction,
    /// It is of the same request as a record of the object.
    SameRequest,
}

/// An object that a field refers to, with its label at that time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReferenceLabel {
    /// The field, by its name in the database.
    pub field: String,
    /// Whether it is the value after the change; else it is the one before.
    pub is_new: bool,
    /// The model of the object.
    pub model: String,
    /// Its key.
    pub object_id: String,
    /// Its label at the time of the record, from the log; `None` if the log does not have it.
    pub label: Option<String>,
}

impl<E: Auditable> HistoryQuery<E> {
    /// Reads what happened to the object, to the rows that refer to it or did so before, and in the same transactions and
    /// requests.
    ///
    /// Referring rows are those of audited entities that declare a relation to this one. They are found by the records
    /// in which their reference was set or taken away, among 100,000 records for each such entity and direction; a row
    /// that is older than the log has none, unless a baseline was recorded.
    ///
    /// # Errors
    /// Returns the database's error, and [`DbErr::Type`] if the key has no canonical form.
    pub async fn timeline<Db: ConnectionTrait>(self, db: &Db) -> Result<Timeline, DbErr> {
        Binding::to(db).scope(self.read_timeline(db)).await
    }

    async fn read_timeline<Db: ConnectionTrait>(self, db: &Db) -> Result<Timeline, DbErr> {
        let config = AuditConfig::current();
        let info = E::info();
        let id = (config.plan(info).object_id(&config, &self.key))
            .map_err(|cause| DbErr::Type(cause.to_string()))?;
        let mut found: BTreeMap<i64, (audit_log::Model, TimelineRelation)> = BTreeMap::new();
        let own = of_objects(db, info.model(), std::slice::from_ref(&id)).await?;
        for record in &own {
            found.insert(record.id, (record.clone(), TimelineRelation::Object));
        }
        let mut complete = true;
        for (other, key) in referring(info) {
            let (ids, all) = referring_objects(db, other, &key, &id).await?;
            complete &= all;
            for record in of_objects(db, other.model(), &ids).await? {
                let relation = TimelineRelation::Referring(key.from.clone());
                found.entry(record.id).or_insert((record, relation));
            }
        }
        let transactions: BTreeSet<Uuid> = own.iter().filter_map(|r| r.transaction_id).collect();
        let transactions: Vec<Uuid> = transactions.into_iter().collect();
        for chunk in transactions.chunks(CHUNK) {
            let same =
                audit_log::Entity::find().filter(C::TransactionId.is_in(chunk.iter().copied()));
            for record in same.all(db).await? {
                let relation = TimelineRelation::SameTransaction;
                found.entry(record.id).or_insert((record, relation));
            }
        }
        let requests: BTreeSet<&str> = own.iter().filter_map(|r| r.request_id.as_deref()).collect();
        let requests: Vec<&str> = requests.into_iter().collect();
        for chunk in requests.chunks(CHUNK) {
            let same = audit_log::Entity::find().filter(C::RequestId.is_in(chunk.iter().copied()));
            for record in same.all(db).await? {
                let relation = TimelineRelation::SameRequest;
                found.entry(record.id).or_insert((record, relation));
            }
        }
        let mut labels = HashMap::new();
        let mut entries = Vec::with_capacity(found.len());
        for (record, relation) in found.into_values() {
            let changes = record.changed().unwrap_or_default();
            let references = references(db, &record, &changes, &mut labels).await?;
            entries.push(TimelineEntry {
                record,
                relation,
                changes,
                references,
            });
        }
        Ok(Timeline { entries, complete })
    }
}

/// The entities that refer to this one by its primary key.
fn referring(info: &'static EntityInfo) -> Vec<(&'static EntityInfo, ForeignKey)> {
    let mut entities = known();
    entities.retain(|other| !other.skip);
    entities.sort_by_key(|other| (other.table(), std::cmp::Reverse(other.columns.len())));
    entities.dedup_by_key(|other| other.model());
    let mut found = Vec::new();
    for other in entities {
        for key in (other.access.references)() {
            if key.table == info.table() && is_key(info, &key.to) {
                found.push((other, key));
            }
        }
    }
    found
}

/// Whether these columns are the primary key, in its order.
fn is_key(info: &EntityInfo, columns: &[String]) -> bool {
    let key = info.key.iter().map(|at| info.columns[*at].name);
    key.eq(columns.iter().map(String::as_str))
}

/// The objects whose records set the reference to this object, or take it away.
async fn referring_objects<Db: ConnectionTrait>(
    db: &Db,
    info: &'static EntityInfo,
    key: &ForeignKey,
    object_id: &str,
) -> Result<(Vec<String>, bool), DbErr> {
    let mut ids = BTreeSet::new();
    let mut complete = true;
    let values: Vec<String> = match key.from.as_slice() {
        [_] => vec![object_id.to_owned()],
        _ => match serde_json::from_str::<Vec<Json>>(object_id) {
            Ok(parts) => parts.into_iter().map(text_of).collect(),
            Err(_) => return Ok((Vec::new(), false)),
        },
    };
    for is_new in [true, false] {
        let mut query = AuditQuery::new().model(info.model());
        for (column, value) in key.from.iter().zip(&values) {
            query = if is_new {
                query.to(column.as_str(), value.as_str())
            } else {
                query.from(column.as_str(), value.as_str())
            };
        }
        let pages = query.pages().size(1_000);
        let mut page = pages.first(db).await?;
        let mut examined = page.examined;
        loop {
            ids.extend(
                page.records
                    .iter()
                    .filter_map(|record| record.object_id.clone()),
            );
            let Some(older) = page.older.take() else {
                break;
            };
            if !page.complete || examined >= BUDGET {
                complete = false;
                break;
            }
            page = pages.at(db, &older).await?;
            examined += page.examined;
        }
    }
    Ok((ids.into_iter().collect(), complete))
}

/// All records of changes of these objects.
async fn of_objects<Db: ConnectionTrait>(
    db: &Db,
    model: &str,
    ids: &[String],
) -> Result<Vec<audit_log::Model>, DbErr> {
    let mut records = Vec::new();
    for chunk in ids.chunks(CHUNK) {
        let found = audit_log::Entity::find()
            .filter(C::Model.eq(model))
            .filter(C::ObjectId.is_in(chunk))
            .order_by_asc(C::Id)
            .all(db)
            .await?;
        records.extend(
            found
                .into_iter()
                .filter(|record| (record.object_id.as_ref()).is_some_and(|id| chunk.contains(id))),
        );
    }
    Ok(records)
}

type Labels = HashMap<(String, String, i64), Option<String>>;

/// The objects that the changed fields of a record refer to.
async fn references<Db: ConnectionTrait>(
    db: &Db,
    record: &audit_log::Model,
    changes: &Changes,
    labels: &mut Labels,
) -> Result<Vec<ReferenceLabel>, DbErr> {
    let entities = known();
    let Some(info) = (record.model.as_deref())
        .and_then(|model| entities.iter().find(|info| info.model() == model))
    else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for key in (info.access.references)() {
        // A reference of several columns has no field of its own.
        let [field] = key.from.as_slice() else {
            continue;
        };
        let Some(change) = changes.get(field) else {
            continue;
        };
        let Some(target) =
            (entities.iter()).find(|info| info.table() == key.table && is_key(info, &key.to))
        else {
            continue;
        };
        for (is_new, value) in [(false, change.old_value()), (true, change.new_value())] {
            let Some(value) = value.filter(|value| !value.is_null()) else {
                continue;
            };
            let object_id = text_of(value.clone());
            let place = (target.model().to_owned(), object_id.clone(), record.id);
            let label = if let Some(label) = labels.get(&place) {
                label.clone()
            } else {
                let label = label_then(db, target.model(), &object_id, record.id).await?;
                labels.insert(place, label.clone());
                label
            };
            found.push(ReferenceLabel {
                field: field.clone(),
                is_new,
                model: target.model().to_owned(),
                object_id,
                label,
            });
        }
    }
    Ok(found)
}

/// The label of an object at a record: that of its last record until then, else of its first one after.
async fn label_then<Db: ConnectionTrait>(
    db: &Db,
    model: &str,
    object_id: &str,
    at: i64,
) -> Result<Option<String>, DbErr> {
    let changes = Action::CHANGES.map(|action| action.to_string());
    let of_object = || {
        audit_log::Entity::find()
            .filter(C::Model.eq(model))
            .filter(C::ObjectId.eq(object_id))
            .filter(C::Action.is_in(changes.clone()))
            .select_only()
            .column(C::ObjectRepr)
            .limit(1)
    };
    let before: Option<Option<String>> = of_object()
        .filter(C::Id.lte(at))
        .order_by_desc(C::Id)
        .into_tuple()
        .one(db)
        .await?;
    if let Some(label) = before {
        return Ok(label);
    }
    let after: Option<Option<String>> = of_object()
        .filter(C::Id.gt(at))
        .order_by_asc(C::Id)
        .into_tuple()
        .one(db)
        .await?;
    Ok(after.flatten())
}
