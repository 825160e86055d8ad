//! Where a table and its log are, and the catalogue's data of the table.

use sea_orm_audit_core::trigger_plan::TriggerPlan;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr, JsonValue, Statement};

use super::quote::{ident, qualified};

/// The place of a table and its log.
#[derive(Debug)]
pub(super) struct Site {
    /// The schema that the log is in, which the functions are put into.
    pub(super) log_schema: String,
    /// The schema that the table is in.
    pub(super) schema: String,
    /// A digest of the table's name, for names that would be too long.
    pub(super) digest: String,
    /// A digest of the names and types of the table's columns.
    pub(super) fingerprint: String,
    /// Whether there are columns whose text depends on how many digits of a float are written.
    pub(super) has_floats: bool,
    /// Whether there are columns of types whose text depends on other settings.
    pub(super) has_others: bool,
    /// The columns of the type `character(n)`.
    pub(super) padded: Vec<String>,
    /// The columns that hold arrays.
    pub(super) lists: Vec<String>,
    /// The columns that are computed when they are read (PostgreSQL 18), which a transition table does
    /// not have: the server refuses to read them there.
    pub(super) computed: Vec<String>,
}

/// The log is where it is found, or will be made; so is the table.
const LOOK: &str = "
WITH named AS (
  SELECT COALESCE($1::text, (SELECT n.nspname::text FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.oid = pg_catalog.to_regclass($2::text)), pg_catalog.current_schema()::text) AS log_schema,
    pg_catalog.to_regclass($3::text)::pg_catalog.oid AS relid
), placed AS (
  SELECT log_schema, relid, COALESCE((SELECT n.nspname::text FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = relid),
    $4::text, pg_catalog.current_schema()::text) AS table_schema
  FROM named
), columns AS (
  SELECT a.attnum, a.attname::text AS name, t.typname::text AS type, a.atttypmod,
    CASE WHEN a.attgenerated = 'v' THEN 'computed' END AS computed,
    t.typcategory::text AS category,
    COALESCE(e.typname, t.typname)::text AS element, COALESCE(e.typtype, t.typtype)::text AS kind,
    n.nspname::text AS type_schema
  FROM placed JOIN pg_catalog.pg_attribute AS a ON a.attrelid = relid
  JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem AND t.typcategory = 'A'
  WHERE a.attnum > 0 AND NOT a.attisdropped
)
SELECT log_schema, table_schema, pg_catalog.md5(table_schema || pg_catalog.chr(1) || $5::text) AS digest,
  (SELECT COALESCE(pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(pg_catalog.chr(1),
    name, type_schema, type, atttypmod, computed), pg_catalog.chr(2) ORDER BY attnum)), 'not there') FROM columns)
    AS fingerprint,
  EXISTS (SELECT FROM columns WHERE element IN ('float4', 'float8', 'vector', 'halfvec')
    OR kind <> 'b' AND kind <> 'e') AS has_floats,
  EXISTS (SELECT FROM columns WHERE kind <> 'e' AND element NOT IN ('bool', 'int2', 'int4', 'int8',
    'float4', 'float8', 'numeric', 'text', 'varchar', 'bpchar', 'citext', 'name', 'char', 'uuid',
    'json', 'jsonb', 'date', 'time', 'timestamp', 'timestamptz', 'bytea', 'inet', 'cidr', 'macaddr',
    'macaddr8', 'bit', 'varbit', 'vector', 'halfvec')) AS has_others,
  (SELECT pg_catalog.json_agg(name) FROM columns WHERE type = 'bpchar') AS padded,
  (SELECT pg_catalog.json_agg(name) FROM columns WHERE category = 'A') AS lists,
  (SELECT pg_catalog.json_agg(name) FROM columns WHERE computed IS NOT NULL) AS computed
FROM placed";

impl Site {
    /// Looks a table and its log up.
    pub(super) async fn of<C: ConnectionTrait>(db: &C, plan: &TriggerPlan) -> Result<Self, DbErr> {
        let log_schema = plan.tables.schema().map(str::to_owned);
        let log = match &log_schema {
            Some(schema) => qualified(schema, plan.tables.log()),
            None => ident(plan.tables.log()),
        };
        let table = match &plan.schema {
            Some(schema) => qualified(schema, plan.table),
            None => ident(plan.table),
        };
        let look = Statement::from_sql_and_values(
            db.get_database_backend(),
            LOOK,
            [
                log_schema.into(),
                log.into(),
                table.into(),
                plan.schema.clone().into(),
                plan.table.into(),
            ],
        );
        let row = (db.query_one_raw(look).await?)
            .ok_or_else(|| DbErr::RecordNotFound("the catalogue".into()))?;
        let nowhere = || {
            DbErr::Migration(
                "no schema for the audit triggers: `search_path` names none that is there".into(),
            )
        };
        let names = |column: &str| -> Result<Vec<String>, DbErr> {
            let names: Option<JsonValue> = row.try_get("", column)?;
            let names = names.as_ref().and_then(JsonValue::as_array);
            let text = |name: &JsonValue| name.as_str().map(str::to_owned);
            Ok(names.into_iter().flatten().filter_map(text).collect())
        };
        Ok(Self {
            log_schema: row
                .try_get::<Option<String>>("", "log_schema")?
                .ok_or_else(nowhere)?,
            schema: row
                .try_get::<Option<String>>("", "table_schema")?
                .ok_or_else(nowhere)?,
            digest: row.try_get("", "digest")?,
            fingerprint: row.try_get("", "fingerprint")?,
            has_floats: row.try_get("", "has_floats")?,
            has_others: row.try_get("", "has_others")?,
            padded: names("padded")?,
            lists: names("lists")?,
            computed: names("computed")?,
        })
    }
}
