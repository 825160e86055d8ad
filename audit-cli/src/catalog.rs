//! What the databases say about their own tables.

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement, Value,
};
use sea_orm_audit_core::AuditConfig;

type Read<T> = Result<T, DbErr>;

/// A trigger that this library made.
pub(crate) struct Trigger {
    pub(crate) table: String,
    pub(crate) name: String,
    pub(crate) is_enabled: bool,
    /// Its text, with that of its function.
    pub(crate) text: String,
}

async fn rows(db: &DatabaseConnection, sql: &str, values: Vec<Value>) -> Read<Vec<QueryResult>> {
    let backend = db.get_database_backend();
    db.query_all_raw(Statement::from_sql_and_values(backend, sql, values))
        .await
}

fn schema() -> Option<&'static str> {
    AuditConfig::current().tables().schema()
}

/// The bytes of a table with its indexes; `None` where the database does not say it.
pub(crate) async fn bytes(db: &DatabaseConnection, table: &'static str) -> Read<Option<i64>> {
    let (sql, values): (&str, Vec<Value>) = match db.get_database_backend() {
        DbBackend::Postgres => {
            let name = match schema() {
                Some(schema) => format!("\"{schema}\".\"{table}\""),
                None => format!("\"{table}\""),
            };
            (
                "SELECT pg_total_relation_size($1::regclass) AS n",
                vec![name.into()],
            )
        }
        DbBackend::MySql => (
            "SELECT CAST(data_length + index_length AS SIGNED) AS n FROM information_schema.tables \
             WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?",
            vec![schema().into(), table.into()],
        ),
        _ => {
            let sql = "SELECT SUM(pgsize) AS n FROM dbstat \
                       WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = ?)";
            // Not all builds of SQLite have it.
            return Ok(match rows(db, sql, vec![table.into()]).await {
                Ok(rows) => rows.first().and_then(|row| row.try_get("", "n").ok()),
                Err(_) => None,
            });
        }
    };
    let rows = rows(db, sql, values).await?;
    rows.first().map_or(Ok(None), |row| row.try_get("", "n"))
}

/// The names of the indexes of a table.
pub(crate) async fn indexes(db: &DatabaseConnection, table: &'static str) -> Read<Vec<String>> {
    let (sql, values): (&str, Vec<Value>) = match db.get_database_backend() {
        DbBackend::Postgres => (
            "SELECT indexname::text AS name FROM pg_indexes \
             WHERE schemaname = COALESCE($1, current_schema()) AND tablename = $2",
            vec![schema().into(), table.into()],
        ),
        DbBackend::MySql => (
            "SELECT DISTINCT CAST(index_name AS CHAR) AS name FROM information_schema.statistics \
             WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?",
            vec![schema().into(), table.into()],
        ),
        _ => (
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?",
            vec![table.into()],
        ),
    };
    let rows = rows(db, sql, values).await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}

/// The names of the migrations that ran, of the log's own history table and of the application's; `None` where neither
/// exists.
pub(crate) async fn migrations(db: &DatabaseConnection) -> Read<Option<Vec<String>>> {
    let own = AuditConfig::current().tables().history();
    let mut found = None;
    for table in [own, "seaql_migrations"] {
        let sql = match db.get_database_backend() {
            DbBackend::MySql => format!("SELECT version AS name FROM `{table}`"),
            _ => format!("SELECT version AS name FROM \"{table}\""),
        };
        match rows(db, &sql, Vec::new()).await {
            Ok(rows) => {
                let names: Read<Vec<String>> =
                    rows.iter().map(|row| row.try_get("", "name")).collect();
                found.get_or_insert_with(Vec::new).extend(names?);
            }
            Err(error) if crate::database::is_missing(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The triggers that this library made, of all tables that the connection sees.
pub(crate) async fn triggers(db: &DatabaseConnection) -> Read<Vec<Trigger>> {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT t.tgrelid::regclass::text AS tbl, t.tgname::text AS name, \
             (t.tgenabled <> 'D') AS enabled, pg_get_triggerdef(t.oid) || ' ' || p.prosrc AS body \
             FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid \
             WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgname LIKE 'sea\\_orm\\_audit\\_%' ORDER BY 1, 2"
        }
        DbBackend::MySql => {
            "SELECT CAST(event_object_table AS CHAR) AS tbl, CAST(trigger_name AS CHAR) AS name, \
             1 AS enabled, CAST(action_statement AS CHAR) AS body FROM information_schema.triggers \
             WHERE trigger_schema = DATABASE() AND trigger_name LIKE 'sea\\_orm\\_audit\\_%' ORDER BY 1, 2"
        }
        _ => {
            "SELECT tbl_name AS tbl, name, 1 AS enabled, sql AS body FROM sqlite_master \
             WHERE type = 'trigger' AND substr(name, 1, 14) = 'sea_orm_audit_' ORDER BY 1, 2"
        }
    };
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let rows = rows(db, sql, Vec::new()).await?;
    let triggers = rows.iter().map(|row| {
        Ok(Trigger {
            table: row.try_get("", "tbl")?,
            name: row.try_get("", "name")?,
            is_enabled: if is_postgres {
                row.try_get("", "enabled")?
            } else {
                true
            },
            text: row.try_get("", "body")?,
        })
    });
    triggers.collect()
}

/// The columns of a table, by the name that [`triggers`] has for it.
pub(crate) async fn columns(db: &DatabaseConnection, table: &str) -> Read<Vec<String>> {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT attname::text AS name FROM pg_attribute \
             WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped"
        }
        DbBackend::MySql => {
            "SELECT CAST(column_name AS CHAR) AS name FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = ?"
        }
        _ => "SELECT name FROM pragma_table_info(?)",
    };
    let rows = rows(db, sql, vec![table.into()]).await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}

/// The database's clock.
pub(crate) async fn now(db: &DatabaseConnection) -> Read<Option<DateTimeUtc>> {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS n"
        }
        DbBackend::MySql => "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED) AS n",
        _ => "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) AS n",
    };
    let rows = rows(db, sql, Vec::new()).await?;
    let millis: Option<i64> = rows.first().map_or(Ok(None), |row| row.try_get("", "n"))?;
    Ok(millis.and_then(DateTimeUtc::from_timestamp_millis))
}
