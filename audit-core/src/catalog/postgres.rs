//! PostgreSQL's catalogue.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{LiveTable, ReferringKey, TableKind, UniqueIndex};
use crate::record::prepare_again;
use crate::sql::{TableName, quoted};

/// One row for the table that the name resolves to on this connection, as JSON. It precedes the first write to a table in
/// each transaction, so it has only what most writes need; what few tables have is asked for separately.
///
/// A foreign key has triggers on the table that it refers to, which an index finds. `pg_trigger.tgtype` and the numbers
/// of the columns are those of the catalogue.
///
/// A schema that the statement names is the schema of an entity that names none if the search path resolves to it,
/// now or by the session's default: a transaction may set another search path for itself.
const LOOK_UP: &str = "\
SELECT json_build_object(
  'schema', n.nspname,
  'kind', c.relkind,
  'temporary', c.relpersistence = 't',
  'rules', c.relhasrules,
  'secured', row_security_active(c.oid),
  'lockable', has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'UPDATE'),
  'readable', has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'),
  'has_children', c.relhassubclass,
  'found_by_name', n.nspname = ANY (current_schemas(false)) OR EXISTS (
    SELECT FROM pg_catalog.pg_settings s, unnest(string_to_array(s.reset_val, ',')) AS path (name)
    WHERE s.name = 'search_path' AND n.nspname = CASE trim(path.name)
      WHEN '\"$user\"' THEN current_user ELSE btrim(path.name, ' \"') END),
  'version', current_setting('server_version_num')::int,
  'level', current_setting('transaction_isolation'),
  'triggers', t.types,
  'referred', t.keys,
  'columns', l.columns
)::text AS facts
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, LATERAL (
  SELECT json_agg(json_build_array(a.attname, a.attnum, a.atttypid, a.atttypmod, a.attcollation) ORDER BY a.attnum)
    AS columns
  FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) l, LATERAL (
  SELECT json_agg(t.tgtype) FILTER (WHERE NOT t.tgisinternal AND t.tgenabled <> 'D') AS types,
    json_agg(f.confkey) FILTER (WHERE f.confrelid = c.oid AND f.contype = 'f' AND f.confupdtype NOT IN ('a', 'r'))
      AS keys
  FROM pg_catalog.pg_trigger t LEFT JOIN pg_catalog.pg_constraint f ON f.oid = t.tgconstraint
  WHERE t.tgrelid = c.oid) t
WHERE ";

/// The triggers of partitions and of inheriting tables, which change rows of the table as well.
const TRIGGERS_OF_CHILDREN: &str = "\
SELECT COALESCE(json_agg(t.tgtype), '[]')::text AS facts
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, LATERAL (
  WITH RECURSIVE tree AS (SELECT i.inhrelid AS id FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid UNION
    SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.id)
  SELECT t.tgtype FROM tree JOIN pg_catalog.pg_trigger t ON t.tgrelid = tree.id
  WHERE NOT t.tgisinternal AND t.tgenabled <> 'D') t
WHERE ";

/// The columns that the role may not read.
const UNREADABLE: &str = "\
SELECT COALESCE(json_agg(a.attname), '[]')::text AS facts
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE a.attnum > 0 AND NOT a.attisdropped
  AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')) AND ";

/// The unique indexes, and the types of the columns, which decide the conflicts of an INSERT.
const CONFLICTS: &str = "\
SELECT json_build_object(
  'types', (SELECT COALESCE(json_object_agg(a.attname, format_type(a.atttypid, -1)), '{}')
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  'unique', (SELECT COALESCE(json_agg(json_build_object(
      'name', i.relname,
      'columns', CASE WHEN x.indexprs IS NULL THEN (
        SELECT json_agg(a.attname ORDER BY k.place)
        FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
        WHERE k.place <= x.indnkeyatts) END)), '[]')
    FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
    WHERE x.indrelid = c.oid AND x.indisunique)
)::text AS facts
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE ";

/// The foreign keys with an action of ON UPDATE that refer to a table.
const REFERRING: &str = "\
SELECT COALESCE(json_agg(json_build_object(
    'schema', s.nspname,
    'table', r.relname,
    'from', (SELECT json_agg(a.attname ORDER BY k.place)
      FROM unnest(f.conkey) WITH ORDINALITY AS k (attnum, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum),
    'to', (SELECT json_agg(a.attname ORDER BY k.place)
      FROM unnest(f.confkey) WITH ORDINALITY AS k (attnum, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum)
    ) ORDER BY f.oid), '[]')::text AS facts
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_constraint f ON f.confrelid = c.oid
JOIN pg_catalog.pg_class r ON r.oid = f.conrelid JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace
WHERE f.contype = 'f' AND f.confupdtype NOT IN ('a', 'r') AND ";

/// Resolved by the search path. `to_regclass` fails for a schema that the role may not use: the search path contains
/// no such schema.
const BY_NAME: &str = "c.oid = to_regclass($1)";

/// In a schema that the role may not be allowed to use, as the schema of a table whose rows a cascade deletes.
const BY_SCHEMA: &str = "c.relname = $1 AND n.nspname = $2";

/// The first version whose RETURNING takes `WITH (OLD AS .., NEW AS ..)`.
const RETURNS_OLD: u32 = 180_000;

#[derive(Deserialize)]
#[allow(clippy::struct_excessive_bools)] // facts of the catalogue, each by itself
struct Facts {
    schema: String,
    kind: String,
    temporary: bool,
    rules: bool,
    secured: bool,
    lockable: bool,
    readable: bool,
    has_children: bool,
    found_by_name: bool,
    version: u32,
    level: String,
    triggers: Option<Vec<i16>>,
    referred: Option<Vec<Vec<i16>>>,
    columns: Option<Vec<Column>>,
}

