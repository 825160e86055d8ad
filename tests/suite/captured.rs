//! Writes that `AuditedConnection` captures although they fire no hook.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    inserts_of_the_entity_are_recorded,
    updates_of_the_entity_are_recorded,
    deletes_of_the_entity_are_recorded,
    update_without_returning_is_recorded,
    raw_sql_is_recorded,
    upsert_is_recorded_as_what_it_did,
    model_is_recorded_once,
}

async fn inserts_of_the_entity_are_recorded(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let audited = db.audited();
    let a = post::Entity::insert(post::new("a")).exec(&audited).await?;
    assert_eq!(a.last_insert_id, 1);
    post::Entity::insert_many([post::new("b"), post::new("c")])
        .exec(&audited)
        .await?;
    let inserted = post::Entity::insert(post::new("d"))
        .exec_without_returning(&audited)
        .await?;
    assert_eq!(inserted, 1);
    let created = |id: i32, title: &str| {
        format!(
            r#"CREATE post {id} {{"body":{{"new":null}},"id":{{"new":{id}}},"qty":{{"new":7}},"title":{{"new":"{title}"}}}}"#
        )
    };
    assert_eq!(
        db.log().await?,
        [
            created(1, "a"),
            created(2, "b"),
            created(3, "c"),
            created(4, "d")
        ]
    );
    Ok(())
}

async fn updates_of_the_entity_are_recorded(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let a = post::new("a").insert(&db.conn).await?;
    let b = post::new("b").insert(&db.conn).await?;
    db.forget().await?;
    let audited = db.audited();
    post::Entity::update(post::retitle(a.id, "aa"))
        .exec(&audited)
        .await?;
    let result = post::Entity::update_many()
        .col_expr(post::Column::Qty, Expr::cust("qty + id"))
        .filter(post::Column::Id.lte(b.id))
        .exec(&audited)
        .await?;
    assert_eq!(result.rows_affected, 2);
    let result = post::Entity::update_many()
        .col_expr(post::Column::Qty, Expr::col(post::Column::Qty))
        .exec(&audited)
        .await?;
    assert_eq!(result.rows_affected, 2);
    let mut log = db.log().await?;
    log.sort();
    assert_eq!(
        log,
        [
            r#"UPDATE post 1 {"qty":{"new":8,"old":7}}"#,
            r#"UPDATE post 1 {"title":{"new":"aa","old":"a"}}"#,
            r#"UPDATE post 2 {"qty":{"new":9,"old":7}}"#,
        ]
    );
    Ok(())
}

async fn deletes_of_the_entity_are_recorded(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    for title in ["a", "b", "c", "d"] {
        post::new(title).insert(&db.conn).await?;
    }
    db.forget().await?;
    let audited = db.audited();
    let one = post::Entity::delete(post::retitle(1, "a"))
        .exec(&audited)
        .await?;
    assert_eq!(one.rows_affected, 1);
    let missing = post::Entity::delete_by_id(17).exec(&audited).await?;
    assert_eq!(missing.rows_affected, 0);
    post::Entity::delete_by_id(2).exec(&audited).await?;
    let rest = post::Entity::delete_many().exec(&audited).await?;
    assert_eq!(rest.rows_affected, 2);
    assert_eq!(post::Entity::find().all(&audited).await?, []);
    let ids: Vec<_> = (db.records().await?.into_iter())
        .map(|record| format!("{} {}", record.action, record.object_id.unwrap_or_default()))
        .collect();
    assert_eq!(ids, ["DELETE 1", "DELETE 2", "DELETE 3", "DELETE 4"]);
    Ok(())
}

async fn update_without_returning_is_recorded(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let a = post::new("a").insert(&db.conn).await?;
    db.forget().await?;
    let audited = db.audited();
    post::retitle(a.id, "b")
        .update_without_returning(&audited)
        .await?;
    assert_eq!(
        db.log().await?,
        [r#"UPDATE post 1 {"title":{"new":"b","old":"a"}}"#]
    );
    let missing = post::retitle(17, "x")
        .update_without_returning(&audited)
        .await;
    assert!(matches!(missing, Err(sea_orm::DbErr::RecordNotUpdated)));
    assert_eq!(db.log().await?.len(), 1);
    Ok(())
}

async fn raw_sql_is_recorded(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let audited = db.audited();
    audited
        .execute_unprepared("INSERT INTO post (title) VALUES ('a')")
        .await?;
    audited
        .execute_unprepared("UPDATE post SET title = 'it''s' -- comment")
        .await?;
    audited.execute_unprepared("DELETE FROM post;").await?;
    assert_eq!(
        db.log().await?,
        [
            r#"CREATE post 1 {"body":{"new":null},"id":{"new":1},"qty":{"new":7},"title":{"new":"a"}}"#,
            r#"UPDATE post 1 {"title":{"new":"it's","old":"a"}}"#,
            r#"DELETE post 1 {"body":{"old":null},"id":{"old":1},"qty":{"old":7},"title":{"old":"it's"}}"#,
        ]
    );
    Ok(())
}

async fn upsert_is_recorded_as_what_it_did(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let audited = db.audited();
    let upsert = |title: &str, body: &str| {
        let mut model = post::new(title);
        model.body = sea_orm::Set(Some(body.to_owned()));
        model
    };
    let on_title = || {
        OnConflict::column(post::Column::Title)
            .update_column(post::Column::Body)
            .to_owned()
    };
    for models in [
        vec![upsert("a", "1")],
        vec![upsert("a", "2"), upsert("b", "1")],
        vec![upsert("a", "2"), upsert("b", "3"), upsert("c", "1")],
    ] {
        post::Entity::insert_many(models)
            .on_conflict(on_title())
            .exec_without_returning(&audited)
            .await?;
    }
    let ignored = OnConflict::column(post::Column::Title)
        .do_nothing_on([post::Column::Id])
        .to_owned();
    post::Entity::insert_many([upsert("a", "9"), upsert("d", "1")])
        .on_conflict(ignored)
        .exec_without_returning(&audited)
        .await?;
    let labels: Vec<_> = (db.records().await?.into_iter())
        .map(|record| {
            let repr = record.object_repr.unwrap_or_default();
            let title = repr.split(' ').next().unwrap_or_default().to_owned();
            let changes = record.changes.unwrap_or_default();
            format!("{} {title} {}", record.action, changes["body"])
        })
        .collect();
    assert_eq!(
        labels,
        [
            r#"CREATE a {"new":"1"}"#,
            r#"UPDATE a {"new":"2","old":"1"}"#,
            r#"CREATE b {"new":"1"}"#,
            r#"UPDATE b {"new":"3","old":"1"}"#,
            r#"CREATE c {"new":"1"}"#,
            r#"CREATE d {"new":"1"}"#,
        ]
    );
    Ok(())
}

async fn model_is_recorded_once(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let audited = db.audited();
    let a = post::new("a").insert(&audited).await?;
    let a = post::retitle(a.id, "b").update(&audited).await?;
    post::retitle(a.id, "b").delete(&audited).await?;
    let actions: Vec<_> = (db.records().await?.into_iter())
        .map(|record| {
            (
                record.action,
                record.source,
                record.transaction_id.is_some(),
            )
        })
        .collect();
    let expected = ["CREATE", "UPDATE", "DELETE"].map(|action| {
        let source = "STATEMENT".to_owned();
        (action.to_owned(), source, true)
    });
    assert_eq!(actions, expected);
    Ok(())
}
