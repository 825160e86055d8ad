//! Many tasks, one pool: every record carries its own task's actor, and nothing leaks.

use std::collections::BTreeMap;
use std::task::Poll;

use futures::FutureExt;
use futures::future::join_all;
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, DbBackend, EntityTrait, IntoActiveModel, Set,
    TransactionTrait,
};
use sea_orm_audit::{Actor, AuditContext, WithAuditContext};
use serde_json::json;

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    two_hundred_tasks_each_record_their_own_actor,
    nothing_leaks_after_a_panic_or_a_cancelled_future,
    a_spawned_task_has_the_context_only_when_it_is_taken_along,
    two_updates_in_one_join_do_not_mix,
    two_updates_of_one_row_in_one_join_each_have_their_own_new_values,
    two_updates_of_one_row_in_one_transaction_do_not_mix,
    two_hundred_transactions_on_one_row_make_an_unbroken_chain,
    two_actors_on_one_row_in_one_join_are_told_apart,
    a_future_dropped_at_any_point_leaves_no_record_without_its_change,
    rows_whose_keys_differ_by_case_do_not_mix,
    two_deletes_of_one_row_at_once_may_both_be_recorded_on_a_pool,
    inserts_of_composite_keys_do_not_lock_each_other_out,
}

const TASKS: i32 = 200;

async fn two_hundred_tasks_each_record_their_own_actor(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let tasks = (0..TASKS).map(|number| {
        let conn = db.conn.clone();
        tokio::spawn(async move {
            AuditContext::new()
                .actor(Actor::user(number))
                .scope(async move {
                    let mut post = post::new(&format!("title {number}"))
                        .insert(&conn)
                        .await?
                        .into_active_model();
                    tokio::task::yield_now().await;
                    post.qty = Set(1000 + number);
                    let post = post.update(&conn).await?.into_active_model();
                    if number % 2 == 0 {
                        post.delete(&conn).await?;
                    }
                    TestResult::Ok(())
                })
                .await
        })
    });
    for task in join_all(tasks).await {
        task??;
    }
    let mut per_actor: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in db.records().await? {
        let actor = record.actor_id.unwrap();
        let changes = record.changes.unwrap();
        match record.action.as_str() {
            "CREATE" => assert_eq!(changes["title"]["new"], format!("title {actor}")),
            "UPDATE" => assert_eq!(
                changes,
                json!({"qty": {"old": 7, "new": 1000 + actor.parse::<i32>()?}})
            ),
            _ => assert_eq!(changes["title"]["old"], format!("title {actor}")),
        }
        per_actor.entry(actor).or_default().push(record.action);
    }
    assert_eq!(per_actor.len(), TASKS as usize);
    for (actor, actions) in per_actor {
        let expected = if actor.parse::<i32>()? % 2 == 0 {
            vec!["CREATE", "UPDATE", "DELETE"]
        } else {
            vec!["CREATE", "UPDATE"]
        };
        assert_eq!(actions, expected, "actor {actor}");
    }
    Ok(())
}

async fn nothing_leaks_after_a_panic_or_a_cancelled_future(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let panics = AuditContext::new()
        .actor(Actor::user("panics"))
        .scope(async { panic!("on purpose") });
    assert!(
        std::panic::AssertUnwindSafe(panics)
            .catch_unwind()
            .await
            .is_err()
    );
    post::new("after the panic").insert(&db.conn).await?;

    let mut cancelled = Box::pin(AuditContext::new().actor(Actor::user("cancelled")).scope(
        async {
            tokio::task::yield_now().await;
            post::new("never").insert(&db.conn).await
        },
    ));
    assert!((&mut cancelled).now_or_never().is_none());
    drop(cancelled);
    post::new("after the cancelled").insert(&db.conn).await?;

    let actors: Vec<_> = (db.records().await?.into_iter())
        .map(|r| (r.object_repr.unwrap(), r.actor_type, r.actor_id))
        .collect();
    assert_eq!(
        actors,
        [
            ("after the panic (#1)".into(), "UNKNOWN".into(), None),
            ("after the cancelled (#2)".into(), "UNKNOWN".into(), None),
        ]
    );
    Ok(())
}

