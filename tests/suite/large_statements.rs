//! Statements that write more rows than are captured at once.

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, TransactionTrait};
use sea_orm_audit::{AuditConfig, AuditedConnection};

use crate::entity::post;
use crate::statement_forms::replays;
use crate::support::{TestDb, TestResult};

on_every_database! {
    large_statement_runs_once_and_is_captured,
    failed_large_statement_leaves_no_record,
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

async fn large_statement_runs_once_and_is_captured(db: &TestDb) -> TestResult {
    let audited = hundred(db).await?;
    let (result, statements) = db
        .statements_of(audited.execute_raw(sea_orm::Statement::from_string(
            db.backend(),
            "UPDATE post SET qty = qty + id WHERE qty = 7",
        )))
        .await;
    assert_eq!(result?.rows_affected(), 100);
    let updates = statements.iter().filter(|sql| sql.starts_with("UPDATE"));
    assert_eq!(updates.count(), 1, "{statements:#?}");
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

async fn failed_large_statement_leaves_no_record(db: &TestDb) -> TestResult {
    let audited = hundred(db).await?;
    // Titles are unique: the last row's new title exists already.
    let first = match db.backend() {
        DbBackend::MySql => "CONCAT('post ', id % 100, '')",
        _ => "'post ' || (id % 100)",
    };
    let sql = format!(
        "UPDATE post SET qty = 1, title = CASE WHEN id = 100 THEN 'post 5' ELSE title END, body = {first}"
    );
    let tx = audited.begin().await?;
    assert!(tx.execute_unprepared(&sql).await.is_err());
    // PostgreSQL has aborted the transaction, as it does without audit log.
    let is_aborted = db.backend() == DbBackend::Postgres;
    assert_eq!(tx.commit().await.is_err(), is_aborted);
    assert_eq!(db.log().await?, [""; 0]);
    let posts = post::Entity::find().all(&db.conn).await?;
    assert!(posts.iter().all(|post| post.qty == 7));
    Ok(())
}
