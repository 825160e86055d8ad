//! What the information schema of MySQL and MariaDB says.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::super::live_table::mysql::referring_keys;
use super::{By, Link};
use crate::sql::{TableName, tables_of_view};

const VIEW: &str = "\
SELECT view_definition AS definition FROM information_schema.views
WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";

/// Of one database, and of nothing else: MariaDB opens the tables of all databases otherwise.
const FOLLOWING: &str = "\
SELECT table_name AS name, delete_rule AS rule FROM information_schema.referential_constraints
WHERE constraint_schema = COALESCE(?, DATABASE()) AND referenced_table_name = ?
  AND delete_rule NOT IN ('RESTRICT', 'NO ACTION') AND @@foreign_key_checks = 1";

pub(super) async fn ask<C: ConnectionTrait>(db: &C, name: &TableName) -> Result<Vec<Link>, DbErr> {
    let backend = DbBackend::MySql;
    let values: [Value; 2] = [name.schema.clone().into(), name.table.clone().into()];
    let ask = |sql: &str| Statement::from_sql_and_values(backend, sql, values.clone());
    let mut links = Vec::new();
    if let Some(row) = db.query_one_raw(ask(VIEW)).await? {
        let definition: Option<String> = row.try_get("", "definition")?;
        let tables = tables_of_view(backend, &definition.unwrap_or_default());
        // Without the privilege SHOW VIEW there is no text.
        let to = if tables.is_empty() {
            vec![None]
        } else {
            tables.into_iter().map(Some).collect()
        };
        links.extend(to.into_iter().map(|to| Link {
            to,
            by: By::Itself,
            fires_triggers: true,
        }));
        return Ok(links);
    }
    let follows = |table: String, by: By| Link {
        to: Some(TableName {
            schema: name.schema.clone(),
            table,
        }),
        by,
        // Cascades fire none there.
        fires_triggers: false,
    };
    for row in db.query_all_raw(ask(FOLLOWING)).await? {
        let deletes = row.try_get::<String>("", "rule")? == "CASCADE";
        links.push(follows(row.try_get("", "name")?, By::Delete { deletes }));
    }
    for key in referring_keys(db, name).await? {
        let columns = key.to;
        links.push(follows(key.table, By::Update { columns }));
    }
    Ok(links)
}
