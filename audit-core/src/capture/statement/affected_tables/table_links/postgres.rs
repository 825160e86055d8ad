//! The links in PostgreSQL's catalogue.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement};

use super::{By, Link};
use crate::record::prepare_again;
use crate::sql::TableName;

/// The tables that a view or a rule may write are among those that its text names. A partition has copies of its
/// table's foreign keys. A key of generated columns changes with other columns.
const ASK: &str = "\
WITH tables AS (
  SELECT c.oid, c.relkind, n.nspname::text AS schema, c.relname::text AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema'))
SELECT 'parent' AS by, a.schema AS schema, a.name AS name, b.schema AS to_schema, b.name AS to_name, NULL AS columns
FROM pg_catalog.pg_inherits i JOIN tables a ON a.oid = i.inhrelid JOIN tables b ON b.oid = i.inhparent
UNION
SELECT CASE r.rulename WHEN '_RETURN' THEN 'view' ELSE 'rule' END, a.schema, a.name, b.schema, b.name, NULL
FROM pg_catalog.pg_rewrite r JOIN tables a ON a.oid = r.ev_class
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
  AND d.refclassid = 'pg_catalog.pg_class'::regclass
JOIN tables b ON b.oid = d.refobjid AND b.oid <> a.oid
UNION
SELECT CASE f.confdeltype WHEN 'c' THEN 'deleted' ELSE 'set' END, a.schema, a.name, b.schema, b.name, NULL
FROM pg_catalog.pg_constraint f JOIN tables a ON a.oid = f.confrelid JOIN tables b ON b.oid = f.conrelid
WHERE f.contype = 'f' AND f.conparentid = 0 AND f.confdeltype IN ('c', 'n', 'd')
UNION
SELECT 'updated', a.schema, a.name, b.schema, b.name, (
  SELECT CASE WHEN bool_or(k.attgenerated <> '') THEN NULL ELSE json_agg(k.attname)::text END
  FROM pg_catalog.pg_attribute k WHERE k.attrelid = f.confrelid AND k.attnum = ANY (f.confkey))
FROM pg_catalog.pg_constraint f JOIN tables a ON a.oid = f.confrelid JOIN tables b ON b.oid = f.conrelid
WHERE f.contype = 'f' AND f.conparentid = 0 AND f.confupdtype IN ('c', 'n', 'd')";

pub(super) async fn fetch(db: &DatabaseConnection) -> Result<Vec<Link>, DbErr> {
    let query = prepare_again(Statement::from_string(DbBackend::Postgres, ASK));
    let mut links = Vec::new();
    for row in &db.query_all_raw(query).await? {
        let link = link_of(row)?;
        if let (By::Parent, Some(parent)) = (&link.by, &link.to) {
            links.push(Link {
                from: parent.clone(),
                to: Some(link.from.clone()),
                by: By::Child,
                fires_triggers: false,
            });
        }
        links.push(link);
    }
    Ok(links)
}

fn link_of(row: &QueryResult) -> Result<Link, DbErr> {
    let table = |schema: &str, name: &str| -> Result<TableName, DbErr> {
        Ok(TableName {
            schema: row.try_get("", schema)?,
            table: row.try_get("", name)?,
        })
    };
    let (by, columns): (String, Option<String>) =
        (row.try_get("", "by")?, row.try_get("", "columns")?);
    let columns = columns.map(|columns| {
        serde_json::from_str(&columns).map_err(|error| DbErr::Type(format!("{columns:?}: {error}")))
    });
    let by = match by.as_str() {
        "parent" => By::Parent,
        "view" => By::View,
        "rule" => By::Rule,
        "updated" => By::Update {
            columns: columns.transpose()?,
        },
        by => By::Delete {
            deletes: by == "deleted",
        },
    };
    Ok(Link {
        from: table("schema", "name")?,
        to: Some(table("to_schema", "to_name")?),
        // Statement triggers, such as the log's, fire on the named table only.
        fires_triggers: !matches!(by, By::Parent),
        by,
    })
}
