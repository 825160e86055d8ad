//! How many statements an operation costs on the audited connection, without transaction control: it adds BEGIN and
//! COMMIT to a single write, and nothing to a transaction.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Set,
    TransactionTrait,
};
use sea_orm_audit::{AuditConfig, AuditedEntity};

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    single_writes_cost_few_statements,
    thousand_inserts_in_one_transaction_cost_a_handful_more,
    thousand_rows_in_bulk_cost_a_handful,
    skipped_model_costs_nothing,
    update_of_nothing_costs_no_record,
}

/// SeaORM's own statements: one, or two if it reads the row again for lack of RETURNING.
fn own(db: &TestDb) -> usize {
    if db.support_returning() { 1 } else { 2 }
}

/// The catalogue query, once per transaction.
fn catalogue(db: &TestDb) -> usize {
    usize::from(!is_mysql(db))
}

/// Reading `LAST_INSERT_ID()` before a batch of records, and setting it after it.
fn kept(db: &TestDb) -> usize {
    2 * usize::from(is_mysql(db))
}

fn is_mysql(db: &TestDb) -> bool {
    db.backend() == DbBackend::MySql
}

async fn single_writes_cost_few_statements(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let audited = db.audited();
    post::new("first").insert(&audited).await?;
    let (done, insert) = db.statements_of(post::new("a").insert(&audited)).await;
    let a = done?;
    // MySQL returns no row: it is read by its key.
    let read = usize::from(is_mysql(db));
    assert_eq!(
        insert.len(),
        catalogue(db) + own(db) + read + kept(db) + 1,
        "INSERT and record: {insert:#?}"
    );
    let (done, update) = db
        .statements_of(post::retitle(a.id, "b").update(&audited))
        .await;
    done?;
    // A read before it, and another one if UPDATE returns no row.
    let reads = 1 + usize::from(is_mysql(db));
    // The title is unique, so foreign keys may refer to it; PostgreSQL's catalogue query already includes that.
    let referring = usize::from(db.backend() != DbBackend::Postgres);
    assert_eq!(
        update.len(),
        catalogue(db) + referring + own(db) + reads + kept(db) + 1,
        "SELECT, UPDATE, record: {update:#?}"
    );
    let (done, delete) = db
        .statements_of(post::retitle(a.id, "b").delete(&audited))
        .await;
    done?;
    // PostgreSQL returns the old row.
    let read = usize::from(db.backend() != DbBackend::Postgres);
    assert_eq!(
        delete.len(),
        catalogue(db) + read + 1 + kept(db) + 1,
        "DELETE and record: {delete:#?}"
    );
    Ok(())
}

async fn thousand_inserts_in_one_transaction_cost_a_handful_more(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let audited = db.audited();
    post::new("first").insert(&audited).await?;
    let (done, statements) = db
        .statements_of(async {
            let tx = audited.begin().await?;
            for number in 0..1000 {
                post::new(&format!("{number}")).insert(&tx).await?;
            }
            tx.commit().await
        })
        .await;
    done?;
    let more = statements.len() - 1000 * own(db);
    // Two full buffers; MySQL and SQLite take them in powers of two rows.
    let most = match db.backend() {
        DbBackend::Postgres => 2 + 1,
        // Each row is read by its key.
        DbBackend::MySql => 1000 + 2 * (6 + kept(db)) + 1,
        _ => 2 * 6 + 1 + 1,
    };
    assert!(more <= most, "{more} more");
    assert_eq!(db.records().await?.len(), 1001);
    Ok(())
}

async fn thousand_rows_in_bulk_cost_a_handful(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let audited = db.audited();
    post::new("first").insert(&audited).await?;
    let models = || (0..1000).map(|number| post::new(&format!("{number}")));
    // Per 500 records one statement, or as many as there are powers of two.
    let records = if db.backend() == DbBackend::Postgres {
        2
    } else {
        2 * 6
    };
    let (done, insert) = db
        .statements_of(post::Entity::audited_insert_many(models()).exec(&audited))
        .await;
    done?;
    let records = records + 2 * kept(db);
    // Its rows are read by the keys that it returns.
    let most = catalogue(db) + 2 + records;
    assert!(insert.len() <= most, "{}", insert.len());
    let (done, update) = db
        .statements_of(
            post::Entity::audited_update_many()
                .col_expr(post::Column::Qty, Expr::col(post::Column::Qty).add(1))
                .filter(post::Column::Id.gt(1))
                .exec(&audited),
        )
        .await;
    assert_eq!(done?.rows_affected, 1000);
    let again = usize::from(db.backend() != DbBackend::Postgres);
    let most = catalogue(db) + 2 + again + records;
    assert!(update.len() <= most, "{}", update.len());
    let (done, delete) = db
        .statements_of(
            post::Entity::audited_delete_many()
                .filter(post::Column::Id.gt(1))
                .exec(&audited),
        )
        .await;
    assert_eq!(done?.rows_affected, 1000);
    let most = catalogue(db) + 2 + records;
    assert!(delete.len() <= most, "{}", delete.len());
    assert_eq!(db.records().await?.len(), 3001);
    Ok(())
}

async fn skipped_model_costs_nothing(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let config = AuditConfig::builder()
        .skip_entity::<post::Entity>()
        .build()?;
    let audited = db.audited().with_config(config);
    post::new("first").insert(&audited).await?;
    let (done, statements) = db
        .statements_of(async {
            let a = post::new("a").insert(&audited).await?;
            post::retitle(a.id, "b").update(&audited).await?;
            post::Entity::delete_many().exec(&audited).await
        })
        .await;
    done?;
    assert_eq!(statements.len(), 2 * own(db) + 1, "{statements:#?}");
    Ok(())
}

async fn update_of_nothing_costs_no_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let audited = db.audited();
    let a = post::new("a").insert(&audited).await?;
    let mut same = post::retitle(a.id, "a");
    same.qty = Set(7);
    let (done, statements) = db.statements_of(same.update(&audited)).await;
    done?;
    assert!(
        !statements.iter().any(|sql| sql.contains("audit_log")),
        "{statements:#?}"
    );
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}
