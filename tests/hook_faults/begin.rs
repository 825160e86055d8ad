//! A dropped future of a builder or an event leaves no connection or transaction in another state.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseConnection, EntityTrait, TransactionTrait,
};
use sea_orm_audit::event::{DataExport, EventWriter, LoginAttempt};
use sea_orm_audit::{Actor, AuditError, AuditedConnection, AuditedEntity};

use crate::post;
use crate::proxied_pool::{behind_proxy, dropped_when_stalled};
use crate::stalling_proxy::{Hold, StallingProxy};
use crate::support::{TestDb, TestResult, poll_and_drop};

mod postgres {
    crate::support::tests_on!(postgres:
        dropped_begin_of_a_builder_leaves_the_pool_usable,
        dropped_begin_of_an_event_leaves_the_pool_usable,
        dropped_savepoint_of_a_builder_keeps_the_transaction,
        dropped_savepoint_of_an_event_keeps_the_transaction,
        dropped_update_in_a_transaction_has_no_record,
        dropped_records_are_reported,
    );
}

mod sqlite {
    crate::support::tests_on!(sqlite: dropped_update_in_a_transaction_is_refused_only_by_an_audited_one);
}

mod mariadb {
    crate::support::tests_on!(mariadb:
        dropped_begin_of_a_builder_leaves_the_pool_usable,
        dropped_begin_of_an_event_leaves_the_pool_usable,
        dropped_savepoint_of_a_builder_keeps_the_transaction,
        dropped_savepoint_of_an_event_keeps_the_transaction,
    );
}

/// Writes on the pool are committed: another connection sees them.
async fn pool_commits(db: &TestDb, pool: &DatabaseConnection) -> TestResult {
    pool.execute_unprepared("INSERT INTO post (title) VALUES ('committed')")
        .await?;
    let posts = post::Entity::find().all(&db.conn).await?;
    assert_eq!(posts.len(), 1, "{posts:?}");
    Ok(())
}

async fn dropped_begin_of_a_builder_leaves_the_pool_usable(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let (pool, proxy) = behind_proxy(db).await?;
    proxy.arm("BEGIN", Hold::Answer);
    let insert = post::Entity::audited_insert_many([post::new("never")]);
    dropped_when_stalled(&proxy, insert.exec(&pool)).await;
    proxy.let_go();
    pool_commits(db, &pool).await?;
    pool.close().await?;
    Ok(())
}

async fn dropped_begin_of_an_event_leaves_the_pool_usable(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let (pool, proxy) = behind_proxy(db).await?;
    proxy.arm("BEGIN", Hold::Answer);
    let login = LoginAttempt::succeeded("ann", Actor::user(1));
    dropped_when_stalled(&proxy, login.record(&pool)).await;
    proxy.let_go();
    pool_commits(db, &pool).await?;
    assert_eq!(db.logins().await?.len(), 0);
    pool.close().await?;
    Ok(())
}

/// Later writes on the transaction are rolled back with it.
async fn transaction_goes_on(
    db: &TestDb,
    run: impl AsyncFnOnce(&sea_orm::DatabaseTransaction, &StallingProxy),
) -> TestResult {
    db.create(post::Entity).await?;
    let (pool, proxy) = behind_proxy(db).await?;
    let tx = pool.begin().await?;
    tx.execute_unprepared("INSERT INTO post (title) VALUES ('before')")
        .await?;
    run(&tx, &proxy).await;
    tx.execute_unprepared("INSERT INTO post (title) VALUES ('after')")
        .await?;
    assert_eq!(post::Entity::find().all(&tx).await?.len(), 2);
    assert_eq!(post::Entity::find().all(&db.conn).await?.len(), 0);
    tx.rollback().await?;
    assert_eq!(post::Entity::find().all(&db.conn).await?.len(), 0);
    pool.close().await?;
    Ok(())
}

async fn dropped_savepoint_of_a_builder_keeps_the_transaction(db: &TestDb) -> TestResult {
    transaction_goes_on(db, async |tx, proxy| {
        proxy.arm("SAVEPOINT", Hold::Answer);
        let insert = post::Entity::audited_insert_many([post::new("never")]);
        dropped_when_stalled(proxy, insert.exec(tx)).await;
        proxy.let_go();
    })
    .await
}

async fn dropped_savepoint_of_an_event_keeps_the_transaction(db: &TestDb) -> TestResult {
    transaction_goes_on(db, async |tx, proxy| {
        proxy.arm("SAVEPOINT", Hold::Answer);
        dropped_when_stalled(proxy, DataExport::new("posts").record(tx)).await;
        proxy.let_go();
    })
    .await
}

