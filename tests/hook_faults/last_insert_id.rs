//! `LAST_INSERT_ID()` is the application's, whatever the log inserts.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseExecutor, DbBackend, EntityTrait, Statement,
    TransactionTrait,
};
use sea_orm_audit::event::{DataExport, EventType, LoginAttempt, SystemEvent, record_view};
use sea_orm_audit::{Action, Actor, AuditEvent, AuditedEntity};

use crate::post;
use crate::support::{TestDb, TestResult};

mod mariadb {
    crate::support::tests_on!(mariadb:
        last_insert_id_is_the_applications_after_hooks,
        last_insert_id_is_the_applications_after_events,
        last_insert_id_is_the_applications_after_builders,
    );
}

mod postgres {
    crate::support::tests_on!(postgres: last_id_function_reports_the_record_of_a_hook);
}

mod sqlite {
    crate::support::tests_on!(sqlite: last_id_function_reports_the_record_of_a_hook);
}

async fn last_insert_id<C: ConnectionTrait>(db: &C) -> TestResult<u64> {
    let sql = "SELECT LAST_INSERT_ID() AS id";
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await?.ok_or("one row")?;
    Ok(row.try_get("", "id")?)
}

async fn prepared(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    // Keys that no table of the log reaches.
    db.execute_unprepared("ALTER TABLE post AUTO_INCREMENT = 700")
        .await?;
    Ok(())
}

async fn last_insert_id_is_the_applications_after_hooks(db: &TestDb) -> TestResult {
    prepared(db).await?;
    let tx = db.begin().await?;
    let a = post::new("a").insert(&tx).await?;
    assert_eq!(a.id, 700);
    assert_eq!(last_insert_id(&tx).await?, 700);
    post::new("b").insert(&tx).await?;
    assert_eq!(last_insert_id(&tx).await?, 701);
    post::retitle(700, "c").update(&tx).await?;
    assert_eq!(last_insert_id(&tx).await?, 701);
    post::retitle(700, "c").delete(&tx).await?;
    assert_eq!(last_insert_id(&tx).await?, 701);
    // A key beyond the signed integers, and a handle that may be a pool.
    let executor = DatabaseExecutor::from(&tx);
    tx.execute_unprepared("SELECT LAST_INSERT_ID(18446744073709551609)")
        .await?;
    post::retitle(701, "d").update(&executor).await?;
    drop(executor);
    assert_eq!(last_insert_id(&tx).await?, 18_446_744_073_709_551_609);
    tx.commit().await?;
    assert_eq!(db.records().await?.len(), 5);
    Ok(())
}

async fn last_insert_id_is_the_applications_after_events(db: &TestDb) -> TestResult {
    prepared(db).await?;
    let a = post::new("a").insert(&db.conn).await?;
    let tx = db.begin().await?;
    tx.execute_unprepared("INSERT INTO post (title) VALUES ('b')")
        .await?;
    let id = last_insert_id(&tx).await?;
    assert_eq!(id, 701);
    AuditEvent::new(Action::Import).record(&tx).await?;
    assert_eq!(last_insert_id(&tx).await?, id);
    record_view(&tx, &a).await?;
    assert_eq!(last_insert_id(&tx).await?, id);
    LoginAttempt::succeeded("ann", Actor::user(1))
        .record(&tx)
        .await?;
    assert_eq!(last_insert_id(&tx).await?, id);
    let export = DataExport::new("posts").record(&tx).await?;
    assert_eq!(last_insert_id(&tx).await?, id);
    DataExport::record_download(&tx, export).await?;
    assert_eq!(last_insert_id(&tx).await?, id);
    SystemEvent::new(EventType::Info, "a title")
        .record(&tx)
        .await?;
    assert_eq!(last_insert_id(&tx).await?, id);
    tx.commit().await?;
    Ok(())
}

async fn last_insert_id_is_the_applications_after_builders(db: &TestDb) -> TestResult {
    prepared(db).await?;
    let tx = db.begin().await?;
    let posts = [post::new("a"), post::new("b")];
    post::Entity::audited_insert_many(posts).exec(&tx).await?;
    // Of several rows, MySQL keeps the first key.
    assert_eq!(last_insert_id(&tx).await?, 700);
    tx.commit().await?;
    assert_eq!(db.records().await?.len(), 2);
    Ok(())
}

/// What `docs/semantics.md` says that the log cannot hide.
async fn last_id_function_reports_the_record_of_a_hook(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let (first, sql) = match db.backend() {
        DbBackend::Postgres => (
            "ALTER SEQUENCE post_id_seq RESTART WITH 700",
            "SELECT lastval()",
        ),
        _ => (
            "INSERT INTO sqlite_sequence (name, seq) VALUES ('post', 699)",
            "SELECT last_insert_rowid()",
        ),
    };
    db.execute_unprepared(first).await?;
    let tx = db.begin().await?;
    assert_eq!(post::new("a").insert(&tx).await?.id, 700);
    let statement = Statement::from_string(db.backend(), sql);
    let row = tx.query_one_raw(statement).await?.ok_or("one row")?;
    let last: i64 = row.try_get_by_index(0)?;
    tx.commit().await?;
    let records = db.records().await?;
    let ids: Vec<i64> = records.iter().map(|record| record.id).collect();
    assert_eq!(ids, [last]);
    assert_ne!(last, 700);
    Ok(())
}
