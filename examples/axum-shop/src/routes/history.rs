//! The history of an object.

use axum::Json;
use axum::extract::{Path, State};
use sea_orm::prelude::{DateTimeUtc, Json as JsonValue};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use sea_orm_audit::entity::audit_log;
use serde::Serialize;

use super::Shop;
use crate::auth::Admin;
use crate::error::Error;

/// The maximum number of records in a response.
const LIMIT: u64 = 100;

#[derive(Serialize)]
pub(super) struct Record {
    occurred_at: DateTimeUtc,
    action: String,
    object: Option<String>,
    changes: Option<JsonValue>,
    actor_type: String,
    actor_id: Option<String>,
    actor_name: Option<String>,
    ip_address: Option<String>,
    reason: Option<String>,
    request_id: Option<String>,
}

impl From<audit_log::Model> for Record {
    fn from(record: audit_log::Model) -> Self {
        Self {
            occurred_at: record.occurred_at,
            action: record.action,
            object: record.object_repr,
            changes: record.changes,
            actor_type: record.actor_type,
            actor_id: record.actor_id,
            actor_name: record.actor_name,
            ip_address: record.ip_address,
            reason: record.reason,
            request_id: record.request_id,
        }
    }
}

/// The newest records first. The audit tables are entities like any other.
pub(super) async fn of_object(
    State(shop): State<Shop>,
    _: Admin,
    Path((model, id)): Path<(String, String)>,
) -> Result<Json<Vec<Record>>, Error> {
    if model.contains('\0') || id.contains('\0') {
        // PostgreSQL cannot store such text.
        return Err(Error::Invalid("a path has no NUL"));
    }
    let records = audit_log::Entity::find()
        .filter(audit_log::Column::Model.eq(model))
        .filter(audit_log::Column::ObjectId.eq(id))
        .order_by_desc(audit_log::Column::OccurredAt)
        .order_by_desc(audit_log::Column::Id)
        .limit(LIMIT)
        .all(&shop.db)
        .await?;
    Ok(Json(records.into_iter().map(Record::from).collect()))
}
