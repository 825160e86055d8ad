//! An `after_save` or `after_delete` whose hook before the write did not run: a program that updates rows by a bulk
//! statement and calls only the hook after it, as seaography does.

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait,
    IntoActiveModel, QueryFilter, Set, TransactionTrait,
};
use serde_json::json;

use crate::logged::Logged;
use crate::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    after_save_alone_records_new_values_and_claims_no_old_ones,
    after_delete_alone_records_no_values,
    both_hooks_around_a_bulk_statement_record_old_values,
}

/// Updates a post and calls the hook after it, but not the one before.
async fn update_and_call_after_save<C: ConnectionTrait>(db: &C, title: &str) -> TestResult {
    post::Entity::update_many()
        .set(post::ActiveModel {
            title: Set(title.to_owned()),
            ..Default::default()
        })
        .filter(post::Column::Id.eq(1))
        .exec(db)
        .await?;
    let posts = post::Entity::find().all(db).await?;
    for post in posts {
        post::ActiveModel::after_save(post, db, false).await?;
    }
    Ok(())
}

async fn one_post(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    post::new("a").insert(&db.conn).await?;
    Ok(db.forget().await?)
}

async fn after_save_alone_records_new_values_and_claims_no_old_ones(db: &TestDb) -> TestResult {
    one_post(db).await?;
    update_and_call_after_save(&db.conn, "b").await?;
    let tx = db.begin().await?;
    update_and_call_after_save(&tx, "c").await?;
    tx.commit().await?;
    // SeaORM gives the hook a model, which does not show the columns that were set.
    let changes = |title: &str| {
        json!({
            "id": {"new": 1, "old_unknown": true},
            "title": {"new": title, "old_unknown": true},
            "body": {"new": null, "old_unknown": true},
            "qty": {"new": 7, "old_unknown": true},
        })
    };
    let records = db.records().await?;
    let found: Vec<_> = (records.iter())
        .map(|record| (record.action.as_str(), record.changes.clone()))
        .collect();
    assert_eq!(
        found,
        [
            ("UPDATE", Some(changes("b"))),
            ("UPDATE", Some(changes("c")))
        ]
    );
    // The next write by both hooks has its old value.
    db.forget().await?;
    post::retitle(1, "d").update(&db.conn).await?;
    assert_eq!(
        db.record().await?.changes,
        Some(json!({"title": {"old": "c", "new": "d"}}))
    );
    Ok(())
}

async fn after_delete_alone_records_no_values(db: &TestDb) -> TestResult {
    one_post(db).await?;
    let post = post::Entity::find_by_id(1).one(&db.conn).await?;
    let post = post.ok_or("no post")?.into_active_model();
    post::Entity::delete_by_id(1).exec(&db.conn).await?;
    post.after_delete(&db.conn).await?;
    let record = db.record().await?;
    let unknown = json!({"old_unknown": true});
    assert_eq!(record.action, "DELETE");
    assert_eq!(
        record.changes,
        Some(json!({"id": unknown, "title": unknown, "body": unknown, "qty": unknown}))
    );
    Ok(())
}

async fn both_hooks_around_a_bulk_statement_record_old_values(db: &TestDb) -> TestResult {
    one_post(db).await?;
    let tx = db.begin().await?;
    let post = post::retitle(1, "b").before_save(&tx, false).await?;
    let post = post::Entity::update(post).exec(&tx).await?;
    post::ActiveModel::after_save(post, &tx, false).await?;
    tx.commit().await?;
    assert_eq!(
        db.record().await?.changes,
        Some(json!({"title": {"old": "a", "new": "b"}}))
    );
    Ok(())
}

/// Tests with an entity of their own, since an entity is logged once for each process.
macro_rules! with_an_entity {
    ($($database:ident = $name:literal),*) => { $(
        mod $database {
            use super::*;

            mod item {
                use sea_orm::entity::prelude::*;
                use sea_orm_audit::Auditable;

                #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
                #[sea_orm(table_name = "item")]
                #[audit(name = $name)]
                pub struct Model {
                    #[sea_orm(primary_key, auto_increment = false)]
                    pub id: i32,
                }

                #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
                pub enum Relation {}
            }

            async fn missing_hook_is_logged_once_for_an_entity(db: &TestDb) -> TestResult {
                db.create(item::Entity).await?;
                let logged = Logged::default();
                let writer = logged.clone();
                let subscriber = tracing_subscriber::fmt().with_writer(writer).finish();
                let _guard = tracing::subscriber::set_default(subscriber);
                let lines = || logged.lines("old values unknown");

                let item = item::Model { id: 1 };
                item::ActiveModel::after_save(item.clone(), &db.conn, true).await?;
                // An audited connection captures the statement, and the hook has nothing to do.
                item::ActiveModel::after_save(item.clone(), &db.audited(), false).await?;
                assert_eq!(lines(), [""; 0]);
                for _ in 0..2 {
                    item::ActiveModel::after_save(item.clone(), &db.conn, false).await?;
                    let [line] = &lines()[..] else {
                        return Err(format!("{:?}", lines()).into());
                    };
                    let model = concat!("model=\"", $name, "\"");
                    for part in ["WARN", model, "`before_save`", "AuditedConnection", "trigger"] {
                        assert!(line.contains(part), "{part}: {line}");
                    }
                }
                Ok(())
            }

            mod logged_once {
                crate::support::tests_on! { $database: missing_hook_is_logged_once_for_an_entity }
            }
        }
    )* };
}

mod logs {
    use super::*;

    with_an_entity! { sqlite = "sqlite item", postgres = "postgres item", mariadb = "mariadb item" }
}
