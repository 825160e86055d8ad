//! A pool of one connection behind a stalling proxy, and futures that are dropped while the proxy holds their traffic.

use sea_orm::sqlx::mysql::{MySqlPoolOptions, MySqlSslMode};
use sea_orm::sqlx::postgres::{PgPoolOptions, PgSslMode};
use sea_orm::{DatabaseConnection, DbBackend, SqlxMySqlConnector, SqlxPostgresConnector};

use crate::stalling_proxy::StallingProxy;
use crate::support::{TestDb, TestResult};

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

/// Drops a future as soon as the proxy holds its traffic.
pub(crate) async fn dropped_when_stalled<F: Future>(proxy: &StallingProxy, future: F) {
    tokio::select! {
        _ = future => panic!("it was to be held"),
        () = proxy.stalled() => {}
    }
}
