//! What the catalogue of PostgreSQL says.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{By, Link};
use crate::recorder::{is_contention, prepared_anew};
use crate::sql::{TableName, quoted};

/// Partitions fire the row triggers of the table that they are of; tables that inherit fire their own alone. What a view or
/// a rule may write is among the tables that its text names.
const ASK: &str = "\
WITH own AS (SELECT to_regclass($1)::oid AS id)
SELECT 'itself' AS by, n.nspname::text AS schema, c.relname::text AS name, c.relkind = 'p' AS fires, '[]' AS columns
FROM own JOIN pg_catalog.pg_inherits i ON i.inhrelid = own.id
JOIN pg_catalog.pg_class c ON c.oid = i.inhparent
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
UNION
SELECT 'itself', n.nspname::text, c.relname::text, true, '[]'
FROM own JOIN pg_catalog.pg_rewrite r ON r.ev_class = own.id
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
  AND d.refclassid = 'pg_catalog.pg_class'::regclass
JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.oid <> own.id AND c.relkind IN ('r', 'p', 'v', 'f')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
UNION
SELECT CASE f.confdeltype WHEN 'c' THEN 'deleted' ELSE 'set' END, n.nspname::text, c.relname::text, true, '[]'
FROM own JOIN pg_catalog.pg_constraint f ON f.confrelid = own.id AND f.contype = 'f' AND f.confdeltype IN ('c', 'n', 'd')
JOIN pg_catalog.pg_class c ON c.oid = f.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
UNION
SELECT 'updated', n.nspname::text, c.relname::text, true, (SELECT json_agg(a.attname)::text
  FROM pg_catalog.pg_attribute a WHERE a.attrelid = f.confrelid AND a.attnum = ANY (f.confkey))
FROM own JOIN pg_catalog.pg_constraint f ON f.confrelid = own.id AND f.contype = 'f' AND f.confupdtype IN ('c', 'n', 'd')
JOIN pg_catalog.pg_class c ON c.oid = f.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

/// Asks inside of a transaction, which goes on where that fails; or does not, where it is aborted: the statement says so.
pub(super) async fn ask_inside<C: ConnectionTrait>(
    db: &C,
    name: &TableName,
) -> Result<Option<Vec<Link>>, DbErr> {
    const POINT: &str = "sea_orm_audit_affected";
    if (db.execute_unprepared(&format!("SAVEPOINT {POINT}")).await).is_err() {
        return Ok(None);
    }
    let asked = ask(db, name).await;
    let end = match &asked {
        Ok(_) => format!("RELEASE SAVEPOINT {POINT}"),
        // The transaction must be tried again, or is over.
        Err(error) if is_contention(error) => return asked.map(Some),
        Err(_) => format!("ROLLBACK TO SAVEPOINT {POINT}; RELEASE SAVEPOINT {POINT}"),
    };
    db.execute_unprepared(&end).await?;
    asked.map(Some)
}

pub(super) async fn ask<C: ConnectionTrait>(db: &C, name: &TableName) -> Result<Vec<Link>, DbErr> {
    let backend = DbBackend::Postgres;
    let table = quoted(backend, &name.table);
    let named = match &name.schema {
        Some(schema) => format!("{}.{table}", quoted(backend, schema)),
        None => table,
    };
    let ask = Statement::from_sql_and_values(backend, ASK, [named.into()]);
    let rows = db.query_all_raw(prepared_anew(ask)).await?;
    let link = |row: &sea_orm::QueryResult| {
        let by: String = row.try_get("", "by")?;
        let columns: String = row.try_get("", "columns")?;
        Ok(Link {
            to: Some(TableName {
                schema: row.try_get("", "schema")?,
                table: row.try_get("", "name")?,
            }),
            by: match by.as_str() {
                "itself" => By::Itself,
                "updated" => By::Update {
                    columns: serde_json::from_str(&columns)
                        .map_err(|error| DbErr::Type(format!("{columns:?}: {error}")))?,
                },
                by => By::Delete {
                    deletes: by == "deleted",
                },
            },
            fires_triggers: row.try_get("", "fires")?,
        })
    };
    rows.iter().map(link).collect()
}
