//! SQLite's schema tables and pragmas.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};

use super::{LiveTable, ReferringKey, TableKind, UniqueIndex};
use crate::sql::{TableName, is_name, quoted};

/// The kinds of rows of one look-up in a database of the connection: the table, its columns, the columns of its
/// unique indexes, a temporary table of that name, and the attached databases.
fn look_up_text(schema: &str) -> String {
    let place = quoted(DbBackend::Sqlite, schema);
    format!(
        "\
SELECT 0 AS what, type AS name, CASE WHEN sql LIKE '%conflict%' THEN sql ELSE '' END AS part,
    (SELECT COUNT(*) FROM {place}.sqlite_master WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE)
    + (SELECT COUNT(*) FROM sqlite_temp_master WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE)
    AS number
  FROM {place}.sqlite_master WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE
UNION ALL
SELECT 1, 'temporary', '', 0 FROM sqlite_temp_master
  WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE
UNION ALL
SELECT 5, name, '', seq FROM pragma_database_list WHERE seq > 1
UNION ALL
SELECT CASE WHEN hidden = 0 THEN 2 ELSE 4 END, name, upper(type),
    CASE WHEN pk = 0 THEN 0 WHEN pk = (SELECT MAX(pk) FROM pragma_table_xinfo(?1, ?2)) THEN pk ELSE -1 END
  FROM (SELECT name, type, pk, hidden FROM pragma_table_xinfo(?1, ?2) ORDER BY cid)
UNION ALL
SELECT 4, name, '', 0 FROM pragma_table_xinfo(?1, ?2)
  WHERE dflt_value IS NOT NULL AND upper(dflt_value) <> 'NULL'
UNION ALL
SELECT 3, name, COALESCE(part, ''), seqno FROM (
  SELECT l.name, i.name AS part, i.seqno
  FROM pragma_index_list(?1, ?2) AS l, pragma_index_xinfo(l.name, ?2) AS i
  WHERE l.\"unique\" = 1 AND i.key = 1 ORDER BY l.seq, i.seqno)"
    )
}

/// Resolves the table's name: in the temporary database, in the main one, then in the attached ones, in their order.
pub(super) async fn look_up<C: ConnectionTrait>(
    db: &C,
    name: &TableName,
) -> Result<LiveTable, DbErr> {
    if name.schema.as_ref().is_some_and(|own| is_name(own, "temp")) {
        return Ok(LiveTable {
            schema: name.schema.clone(),
            kind: TableKind::Temporary,
            ..LiveTable::default()
        });
    }
    let (mut found, mut attached) = look_up_in(db, &name.table, "main").await?;
    let Some(own) = (name.schema.as_ref()).filter(|own| !is_name(own, "main")) else {
        if name.schema.is_none() && found.is_hidden {
            found.table.kind = TableKind::Temporary;
        }
        attached.reverse();
        while name.schema.is_none()
            && found.table.kind == TableKind::Missing
            && let Some(schema) = attached.pop()
        {
            found = look_up_in(db, &name.table, &schema).await?.0;
        }
        return Ok(found.table);
    };
    let by_name = [found.table.kind != TableKind::Missing, found.is_hidden];
    let mut is_found_by_name = !by_name.contains(&true);
    for schema in attached {
        if is_name(&schema, own) {
            let mut table = look_up_in(db, &name.table, &schema).await?.0.table;
            table.is_found_by_name = is_found_by_name;
            return Ok(table);
        }
        if is_found_by_name {
            let other = look_up_in(db, &name.table, &schema).await?.0;
            is_found_by_name = other.table.kind == TableKind::Missing;
        }
    }
    Ok(LiveTable {
        kind: TableKind::Missing,
        ..LiveTable::default()
    })
}

/// A table in one database.
struct Found {
    table: LiveTable,
    /// Whether there is a temporary table of that name.
    is_hidden: bool,
}

/// The table of one database, and the attached databases.
async fn look_up_in<C: ConnectionTrait>(
    db: &C,
    table: &str,
    schema: &str,
) -> Result<(Found, Vec<String>), DbErr> {
    let look = bound_to_table(&look_up_text(schema), table, schema);
    let mut found = Found {
        table: LiveTable {
            schema: Some(schema.to_owned()),
            kind: TableKind::Missing,
            is_lockable: true,
            is_found_by_name: true,
            ..LiveTable::default()
        },
        is_hidden: false,
    };
    let mut attached = Vec::new();
    for row in &db.query_all_raw(look).await? {
        match row.try_get::<i32>("", "what")? {
            1 => found.is_hidden = true,
            5 => attached.push(row.try_get("", "name")?),
            what => add(&mut found.table, what, row)?,
        }
    }
    Ok((found, attached))
}

/// The foreign keys that refer to a table with an action of ON UPDATE: all of them are in its own database. A key
/// without target columns refers to the primary key.
pub(super) async fn referring_keys<C: ConnectionTrait>(
    db: &C,
    schema: Option<&str>,
    table: &str,
) -> Result<Vec<ReferringKey>, DbErr> {
    let backend = DbBackend::Sqlite;
    let schema = schema.unwrap_or("main");
    let place = quoted(backend, schema);
    let text = format!(
        "\
SELECT m.name AS name, f.id AS number, f.\"from\" AS part, COALESCE(f.\"to\",
    (SELECT p.name FROM pragma_table_info(?1, ?2) AS p WHERE p.pk = f.seq + 1)) AS refers_to
FROM {place}.sqlite_master AS m, pragma_foreign_key_list(m.name, ?2) AS f
WHERE m.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE
  AND f.on_update NOT IN ('NO ACTION', 'RESTRICT')
  AND (SELECT foreign_keys FROM pragma_foreign_keys) = 1
ORDER BY m.name, f.id, f.seq"
    );
    let query = bound_to_table(&text, table, schema);
    let mut keys: Vec<(i64, ReferringKey)> = Vec::new();
    for row in db.query_all_raw(query).await? {
        let number: i64 = row.try_get("", "number")?;
        let table: String = row.try_get("", "name")?;
        let is_known =
            (keys.last()).is_some_and(|(known, key)| *known == number && key.table == table);
        if !is_known {
            let key = ReferringKey {
                schema: Some(schema.to_owned()),
                table,
                from: Vec::new(),
                to: Vec::new(),
            };
            keys.push((number, key));
        }
        let refers_to: Option<String> = row.try_get("", "refers_to")?;
        if let (Some((_, key)), Some(refers_to)) = (keys.last_mut(), refers_to) {
            key.from.push(row.try_get("", "part")?);
            key.to.push(refers_to);
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

fn add(table: &mut LiveTable, what: i32, row: &QueryResult) -> Result<(), DbErr> {
    let name: String = row.try_get("", "name")?;
    match what {
        0 => {
            table.kind = if name == "table" {
                TableKind::Table
            } else {
                TableKind::Other
            };
            table.has_triggers = row.try_get::<i64>("", "number")? > 0;
            table.may_skip_inserts = table.has_triggers;
            table.resolves_conflicts = has_conflict_clause(&row.try_get::<String>("", "part")?);
        }
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

/// A query in which `?1` is the table and `?2` the schema. It is sent with plain placeholders: SeaORM's own
/// formatting of statements panics at numbered ones.
fn bound_to_table(text: &str, table: &str, schema: &str) -> Statement {
    let mut parts = text.split('?');
    let mut sql = parts.next().unwrap_or_default().to_owned();
    let mut values: Vec<Value> = Vec::new();
    for part in parts {
        let (value, rest) = match part.strip_prefix('1') {
            Some(rest) => (table, rest),
            None => (schema, part.strip_prefix('2').unwrap_or(part)),
        };
        values.push(value.into());
        sql.push('?');
        sql.push_str(rest);
    }
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}

/// Whether a constraint in a table's text has a conflict clause other than the statement's error.
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
