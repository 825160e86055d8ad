//! Several concurrent operations in one task, on one row or on similar rows.

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, DbBackend, EntityTrait, Set, TransactionTrait,
};
use sea_orm_audit::{Actor, AuditContext};
use serde_json::json;

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    two_updates_in_one_join_do_not_mix,
    two_updates_of_one_row_in_one_join_each_have_their_own_new_values,
    two_updates_of_one_row_in_one_transaction_do_not_mix,
    two_actors_on_one_row_in_one_join_are_distinguished,
    rows_whose_keys_differ_by_case_do_not_mix,
    two_deletes_of_one_row_at_once_may_both_be_recorded_on_a_pool,
}

async fn two_updates_in_one_join_do_not_mix(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let a = post::new("a").insert(&db.conn).await?;
    let b = post::new("b").insert(&db.conn).await?;
    db.forget().await?;
    let as_user = |id: &str| AuditContext::new().actor(Actor::user(id));
    let (one, two) = tokio::join!(
        as_user("ann").scope(post::retitle(a.id, "a2").update(&db.conn)),
        as_user("bob").scope(post::retitle(b.id, "b2").update(&db.conn)),
    );
    one?;
    two?;
    let mut records: Vec<_> = (db.records().await?.into_iter())
        .map(|r| (r.actor_id.unwrap(), r.changes.unwrap()))
        .collect();
    records.sort_by_key(|(actor, _)| actor.clone());
    assert_eq!(
        records,
        [
            ("ann".into(), json!({"title": {"old": "a", "new": "a2"}})),
            ("bob".into(), json!({"title": {"old": "b", "new": "b2"}})),
        ]
    );
    Ok(())
}

/// On a pool old values may be stale; new values, and which fields they are of, never.
async fn two_updates_of_one_row_in_one_join_each_have_their_own_new_values(
    db: &TestDb,
) -> TestResult {
    db.create(post::Entity).await?;
    let a = post::new("a").insert(&db.conn).await?;
    for round in 0..20 {
        db.forget().await?;
        let quantity = post::ActiveModel {
            id: Set(a.id),
            qty: Set(100 + round),
            ..Default::default()
        };
        let body = post::ActiveModel {
            id: Set(a.id),
            body: Set(Some(format!("body {round}"))),
            ..Default::default()
        };
        let title = format!("title {round}");
        let (one, two, three) = tokio::join!(
            post::retitle(a.id, &title).update(&db.conn),
            quantity.update(&db.conn),
            body.update(&db.conn),
        );
        one?;
        two?;
        three?;
        let mut new: Vec<_> = (db.records().await?.into_iter())
            .map(|record| {
                let changes = record.changed().unwrap();
                assert_eq!(changes.len(), 1, "{changes:?}");
                let (field, change) = changes.into_iter().next().unwrap();
                (field, change.new_value().cloned().unwrap())
            })
            .collect();
        new.sort_by_key(|(field, _)| field.clone());
        assert_eq!(
            new,
            [
                ("body".into(), json!(format!("body {round}"))),
                ("qty".into(), json!(100 + round)),
                ("title".into(), json!(format!("title {round}"))),
            ]
        );
    }
    Ok(())
}

/// The two operations of a `join!` in the most interleaved order: both hooks before, both statements, both hooks after.
/// (A real `join!` rarely gets this order: the first caller gets the transaction's lock.)
async fn two_updates_of_one_row_in_one_transaction_do_not_mix(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let a = post::new("a").insert(&db.conn).await?;
    db.forget().await?;
    let quantity = post::ActiveModel {
        id: Set(a.id),
        qty: Set(8),
        ..Default::default()
    };
    let tx = db.begin().await?;
    let title = post::retitle(a.id, "b").before_save(&tx, false).await?;
    let quantity = quantity.before_save(&tx, false).await?;
    let title = post::Entity::update(title).exec(&tx).await?;
    let quantity = post::Entity::update(quantity).exec(&tx).await?;
    post::ActiveModel::after_save(quantity, &tx, false).await?;
    post::ActiveModel::after_save(title, &tx, false).await?;
    tx.commit().await?;
    assert_eq!(
        db.log().await?,
        [
            r#"UPDATE post 1 {"qty":{"new":8,"old":7}}"#,
            r#"UPDATE post 1 {"title":{"new":"b","old":"a"}}"#,
        ]
    );
    Ok(())
}