/// A column: its name and number, the OID of its type, the modifier of the type, the OID of its collation.
#[derive(Deserialize, Hash)]
struct Column(String, i16, String, i32, String);

impl Facts {
    /// The columns that foreign keys with an action of ON UPDATE refer to. Before version 15 they have no triggers on a
    /// partitioned table, so that any of its columns may be one.
    fn referred(&self, columns: &[Column]) -> Vec<String> {
        let keys = self.referred.as_deref().unwrap_or_default();
        let is_referred = |number| keys.iter().any(|key| key.contains(&number));
        (columns.iter())
            .filter(|column| self.kind == "p" || is_referred(column.1))
            .map(|column| column.0.clone())
            .collect()
    }
}

/// The bits of `pg_trigger.tgtype`.
mod trigger_bit {
    pub(super) const ROW: i16 = 1;
    pub(super) const BEFORE: i16 = 2;
    pub(super) const INSERT: i16 = 4;
    pub(super) const INSTEAD: i16 = 64;
}

#[derive(Deserialize)]
struct Conflicts {
    types: HashMap<String, String>,
    unique: Vec<UniqueIndex>,
}

pub(super) async fn look_up<C: ConnectionTrait>(
    db: &C,
    name: &TableName,
) -> Result<LiveTable, DbErr> {
    use trigger_bit::{BEFORE, INSERT, INSTEAD, ROW};

    let Some(mut facts): Option<Facts> = fetch(db, LOOK_UP, name).await? else {
        return Ok(LiveTable {
            kind: TableKind::Missing,
            ..LiveTable::default()
        });
    };
    let mut triggers = facts.triggers.take().unwrap_or_default();
    if facts.has_children {
        let of_children: Option<Vec<i16>> = fetch(db, TRIGGERS_OF_CHILDREN, name).await?;
        triggers.extend(of_children.unwrap_or_default());
    }
    let unreadable = if facts.readable {
        None
    } else {
        fetch(db, UNREADABLE, name).await?
    };
    let columns = facts.columns.take().unwrap_or_default();
    let before_insert = ROW | BEFORE | INSERT;
    Ok(LiveTable {
        kind: match facts.kind.as_str() {
            _ if facts.temporary => TableKind::Temporary,
            "r" | "p" => TableKind::Table,
            _ => TableKind::Other,
        },
        shape: hash_of(&columns),
        is_secured: facts.secured,
        has_rules: facts.rules,
        unreadable: unreadable.unwrap_or_default(),
        is_lockable: facts.lockable,
        has_triggers: (triggers.iter()).any(|bits| bits & (BEFORE | INSTEAD) == 0),
        may_skip_inserts: (triggers.iter()).any(|bits| bits & before_insert == before_insert),
        returns_old: facts.version >= RETURNS_OLD,
        keeps_snapshot: matches!(facts.level.as_str(), "repeatable read" | "serializable"),
        referred: facts.referred(&columns),
        is_found_by_name: facts.found_by_name,
        schema: Some(facts.schema),
        columns: columns.into_iter().map(|column| column.0).collect(),
        // Unique indexes and types are looked up for conflict clauses. A conflicting row that was not read before is
        // detected from the returned row, so defaults do not matter.
        ..LiveTable::default()
    })
}

/// Completes what decides the conflicts of an INSERT.
pub(super) async fn look_up_conflicts<C: ConnectionTrait>(
    db: &C,
    name: &TableName,
    live: &mut LiveTable,
) -> Result<(), DbErr> {
    let conflicts: Option<Conflicts> = fetch(db, CONFLICTS, name).await?;
    if let Some(conflicts) = conflicts {
        live.types = conflicts.types;
        live.unique = conflicts.unique;
    }
    Ok(())
}

pub(super) async fn referring_keys<C: ConnectionTrait>(
    db: &C,
    name: &TableName,
) -> Result<Vec<ReferringKey>, DbErr> {
    Ok(fetch(db, REFERRING, name).await?.unwrap_or_default())
}

/// Asks about the table with a name; `None` if there is none.
async fn fetch<C: ConnectionTrait, T: DeserializeOwned>(
    db: &C,
    question: &str,
    name: &TableName,
) -> Result<Option<T>, DbErr> {
    let backend = DbBackend::Postgres;
    let table = || quoted(backend, &name.table);
    let (place, values): (_, Vec<Value>) = match &name.schema {
        None => (BY_NAME, vec![table().into()]),
        // An alias of a schema with another name.
        Some(schema) if schema == "pg_temp" => {
            (BY_NAME, vec![format!("pg_temp.{}", table()).into()])
        }
        Some(schema) => (
            BY_SCHEMA,
            vec![name.table.as_str().into(), schema.as_str().into()],
        ),
    };
    let sql = format!("{question}{place}");
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let Some(row) = db.query_one_raw(prepare_again(statement)).await? else {
        return Ok(None);
    };
    let facts: String = row.try_get("", "facts")?;
    let facts = serde_json::from_str(&facts).map_err(|error| {
        DbErr::Type(format!("the catalogue's answer could not be read: {error}"))
    })?;
    Ok(Some(facts))
}

/// Short; within one process, equal columns have equal hashes.
fn hash_of(columns: &[Column]) -> u32 {
    let mut hasher = DefaultHasher::new();
    columns.hash(&mut hasher);
    u32::try_from(hasher.finish() >> 32).unwrap_or_default()
}
