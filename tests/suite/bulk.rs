//! Bulk builders, on plain and audited connections and transactions.

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set, TransactionTrait,
};
use sea_orm_audit::AuditedEntity;

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    update_records_what_each_row_was_and_is,
    inserts_and_deletes_record_every_row,
    upsert_records_what_it_did,
    builders_work_inside_a_plain_transaction,
    builders_on_an_audited_connection_record_once,
    failed_builder_leaves_nothing,
}

async fn some_posts(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    for title in ["a", "b", "c"] {
        post::new(title).insert(&db.conn).await?;
    }
    db.forget().await?;
    Ok(())
}

async fn one_more<C: ConnectionTrait + TransactionTrait + 'static>(db: &C) -> TestResult<u64> {
    let result = post::Entity::audited_update_many()
        .col_expr(post::Column::Qty, Expr::col(post::Column::Qty).add(1))
        .filter(post::Column::Title.ne("b"))
        .exec(db)
        .await?;
    Ok(result.rows_affected)
}

const ONE_MORE: [&str; 2] = [
    r#"UPDATE post 1 {"qty":{"new":8,"old":7}}"#,
    r#"UPDATE post 3 {"qty":{"new":8,"old":7}}"#,
];

async fn update_records_what_each_row_was_and_is(db: &TestDb) -> TestResult {
    some_posts(db).await?;
    assert_eq!(one_more(&db.conn).await?, 2);
    assert_eq!(db.log().await?, ONE_MORE);
    let sources: Vec<_> = db.records().await?.into_iter().map(|r| r.source).collect();
    assert_eq!(sources, ["BULK", "BULK"]);
    Ok(())
}

async fn inserts_and_deletes_record_every_row(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let result = post::Entity::audited_insert_many([post::new("a"), post::new("b")])
        .exec(&db.conn)
        .await?;
    assert!(result.last_insert_id.is_some());
    let none: [post::ActiveModel; 0] = [];
    post::Entity::audited_insert_many(none)
        .exec(&db.conn)
        .await?;
    let one = post::Entity::audited_delete_by_id(1).exec(&db.conn).await?;
    assert_eq!(one.rows_affected, 1);
    let rest = post::Entity::audited_delete_many()
        .filter(post::Column::Title.eq("b"))
        .exec(&db.conn)
        .await?;
    assert_eq!(rest.rows_affected, 1);
    let lines: Vec<_> = (db.records().await?.into_iter())
        .map(|r| format!("{} {}", r.action, r.object_repr.unwrap_or_default()))
        .collect();
    assert_eq!(
        lines,
        [
            "CREATE a (#1)",
            "CREATE b (#2)",
            "DELETE a (#1)",
            "DELETE b (#2)"
        ]
    );
    Ok(())
}

async fn upsert_records_what_it_did(db: &TestDb) -> TestResult {
    some_posts(db).await?;
    let mut a = post::new("a");
    a.qty = Set(1);
    let mut d = post::new("d");
    d.qty = Set(1);
    let update = OnConflict::column(post::Column::Title)
        .update_column(post::Column::Qty)
        .to_owned();
    post::Entity::audited_insert_many([a, d])
        .on_conflict(update)
        .exec_without_returning(&db.conn)
        .await?;
    let lines: Vec<_> = (db.records().await?.into_iter())
        .map(|r| format!("{} {}", r.action, r.changes.unwrap_or_default()["qty"]))
        .collect();
    assert_eq!(
        lines,
        [r#"UPDATE {"new":1,"old":7}"#, r#"CREATE {"new":1}"#]
    );
    Ok(())
}

async fn builders_work_inside_a_plain_transaction(db: &TestDb) -> TestResult {
    some_posts(db).await?;
    let tx = db.begin().await?;
    one_more(&tx).await?;
    tx.rollback().await?;
    assert_eq!(db.log().await?, [""; 0]);
    let tx = db.begin().await?;
    one_more(&tx).await?;
    tx.commit().await?;
    assert_eq!(db.log().await?, ONE_MORE);
    Ok(())
}

async fn builders_on_an_audited_connection_record_once(db: &TestDb) -> TestResult {
    some_posts(db).await?;
    let audited = db.audited();
    one_more(&audited).await?;
    assert_eq!(db.log().await?, ONE_MORE);
    db.forget().await?;
    let tx = audited.begin().await?;
    one_more(&tx).await?;
    tx.commit().await?;
    let records = db.records().await?;
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record.source == "BULK"));
    Ok(())
}

async fn failed_builder_leaves_nothing(db: &TestDb) -> TestResult {
    some_posts(db).await?;
    db.execute_unprepared("DROP TABLE audit_log").await?;
    let error = one_more(&db.conn).await.unwrap_err();
    assert!(error.to_string().contains("audit_log"), "{error}");
    let posts = post::Entity::find().all(&db.conn).await?;
    assert!(posts.iter().all(|post| post.qty == 7), "{posts:?}");
    Ok(())
}
