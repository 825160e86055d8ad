//! Transactions of an `AuditedConnection`: the log equals the table.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, QueryOrder, TransactionTrait,
};
use sea_orm_audit::config::FailurePolicy;
use sea_orm_audit::{Action, AuditConfig, AuditError, AuditEvent, AuditedTransaction};

use crate::entity::post;
use crate::support::{TestDb, TestResult, refuse_records_of};

on_every_database! {
    records_of_one_transaction_have_one_id_and_commit_with_it,
    rolled_back_transaction_leaves_no_record,
    dropped_transaction_leaves_no_record,
    savepoint_takes_its_records_along,
    write_through_the_parent_is_undone_with_the_child_that_is_open,
    raw_savepoints_take_their_records_along,
    records_are_written_in_batches,
    full_buffer_inside_a_savepoint_loses_nothing,
    failed_record_refuses_the_commit,
    failed_record_in_a_savepoint_goes_with_it,
    isolated_failure_lets_the_change_commit,
    the_closure_form_commits_and_rolls_back,
    event_has_the_id_of_its_transaction,
    failed_statement_leaves_no_record_and_the_rest_commits,
}

mod only_postgres {
    crate::support::tests_on!(postgres: aborted_transaction_refuses_to_commit);
}

async fn titles(db: &TestDb) -> TestResult<Vec<String>> {
    let posts = post::Entity::find()
        .order_by_asc(post::Column::Id)
        .all(&db.conn)
        .await?;
    Ok(posts.into_iter().map(|post| post.title).collect())
}

/// The titles that exist according to the log.
async fn recorded(db: &TestDb) -> TestResult<Vec<String>> {
    let mut rows = std::collections::BTreeMap::new();
    for record in db.records().await? {
        let id: i32 = record.object_id.clone().unwrap_or_default().parse()?;
        let row: &mut serde_json::Map<_, _> = rows.entry(id).or_default();
        record.changed().unwrap_or_default().apply(row);
    }
    let title = |row: serde_json::Map<String, serde_json::Value>| {
        row.get("title").and_then(|t| t.as_str()).map(str::to_owned)
    };
    Ok(rows.into_values().filter_map(title).collect())
}

/// The log agrees with the table, which has these titles.
async fn assert_posts(db: &TestDb, expected: &[&str]) -> TestResult {
    assert_eq!(titles(db).await?, expected);
    assert_eq!(recorded(db).await?, expected);
    Ok(())
}

async fn insert(tx: &AuditedTransaction, title: &str) -> TestResult<post::Model> {
    Ok(post::new(title).insert(tx).await?)
}

async fn records_of_one_transaction_have_one_id_and_commit_with_it(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let tx = db.audited().begin().await?;
    let a = insert(&tx, "a").await?;
    insert(&tx, "b").await?;
    post::retitle(a.id, "aa").update(&tx).await?;
    assert_eq!(
        db.log().await?,
        [""; 0],
        "nothing is seen before the commit"
    );
    let id = tx.id();
    tx.commit().await?;
    let records = db.records().await?;
    assert_eq!(records.len(), 3);
    assert!(
        records
            .iter()
            .all(|record| record.transaction_id == Some(id))
    );
    assert_posts(db, &["aa", "b"]).await
}

async fn rolled_back_transaction_leaves_no_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let tx = db.audited().begin().await?;
    insert(&tx, "a").await?;
    tx.rollback().await?;
    assert_posts(db, &[]).await
}

async fn dropped_transaction_leaves_no_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let tx = db.audited().begin().await?;
    insert(&tx, "a").await?;
    drop(tx);
    assert_posts(db, &[]).await
}

async fn savepoint_takes_its_records_along(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let tx = db.audited().begin().await?;
    insert(&tx, "a").await?;
    let kept = tx.begin().await?;
    insert(&kept, "b").await?;
    let undone = kept.begin().await?;
    insert(&undone, "c").await?;
    undone.rollback().await?;
    insert(&kept, "d").await?;
    kept.commit().await?;
    let dropped = tx.begin().await?;
    insert(&dropped, "e").await?;
    drop(dropped);
    insert(&tx, "f").await?;
    tx.commit().await?;
    assert_posts(db, &["a", "b", "d", "f"]).await
}

async fn write_through_the_parent_is_undone_with_the_child_that_is_open(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let tx = db.audited().begin().await?;
    insert(&tx, "a").await?;
    let child = tx.begin().await?;
    insert(&tx, "through the parent").await?;
    child.rollback().await?;
    insert(&tx, "b").await?;
    tx.commit().await?;
    assert_posts(db, &["a", "b"]).await
}

async fn raw_savepoints_take_their_records_along(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let tx = db.audited().begin().await?;
    insert(&tx, "a").await?;
    tx.execute_unprepared("SAVEPOINT mine").await?;
    insert(&tx, "b").await?;
    tx.execute_unprepared("ROLLBACK TO SAVEPOINT mine").await?;
    insert(&tx, "c").await?;
    tx.execute_unprepared("RELEASE SAVEPOINT mine").await?;
    let child = tx.begin().await?;
    insert(&child, "d").await?;
    child.rollback().await?;
    tx.commit().await?;
    assert_posts(db, &["a", "c"]).await
}

