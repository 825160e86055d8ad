//! What a database's driver does for a pool's context.

use std::future::Future;

use sea_orm::DbBackend;
use sea_orm::sqlx::{Database, Error};

/// Whose a session of the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// This connection's alone, as far as one can see.
    Own,
    /// Other clients' as well: there is a pooler.
    Shared,
}

/// The databases of a [`PoolContext`](super::PoolContext): `sqlx::Postgres` and `sqlx::MySql`.
pub trait PoolDatabase: Driver {}

impl<DB: Driver> PoolDatabase for DB {}

/// What differs by database. Not public, so that only this crate implements it.
pub trait Driver: Database {
    const BACKEND: DbBackend;

    /// Searches a new connection for traces of other clients in its session.
    fn inspect(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Session, Error>> + Send;

    /// The server's number of the session that answers, by a statement that is not prepared.
    fn session_number(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<String, Error>> + Send;

    /// As SeaORM sets it.
    #[cfg(feature = "pool-postgres")]
    fn set_search_path(
        connection: &mut Self::Connection,
        schemas: &str,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Sets the context of a new connection, which may be returned to the pool without notice.
    fn begin(
        connection: &mut Self::Connection,
        context: String,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Sets the context of a connection that is acquired.
    fn set(
        connection: &mut Self::Connection,
        context: String,
    ) -> impl Future<Output = Result<Session, Error>> + Send;

    /// Removes the context, by a statement that is not prepared: its name may be another client's.
    fn clear(connection: &mut Self::Connection) -> impl Future<Output = Result<(), Error>> + Send;
}
