//! `PgBouncer` hands one server connection to many clients, one transaction each: a session's context would be theirs.

use sea_orm::sqlx::Executor;
use sea_orm::{
    ActiveModelTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection,
    TransactionTrait,
};
use sea_orm_audit::connection::PoolContext;
use sea_orm_audit::{Actor, AuditContext};

use crate::entity::ledger;
use crate::pool::{actor, create};
use crate::support::{TestDb, TestResult};

mod postgres {
    crate::support::tests_on! { postgres:
        pooler_is_detected_with_one_connection,
        pooler_is_found_on_the_second_connection,
        renamed_statements_are_found_on_the_first_connection,
        marked_session_is_found_on_the_first_connection,
        shared_session_is_found_when_it_is_acquired,
        direct_connections_are_no_pooler,
    }
}

type Context = PoolContext<sea_orm::sqlx::Postgres>;

fn ann() -> AuditContext {
    AuditContext::new().actor(Actor::user(7))
}

/// Options for the database behind the pooler; `None` where there is none.
async fn behind(db: &TestDb) -> TestResult<Option<ConnectOptions>> {
    let Ok(server) = std::env::var("TEST_PGBOUNCER_URL") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "TEST_PGBOUNCER_URL is not set, so this test cannot run"
        );
        eprintln!(
            "NOT RUN: TEST_PGBOUNCER_URL is not set; start servers with scripts/with-databases"
        );
        return Ok(None);
    };
    let (base, _) = server.rsplit_once('/').ok_or("the URL names no database")?;
    let sql = "SELECT current_database()::text AS name";
    let statement = sea_orm::Statement::from_string(db.backend(), sql);
    let row = db.query_one_raw(statement).await?.ok_or("no row")?;
    let name: String = row.try_get("", "name")?;
    let mut options = ConnectOptions::new(format!("{base}/{name}"));
    options
        .sqlx_logging(false)
        .max_connections(2)
        .set_application_name("behind");
    Ok(Some(options))
}

fn with(mut options: ConnectOptions, context: &Context) -> ConnectOptions {
    let context = context.clone();
    options.map_sqlx_postgres_pool_opts(move |pool| context.apply(pool));
    options
}

/// The pooler keeps its connections, which would prevent dropping the database.
async fn close(db: &TestDb, pool: DatabaseConnection) -> TestResult {
    pool.close().await?;
    db.execute_unprepared(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'behind'",
    )
    .await?;
    Ok(())
}

async fn pooler_is_detected_with_one_connection(db: &TestDb) -> TestResult {
    create(db).await?;
    let Some(mut options) = behind(db).await? else {
        return Ok(());
    };
    options.max_connections(1);
    let context = Context::new();
    let pool = Database::connect(with(options, &context)).await?;
    let found = context.detect_pooler(pool.get_postgres_connection_pool());
    assert!(found.await? && context.found_pooler());
    for id in 1..3 {
        ann().scope(ledger::new(id).insert(&pool)).await?;
        assert_eq!(actor(db, id).await?, "SERVICE");
    }
    close(db, pool).await
}

async fn pooler_is_found_on_the_second_connection(db: &TestDb) -> TestResult {
    create(db).await?;
    let Some(options) = behind(db).await? else {
        return Ok(());
    };
    let context = Context::new();
    let pool = Database::connect(with(options, &context)).await?;
    // Outside of a transaction this connection has no session of the server.
    let held = pool.get_postgres_connection_pool().acquire().await?;
    let sql = "INSERT INTO ledger (id, title) VALUES (1, 'a')";
    ann().scope(pool.execute_unprepared(sql)).await?;
    assert!(context.found_pooler());
    assert_eq!(actor(db, 1).await?, "SERVICE");
    drop(held);
    close(db, pool).await
}

/// As a pooler names them that keeps them for its clients.
async fn renamed_statements_are_found_on_the_first_connection(db: &TestDb) -> TestResult {
    create(db).await?;
    let Some(options) = behind(db).await? else {
        return Ok(());
    };
    let other = Database::connect(options.clone()).await?;
    other
        .execute_unprepared("PREPARE \"PGBOUNCER_1\" AS SELECT 1")
        .await?;
    let context = Context::new();
    let pool = Database::connect(with(options, &context)).await?;
    assert!(context.found_pooler());
    other.close().await?;
    close(db, pool).await
}

/// Another connection of the process left its mark.
async fn marked_session_is_found_on_the_first_connection(db: &TestDb) -> TestResult {
    let context = Context::new();
    let mut options = db.connect_options();
    options
        .map_sqlx_postgres_opts(|options| options.options([("sea_orm_audit.connection", "idle")]));
    Database::connect(with(options, &context)).await?;
    assert!(context.found_pooler());
    Ok(())
}

/// Another client has the session: its context is set, and it has not returned the connection.
async fn shared_session_is_found_when_it_is_acquired(db: &TestDb) -> TestResult {
    create(db).await?;
    let context = Context::new().before_acquire(|connection, _| {
        Box::pin(async move {
            let sql = "SELECT set_config('sea_orm_audit.connection', 'acquired', false), \
                       set_config('sea_orm_audit.context', '{\"actor_id\": \"8\"}', false)";
            connection.execute(sql).await.map(|_| true)
        })
    });
    let mut options = db.connect_options();
    options.max_connections(1);
    let pool = Database::connect(with(options, &context)).await?;
    assert!(!context.found_pooler());
    ann().scope(ledger::new(1).insert(&pool)).await?;
    assert!(context.found_pooler());
    ann().scope(ledger::new(2).insert(&pool)).await?;
    assert_eq!(
        (actor(db, 1).await?, actor(db, 2).await?),
        ("SERVICE".into(), "SERVICE".into())
    );
    Ok(())
}

async fn direct_connections_are_no_pooler(db: &TestDb) -> TestResult {
    create(db).await?;
    let context = Context::new();
    let mut options = db.connect_options();
    options.max_connections(2);
    let pool = Database::connect(with(options, &context)).await?;
    for id in 0..20 {
        let tx = pool.begin().await?;
        tx.execute_unprepared("RESET ALL").await?;
        tx.execute_unprepared("DISCARD PLANS").await?;
        ann().scope(ledger::new(id).insert(&pool)).await?;
        drop(tx);
    }
    assert!(!context.found_pooler());
    assert_eq!(actor(db, 19).await?, "USER 7");
    Ok(())
}
