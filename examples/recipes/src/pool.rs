//! The actor on SeaORM's own connection pool, for triggers.

use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};
use sea_orm_audit::connection::PoolContext;

/// Connects to PostgreSQL.
pub async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let context = PoolContext::new();
    let mut options = ConnectOptions::new(url);
    options.map_sqlx_postgres_pool_opts(move |pool| context.apply(pool));
    Database::connect(options).await
}

/// Connects to PostgreSQL, and refuses a pooler.
pub async fn connect_to_server(url: &str) -> Result<DatabaseConnection, DbErr> {
    let context = PoolContext::new();
    let applied = context.clone();
    let mut options = ConnectOptions::new(url);
    options.map_sqlx_postgres_pool_opts(move |pool| applied.apply(pool));
    let db = Database::connect(options).await?;
    let pool = db.get_postgres_connection_pool();
    let searched = context.detect_pooler(pool).await;
    if searched.map_err(|error| DbErr::Custom(error.to_string()))? {
        return Err(DbErr::Custom("a pooler shares the sessions".to_owned()));
    }
    Ok(db)
}