async fn records_are_written_in_batches(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let config = AuditConfig::builder().buffered_records(4).build()?;
    let tx = db.audited().with_config(config).begin().await?;
    let (result, statements) = db
        .statements_of(async {
            for number in 0..10 {
                insert(&tx, &format!("post {number}")).await?;
            }
            tx.commit().await?;
            TestResult::Ok(())
        })
        .await;
    result?;
    let batches = statements.iter().filter(|sql| sql.contains("audit_log"));
    // 4, 4 and 2; a SQLite transaction takes the write lock first.
    let lock = usize::from(db.backend() == DbBackend::Sqlite);
    assert_eq!(batches.count(), 3 + lock, "{statements:#?}");
    assert_eq!(titles(db).await?.len(), 10);
    assert_eq!(recorded(db).await?.len(), 10);
    Ok(())
}

async fn full_buffer_inside_a_savepoint_loses_nothing(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let config = AuditConfig::builder().buffered_records(2).build()?;
    let tx = db.audited().with_config(config).begin().await?;
    insert(&tx, "a").await?;
    let titles: Vec<String> = (100..140).map(|number| number.to_string()).collect();
    let child = tx.begin().await?;
    for title in &titles {
        insert(&child, title).await?;
    }
    child.rollback().await?;
    let child = tx.begin().await?;
    for title in &titles {
        insert(&child, title).await?;
    }
    child.commit().await?;
    tx.commit().await?;
    let expected: Vec<&str> = std::iter::once("a")
        .chain(titles.iter().map(String::as_str))
        .collect();
    assert_posts(db, &expected).await
}

async fn failed_record_refuses_the_commit(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    refuse_records_of(db, "").await?;
    let tx = db.audited().begin().await?;
    insert(&tx, "a").await?;
    let error = tx.commit().await.unwrap_err();
    assert!(
        matches!(
            AuditError::of(&error),
            Some(AuditError::CommitRefused { .. })
        ),
        "{error}"
    );
    assert!(error.to_string().contains("audit_log"), "{error}");
    assert_posts(db, &[]).await
}

async fn failed_record_in_a_savepoint_goes_with_it(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let config = AuditConfig::builder().buffered_records(1).build()?;
    refuse_records_of(db, "b").await?;
    let tx = db.audited().with_config(config).begin().await?;
    insert(&tx, "a").await?;
    let child = tx.begin().await?;
    let failed = insert(&child, "b").await;
    assert!(failed.is_err());
    let refused = child.commit().await.unwrap_err();
    assert!(
        matches!(
            AuditError::of(&refused),
            Some(AuditError::CommitRefused { .. })
        ),
        "{refused}"
    );
    insert(&tx, "c").await?;
    tx.commit().await?;
    assert_posts(db, &["a", "c"]).await
}

async fn isolated_failure_lets_the_change_commit(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    refuse_records_of(db, "").await?;
    let config = AuditConfig::builder()
        .failure_policy(FailurePolicy::Isolate)
        .build()?;
    let audited = db.audited().with_config(config);
    let tx = audited.begin().await?;
    insert(&tx, "a").await?;
    tx.commit().await?;
    post::new("b").insert(&audited).await?;
    assert_eq!(titles(db).await?, ["a", "b"]);
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn the_closure_form_commits_and_rolls_back(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let audited = db.audited();
    audited
        .transaction::<_, (), sea_orm::DbErr>(|tx| {
            Box::pin(async move {
                post::new("a").insert(tx).await?;
                Ok(())
            })
        })
        .await?;
    let failed = audited
        .transaction::<_, (), sea_orm::DbErr>(|tx| {
            Box::pin(async move {
                post::new("b").insert(tx).await?;
                Err(sea_orm::DbErr::Custom("no".into()))
            })
        })
        .await;
    assert!(failed.is_err());
    assert_posts(db, &["a"]).await
}

async fn event_has_the_id_of_its_transaction(db: &TestDb) -> TestResult {
    let tx = db.audited().begin().await?;
    AuditEvent::new(Action::custom("APPROVE")?)
        .target_named("invoice", 17)
        .record(&tx)
        .await?;
    let id = tx.id();
    tx.commit().await?;
    assert_eq!(db.record().await?.transaction_id, Some(id));
    Ok(())
}

/// PostgreSQL aborts the transaction, so there the statement gets a savepoint.
async fn failed_statement_leaves_no_record_and_the_rest_commits(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let tx = db.audited().begin().await?;
    insert(&tx, "a").await?;
    let child = tx.begin().await?;
    // Titles are unique.
    assert!(insert(&child, "a").await.is_err());
    child.rollback().await?;
    insert(&tx, "b").await?;
    tx.commit().await?;
    assert_posts(db, &["a", "b"]).await
}

async fn aborted_transaction_refuses_to_commit(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let tx = db.audited().begin().await?;
    insert(&tx, "a").await?;
    assert!(
        tx.execute_unprepared("SELECT no_such_column FROM post")
            .await
            .is_err()
    );
    let error = tx.commit().await.unwrap_err();
    assert!(
        matches!(
            AuditError::of(&error),
            Some(AuditError::CommitRefused { .. })
        ),
        "{error}"
    );
    assert_posts(db, &[]).await
}
