//! The information schema of MySQL and MariaDB.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{IndexColumn, LiveTable, TableKind, UniqueIndex};
use crate::sql::TableName;

const COLUMNS: &str = "\
SELECT column_name AS name,
  (column_default IS NOT NULL AND column_default <> 'NULL') OR extra LIKE '%GENERATED%' AS defaulted
FROM information_schema.columns
WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?
  AND extra NOT LIKE '%INVISIBLE%'
ORDER BY ordinal_position";

const UNIQUE: &str = "\
SELECT index_name AS name, column_name AS part, CAST(sub_part AS SIGNED) AS prefix
FROM information_schema.statistics
WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND non_unique = 0
ORDER BY index_name, seq_in_index";

pub(super) async fn look_up<C: ConnectionTrait>(
    db: &C,
    name: &TableName,
) -> Result<LiveTable, DbErr> {
    let values: [Value; 2] = [name.schema.clone().into(), name.table.clone().into()];
    let ask = |sql: &str| Statement::from_sql_and_values(DbBackend::MySql, sql, values.clone());
    let mut table = LiveTable {
        is_lockable: true,
        ..LiveTable::default()
    };
    for row in db.query_all_raw(ask(COLUMNS)).await? {
        let name: String = row.try_get("", "name")?;
        if row.try_get::<i64>("", "defaulted").unwrap_or(1) != 0 {
            table.defaulted.push(name.clone());
        }
        table.columns.push(name);
    }
    if table.columns.is_empty() {
        table.kind = TableKind::Missing;
    }
    for row in db.query_all_raw(ask(UNIQUE)).await? {
        let name: String = row.try_get("", "name")?;
        // Of an expression there is no name.
        let part: Option<String> = row.try_get("", "part")?;
        if (table.unique.last()).is_none_or(|index| index.name != name) {
            table.unique.push(UniqueIndex {
                name,
                columns: Some(Vec::new()),
            });
        }
        if let Some(index) = table.unique.last_mut() {
            index.columns = match (index.columns.take(), part) {
                (Some(mut columns), Some(name)) => {
                    let prefix: Option<i64> = row.try_get("", "prefix")?;
                    columns.push(IndexColumn {
                        name,
                        prefix: prefix.and_then(|length| u32::try_from(length).ok()),
                    });
                    Some(columns)
                }
                _ => None,
            };
        }
    }
    Ok(table)
}
