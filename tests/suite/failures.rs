//! A failed operation is not recorded, its error stays SeaORM's, and nothing is left behind.

use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, Set, SqlErr, TransactionTrait};
use sea_orm_audit::AuditError;

use crate::entity::{comment, post};
use crate::support::{TestDb, TestResult};

on_every_database! {
    updating_a_missing_row_records_nothing,
    deleting_a_missing_row_records_nothing,
    failed_unique_constraint_records_nothing,
    failed_foreign_key_records_nothing,
    the_operation_after_a_failed_one_has_its_own_old_values,
}

async fn updating_a_missing_row_records_nothing(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let error = post::retitle(1, "a").update(&db.conn).await.unwrap_err();
    assert!(matches!(error, DbErr::RecordNotUpdated), "{error:?}");
    let tx = db.begin().await?;
    let error = post::retitle(1, "a").update(&tx).await.unwrap_err();
    assert!(matches!(error, DbErr::RecordNotUpdated), "{error:?}");
    tx.commit().await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn deleting_a_missing_row_records_nothing(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let result = post::retitle(1, "a").delete(&db.conn).await?;
    assert_eq!(result.rows_affected, 0);
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn failed_unique_constraint_records_nothing(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    post::new("a").insert(&db.conn).await?;
    let b = post::new("b").insert(&db.conn).await?;
    db.forget().await?;
    let insert = post::new("a").insert(&db.conn).await.unwrap_err();
    let update = post::retitle(b.id, "a").update(&db.conn).await.unwrap_err();
    for error in [insert, update] {
        let kind = error.sql_err();
        assert!(
            matches!(kind, Some(SqlErr::UniqueConstraintViolation(_))),
            "{error:?}"
        );
        assert!(AuditError::of(&error).is_none());
    }
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn failed_foreign_key_records_nothing(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    db.create(comment::Entity).await?;
    let post = post::new("a").insert(&db.conn).await?;
    let comment = comment::new(post.id, "hello").insert(&db.conn).await?;
    db.forget().await?;
    let insert = comment::new(99, "x").insert(&db.conn).await.unwrap_err();
    let moved = comment::ActiveModel {
        id: Set(comment.id),
        post_id: Set(99),
        ..Default::default()
    };
    let update = moved.update(&db.conn).await.unwrap_err();
    let delete = post::retitle(post.id, "a")
        .delete(&db.conn)
        .await
        .unwrap_err();
    for error in [insert, update, delete] {
        let kind = error.sql_err();
        assert!(
            matches!(kind, Some(SqlErr::ForeignKeyConstraintViolation(_))),
            "{error:?}"
        );
    }
    assert_eq!(db.log().await?, [""; 0]);
    assert!(
        post::Entity::find_by_id(post.id)
            .one(&db.conn)
            .await?
            .is_some()
    );
    Ok(())
}

/// The image of the failed operation is still stored when its retry succeeds.
async fn the_operation_after_a_failed_one_has_its_own_old_values(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    post::new("taken").insert(&db.conn).await?;
    let b = post::new("b").insert(&db.conn).await?;
    db.forget().await?;
    assert!(post::retitle(b.id, "taken").update(&db.conn).await.is_err());
    // Another task changes the row.
    let conn = db.conn.clone();
    tokio::spawn(async move { post::retitle(b.id, "c").update(&conn).await }).await??;
    post::retitle(b.id, "d").update(&db.conn).await?;
    assert_eq!(
        db.log().await?,
        [
            r#"UPDATE post 2 {"title":{"new":"c","old":"b"}}"#,
            r#"UPDATE post 2 {"title":{"new":"d","old":"c"}}"#,
        ]
    );
    Ok(())
}
