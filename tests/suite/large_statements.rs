//! Statements that write more rows than are kept at once.

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, TransactionTrait};
use sea_orm_audit::{AuditConfig, AuditedConnection};

use crate::entity::post;
use crate::statement_forms::replays;
use crate::support::{TestDb, TestResult};

on_every_database! {
    a_large_statement_is_captured_in_pieces,
    pieces_are_undone_together,
}

/// A hundred posts, and a connection that captures thirty rows at a time.
async fn hundred(db: &TestDb) -> TestResult<AuditedConnection> {
    db.create(post::Entity).await?;
    let models = (0..100).map(|number| post::new(&format!("post {number}")));
    post::Entity::insert_many(models).exec(&db.conn).await?;
    let config = AuditConfig::builder()
        .chunk_rows(30)
        .buffered_records(16)
        .build()?;
    Ok(db.audited().with_config(config))
}

async fn a_large_statement_is_captured_in_pieces(db: &TestDb) -> TestResult {
    let audited = hundred(db).await?;
    let (result, statements) = db
        .statements_of(audited.execute_unprepared("UPDATE post SET qty = qty + id WHERE qty = 7"))
        .await;
    assert_eq!(result?.rows_affected(), 100);
    // The first look, and 100 rows in pieces of 30.
    let updates = statements.iter().filter(|sql| sql.starts_with("UPDATE"));
    assert_eq!(updates.count(), 4, "{statements:#?}");
    assert_eq!(db.log().await?.len(), 100);
    replays(db).await?;
    db.forget().await?;
    let tx = audited.begin().await?;
    let result = post::Entity::delete_many().exec(&tx).await?;
    assert_eq!(result.rows_affected, 100);
    tx.commit().await?;
    let ids: std::collections::HashSet<_> = db
        .records()
        .await?
        .into_iter()
        .map(|r| r.object_id)
        .collect();
    assert_eq!(ids.len(), 100);
    assert_eq!(post::Entity::find().count(&db.conn).await?, 0);
    Ok(())
}

async fn pieces_are_undone_together(db: &TestDb) -> TestResult {
    let audited = hundred(db).await?;
    // Titles are unique: the last row's new title is there already.
    let first = match db.backend() {
        DbBackend::MySql => "CONCAT('post ', id % 100, '')",
        _ => "'post ' || (id % 100)",
    };
    let sql = format!(
        "UPDATE post SET qty = 1, title = CASE WHEN id = 100 THEN 'post 5' ELSE title END, body = {first}"
    );
    let tx = audited.begin().await?;
    assert!(tx.execute_unprepared(&sql).await.is_err());
    tx.commit().await?;
    assert_eq!(db.log().await?, [""; 0]);
    let posts = post::Entity::find().all(&db.conn).await?;
    assert!(posts.iter().all(|post| post.qty == 7));
    Ok(())
}
