//! Failed operations leave the before-image store no larger. A separate process, since the store is one for the
//! process.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_imports,
    unused_macros
)]

#[path = "suite/entity/mod.rs"]
mod entity;
#[macro_use]
extern crate sea_orm_audit_tests;
use sea_orm_audit_tests::support;

use sea_orm::{ActiveModelTrait, Set, TransactionTrait};
use sea_orm_audit::{AuditContext, AuditStats};

use entity::{comment, post};
use support::{TestDb, TestResult};

const FAILURES: usize = 10_000;

/// An entity whose own hooks refuse every update and delete.
mod picky {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "picky")]
    #[audit(behavior = "own")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub text: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    #[sea_orm_audit::behavior]
    #[async_trait::async_trait]
    impl ActiveModelBehavior for ActiveModel {
        async fn after_save<C>(model: Model, _: &C, insert: bool) -> Result<Model, DbErr>
        where
            C: ConnectionTrait,
        {
            if insert {
                return Ok(model);
            }
            Err(DbErr::Custom("no".into()))
        }

        async fn before_delete<C: ConnectionTrait>(self, _: &C) -> Result<Self, DbErr> {
            Err(DbErr::Custom("no".into()))
        }
    }
}

fn picky(id: i32) -> picky::ActiveModel {
    picky::ActiveModel {
        id: Set(id),
        text: Set(id.to_string()),
    }
}

/// Updates, deletes and inserts that fail on constraints or in the user's own hooks, and updates of
/// missing rows.
async fn fail(db: &TestDb, b: i32) -> TestResult {
    let tx = db.begin().await?;
    for round in 0..FAILURES {
        let savepoint = tx.begin().await?;
        let failed = match round % 6 {
            4 => picky(1).update(&savepoint).await.is_err(),
            5 => picky(1).delete(&savepoint).await.is_err(),
            0 => post::retitle(b, "taken").update(&savepoint).await.is_err(),
            1 => post::retitle(-1, "x").update(&savepoint).await.is_err(),
            2 => post::retitle(b, "x").delete(&savepoint).await.is_err(),
            _ => post::new("taken").insert(&savepoint).await.is_err(),
        };
        assert!(failed, "round {round}");
        savepoint.rollback().await?;
    }
    tx.rollback().await?;
    Ok(())
}

async fn check(db: TestDb) -> TestResult {
    db.create(post::Entity).await?;
    db.create(comment::Entity).await?;
    db.create(picky::Entity).await?;
    picky(1).insert(&db.conn).await?;
    post::new("taken").insert(&db.conn).await?;
    let b = post::new("b").insert(&db.conn).await?;
    comment::new(b.id, "keeps the post")
        .insert(&db.conn)
        .await?;
    db.forget().await?;

    // As in a request: the images of failed operations are deleted when the scope ends.
    let before = AuditStats::now().before_images;
    AuditContext::new().scope(fail(&db, b.id)).await?;
    assert_eq!(AuditStats::now().before_images, before);

    // Outside of any scope, a few images of each row may stay for operations that never end; ten thousand more failures
    // add none.
    fail(&db, b.id).await?;
    let after_some = AuditStats::now().before_images;
    assert!(
        after_some <= before + 64,
        "{before} before, {after_some} after"
    );
    fail(&db, b.id).await?;
    assert_eq!(AuditStats::now().before_images, after_some);

    assert_eq!(db.log().await?, [""; 0]);
    db.remove().await
}

#[tokio::test]
async fn ten_thousand_failures_leave_the_store_no_larger() -> TestResult {
    let databases = [
        TestDb::sqlite().await?,
        TestDb::postgres().await?,
        TestDb::mariadb().await?,
    ];
    for db in databases.into_iter().flatten() {
        check(db).await?;
    }
    Ok(())
}
