//! The live schema: its tables, their columns and foreign keys, as the database's catalogue tells them.
//!
//! Asked for through SeaORM's connection: `sea-schema`, which could discover the same, needs the driver of
//! the database compiled in, and this crate forces none on anybody.

use std::collections::BTreeSet;

use sea_orm_migration::sea_orm::{
    self, ConnectionTrait, DbBackend, DbErr, FromQueryResult, QueryResult, Statement, Value,
};

/// A table by its schema and name. SQLite's has no schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TableId {
    pub(super) schema: Option<String>,
    pub(super) name: String,
}

/// A table that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LiveTable {
    pub(super) id: TableId,
    pub(super) columns: Vec<String>,
}

/// A foreign key that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LiveKey {
    /// Its name, or on SQLite, where it need not have one, its columns.
    pub(super) name: String,
    pub(super) table: TableId,
    pub(super) parent: TableId,
    /// The columns, and those of the parent that they refer to.
    pub(super) columns: Vec<(String, String)>,
    pub(super) on_delete: Reaction,
    pub(super) on_update: Reaction,
}

/// What the database does to the rows that refer to one that is deleted, or whose key changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    /// Nothing: it refuses.
    Refuses,
    Cascades,
    /// Sets the columns to NULL, or to their defaults.
    Sets,
}

impl Reaction {
    fn of(word: &str) -> Self {
        match word.to_ascii_uppercase().as_str() {
            // PostgreSQL's catalogue has letters.
            "CASCADE" | "C" => Self::Cascades,
            "SET NULL" | "SET DEFAULT" | "N" | "D" => Self::Sets,
            _ => Self::Refuses,
        }
    }
}

/// The tables of some schemas.
#[derive(Debug, Default)]
pub(crate) struct LiveSchema {
    /// The schema in which names without one are found.
    pub(super) default: Option<String>,
    pub(super) tables: Vec<LiveTable>,
    pub(super) keys: Vec<LiveKey>,
}

#[derive(FromQueryResult)]
#[allow(clippy::struct_field_names)] // what a query calls its columns
struct ColumnRow {
    schema_name: Option<String>,
    table_name: String,
    column_name: String,
}

#[derive(FromQueryResult)]
#[allow(clippy::struct_field_names)]
struct KeyRow {
    key_name: String,
    schema_name: Option<String>,
    table_name: String,
    parent_schema: Option<String>,
    parent_name: String,
    column_name: String,
    parent_column: Option<String>,
    on_delete: String,
    on_update: String,
}

impl LiveSchema {
    /// Reads the schema in which names without one are found, and those that are named.
    pub(crate) async fn read<C: ConnectionTrait>(
        db: &C,
        named: &BTreeSet<String>,
    ) -> Result<Self, DbErr> {
        let backend = db.get_database_backend();
        let default = default_schema(db).await?;
        let schemas: BTreeSet<&String> = named.iter().chain(&default).collect();
        let values: Vec<Value> = schemas
            .iter()
            .map(|name| Value::from(name.as_str()))
            .collect();
        let places = places(backend, values.len());
        let query = |sql: String| async {
            let values = values.clone();
            let statement = Statement::from_sql_and_values(backend, sql, values);
            db.query_all_raw(statement).await
        };
        let columns = rows::<ColumnRow>(&query(columns_sql(backend, &places)).await?)?;
        let keys = rows::<KeyRow>(&query(keys_sql(backend, &places)).await?)?;
        Ok(Self {
            default,
            tables: tables_of(columns),
            keys: keys_of(keys),
        })
    }

    /// The table of a name, and of a schema where one is named.
    pub(super) fn find(&self, schema: Option<&str>, name: &str) -> Option<&LiveTable> {
        let schema = schema.or(self.default.as_deref());
        (self.tables.iter())
            .find(|table| table.id.name == name && table.id.schema.as_deref() == schema)
    }

    /// The columns of a table; none where it is not there.
    pub(crate) fn columns_of(&self, schema: Option<&str>, name: &str) -> Vec<String> {
        let table = self.find(schema, name);
        table.map(|table| table.columns.clone()).unwrap_or_default()
    }

    /// A table's name, with its schema where that is not the one of names without.
    pub(super) fn shown(&self, id: &TableId) -> String {
        match &id.schema {
            Some(schema) if Some(schema) != self.default.as_ref() => {
                format!("{schema}.{}", id.name)
            }
            _ => id.name.clone(),
        }
    }

    /// Whether a table, by its schema where one is named, is this one.
    pub(super) fn is(&self, id: &TableId, schema: Option<&str>, name: &str) -> bool {
        id.name == name && id.schema.as_deref() == schema.or(self.default.as_deref())
    }
}

fn rows<R: FromQueryResult>(rows: &[QueryResult]) -> Result<Vec<R>, DbErr> {
    rows.iter()
        .map(|row| R::from_query_result(row, ""))
        .collect()
}

async fn default_schema<C: ConnectionTrait>(db: &C) -> Result<Option<String>, DbErr> {
    let sql = match db.get_database_backend() {
        DbBackend::Sqlite => return Ok(None),
        DbBackend::Postgres => "SELECT current_schema()::text AS name",
        _ => "SELECT DATABASE() AS name",
    };
    let statement = Statement::from_string(db.get_database_backend(), sql);
    match db.query_one_raw(statement).await? {
        Some(row) => row.try_get("", "name"),
        None => Ok(None),
    }
}