async fn a_spawned_task_has_the_context_only_when_it_is_taken_along(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    AuditContext::new()
        .actor(Actor::user(7))
        .scope(async {
            for (title, along) in [("without", false), ("with", true)] {
                let conn = db.conn.clone();
                let work = async move { post::new(title).insert(&conn).await };
                if along {
                    tokio::spawn(work.with_audit_context()).await??;
                } else {
                    tokio::spawn(work).await??;
                }
            }
            TestResult::Ok(())
        })
        .await?;
    let actors: Vec<_> = (db.records().await?.into_iter())
        .map(|r| (r.actor_type, r.actor_id))
        .collect();
    assert_eq!(
        actors,
        [
            ("UNKNOWN".to_owned(), None),
            ("USER".to_owned(), Some("7".to_owned()))
        ]
    );
    Ok(())
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

/// The two operations of a `join!` in the order that mixes them most: both hooks before, both
/// statements, both hooks after. (A real `join!` seldom gets there: the transaction's lock goes to
/// whoever asks first.)
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

/// In transactions the row is locked from the read on: each old value is the new one before it. On
/// SQLite in WAL nobody may lose to "database is locked".
async fn two_hundred_transactions_on_one_row_make_an_unbroken_chain(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let a = post::new("a").insert(&db.conn).await?;
    db.forget().await?;
    let tasks = (0..TASKS).map(|number| {
        let conn = db.conn.clone();
        tokio::spawn(async move {
            let tx = conn.begin().await?;
            post::retitle(a.id, &format!("title {number}"))
                .update(&tx)
                .await?;
            tx.commit().await
        })
    });
    for task in join_all(tasks).await {
        task??;
    }
    let mut title = json!("a");
    let records = db.records().await?;
    assert_eq!(records.len(), TASKS as usize);
    for record in records {
        let changes = record.changes.unwrap();
        assert_eq!(changes["title"]["old"], title);
        title = changes["title"]["new"].clone();
    }
    let last = post::Entity::find_by_id(a.id).one(&db.conn).await?.unwrap();
    assert_eq!(title, json!(last.title));
    Ok(())
}

async fn two_actors_on_one_row_in_one_join_are_told_apart(db: &TestDb) -> TestResult {
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

/// Polls a future until it has been pending so many times, and drops it then.
async fn drop_after<F: Future>(pending: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = pending;
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

async fn a_future_dropped_at_any_point_leaves_no_record_without_its_change(
    db: &TestDb,
) -> TestResult {
    if db.backend() == DbBackend::MySql {
        // A statement dropped half-way leaves sqlx's MySQL connection out of step with the server, with
        // hooks or without; nothing that follows on it can be relied on.
        return Ok(());
    }
    db.create(post::Entity).await?;
    let mut finished = 0;
    for pending in 0..30 {
        // A connection of its own each time: one that was dropped in BEGIN stays in a transaction.
        let conn = db.another().await?;
        let tx = conn.begin().await?;
        let work = async {
            let title = format!("in a transaction {pending}");
            let mut post = post::new(&title).insert(&tx).await?.into_active_model();
            post.qty = Set(8);
            post.update(&tx).await
        };
        let as_user = AuditContext::new().actor(Actor::user(pending));
        if drop_after(pending, as_user.scope(work)).await.is_some() {
            finished += 1;
            tx.commit().await?;
        } else {
            drop(tx);
        }
        conn.close().await?;

        let conn = db.another().await?;
        let work = post::new(&format!("on a pool {pending}")).insert(&conn);
        let as_user = AuditContext::new().actor(Actor::user(pending));
        drop_after(pending, as_user.scope(work)).await;
        conn.close().await?;
    }
    assert!(finished > 0, "30 times pending must be enough");
    // Whoever comes next is nobody else.
    let next = post::new("next").insert(&db.conn).await?;
    let last = db.records().await?.pop().unwrap();
    assert_eq!(
        (last.object_id, last.actor_id),
        (Some(next.id.to_string()), None)
    );

    let posts = post::Entity::find().all(&db.conn).await?;
    let records = db.records().await?;
    for record in &records {
        let id = record.object_id.as_ref().unwrap();
        let post = posts.iter().find(|post| post.id.to_string() == *id);
        assert!(post.is_some(), "a record without its change: {record:?}");
    }
    // In a transaction the two are one. On a pool a change may be without its record: the future was
    // dropped between the two.
    for post in posts.iter().filter(|post| post.title.starts_with("in a")) {
        let actions: Vec<_> = (records.iter())
            .filter(|r| r.object_id == Some(post.id.to_string()))
            .map(|r| r.action.as_str())
            .collect();
        assert_eq!(actions, ["CREATE", "UPDATE"], "{post:?}");
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
        return Ok(()); // There they are one row, unless the column says otherwise.
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

/// A limit that is stated: a hook is not told how many rows its statement hit.
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

mod pair {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "pair")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub one: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub two: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// A locking read of a row that does not exist yet would lock the gap it goes into.
async fn inserts_of_composite_keys_do_not_lock_each_other_out(db: &TestDb) -> TestResult {
    db.create(pair::Entity).await?;
    let tasks = (0..60).map(|number| {
        let conn = db.conn.clone();
        tokio::spawn(async move {
            let tx = conn.begin().await?;
            let new = pair::ActiveModel {
                one: Set(number),
                two: Set(number),
            };
            new.insert(&tx).await?;
            tx.commit().await
        })
    });
    for task in join_all(tasks).await {
        task??;
    }
    assert_eq!(db.log().await?.len(), 60);
    Ok(())
}
