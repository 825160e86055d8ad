//! Manual audit hooks, as an application writes them: the old row is read before an update or a delete and kept in a
//! map, and afterwards the two are compared as JSON.
//!
//! Its records go to the same table as ours, so that both pay for the same columns and indexes. They are inserted
//! with `ActiveModel::insert`, as in SeaORM's documentation.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::Utc;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveModelBehavior, Set};
use sea_orm_audit::entity::audit_log;
use serde_json::{Map, Value, json};

use crate::fixtures::manual::{ActiveModel, Entity, Model};

/// The old rows, until the hook that runs afterwards fetches them.
static BEFORE: LazyLock<Mutex<HashMap<i32, Model>>> = LazyLock::new(Mutex::default);

async fn keep<C: ConnectionTrait>(db: &C, model: &ActiveModel) -> Result<(), DbErr> {
    let Some(id) = model.id.try_as_ref() else {
        return Ok(());
    };
    if let Some(old) = Entity::find_by_id(*id).one(db).await? {
        BEFORE
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(*id, old);
    }
    Ok(())
}

fn kept(id: i32) -> Option<Model> {
    BEFORE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&id)
}

/// The columns that differ, `None` when there are none.
fn difference(old: Option<&Model>, new: Option<&Model>) -> Result<Option<Value>, DbErr> {
    let fields = |model: Option<&Model>| match model.map(serde_json::to_value).transpose() {
        Ok(Some(Value::Object(fields))) => Ok(fields),
        Ok(_) => Ok(Map::new()),
        Err(error) => Err(DbErr::Custom(error.to_string())),
    };
    let (old, new) = (fields(old)?, fields(new)?);
    let names = if new.is_empty() { &old } else { &new };
    let changes: Map<_, _> = names
        .keys()
        .filter_map(|name| {
            let change = match (old.get(name), new.get(name)) {
                (Some(old), Some(new)) if old == new => return None,
                (Some(old), Some(new)) => json!({"old": old, "new": new}),
                (Some(old), None) => json!({"old": old}),
                (None, new) => json!({"new": new}),
            };
            Some((name.clone(), change))
        })
        .collect();
    Ok((!changes.is_empty()).then_some(Value::Object(changes)))
}

async fn record<C: ConnectionTrait>(
    db: &C,
    action: &str,
    old: Option<&Model>,
    new: Option<&Model>,
) -> Result<(), DbErr> {
    let (Some(changes), Some(model)) = (difference(old, new)?, new.or(old)) else {
        return Ok(());
    };
    let record = audit_log::ActiveModel {
        occurred_at: Set(Utc::now()),
        action: Set(action.to_owned()),
        outcome: Set("SUCCESS".to_owned()),
        model: Set(Some("article".to_owned())),
        object_id: Set(Some(model.id.to_string())),
        object_repr: Set(Some(format!("{} (#{})", model.title, model.id))),
        changes: Set(Some(changes)),
        actor_type: Set("USER".to_owned()),
        actor_id: Set(Some("7".to_owned())),
        actor_name: Set(Some("Ann".to_owned())),
        request_id: Set(Some("benchmark".to_owned())),
        source: Set("HAND".to_owned()),
        ..Default::default()
    };
    record.insert(db).await?;
    Ok(())
}

#[async_trait]
impl ActiveModelBehavior for ActiveModel {
    async fn before_save<C: ConnectionTrait>(self, db: &C, insert: bool) -> Result<Self, DbErr> {
        if !insert {
            keep(db, &self).await?;
        }
        Ok(self)
    }

    async fn after_save<C: ConnectionTrait>(
        model: Model,
        db: &C,
        insert: bool,
    ) -> Result<Model, DbErr> {
        if insert {
            record(db, "CREATE", None, Some(&model)).await?;
        } else if let Some(old) = kept(model.id) {
            record(db, "UPDATE", Some(&old), Some(&model)).await?;
        }
        Ok(model)
    }

    async fn before_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
        keep(db, &self).await?;
        Ok(self)
    }

    async fn after_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
        if let Some(old) = self.id.try_as_ref().and_then(|id| kept(*id)) {
            record(db, "DELETE", Some(&old), None).await?;
        }
        Ok(self)
    }
}
