//! The triggers, functions and procedures in the databases' catalogues. Of PostgreSQL all schemas are read, elsewhere
//! those of the report, and SQLite's temporary triggers.

use sea_orm_audit_core::routine::Body;
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value,
};

use super::super::schema::{LiveSchema, TableId};
use super::{Code, OtherTrigger, Routine};

/// How the names of our triggers begin.
const OURS: &str = "sea_orm_audit_";

/// A trigger of a partition is one of the table that the partition is of, and partitions have copies of the triggers of
/// their table. Functions in C and of the server itself have no text, and are not examined.
const POSTGRES_TRIGGERS: &str = "\
SELECT DISTINCT n.nspname::text AS schema_name, c.relname::text AS table_name, t.tgname::text AS name, \
  l.lanname::text AS language, p.prosrc AS body, pg_catalog.encode(t.tgargs, 'escape') AS arguments \
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c \
  ON c.oid = COALESCE(pg_catalog.pg_partition_root(t.tgrelid)::oid, t.tgrelid) \
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND l.lanname NOT IN ('c', 'internal') \
  AND NOT (pg_catalog.starts_with(t.tgname::text, $1::text) AND pg_catalog.starts_with(p.proname::text, $1::text)) \
ORDER BY 1, 2, 3";

/// A function whose body is standard SQL (`BEGIN ATOMIC`) has no source text.
const POSTGRES_ROUTINES: &str = "\
SELECT n.nspname::text AS schema_name, p.proname::text AS name, l.lanname::text AS language, \
  CASE WHEN p.prosrc = '' THEN pg_catalog.pg_get_functiondef(p.oid) ELSE p.prosrc END AS body \
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
WHERE l.lanname NOT IN ('c', 'internal') AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
  AND p.prokind IN ('f', 'p') AND p.proname::text IN ";

const MYSQL_TRIGGERS: &str = "\
SELECT CAST(EVENT_OBJECT_SCHEMA AS CHAR) AS schema_name, CAST(EVENT_OBJECT_TABLE AS CHAR) AS table_name, \
  CAST(TRIGGER_NAME AS CHAR) AS name, CAST(ACTION_STATEMENT AS CHAR) AS body \
FROM information_schema.TRIGGERS \
WHERE LEFT(TRIGGER_NAME, 14) <> ? AND TRIGGER_SCHEMA IN ";

/// The body is NULL for a role that may not read it.
const MYSQL_ROUTINES: &str = "\
SELECT CAST(ROUTINE_SCHEMA AS CHAR) AS schema_name, CAST(ROUTINE_NAME AS CHAR) AS name, \
  CAST(COALESCE(ROUTINE_DEFINITION, '') AS CHAR) AS body \
FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN ";

/// The triggers that are not ours.
pub(super) async fn triggers<C: ConnectionTrait>(
    db: &C,
    schema: &LiveSchema,
) -> Result<Vec<OtherTrigger>, DbErr> {
    match db.get_database_backend() {
        DbBackend::Sqlite => sqlite_triggers(db, schema).await,
        DbBackend::Postgres => {
            let rows = fetch(db, POSTGRES_TRIGGERS, [OURS.into()]).await?;
            rows.iter().map(postgres_trigger).collect()
        }
        _ => {
            let schemas = schemas(schema);
            let sql = format!("{MYSQL_TRIGGERS}{} ORDER BY 1, 2, 3", marks(schemas.len()));
            let values = [OURS].into_iter().chain(schemas).map(Value::from);
            let rows = fetch(db, &sql, values).await?;
            rows.iter().map(mysql_trigger).collect()
        }
    }
}

