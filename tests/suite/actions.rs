//! Create, update and delete, as stored.

use sea_orm::{ActiveModelTrait, Set, TransactionTrait};
use serde_json::json;

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    created_row_is_recorded_with_what_the_database_filled_in,
    updated_row_is_recorded_with_old_and_new,
    deleted_row_is_recorded_with_what_it_held,
}

fn new_post(title: &str) -> post::ActiveModel {
    post::ActiveModel {
        title: Set(title.to_owned()),
        ..Default::default()
    }
}

async fn created_row_is_recorded_with_what_the_database_filled_in(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let post = new_post("a").insert(&db.conn).await?;
    let record = db.record().await?;
    assert_eq!(record.action, "CREATE");
    assert_eq!(record.outcome, "SUCCESS");
    assert_eq!(record.model.as_deref(), Some("post"));
    assert_eq!(record.object_id, Some(post.id.to_string()));
    assert_eq!(record.object_repr, Some(format!("a (#{})", post.id)));
    assert_eq!(record.actor_type, "UNKNOWN");
    assert_eq!(record.source, "HOOK");
    assert_eq!(
        record.changes,
        Some(json!({
            "id": {"new": post.id},
            "title": {"new": "a"},
            "body": {"new": null},
            "qty": {"new": 7},
        }))
    );
    assert_eq!(record.transaction_id, None);
    Ok(())
}

async fn updated_row_is_recorded_with_old_and_new(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let post = new_post("a").insert(&db.conn).await?;
    for in_transaction in [false, true] {
        db.forget().await?;
        let mut edit: post::ActiveModel = post.clone().into();
        edit.title = Set(format!("b {in_transaction}"));
        edit.qty = Set(7);
        if in_transaction {
            let tx = db.begin().await?;
            edit.update(&tx).await?;
            tx.commit().await?;
        } else {
            edit.update(&db.conn).await?;
        }
        let record = db.record().await?;
        assert_eq!(record.action, "UPDATE");
        assert_eq!(record.object_id, Some(post.id.to_string()));
        let old = if in_transaction { "b false" } else { "a" };
        assert_eq!(
            record.changes,
            Some(json!({"title": {"old": old, "new": format!("b {in_transaction}")}}))
        );
    }
    Ok(())
}

async fn deleted_row_is_recorded_with_what_it_held(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let post = new_post("a").insert(&db.conn).await?;
    db.forget().await?;
    // Only the key is known to the caller.
    let only_key = post::ActiveModel {
        id: Set(post.id),
        ..Default::default()
    };
    only_key.delete(&db.conn).await?;
    let record = db.record().await?;
    assert_eq!(record.action, "DELETE");
    assert_eq!(record.object_repr, Some(format!("a (#{})", post.id)));
    assert_eq!(
        record.changes,
        Some(json!({
            "id": {"old": post.id},
            "title": {"old": "a"},
            "body": {"old": null},
            "qty": {"old": 7},
        }))
    );
    Ok(())
}
