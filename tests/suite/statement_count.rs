//! How many statements an operation costs.

use sea_orm::{ActiveModelTrait, DbBackend, IntoActiveModel, Set, TransactionTrait};

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    insert_costs_one_statement_more,
    update_costs_two_statements_more,
    delete_costs_three_statements_more,
}

/// SeaORM's own statements: one, or two if it reads the row again for lack of RETURNING.
fn own(db: &TestDb) -> usize {
    use sea_orm::ConnectionTrait;
    if db.support_returning() { 1 } else { 2 }
}

/// On SQLite a transaction takes the write lock before it reads.
fn lock(db: &TestDb) -> usize {
    usize::from(db.backend() == DbBackend::Sqlite)
}

/// In a transaction of MySQL's, `LAST_INSERT_ID()` is read before the record and set again after it.
fn keep_id(db: &TestDb) -> usize {
    if db.backend() == DbBackend::MySql {
        2
    } else {
        0
    }
}

/// The query whether the row is deleted, on databases where a trigger can keep it.
fn confirm(db: &TestDb) -> usize {
    usize::from(db.backend() != DbBackend::MySql)
}

async fn insert_costs_one_statement_more(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let (result, statements) = db.statements_of(post::new("a").insert(&db.conn)).await;
    result?;
    assert_eq!(statements.len(), own(db) + 1, "{statements:#?}");
    let tx = db.begin().await?;
    let (result, statements) = db.statements_of(post::new("b").insert(&tx)).await;
    result?;
    assert_eq!(
        statements.len(),
        own(db) + 1 + keep_id(db),
        "{statements:#?}"
    );
    tx.commit().await?;
    Ok(())
}

async fn update_costs_two_statements_more(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let mut post = post::new("a").insert(&db.conn).await?.into_active_model();
    post.qty = Set(8);
    let (result, statements) = db.statements_of(post.clone().update(&db.conn)).await;
    result?;
    assert_eq!(statements.len(), own(db) + 2, "{statements:#?}");
    post.qty = Set(9);
    let tx = db.begin().await?;
    let (result, statements) = db.statements_of(post.update(&tx)).await;
    result?;
    let more = 2 + lock(db) + keep_id(db);
    assert_eq!(statements.len(), own(db) + more, "{statements:#?}");
    tx.commit().await?;
    Ok(())
}

async fn delete_costs_three_statements_more(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let a = post::new("a").insert(&db.conn).await?.into_active_model();
    let b = post::new("b").insert(&db.conn).await?.into_active_model();
    let (result, statements) = db.statements_of(a.delete(&db.conn)).await;
    result?;
    assert_eq!(statements.len(), 3 + confirm(db), "{statements:#?}");
    let tx = db.begin().await?;
    let (result, statements) = db.statements_of(b.delete(&tx)).await;
    result?;
    let more = lock(db) + confirm(db) + keep_id(db);
    assert_eq!(statements.len(), 3 + more, "{statements:#?}");
    tx.commit().await?;
    Ok(())
}
