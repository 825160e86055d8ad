//! The links in the current database's information schema on MySQL and MariaDB.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};

use super::{By, Link};
use crate::sql::{TableName, tables_of_view};

/// The queries name one database in their WHERE, so the servers read the tables of that database only. They do not
/// wait for a table that another client is changing: an unreadable table yields a warning.
const PATIENCE: &str = "/*M! SET STATEMENT lock_wait_timeout = 1 FOR */ \
                        SELECT /*+ SET_VAR(lock_wait_timeout = 1) */";

const VIEWS: &str = "\
table_schema AS place, table_name AS name, view_definition AS definition
FROM information_schema.views WHERE table_schema = DATABASE()";

const KEYS: &str = "\
constraint_schema AS place, referenced_table_name AS name, table_name AS follower, constraint_name AS constraint_name,
  delete_rule AS deleted, update_rule AS updated
FROM information_schema.referential_constraints
WHERE constraint_schema = DATABASE()
  AND NOT (delete_rule IN ('RESTRICT', 'NO ACTION') AND update_rule IN ('RESTRICT', 'NO ACTION'))";

const COLUMNS: &str = "\
table_name AS follower, constraint_name AS constraint_name, referenced_column_name AS part
FROM information_schema.key_column_usage
WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL";

pub(super) async fn fetch(db: &DatabaseConnection) -> Result<Vec<Link>, DbErr> {
    let query = |what: &str| Statement::from_string(DbBackend::MySql, format!("{PATIENCE} {what}"));
    let mut links = Vec::new();
    for row in db.query_all_raw(query(VIEWS)).await? {
        let definition: Option<String> = row.try_get("", "definition")?;
        let tables = tables_of_view(DbBackend::MySql, &definition.unwrap_or_default());
        // Without the privilege SHOW VIEW there is no text.
        let tables = if tables.is_empty() {
            vec![None]
        } else {
            tables.into_iter().map(Some).collect()
        };
        for to in tables {
            links.push(Link {
                from: TableName {
                    schema: row.try_get("", "place")?,
                    table: row.try_get("", "name")?,
                },
                to,
                by: By::View,
                fires_triggers: true,
            });
        }
    }
    let mut columns: HashMap<(String, String), Vec<String>> = HashMap::new();
    for row in db.query_all_raw(query(COLUMNS)).await? {
        let key = (
            row.try_get("", "follower")?,
            row.try_get("", "constraint_name")?,
        );
        columns
            .entry(key)
            .or_default()
            .push(row.try_get("", "part")?);
    }
    for row in db.query_all_raw(query(KEYS)).await? {
        let schema: String = row.try_get("", "place")?;
        let table = |table: String| TableName {
            schema: Some(schema.clone()),
            table,
        };
        let follower: String = row.try_get("", "follower")?;
        let (deleted, updated): (String, String) =
            (row.try_get("", "deleted")?, row.try_get("", "updated")?);
        let mut add = |by: By| -> Result<(), DbErr> {
            links.push(Link {
                from: table(row.try_get("", "name")?),
                to: Some(table(follower.clone())),
                by,
                // Cascades fire no triggers on MySQL.
                fires_triggers: false,
            });
            Ok(())
        };
        let acts = |rule: &str| !matches!(rule, "RESTRICT" | "NO ACTION");
        if acts(&deleted) {
            add(By::Delete {
                deletes: deleted == "CASCADE",
            })?;
        }
        if acts(&updated) {
            let key = (follower.clone(), row.try_get("", "constraint_name")?);
            add(By::Update {
                columns: columns.get(&key).cloned(),
            })?;
        }
    }
    Ok(links)
}