/// The functions and procedures of these names.
pub(super) async fn routines<C: ConnectionTrait>(
    db: &C,
    schema: &LiveSchema,
    names: &[String],
) -> Result<Vec<Routine>, DbErr> {
    let names = || names.iter().map(String::as_str);
    match db.get_database_backend() {
        DbBackend::Sqlite => Ok(Vec::new()),
        DbBackend::Postgres => {
            let places: Vec<String> = (1..=names().count()).map(|n| format!("${n}")).collect();
            let sql = format!("{POSTGRES_ROUTINES}({})", places.join(", "));
            let rows = fetch(db, &sql, names().map(Value::from)).await?;
            let routine = |row: &QueryResult| {
                let (language, body): (String, String) = (get(row, "language")?, get(row, "body")?);
                Ok(Routine {
                    schema: get(row, "schema_name")?,
                    name: get(row, "name")?,
                    code: postgres_code(&language, &body, ""),
                })
            };
            rows.iter().map(routine).collect()
        }
        _ => {
            let schemas = schemas(schema);
            let sql = format!(
                "{MYSQL_ROUTINES}{} AND ROUTINE_NAME IN {}",
                marks(schemas.len()),
                marks(names().count())
            );
            let values = schemas.into_iter().chain(names()).map(Value::from);
            let rows = fetch(db, &sql, values).await?;
            let routine = |row: &QueryResult| {
                let schema: String = get(row, "schema_name")?;
                Ok(Routine {
                    name: get(row, "name")?,
                    code: code(
                        DbBackend::MySql,
                        Some(schema.clone()),
                        &get::<String>(row, "body")?,
                    ),
                    schema,
                })
            };
            rows.iter().map(routine).collect()
        }
    }
}

/// The schemas of the report that have tables.
fn schemas(schema: &LiveSchema) -> Vec<&str> {
    let mut names: Vec<&str> = (schema.tables.iter())
        .map(|table| table.id.schema.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn marks(count: usize) -> String {
    format!("({})", vec!["?"; count].join(", "))
}

async fn fetch<C: ConnectionTrait>(
    db: &C,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    db.query_all_raw(statement).await
}

fn get<T: sea_orm_migration::sea_orm::TryGetable>(
    row: &QueryResult,
    column: &str,
) -> Result<T, DbErr> {
    row.try_get("", column)
}

fn code(backend: DbBackend, schema: Option<String>, body: &str) -> Code {
    let body = Body::read(backend, body, "");
    Code { schema, body }
}

/// Names without a schema are found by the session's `search_path`, or that of the function.
fn postgres_code(language: &str, body: &str, arguments: &str) -> Code {
    let body = match language {
        "plpgsql" | "sql" => Body::read(DbBackend::Postgres, body, arguments),
        _ => Body::of_words(body, arguments),
    };
    Code { schema: None, body }
}

fn postgres_trigger(row: &QueryResult) -> Result<OtherTrigger, DbErr> {
    let text = |column: &str| get::<String>(row, column);
    Ok(OtherTrigger {
        name: text("name")?,
        table: TableId {
            schema: text("schema_name")?,
            name: text("table_name")?,
        },
        code: postgres_code(&text("language")?, &text("body")?, &text("arguments")?),
    })
}

fn mysql_trigger(row: &QueryResult) -> Result<OtherTrigger, DbErr> {
    let text = |column: &str| get::<String>(row, column);
    let schema = text("schema_name")?;
    Ok(OtherTrigger {
        name: text("name")?,
        code: code(DbBackend::MySql, Some(schema.clone()), &text("body")?),
        table: TableId {
            schema,
            name: text("table_name")?,
        },
    })
}

/// A trigger writes the database that it is in. Only a temporary one can be of a table of another, and write any.
async fn sqlite_triggers<C: ConnectionTrait>(
    db: &C,
    schema: &LiveSchema,
) -> Result<Vec<OtherTrigger>, DbErr> {
    const TEMPORARY: &str = "temp";
    let mut places = schemas(schema);
    places.retain(|place| !place.eq_ignore_ascii_case(TEMPORARY));
    places.push(TEMPORARY);
    let mut triggers = Vec::new();
    for place in places {
        let sql = format!(
            "SELECT name, tbl_name, sql FROM \"{}\".sqlite_master \
             WHERE type = 'trigger' AND substr(name, 1, {}) <> ? ORDER BY tbl_name, name",
            place.replace('"', "\"\""),
            OURS.len(),
        );
        for row in fetch(db, &sql, [OURS.into()]).await? {
            let table: String = get(&row, "tbl_name")?;
            let own = (place != TEMPORARY).then(|| place.to_owned());
            // Of a temporary trigger, where the table is found by its name.
            let live = schema.find(own.as_deref(), &table);
            triggers.push(OtherTrigger {
                name: get(&row, "name")?,
                table: live.map_or_else(
                    || TableId {
                        schema: place.to_owned(),
                        name: table,
                    },
                    |live| live.id.clone(),
                ),
                code: code(DbBackend::Sqlite, own, &get::<String>(&row, "sql")?),
            });
        }
    }
    Ok(triggers)
}
