//! PostgreSQL: the context is the session's value of the setting whose local value transactions set.
//!
//! A second setting marks the session while it has a connection of ours, and while that one is in use. A pooler that
//! gives a session to another client without a reset shows there: a new connection has no mark, and an idle one is not
//! in use.

use sea_orm::DbBackend;
use sea_orm::sqlx::{
    AssertSqlSafe, Error, PgConnection, Postgres, Row, query, query_scalar, raw_sql,
};

use super::driver::{Driver, Session};
use crate::trigger_plan::CONTEXT_SETTING;

/// The setting that marks sessions.
const MARK: &str = "sea_orm_audit.connection";
const IDLE: &str = "idle";
const ACQUIRED: &str = "acquired";

/// The SQLSTATE of a prepared statement whose name exists.
const DUPLICATE: &str = "42P05";

/// Whether the session has a mark, or a prepared statement whose name is not sqlx's: `PgBouncer` replaces the names.
/// This statement is a prepared one itself.
const INSPECT: &str = "\
SELECT coalesce(current_setting($1, true), '') <> ''
OR EXISTS (SELECT FROM pg_prepared_statements WHERE name NOT LIKE 'sqlx\\_s\\_%')";

/// The mark is read before it is set: expressions of one SELECT are evaluated from left to right.
const SET: &str = "\
SELECT coalesce(current_setting($1, true), '') = $2, set_config($1, $2, false), set_config($3, $4, false)";

const BEGIN: &str = "SELECT set_config($1, $2, false), set_config($3, $4, false)";

const fn session(is_shared: bool) -> Session {
    if is_shared {
        Session::Shared
    } else {
        Session::Own
    }
}

impl Driver for Postgres {
    const BACKEND: DbBackend = DbBackend::Postgres;

    async fn inspect(connection: &mut PgConnection) -> Result<Session, Error> {
        let is_shared = query_scalar(INSPECT).bind(MARK).fetch_one(connection);
        match is_shared.await {
            Ok(is_shared) => Ok(session(is_shared)),
            // It is the connection's first prepared statement: another client of sqlx took its name.
            Err(Error::Database(error)) if error.code().as_deref() == Some(DUPLICATE) => {
                Ok(Session::Shared)
            }
            Err(error) => Err(error),
        }
    }

    async fn session_number(connection: &mut PgConnection) -> Result<String, Error> {
        let row = raw_sql("SELECT pg_backend_pid()::text").fetch_one(connection);
        row.await?.try_get(0)
    }

    async fn set_search_path(connection: &mut PgConnection, schemas: &str) -> Result<(), Error> {
        let sql = AssertSqlSafe(search_path(schemas));
        raw_sql(sql).execute(connection).await.map(|_| ())
    }

    async fn begin(connection: &mut PgConnection, context: String) -> Result<(), Error> {
        let begin = query(BEGIN).bind(MARK).bind(IDLE);
        let begin = begin.bind(CONTEXT_SETTING).bind(context);
        begin.execute(connection).await.map(|_| ())
    }

    async fn set(connection: &mut PgConnection, context: String) -> Result<Session, Error> {
        let set = query_scalar(SET).bind(MARK).bind(ACQUIRED);
        let is_shared = set
            .bind(CONTEXT_SETTING)
            .bind(context)
            .fetch_one(connection);
        Ok(session(is_shared.await?))
    }

    async fn clear(connection: &mut PgConnection) -> Result<(), Error> {
        let sql = format!(
            "SELECT set_config('{MARK}', '{IDLE}', false), set_config('{CONTEXT_SETTING}', '', false)"
        );
        let clear = raw_sql(AssertSqlSafe(sql));
        clear.execute(connection).await.map(|_| ())
    }
}

/// The statement of SeaORM's `schema_search_path`: each name is quoted, unless it is already.
fn search_path(schemas: &str) -> String {
    let schemas = if schemas.starts_with('"') {
        schemas.to_owned()
    } else {
        let quoted = schemas.split(',').map(|schema| {
            if schema.starts_with('"') {
                schema.to_owned()
            } else {
                format!("\"{schema}\"")
            }
        });
        quoted.collect::<Vec<_>>().join(",")
    };
    format!("SET search_path = {schemas}")
}

#[cfg(test)]
mod tests {
    use super::search_path;

    #[test]
    fn search_path_is_quoted_as_seaorm_does() {
        assert_eq!(search_path("a,b"), "SET search_path = \"a\",\"b\"");
        assert_eq!(search_path("a,\"B\""), "SET search_path = \"a\",\"B\"");
        assert_eq!(search_path("\"a\", b"), "SET search_path = \"a\", b");
    }
}
