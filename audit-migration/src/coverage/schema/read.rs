//! Reading the live schema.

use std::collections::BTreeSet;

use sea_orm_migration::sea_orm::{
    self, ConnectionTrait, DbBackend, DbErr, FromQueryResult, QueryResult, Statement, Value,
};

use super::{Kind, LiveKey, LiveSchema, LiveTable, Names, Reaction, TableId, sql};

#[derive(FromQueryResult)]
#[allow(clippy::struct_field_names)] // what a query calls its columns
struct ColumnRow {
    schema_name: String,
    table_name: String,
    column_name: String,
    kind: String,
    unsafe_engine: Option<String>,
}

#[derive(FromQueryResult)]
#[allow(clippy::struct_field_names)]
struct KeyRow {
    /// What distinguishes the keys of a table.
    key_id: String,
    key_name: Option<String>,
    schema_name: String,
    table_name: String,
    parent_schema: String,
    parent_name: String,
    column_name: String,
    parent_column: Option<String>,
    on_delete: String,
    on_update: String,
    of_partition: i32,
}

impl LiveSchema {
    /// Reads the schemas in which unqualified names are found, and these.
    pub(crate) async fn read<C: ConnectionTrait>(
        db: &C,
        more: &BTreeSet<String>,
    ) -> Result<Self, DbErr> {
        let backend = db.get_database_backend();
        let names = names(db).await?;
        let path = search_path(db).await?;
        let mut schemas: Vec<&String> = path.iter().collect();
        for schema in more {
            if !schemas.iter().any(|known| names.same_table(known, schema)) {
                schemas.push(schema);
            }
        }
        if schemas.is_empty() {
            // No entity names a schema, and the connection has none.
            return Ok(Self {
                path,
                names,
                tables: Vec::new(),
                keys: Vec::new(),
            });
        }
        let query = |sql: String| async {
            let values = schemas.iter().map(|name| Value::from(name.as_str()));
            let statement = Statement::from_sql_and_values(backend, sql, values);
            db.query_all_raw(statement).await
        };
        let columns = query(sql::columns(backend, schemas.len())).await?;
        let keys = query(sql::keys(backend, schemas.len())).await?;
        // MariaDB compares bound values without regard to case, even where schemas differ only in case.
        let is_asked = |schema: &str| {
            schemas
                .iter()
                .any(|fetched| names.same_table(fetched, schema))
        };
        let mut columns: Vec<ColumnRow> = rows(&columns)?;
        columns.retain(|row| is_asked(&row.schema_name));
        let mut keys: Vec<KeyRow> = rows(&keys)?;
        keys.retain(|row| is_asked(&row.schema_name));
        let mut schema = Self {
            tables: tables_of(columns),
            keys: Vec::new(),
            path,
            names,
        };
        let mut keys = keys_of(keys);
        for key in &mut keys {
            // SQLite has the name as the key's declaration wrote it.
            let parent = schema.find(Some(&key.parent.schema), &key.parent.name);
            if let Some(parent) = parent {
                key.parent = parent.id.clone();
            }
        }
        schema.keys = keys;
        Ok(schema)
    }
}

fn rows<R: FromQueryResult>(rows: &[QueryResult]) -> Result<Vec<R>, DbErr> {
    rows.iter()
        .map(|row| R::from_query_result(row, ""))
        .collect()
}

async fn search_path<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, DbErr> {
    let sql = match db.get_database_backend() {
        DbBackend::Sqlite => return Ok(vec!["main".to_owned()]),
        DbBackend::Postgres => {
            "SELECT name::text FROM unnest(current_schemas(false)) WITH ORDINALITY AS x(name, at) ORDER BY at"
        }
        _ => "SELECT CAST(DATABASE() AS CHAR) AS name FROM DUAL WHERE DATABASE() IS NOT NULL",
    };
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let found = db.query_all_raw(statement).await?;
    found.iter().map(|row| row.try_get("", "name")).collect()
}

async fn names<C: ConnectionTrait>(db: &C) -> Result<Names, DbErr> {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => return Ok(Names::Exact),
        DbBackend::Sqlite => return Ok(Names::AnyAsciiCase),
        _ => "SELECT CAST(@@lower_case_table_names AS SIGNED) AS any_case",
    };
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let any_case = match db.query_one_raw(statement).await? {
        Some(row) => row.try_get::<i64>("", "any_case")? != 0,
        None => false,
    };
    Ok(if any_case {
        Names::AnyCase
    } else {
        Names::ExactTables
    })
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
                kind: Kind::of(&row.kind),
                unsafe_engine: row.unsafe_engine,
            }),
        }
    }
    tables
}

fn keys_of(rows: Vec<KeyRow>) -> Vec<LiveKey> {
    let mut keys: Vec<LiveKey> = Vec::new();
    let mut last = None;
    for row in rows {
        let table = TableId {
            schema: row.schema_name,
            name: row.table_name,
        };
        let column = (row.column_name, row.parent_column.unwrap_or_default());
        let id = Some((table.clone(), row.key_id));
        if last == id
            && let Some(key) = keys.last_mut()
        {
            key.columns.push(column);
        } else {
            keys.push(LiveKey {
                name: row.key_name.unwrap_or_default(),
                table,
                parent: TableId {
                    schema: row.parent_schema,
                    name: row.parent_name,
                },
                columns: vec![column],
                on_delete: Reaction::of(&row.on_delete),
                on_update: Reaction::of(&row.on_update),
                is_of_partition: row.of_partition != 0,
            });
        }
        last = id;
    }
    for key in keys.iter_mut().filter(|key| key.name.is_empty()) {
        let columns: Vec<&str> = key.columns.iter().map(|(own, _)| own.as_str()).collect();
        key.name = format!("({})", columns.join(", "));
    }
    keys
}