async fn two_actors_on_one_row_in_one_join_are_distinguished(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let a = post::new("a").insert(&db.conn).await?;
    for round in 0..20 {
        db.forget().await?;
        let quantity = post::ActiveModel {
            id: Set(a.id),
            qty: Set(100 + round),
            ..Default::default()
        };
        let as_user = |id: &str| AuditContext::new().actor(Actor::user(id));
        let (one, two) = tokio::join!(
            as_user("ann").scope(post::retitle(a.id, &format!("{round}")).update(&db.conn)),
            as_user("bob").scope(quantity.update(&db.conn)),
        );
        one?;
        two?;
        let mut seen: Vec<_> = (db.records().await?.into_iter())
            .map(|r| (r.actor_id.unwrap(), r.changes.unwrap()))
            .map(|(actor, changes)| {
                (
                    actor,
                    changes.as_object().unwrap().keys().cloned().collect(),
                )
            })
            .collect::<Vec<(String, Vec<String>)>>();
        seen.sort();
        let by = |actor: &str, field: &str| (actor.to_owned(), vec![field.to_owned()]);
        assert_eq!(seen, [by("ann", "title"), by("bob", "qty")]);
    }
    Ok(())
}

mod word {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "word")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub word: String,
        pub text: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// Both hooks before, both statements, both hooks after.
async fn rows_whose_keys_differ_by_case_do_not_mix(db: &TestDb) -> TestResult {
    if db.backend() == DbBackend::MySql {
        return Ok(()); // They are one row there, unless the column says otherwise.
    }
    db.create(word::Entity).await?;
    let word = |word: &str, text: &str| word::ActiveModel {
        word: Set(word.to_owned()),
        text: Set(text.to_owned()),
    };
    word("A", "upper").insert(&db.conn).await?;
    word("a", "lower").insert(&db.conn).await?;
    db.forget().await?;
    let upper = word("A", "x").before_save(&db.conn, false).await?;
    let lower = word("a", "x").before_save(&db.conn, false).await?;
    let upper = word::Entity::update(upper).exec(&db.conn).await?;
    let lower = word::Entity::update(lower).exec(&db.conn).await?;
    word::ActiveModel::after_save(upper, &db.conn, false).await?;
    word::ActiveModel::after_save(lower, &db.conn, false).await?;
    let upper = word("A", "x").before_delete(&db.conn).await?;
    let lower = word("a", "x").before_delete(&db.conn).await?;
    word::Entity::delete_many().exec(&db.conn).await?;
    upper.after_delete(&db.conn).await?;
    lower.after_delete(&db.conn).await?;
    assert_eq!(
        db.log().await?,
        [
            r#"UPDATE word A {"text":{"new":"x","old":"upper"}}"#,
            r#"UPDATE word a {"text":{"new":"x","old":"lower"}}"#,
            r#"DELETE word A {"text":{"old":"x"},"word":{"old":"A"}}"#,
            r#"DELETE word a {"text":{"old":"x"},"word":{"old":"a"}}"#,
        ]
    );
    Ok(())
}

/// A documented limit: a hook does not learn how many rows its statement changed.
async fn two_deletes_of_one_row_at_once_may_both_be_recorded_on_a_pool(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let a = post::new("a").insert(&db.conn).await?;
    db.forget().await?;
    let one = post::retitle(a.id, "a").before_delete(&db.conn).await?;
    let two = post::retitle(a.id, "a").before_delete(&db.conn).await?;
    post::Entity::delete(one.clone()).exec(&db.conn).await?;
    post::Entity::delete(two.clone()).exec(&db.conn).await?;
    one.after_delete(&db.conn).await?;
    two.after_delete(&db.conn).await?;
    assert_eq!(db.log().await?.len(), 2);
    Ok(())
}
