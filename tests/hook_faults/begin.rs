//! A dropped future of a builder or an event leaves no connection, and no transaction, in another state.

use sea_orm::sqlx::mysql::{MySqlPoolOptions, MySqlSslMode};
use sea_orm::sqlx::postgres::{PgPoolOptions, PgSslMode};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait,
    SqlxMySqlConnector, SqlxPostgresConnector, TransactionTrait,
};
use sea_orm_audit::{Action, Actor, Auditable, DataExport, LoginAttempt};

use crate::post;
use crate::stalling_proxy::{Hold, StallingProxy};
use crate::support::{TestDb, TestResult};

mod postgres {
    crate::support::tests_on!(postgres:
        dropped_begin_of_a_builder_leaves_the_pool_usable,
        dropped_begin_of_an_event_leaves_the_pool_usable,
        dropped_savepoint_of_a_builder_keeps_the_transaction,
        dropped_savepoint_of_an_event_keeps_the_transaction,
    );
}

mod mariadb {
    crate::support::tests_on!(mariadb:
        dropped_begin_of_a_builder_leaves_the_pool_usable,
        dropped_begin_of_an_event_leaves_the_pool_usable,
        dropped_savepoint_of_a_builder_keeps_the_transaction,
        dropped_savepoint_of_an_event_keeps_the_transaction,
    );
}

/// A pool of one connection to the same database, through a proxy.
pub(crate) async fn behind_proxy(db: &TestDb) -> TestResult<(DatabaseConnection, StallingProxy)> {
    if db.backend() == DbBackend::Postgres {
        let options = db.conn.get_postgres_connection_pool().connect_options();
        let server = format!("{}:{}", options.get_host(), options.get_port());
        let proxy = StallingProxy::to(server).await?;
        let options = (*options)
            .clone()
            .host("127.0.0.1")
            .port(proxy.address.port())
            .ssl_mode(PgSslMode::Disable);
        let pool = PgPoolOptions::new().max_connections(1);
        let pool = pool.connect_with(options).await?;
        return Ok((SqlxPostgresConnector::from_sqlx_postgres_pool(pool), proxy));
    }
    let url = std::env::var("TEST_MYSQL_URL")?;
    let server = url.rsplit_once('@').ok_or("a user in the URL")?.1;
    let server = server.split_once('/').ok_or("a database in the URL")?.0;
    let proxy = StallingProxy::to(server.to_owned()).await?;
    let options = db.conn.get_mysql_connection_pool().connect_options();
    let options = (*options)
        .clone()
        .host("127.0.0.1")
        .port(proxy.address.port())
        .ssl_mode(MySqlSslMode::Disabled);
    let pool = MySqlPoolOptions::new().max_connections(1);
    let pool = pool.connect_with(options).await?;
    Ok((SqlxMySqlConnector::from_sqlx_mysql_pool(pool), proxy))
}

/// Drops a future as soon as the proxy holds what it waits for.
async fn dropped_when_stalled<F: Future>(proxy: &StallingProxy, future: F) {
    tokio::select! {
        _ = future => panic!("it was to be held"),
        () = proxy.stalled() => {}
    }
}

/// What the pool writes is committed, as another connection sees.
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

/// What is done on the transaction afterwards is rolled back with it.
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
