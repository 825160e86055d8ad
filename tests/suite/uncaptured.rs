//! What fires no hook and leaves no record, as `docs/semantics.md` says. A later way of capture
//! turns these tests around.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Schema};

use crate::entity::{comment, post};
use crate::support::{TestDb, TestResult};

on_every_database! {
    inserts_of_the_entity_leave_no_record,
    updates_of_the_entity_leave_no_record,
    deletes_of_the_entity_leave_no_record,
    an_update_without_returning_leaves_no_record,
    raw_sql_leaves_no_record,
    a_cascade_of_the_database_leaves_no_record,
}

async fn inserts_of_the_entity_leave_no_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    post::Entity::insert(post::new("a")).exec(&db.conn).await?;
    post::Entity::insert_many([post::new("b"), post::new("c")])
        .exec(&db.conn)
        .await?;
    let upsert = OnConflict::column(post::Column::Title)
        .update_column(post::Column::Title)
        .to_owned();
    post::Entity::insert(post::new("a"))
        .on_conflict(upsert)
        .exec_without_returning(&db.conn)
        .await?;
    assert_eq!(post::Entity::find().all(&db.conn).await?.len(), 3);
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn updates_of_the_entity_leave_no_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let a = post::new("a").insert(&db.conn).await?;
    db.forget().await?;
    post::Entity::update(post::retitle(a.id, "b"))
        .exec(&db.conn)
        .await?;
    let result = post::Entity::update_many()
        .col_expr(post::Column::Qty, Expr::col(post::Column::Qty))
        .filter(post::Column::Title.eq("b"))
        .exec(&db.conn)
        .await?;
    assert_eq!(result.rows_affected, 1);
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn deletes_of_the_entity_leave_no_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    for title in ["a", "b", "c"] {
        post::new(title).insert(&db.conn).await?;
    }
    db.forget().await?;
    post::Entity::delete(post::retitle(1, "a"))
        .exec(&db.conn)
        .await?;
    post::Entity::delete_by_id(2).exec(&db.conn).await?;
    post::Entity::delete_many().exec(&db.conn).await?;
    assert_eq!(post::Entity::find().all(&db.conn).await?, []);
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn an_update_without_returning_leaves_no_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let a = post::new("a").insert(&db.conn).await?;
    db.forget().await?;
    post::retitle(a.id, "b")
        .update_without_returning(&db.conn)
        .await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn raw_sql_leaves_no_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    db.execute_unprepared("INSERT INTO post (title) VALUES ('a')")
        .await?;
    db.execute_unprepared("UPDATE post SET title = 'b'").await?;
    db.execute_unprepared("DELETE FROM post").await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn a_cascade_of_the_database_leaves_no_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let mut comments = Schema::new(db.backend()).create_table_from_entity(comment::Entity);
    // As `on_delete = "Cascade"` on the relation would make it.
    let sql = db.backend().build(&comments.take()).to_string();
    let (body, end) = sql.rsplit_once("REFERENCES").ok_or("no foreign key")?;
    let (target, rest) = end.split_once(')').ok_or("no referenced column")?;
    db.execute_unprepared(&format!(
        "{body}REFERENCES{target}) ON DELETE CASCADE{rest}"
    ))
    .await?;
    let a = post::new("a").insert(&db.conn).await?;
    comment::new(a.id, "goes along").insert(&db.conn).await?;
    db.forget().await?;
    post::retitle(a.id, "a").delete(&db.conn).await?;
    assert_eq!(comment::Entity::find().all(&db.conn).await?, []);
    let models: Vec<_> = (db.records().await?.into_iter())
        .filter_map(|r| r.model)
        .collect();
    assert_eq!(models, ["post"]);
    Ok(())
}
