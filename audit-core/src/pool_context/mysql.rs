//! MySQL and MariaDB: the context is a user variable, which only its connection has.

use sea_orm::DbBackend;
use sea_orm::sqlx::{AssertSqlSafe, Error, MySql, MySqlConnection, Row, query, raw_sql};

use super::driver::{Driver, Session};
use crate::trigger_plan::CONTEXT_VARIABLE;

impl Driver for MySql {
    const BACKEND: DbBackend = DbBackend::MySql;

    /// A user variable leaves no trace that shows whose it is.
    async fn inspect(_: &mut MySqlConnection) -> Result<Session, Error> {
        Ok(Session::Own)
    }

    async fn session_number(connection: &mut MySqlConnection) -> Result<String, Error> {
        let row = raw_sql("SELECT CAST(CONNECTION_ID() AS CHAR)").fetch_one(connection);
        row.await?.try_get(0)
    }

    #[cfg(feature = "pool-postgres")]
    async fn set_search_path(_: &mut MySqlConnection, _: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn begin(connection: &mut MySqlConnection, context: String) -> Result<(), Error> {
        Self::set(connection, context).await.map(|_| ())
    }

    async fn set(connection: &mut MySqlConnection, context: String) -> Result<Session, Error> {
        let set = query(AssertSqlSafe(format!("SET {CONTEXT_VARIABLE} = ?")));
        set.bind(context).execute(connection).await?;
        Ok(Session::Own)
    }

    async fn clear(connection: &mut MySqlConnection) -> Result<(), Error> {
        let clear = raw_sql(AssertSqlSafe(format!("SET {CONTEXT_VARIABLE} = NULL")));
        clear.execute(connection).await.map(|_| ())
    }
}
