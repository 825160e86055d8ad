//! Which columns the database computes from the others of a row.
//!
//! If other clients may write between the two reads of a hook, only the columns that the operation writes are
//! compared. A generated column is one of them: it depends on what was written. No model shows which columns are
//! generated, so the catalogue is queried, and only if a column that was not written has changed.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use crate::auditable::EntityInfo;

const POSTGRES: &str = "\
SELECT a.attname::text AS name FROM pg_catalog.pg_attribute AS a
  JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = $1 AND a.attnum > 0 AND a.attgenerated <> ''
  AND (n.nspname = $2 OR $2 IS NULL AND pg_catalog.pg_table_is_visible(c.oid))";

const MYSQL: &str = "\
SELECT CAST(column_name AS CHAR) AS name FROM information_schema.columns
WHERE table_name = ? AND table_schema = COALESCE(?, DATABASE()) AND generation_expression <> ''";

const SQLITE: &str = "SELECT name FROM pragma_table_xinfo(?, ?) WHERE hidden IN (2, 3)";

/// The positions of an entity's generated columns.
pub(crate) async fn generated_columns<C: ConnectionTrait>(
    db: &C,
    info: &EntityInfo,
) -> Result<Vec<usize>, DbErr> {
    let backend = db.get_database_backend();
    let (sql, default_schema) = match backend {
        DbBackend::Postgres => (POSTGRES, None),
        DbBackend::Sqlite => (SQLITE, Some("main")),
        _ => (MYSQL, None),
    };
    let schema = info.schema().or(default_schema).map(str::to_owned);
    let values: [Value; 2] = [info.table().into(), schema.into()];
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let mut columns = Vec::new();
    for row in db.query_all_raw(statement).await? {
        let name: String = row.try_get("", "name")?;
        let named = |column: &str| column.eq_ignore_ascii_case(&name);
        columns.extend(info.columns().position(named));
    }
    Ok(columns)
}
