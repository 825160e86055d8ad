//! Cascades of the database from and to tables with triggers.

use sea_orm::{ActiveModelTrait, DbBackend, EntityTrait, Set};
use sea_orm_audit::{Actor, AuditedConnection};

use crate::entities::{book, create, entry, hooked_entry, ledger, note, page};
use crate::support::{TestDb, TestResult};

on_every_database! {
    rows_that_follow_a_row_with_triggers_are_recorded_once,
    rows_that_follow_a_row_with_hooks_are_recorded_once,
}

fn ann(db: &TestDb) -> AuditedConnection {
    db.audited().as_actor(Actor::user(7))
}

/// The recorded deletes, in the order of models: model, object, actor.
async fn deleted(db: &TestDb) -> TestResult<Vec<(String, String, Option<String>)>> {
    let mut deleted: Vec<_> = (db.records().await?.into_iter())
        .filter(|record| record.action == "DELETE")
        .map(|record| {
            (
                record.model.unwrap_or_default(),
                record.object_id.unwrap_or_default(),
                record.actor_id,
            )
        })
        .collect();
    deleted.sort();
    Ok(deleted)
}

fn by_ann(model: &str, object: &str) -> (String, String, Option<String>) {
    (model.to_owned(), object.to_owned(), Some("7".to_owned()))
}

async fn rows_that_follow_a_row_with_triggers_are_recorded_once(db: &TestDb) -> TestResult {
    create(db).await?;
    let ann = ann(db);
    ledger::new(1, "a").insert(&ann).await?;
    for id in [10, 11] {
        let (id, parent_id) = (Set(id), Set(1));
        hooked_entry::ActiveModel { id, parent_id }
            .insert(&ann)
            .await?;
    }
    let (id, parent_id) = (Set(20), Set(1));
    entry::ActiveModel { id, parent_id }.insert(&ann).await?;
    ledger::Entity::delete_by_id(1).exec(&ann).await?;
    assert_eq!(
        deleted(db).await?,
        [
            by_ann("entry", "20"),
            by_ann("hooked_entry", "10"),
            by_ann("hooked_entry", "11"),
            by_ann("ledger", "1"),
        ]
    );
    Ok(())
}

async fn rows_that_follow_a_row_with_hooks_are_recorded_once(db: &TestDb) -> TestResult {
    create(db).await?;
    let ann = ann(db);
    book::new(1, "a").insert(&ann).await?;
    let (id, parent_id) = (Set(10), Set(1));
    page::ActiveModel { id, parent_id }.insert(&ann).await?;
    let (id, parent_id) = (Set(20), Set(10));
    note::ActiveModel { id, parent_id }.insert(&ann).await?;
    book::Entity::delete_by_id(1).exec(&ann).await?;
    assert_eq!(
        deleted(db).await?,
        [
            by_ann("book", "1"),
            by_ann("note", "20"),
            by_ann("page", "10"),
        ]
    );
    let source = |model: &'static str| async move {
        let records = db.records().await?;
        let record = (records.into_iter())
            .find(|record| record.action == "DELETE" && record.model.as_deref() == Some(model));
        Ok::<_, sea_orm::DbErr>(record.map(|record| record.source))
    };
    // If cascades fire no triggers, the connection records their rows.
    let by = match db.backend() {
        DbBackend::MySql => "CASCADE",
        _ => "TRIGGER",
    };
    assert_eq!(source("page").await?.as_deref(), Some(by));
    assert_eq!(source("note").await?.as_deref(), Some("CASCADE"));
    Ok(())
}
