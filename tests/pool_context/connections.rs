//! Connections of a pool that has contexts: new, returned, closed, and with callbacks of the application's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use sea_orm::sqlx::{self, Executor};
use sea_orm::{ActiveModelTrait, ConnectionTrait, Database, DatabaseConnection, DbBackend};
use sea_orm_audit::connection::{PoolContext, PoolDatabase};
use sea_orm_audit::{Actor, AuditContext};

use crate::entity::ledger;
use crate::pool::{actor, connect, connection_id, create, options};
use crate::support::{TestDb, TestResult};

crate::on_servers! {
    returned_connection_has_no_context,
    closed_connection_is_replaced,
    callbacks_of_the_application_run,
}

mod postgres_only {
    crate::support::tests_on! { postgres:
        search_path_is_set_on_each_connection,
    }
}

fn ann() -> AuditContext {
    AuditContext::new().actor(Actor::user(7))
}

/// Writes through a connection on whose acquire no callback ran.
async fn insert_unset(pool: &DatabaseConnection, sql: &'static str) -> TestResult {
    if pool.get_database_backend() == DbBackend::Postgres {
        let pool = pool.get_postgres_connection_pool();
        // It is returned in a task of its own.
        let mut connection = loop {
            match pool.try_acquire() {
                Some(connection) => break connection,
                None => tokio::task::yield_now().await,
            }
        };
        connection.execute(sql).await?;
    } else {
        let pool = pool.get_mysql_connection_pool();
        let mut connection = loop {
            match pool.try_acquire() {
                Some(connection) => break connection,
                None => tokio::task::yield_now().await,
            }
        };
        connection.execute(sql).await?;
    }
    Ok(())
}

async fn returned_connection_has_no_context(db: &TestDb) -> TestResult {
    create(db).await?;
    let pool = connect(db, 1).await?;
    ann().scope(ledger::new(1).insert(&pool)).await?;
    insert_unset(&pool, "INSERT INTO ledger (id, title) VALUES (2, 'b')").await?;
    assert_eq!(
        (actor(db, 1).await?, actor(db, 2).await?),
        ("USER 7".into(), "SERVICE".into())
    );
    Ok(())
}

async fn closed_connection_is_replaced(db: &TestDb) -> TestResult {
    create(db).await?;
    let pool = connect(db, 1).await?;
    let backend = db.backend();
    let mut ids = Vec::new();
    for id in 1..4 {
        let row = pool.query_one_raw(connection_id(backend)).await?;
        let connection: i64 = row.ok_or("no row")?.try_get("", "id")?;
        ids.push(connection);
        let kill = match backend {
            DbBackend::Postgres => format!("SELECT pg_terminate_backend({connection}, 10000)"),
            _ => format!("KILL {connection}"),
        };
        db.execute_unprepared(&kill).await?;
        ann().scope(ledger::new(id).insert(&pool)).await?;
        assert_eq!(actor(db, id).await?, "USER 7");
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
    Ok(())
}

/// How often each callback ran.
#[derive(Clone, Default)]
struct Calls {
    connects: Arc<AtomicUsize>,
    acquires: Arc<AtomicUsize>,
    releases: Arc<AtomicUsize>,
}

impl Calls {
    fn context<DB: PoolDatabase>(&self) -> PoolContext<DB> {
        let Self {
            connects,
            acquires,
            releases,
        } = self.clone();
        PoolContext::new()
            .after_connect(move |connection: &mut DB::Connection, metadata| {
                connects.fetch_add(1, Relaxed);
                assert!(metadata.age.is_zero());
                Box::pin(sqlx::Connection::ping(connection))
            })
            .before_acquire(move |_, _| {
                // Each third time the connection is refused.
                let is_refused = acquires.fetch_add(1, Relaxed) % 3 == 2;
                Box::pin(async move { Ok(!is_refused) })
            })
            .after_release(move |_, _| {
                // The fifth one is not returned.
                let is_refused = releases.fetch_add(1, Relaxed) == 4;
                Box::pin(async move {
                    if is_refused {
                        return Err(sqlx::Error::WorkerCrashed);
                    }
                    Ok(true)
                })
            })
    }
}

async fn callbacks_of_the_application_run(db: &TestDb) -> TestResult {
    create(db).await?;
    let calls = Calls::default();
    let (postgres, mysql) = (calls.clone(), calls.clone());
    let mut options = options(db, 1);
    options
        .map_sqlx_postgres_pool_opts(move |pool| postgres.context().apply(pool))
        .map_sqlx_mysql_pool_opts(move |pool| mysql.context().apply(pool));
    let pool = Database::connect(options).await?;
    for id in 0..6 {
        ann().scope(ledger::new(id).insert(&pool)).await?;
        assert_eq!(actor(db, id).await?, "USER 7");
    }
    // Waits until the last connection is returned.
    pool.close().await?;
    let [connects, acquires, releases] =
        [calls.connects, calls.acquires, calls.releases].map(|calls| calls.load(Relaxed));
    // The first connection, one after each refused acquire, on which `before_acquire` does not run, and one after the
    // fifth release.
    assert!(acquires >= 3, "{acquires}");
    assert_eq!(connects, 1 + acquires / 3 + 1);
    assert!(releases >= 5, "{releases}");
    Ok(())
}

async fn search_path_is_set_on_each_connection(db: &TestDb) -> TestResult {
    create(db).await?;
    let schema = db.schema_beside().ok_or("no schemas")?;
    db.execute_unprepared(&format!("CREATE SCHEMA {schema}"))
        .await?;
    let mut options = options(db, 2);
    let path = format!("{schema},public");
    let context = PoolContext::new().schema_search_path(path);
    options.map_sqlx_postgres_pool_opts(move |pool| context.apply(pool));
    let pool = Database::connect(options).await?;
    let (one, two) = (
        sea_orm::TransactionTrait::begin(&pool).await?,
        sea_orm::TransactionTrait::begin(&pool).await?,
    );
    for tx in [one, two] {
        let sql = "SELECT current_setting('search_path') AS path";
        let statement = sea_orm::Statement::from_string(DbBackend::Postgres, sql);
        let row = tx.query_one_raw(statement).await?.ok_or("no row")?;
        let path: String = row.try_get("", "path")?;
        assert_eq!(path.replace(['"', ' '], ""), format!("{schema},public"));
        tx.rollback().await?;
    }
    Ok(())
}
