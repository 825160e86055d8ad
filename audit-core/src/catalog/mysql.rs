//! The information schema of MySQL and MariaDB.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, IsolationLevel, Statement};

use super::{IndexColumn, LiveTable, ReferringKey, Settings, TableKind, UniqueIndex};
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

/// Of one database only: MariaDB opens the tables of all databases for a join with the columns.
const REFERRING: &str = "\
SELECT table_name AS `table`, constraint_name AS name
FROM information_schema.referential_constraints
WHERE constraint_schema = COALESCE(?, DATABASE()) AND referenced_table_name = ?
  AND update_rule NOT IN ('RESTRICT', 'NO ACTION') AND @@foreign_key_checks = 1
ORDER BY table_name, constraint_name";

/// Of one table and one foreign key: a unique key may have the same name.
const REFERRING_COLUMNS: &str = "\
SELECT column_name AS part, referenced_column_name AS refers_to
FROM information_schema.key_column_usage
WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND constraint_name = ?
  AND referenced_table_name IS NOT NULL
ORDER BY ordinal_position";

/// MariaDB reads `/*M! */` and leaves `/*!50720 */` to MySQL, which has one name for the level in all versions.
const SETTINGS: &str = "\
SELECT DATABASE() AS name,
  CAST(/*M! @@tx_isolation */ /*!50720 @@transaction_isolation */ AS CHAR) AS level, CAST(@@auto_increment_increment AS CHAR) AS step,
  CAST(@@innodb_autoinc_lock_mode AS CHAR) AS lock_mode";

/// Reads the settings of the session.
pub(crate) async fn settings<C: ConnectionTrait>(db: &C) -> Result<Settings, DbErr> {
    let query = Statement::from_string(DbBackend::MySql, SETTINGS);
    let row = (db.query_one_raw(query).await?)
        .ok_or_else(|| DbErr::RecordNotFound("the server did not give its settings".into()))?;
    let step: String = row.try_get("", "step")?;
    Ok(Settings {
        database: row.try_get("", "name")?,
        step: (step.parse())
            .map_err(|_| DbErr::Type(format!("{step:?} is no step of numbered keys")))?,
        is_consecutive: row.try_get::<String>("", "lock_mode")? != "2",
        isolation_level: match row.try_get::<String>("", "level")?.as_str() {
            "READ-UNCOMMITTED" => IsolationLevel::ReadUncommitted,
            "READ-COMMITTED" => IsolationLevel::ReadCommitted,
            "SERIALIZABLE" => IsolationLevel::Serializable,
            _ => IsolationLevel::RepeatableRead,
        },
    })
}

/// The foreign keys of the table's own database that refer to it with an action of ON UPDATE.
pub(super) async fn referring_keys<C: ConnectionTrait>(
    db: &C,
    name: &TableName,
) -> Result<Vec<ReferringKey>, DbErr> {
    let schema: Value = name.schema.clone().into();
    let values = [schema.clone(), name.table.clone().into()];
    let constraints = Statement::from_sql_and_values(DbBackend::MySql, REFERRING, values);
    let mut keys = Vec::new();
    for row in db.query_all_raw(constraints).await? {
        let table: String = row.try_get("", "table")?;
        let constraint: String = row.try_get("", "name")?;
        let values = [schema.clone(), table.clone().into(), constraint.into()];
        let columns = Statement::from_sql_and_values(DbBackend::MySql, REFERRING_COLUMNS, values);
        let mut key = ReferringKey {
            schema: name.schema.clone(),
            table,
            from: Vec::new(),
            to: Vec::new(),
        };
        for row in db.query_all_raw(columns).await? {
            key.from.push(row.try_get("", "part")?);
            key.to.push(row.try_get("", "refers_to")?);
        }
        keys.push(key);
    }
    Ok(keys)
}

pub(super) async fn look_up<C: ConnectionTrait>(
    db: &C,
    name: &TableName,
) -> Result<LiveTable, DbErr> {
    let values: [Value; 2] = [name.schema.clone().into(), name.table.clone().into()];
    let query = |sql: &str| Statement::from_sql_and_values(DbBackend::MySql, sql, values.clone());
    let mut table = LiveTable {
        is_lockable: true,
        ..LiveTable::default()
    };
    for row in db.query_all_raw(query(COLUMNS)).await? {
        let name: String = row.try_get("", "name")?;
        if row.try_get::<i64>("", "defaulted").unwrap_or(1) != 0 {
            table.defaulted.push(name.clone());
        }
        table.columns.push(name);
    }
    if table.columns.is_empty() {
        table.kind = TableKind::Missing;
    }
    for row in db.query_all_raw(query(UNIQUE)).await? {
        let name: String = row.try_get("", "name")?;
        // An expression has no name.
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
