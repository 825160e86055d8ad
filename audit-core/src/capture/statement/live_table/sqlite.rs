//! SQLite's schema tables and pragmas.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};

use super::{LiveTable, TableKind, UniqueIndex};
use crate::sql::{TableName, is_name};

/// The kinds of rows of one look-up: the table, its columns, the columns of its unique indexes.
const LOOK_UP: &str = "\
SELECT 0 AS what, type AS name, CASE WHEN sql LIKE '%conflict%' THEN sql ELSE '' END AS part, (SELECT COUNT(*) FROM sqlite_master
    WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE) AS number
  FROM sqlite_master WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE
UNION ALL
SELECT 1, 'temporary', '', 0 FROM sqlite_temp_master
  WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE
UNION ALL
SELECT CASE WHEN hidden = 0 THEN 2 ELSE 4 END, name, upper(type),
    CASE WHEN pk = 0 THEN 0 WHEN pk = (SELECT MAX(pk) FROM pragma_table_xinfo(?1)) THEN pk ELSE -1 END
  FROM (SELECT name, type, pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid)
UNION ALL
SELECT 4, name, '', 0 FROM pragma_table_xinfo(?1) WHERE dflt_value IS NOT NULL AND upper(dflt_value) <> 'NULL'
UNION ALL
SELECT 3, name, COALESCE(part, ''), seqno FROM (
  SELECT l.name, i.name AS part, i.seqno FROM pragma_index_list(?1) AS l, pragma_index_xinfo(l.name) AS i
  WHERE l.\"unique\" = 1 AND i.key = 1 ORDER BY l.seq, i.seqno)";

pub(super) async fn look_up<C: ConnectionTrait>(
    db: &C,
    name: &TableName,
) -> Result<LiveTable, DbErr> {
    let is_main = |schema: &String| is_name(schema, "main");
    if let Some(schema) = &name.schema
        && !is_main(schema)
    {
        // In an attached database, or temporary: no entity's.
        return Ok(LiveTable {
            schema: Some(schema.clone()),
            kind: if is_name(schema, "temp") {
                TableKind::Temporary
            } else {
                TableKind::Other
            },
            ..LiveTable::default()
        });
    }
    let statement =
        Statement::from_sql_and_values(DbBackend::Sqlite, LOOK_UP, [name.table.clone().into()]);
    let rows = db.query_all_raw(statement).await?;
    let mut table = LiveTable {
        schema: Some("main".to_owned()),
        kind: TableKind::Missing,
        is_lockable: true,
        ..LiveTable::default()
    };
    for row in &rows {
        add(&mut table, row, name.schema.is_some())?;
    }
    Ok(table)
}

fn add(table: &mut LiveTable, row: &QueryResult, is_qualified: bool) -> Result<(), DbErr> {
    let what: i32 = row.try_get("", "what")?;
    let name: String = row.try_get("", "name")?;
    match what {
        0 => {
            table.kind = if name == "table" {
                TableKind::Table
            } else {
                TableKind::Other
            };
            table.has_triggers = row.try_get::<i64>("", "number")? > 0;
            table.resolves_conflicts = has_conflict_clause(&row.try_get::<String>("", "part")?);
        }
        1 if !is_qualified => table.kind = TableKind::Temporary,
        1 => {}
        2 => {
            let kind: String = row.try_get("", "part")?;
            // The only column of the key.
            if kind == "INTEGER" && row.try_get::<i64>("", "number")? == 1 {
                table.row_id = Some(name.clone());
            }
            table.columns.push(name);
        }
        4 => table.defaulted.push(name),
        _ => {
            let part: String = row.try_get("", "part")?;
            let is_known = table.unique.last().is_some_and(|index| index.name == name);
            if !is_known {
                table.unique.push(UniqueIndex {
                    name,
                    columns: Some(Vec::new()),
                });
            }
            if let Some(index) = table.unique.last_mut() {
                if part.is_empty() {
                    // An expression.
                    index.columns = None;
                } else if let Some(columns) = &mut index.columns {
                    columns.push(part.into());
                }
            }
        }
    }
    Ok(())
}

/// Whether a constraint in the text of a table says what becomes of rows that break it, other than the statement's error.
fn has_conflict_clause(sql: &str) -> bool {
    const CLAUSES: [&str; 4] = ["REPLACE", "IGNORE", "FAIL", "ROLLBACK"];
    let words: Vec<&str> = sql
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    words.windows(3).any(|words| {
        words[0].eq_ignore_ascii_case("ON")
            && words[1].eq_ignore_ascii_case("CONFLICT")
            && CLAUSES
                .iter()
                .any(|clause| clause.eq_ignore_ascii_case(words[2]))
    })
}