/// The places of so many bound values, between parentheses.
fn places(backend: DbBackend, count: usize) -> String {
    let place = |number: usize| match backend {
        DbBackend::Postgres => format!("${number}"),
        _ => "?".to_owned(),
    };
    let places: Vec<String> = (1..=count).map(place).collect();
    format!("({})", places.join(", "))
}

fn columns_sql(backend: DbBackend, schemas: &str) -> String {
    match backend {
        DbBackend::Postgres => format!(
            "SELECT n.nspname::text AS schema_name, c.relname::text AS table_name, \
                    a.attname::text AS column_name \
             FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition \
               AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname::text IN {schemas} \
             ORDER BY 1, 2, a.attnum"
        ),
        DbBackend::Sqlite => "SELECT NULL AS schema_name, m.name AS table_name, \
                    c.name AS column_name \
             FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
             ORDER BY 2, c.cid"
            .to_owned(),
        _ => format!(
            "SELECT CAST(c.TABLE_SCHEMA AS CHAR) AS schema_name, \
                    CAST(c.TABLE_NAME AS CHAR) AS table_name, \
                    CAST(c.COLUMN_NAME AS CHAR) AS column_name \
             FROM information_schema.COLUMNS c \
             JOIN information_schema.TABLES t \
               ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME \
             WHERE t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND c.TABLE_SCHEMA IN {schemas} \
             ORDER BY 1, 2, c.ORDINAL_POSITION"
        ),
    }
}

fn keys_sql(backend: DbBackend, schemas: &str) -> String {
    match backend {
        DbBackend::Postgres => format!(
            "SELECT k.conname::text AS key_name, n.nspname::text AS schema_name, \
                    c.relname::text AS table_name, pn.nspname::text AS parent_schema, \
                    p.relname::text AS parent_name, a.attname::text AS column_name, \
                    pa.attname::text AS parent_column, k.confdeltype::text AS on_delete, \
                    k.confupdtype::text AS on_update \
             FROM pg_catalog.pg_constraint k \
             JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_class p ON p.oid = k.confrelid \
             JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace \
             CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS x(own, other, at) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.own \
             JOIN pg_catalog.pg_attribute pa ON pa.attrelid = p.oid AND pa.attnum = x.other \
             WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname::text IN {schemas} \
             ORDER BY 2, 3, 1, x.at"
        ),
        DbBackend::Sqlite => "SELECT 'foreign key ' || k.id AS key_name, NULL AS schema_name, \
                    m.name AS table_name, NULL AS parent_schema, k.\"table\" AS parent_name, \
                    k.\"from\" AS column_name, k.\"to\" AS parent_column, k.on_delete, k.on_update \
             FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) k \
             WHERE m.type = 'table' ORDER BY 3, k.id, k.seq"
            .to_owned(),
        _ => format!(
            "SELECT CAST(k.CONSTRAINT_NAME AS CHAR) AS key_name, \
                    CAST(k.TABLE_SCHEMA AS CHAR) AS schema_name, \
                    CAST(k.TABLE_NAME AS CHAR) AS table_name, \
                    CAST(k.REFERENCED_TABLE_SCHEMA AS CHAR) AS parent_schema, \
                    CAST(k.REFERENCED_TABLE_NAME AS CHAR) AS parent_name, \
                    CAST(k.COLUMN_NAME AS CHAR) AS column_name, \
                    CAST(k.REFERENCED_COLUMN_NAME AS CHAR) AS parent_column, \
                    CAST(r.DELETE_RULE AS CHAR) AS on_delete, \
                    CAST(r.UPDATE_RULE AS CHAR) AS on_update \
             FROM information_schema.KEY_COLUMN_USAGE k \
             JOIN information_schema.REFERENTIAL_CONSTRAINTS r \
               ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA \
              AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME \
             WHERE k.REFERENCED_TABLE_NAME IS NOT NULL AND k.TABLE_SCHEMA IN {schemas} \
             ORDER BY 2, 3, 1, k.ORDINAL_POSITION"
        ),
    }
}

fn tables_of(rows: Vec<ColumnRow>) -> Vec<LiveTable> {
    let mut tables: Vec<LiveTable> = Vec::new();
    for row in rows {
        let id = TableId {
            schema: row.schema_name,
            name: row.table_name,
        };
        match tables.last_mut() {
            Some(table) if table.id == id => table.columns.push(row.column_name),
            _ => tables.push(LiveTable {
                id,
                columns: vec![row.column_name],
            }),
        }
    }
    tables
}

fn keys_of(rows: Vec<KeyRow>) -> Vec<LiveKey> {
    let mut keys: Vec<LiveKey> = Vec::new();
    for row in rows {
        let table = TableId {
            schema: row.schema_name,
            name: row.table_name,
        };
        // SQLite leaves out the columns of a reference to the primary key.
        let column = (row.column_name, row.parent_column.unwrap_or_default());
        match keys.last_mut() {
            Some(key) if key.table == table && key.name == row.key_name => {
                key.columns.push(column);
            }
            _ => keys.push(LiveKey {
                name: row.key_name,
                table,
                parent: TableId {
                    schema: row.parent_schema,
                    name: row.parent_name,
                },
                columns: vec![column],
                on_delete: Reaction::of(&row.on_delete),
                on_update: Reaction::of(&row.on_update),
            }),
        }
    }
    keys
}
