//! Reads the records of the changes after a moment.

use sea_orm::prelude::{DateTimeUtc, Json};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use super::moment::Place;
use super::past::Event;
use crate::action::Action;
use crate::auditable::EntityInfo;
use crate::change::Changes;
use crate::entity::audit_log::{self, Column as C};
use crate::error::AuditError;
use crate::query::{along_numbers, changed};

/// How many records are read at once.
pub(super) const CHUNK: u64 = 5_000;

/// A record, without its changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventId {
    pub(super) id: i64,
    pub(super) object_id: String,
    /// Whether the key changes.
    pub(super) is_moved: bool,
}

/// The records of changes of a model, in any order.
pub(super) fn of_model(info: &EntityInfo) -> Select<audit_log::Entity> {
    let changes = Action::CHANGES.map(|action| action.to_string());
    audit_log::Entity::find()
        .filter(C::Model.eq(info.model()))
        .filter(C::ObjectId.is_not_null())
        .filter(C::Action.is_in(changes))
}

/// Whether the log has a record of a change of the model before the moment.
pub(super) async fn is_recorded_before<Db: ConnectionTrait>(
    db: &Db,
    info: &EntityInfo,
    place: Place,
) -> Result<bool, DbErr> {
    let found: Option<i64> = of_model(info)
        .filter(C::Id.lt(place.first))
        .select_only()
        .column(C::Id)
        .limit(1)
        .into_tuple()
        .one(db)
        .await?;
    Ok(found.is_some())
}

/// The next records after one number, or from the moment on.
pub(super) async fn next_ids<Db: ConnectionTrait>(
    db: &Db,
    info: &EntityInfo,
    place: Place,
    after: Option<i64>,
) -> Result<Vec<EventId>, DbErr> {
    let backend = db.get_database_backend();
    let is_moved = (info.key.iter())
        .map(|at| changed(info.columns[*at].name, backend))
        .reduce(ExprTrait::or)
        .unwrap_or_else(|| Expr::cust("1 = 0"))
        .and(C::Action.is_in(Action::UPDATES.map(|action| action.to_string())));
    let begin = match after {
        Some(after) => C::Id.gt(after),
        None => C::Id.gte(place.first),
    };
    let records = of_model(info)
        .filter(begin)
        .select_only()
        .column(C::Id)
        .column(C::ObjectId)
        .expr_as(Expr::case(is_moved, 1_i64).finally(0_i64), "is_moved")
        .order_by_asc(C::Id)
        .limit(CHUNK);
    let found: Vec<(i64, String, i64)> =
        along_numbers(records, backend).into_tuple().all(db).await?;
    Ok(found
        .into_iter()
        .map(|(id, object_id, is_moved)| EventId {
            id,
            object_id,
            is_moved: is_moved != 0,
        })
        .collect())
}

/// The records of a query, in ascending order of their numbers.
pub(super) async fn read<Db: ConnectionTrait>(
    db: &Db,
    records: Select<audit_log::Entity>,
) -> Result<Vec<Event>, DbErr> {
    type Found = (i64, Option<String>, DateTimeUtc, String, Option<Json>);
    let found: Vec<Found> = records
        .select_only()
        .columns([C::Id, C::ObjectId, C::OccurredAt, C::Action, C::Changes])
        .order_by_asc(C::Id)
        .into_tuple()
        .all(db)
        .await?;
    (found.into_iter())
        .map(|(id, object_id, occurred_at, action, changes)| {
            let changes = match &changes {
                Some(json) => Changes::from_json(json).ok_or_else(|| unreadable(id))?,
                None => Changes::new(),
            };
            Ok(Event {
                id,
                object_id: object_id.unwrap_or_default(),
                occurred_at,
                action: action.parse().map_err(|_| unreadable(id))?,
                changes,
            })
        })
        .collect()
}

fn unreadable(id: i64) -> DbErr {
    let why = format!("the record {id} is not in the form of the log");
    AuditError::AsOf { why }.into()
}

/// The records after the moment, of records in ascending order of each object: those after the last one that is of the
/// moment or before it.
pub(super) fn later(events: Vec<Event>, place: Place) -> Vec<Event> {
    let mut last = std::collections::HashMap::new();
    for event in &events {
        if place.has_reached(event.occurred_at) {
            last.insert(event.object_id.clone(), event.id);
        }
    }
    events
        .into_iter()
        .filter(|event| {
            last.get(&event.object_id)
                .is_none_or(|last| event.id > *last)
        })
        .collect()
}