/// A limit of hooks: no code of theirs runs when the application's statement is dropped. An audited transaction refuses
/// to commit.
async fn dropped_update_in_a_transaction_has_no_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    post::new("a").insert(&db.conn).await?;
    db.forget().await?;
    let (pool, proxy) = behind_proxy(db).await?;
    let tx = pool.begin().await?;
    // The text is the bound value: the statement is prepared before.
    proxy.arm("dropped 1", Hold::Answer);
    dropped_when_stalled(&proxy, post::retitle(1, "dropped 1").update(&tx)).await;
    proxy.let_go();
    tx.commit().await?;
    let posts = post::Entity::find().all(&db.conn).await?;
    assert_eq!(posts[0].title, "dropped 1");
    assert_eq!(db.log().await?, [""; 0]);

    let tx = AuditedConnection::new(pool.clone()).begin().await?;
    proxy.arm("dropped 2", Hold::Answer);
    dropped_when_stalled(&proxy, post::retitle(1, "dropped 2").update(&tx)).await;
    proxy.let_go();
    let refused = tx.commit().await.unwrap_err();
    assert!(AuditError::of(&refused).is_some(), "{refused}");
    let posts = post::Entity::find().all(&db.conn).await?;
    assert_eq!(posts[0].title, "dropped 1");
    pool.close().await?;
    Ok(())
}

/// The only test of this program that installs a writer.
async fn dropped_records_are_reported(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    post::new("a").insert(&db.conn).await?;
    let writer = EventWriter::start(db.conn.clone());
    writer.install();
    let (pool, proxy) = behind_proxy(db).await?;
    let tx = pool.begin().await?;
    proxy.arm("audit_log", Hold::Answer);
    dropped_when_stalled(&proxy, post::retitle(1, "b").update(&tx)).await;
    proxy.let_go();
    tx.rollback().await?;
    let tx = pool.begin().await?;
    proxy.arm("audit_log", Hold::Answer);
    let insert = post::Entity::audited_insert_many([post::new("c")]);
    dropped_when_stalled(&proxy, insert.exec(&tx)).await;
    proxy.let_go();
    tx.rollback().await?;
    writer.flush().await;
    let events = db.counted_events().await?.join("\n");
    for title in [
        "a write was dropped while its record was written",
        "a write inside of a transaction was dropped before it was recorded",
    ] {
        assert!(events.contains(title), "{events}");
    }
    writer.shutdown().await;
    pool.close().await?;
    Ok(())
}

/// SQLite has no proxy that could hold the answer. Slow triggers make each write pending, but whether a read
/// is pending depends on the worker thread. So all is repeated until a future was dropped between write and record.
async fn dropped_update_in_a_transaction_is_refused_only_by_an_audited_one(
    db: &TestDb,
) -> TestResult {
    db.create(post::Entity).await?;
    post::new("old").insert(&db.conn).await?;
    db.execute_unprepared(
        "CREATE VIEW slow AS WITH RECURSIVE counter (n) AS \
         (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 20000) SELECT max(n) AS n FROM counter; \
         CREATE TRIGGER post_slow AFTER UPDATE ON post BEGIN SELECT n FROM slow; END; \
         CREATE TRIGGER log_slow AFTER INSERT ON audit_log BEGIN SELECT n FROM slow; END",
    )
    .await?;
    let title = async || -> TestResult<String> {
        let post = post::Entity::find_by_id(1).one(&db.conn).await?;
        Ok(post.ok_or("no post")?.title)
    };
    let (mut unrecorded, mut finished) = (0, 0);
    for polls in (1..=6).cycle().take(600) {
        if polls == 1 && unrecorded > 0 && finished > 0 {
            break;
        }
        let new = format!("dropped after {polls}");
        let (before, records) = (title().await?, db.records().await?.len());
        let tx = db.conn.begin().await?;
        poll_and_drop(post::retitle(1, &new).update(&tx), polls).await;
        tx.commit().await?;
        let is_changed = title().await? != before;
        let is_recorded = db.records().await?.len() > records;
        assert!(is_changed || !is_recorded, "{new}");
        unrecorded += usize::from(is_changed && !is_recorded);

        let new = format!("audited, dropped after {polls}");
        let (before, records) = (title().await?, db.records().await?.len());
        let tx = db.audited().begin().await?;
        let update = post::retitle(1, &new).update(&tx);
        finished += usize::from(poll_and_drop(update, polls).await.is_some());
        let committed = tx.commit().await.is_ok();
        let is_changed = title().await? != before;
        let is_recorded = db.records().await?.len() > records;
        assert_eq!(is_changed, is_recorded, "{new}");
        assert!(committed || !is_changed, "{new}");
    }
    assert!(unrecorded > 0, "no future was dropped after its statement");
    assert!(finished > 0, "no future was polled to its end");
    Ok(())
}
