//! The queries on the databases' catalogues. Each binds the names of the schemas once, in their order.

use sea_orm_migration::sea_orm::DbBackend;

/// The placeholders of this many bound values, in parentheses.
fn places(backend: DbBackend, count: usize) -> String {
    let place = |number: usize| match backend {
        DbBackend::Postgres => format!("${number}"),
        DbBackend::Sqlite => format!("lower(?{number})"),
        _ => "?".to_owned(),
    };
    let places: Vec<String> = (1..=count).map(place).collect();
    format!("({})", places.join(", "))
}

/// Every column of every table and view of so many schemas, the tables one after the other.
///
/// On PostgreSQL partitions are left out: what is written to the table that they are of is written to them. So are
/// the tables in which SQLite keeps what its virtual tables hold, and the hidden columns of these. MariaDB's catalogue
/// compares names in any case, also where two tables differ by nothing else.
pub(super) fn columns(backend: DbBackend, schemas: usize) -> String {
    let schemas = places(backend, schemas);
    match backend {
        DbBackend::Postgres => format!(
            "SELECT n.nspname::text AS schema_name, c.relname::text AS table_name, \
                    a.attname::text AS column_name, \
                    CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' \
                      WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind, \
                    NULL::text AS unsafe_engine \
             FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
             WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND NOT c.relispartition \
               AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname::text IN {schemas} \
             ORDER BY 1, 2, a.attnum"
        ),
        DbBackend::Sqlite => format!(
            "SELECT t.schema AS schema_name, t.name AS table_name, c.name AS column_name, \
                    CASE t.type WHEN 'virtual' THEN 'virtual table' ELSE t.type END AS kind, \
                    NULL AS unsafe_engine \
             FROM pragma_table_list t JOIN pragma_table_xinfo(t.name, t.schema) c \
             WHERE c.hidden <> 1 AND t.type IN ('table', 'virtual', 'view') AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
               AND lower(t.schema) IN {schemas} \
             ORDER BY 1, 2, c.cid"
        ),
        _ => format!(
            "SELECT CAST(c.TABLE_SCHEMA AS CHAR) AS schema_name, \
                    CAST(c.TABLE_NAME AS CHAR) AS table_name, \
                    CAST(c.COLUMN_NAME AS CHAR) AS column_name, \
                    CAST(IF(t.TABLE_TYPE = 'VIEW', 'view', 'table') AS CHAR) AS kind, \
                    CAST(IF(e.TRANSACTIONS <> 'YES', e.ENGINE, NULL) AS CHAR) AS unsafe_engine \
             FROM information_schema.COLUMNS c \
             JOIN information_schema.TABLES t \
               ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME \
              AND CAST(t.TABLE_SCHEMA AS BINARY) = CAST(c.TABLE_SCHEMA AS BINARY) \
              AND CAST(t.TABLE_NAME AS BINARY) = CAST(c.TABLE_NAME AS BINARY) \
             LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
             WHERE t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW') \
               AND c.TABLE_SCHEMA IN {schemas} \
             ORDER BY CAST(c.TABLE_SCHEMA AS BINARY), CAST(c.TABLE_NAME AS BINARY), \
                      c.ORDINAL_POSITION"
        ),
    }
}

/// Every column of every foreign key of the tables of these schemas, the keys one after the other.
///
/// On PostgreSQL the key of a table with partitions is reported once, and that of a single partition as one of the
/// table that it is of.
pub(super) fn keys(backend: DbBackend, schemas: usize) -> String {
    let schemas = places(backend, schemas);
    match backend {
        DbBackend::Postgres => format!(
            "SELECT k.oid::text AS key_id, k.conname::text AS key_name, n.nspname::text AS schema_name, \
                    c.relname::text AS table_name, pn.nspname::text AS parent_schema, \
                    p.relname::text AS parent_name, a.attname::text AS column_name, \
                    pa.attname::text AS parent_column, k.confdeltype::text AS on_delete, \
                    k.confupdtype::text AS on_update, (c.oid <> k.conrelid)::int4 AS of_partition \
             FROM pg_catalog.pg_constraint k \
             JOIN pg_catalog.pg_class c \
               ON c.oid = COALESCE(pg_catalog.pg_partition_root(k.conrelid)::oid, k.conrelid) \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_class p \
               ON p.oid = COALESCE(pg_catalog.pg_partition_root(k.confrelid)::oid, k.confrelid) \
             JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace \
             CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS x(own, other, at) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.own \
             JOIN pg_catalog.pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = x.other \
             WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname::text IN {schemas} \
             ORDER BY 3, 4, 2, 1, x.at"
        ),
        DbBackend::Sqlite => format!(
            "SELECT CAST(k.id AS TEXT) AS key_id, NULL AS key_name, t.schema AS schema_name, \
                    t.name AS table_name, t.schema AS parent_schema, k.\"table\" AS parent_name, \
                    k.\"from\" AS column_name, k.\"to\" AS parent_column, k.on_delete, k.on_update, \
                    0 AS of_partition \
             FROM pragma_table_list t JOIN pragma_foreign_key_list(t.name, t.schema) k \
             WHERE t.type = 'table' AND lower(t.schema) IN {schemas} ORDER BY 3, 4, k.id, k.seq"
        ),
        _ => format!(
            "SELECT CAST(k.CONSTRAINT_NAME AS CHAR) AS key_id, \
                    CAST(k.CONSTRAINT_NAME AS CHAR) AS key_name, \
                    CAST(k.TABLE_SCHEMA AS CHAR) AS schema_name, \
                    CAST(k.TABLE_NAME AS CHAR) AS table_name, \
                    CAST(k.REFERENCED_TABLE_SCHEMA AS CHAR) AS parent_schema, \
                    CAST(k.REFERENCED_TABLE_NAME AS CHAR) AS parent_name, \
                    CAST(k.COLUMN_NAME AS CHAR) AS column_name, \
                    CAST(k.REFERENCED_COLUMN_NAME AS CHAR) AS parent_column, \
                    CAST(r.DELETE_RULE AS CHAR) AS on_delete, \
                    CAST(r.UPDATE_RULE AS CHAR) AS on_update, CAST(0 AS SIGNED) AS of_partition \
             FROM information_schema.KEY_COLUMN_USAGE k \
             JOIN information_schema.REFERENTIAL_CONSTRAINTS r \
               ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA \
              AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME \
              AND CAST(r.CONSTRAINT_SCHEMA AS BINARY) = CAST(k.CONSTRAINT_SCHEMA AS BINARY) \
              AND CAST(r.TABLE_NAME AS BINARY) = CAST(k.TABLE_NAME AS BINARY) \
             WHERE k.REFERENCED_TABLE_NAME IS NOT NULL AND k.TABLE_SCHEMA IN {schemas} \
             ORDER BY CAST(k.TABLE_SCHEMA AS BINARY), CAST(k.TABLE_NAME AS BINARY), 1, \
                      k.ORDINAL_POSITION"
        ),
    }
}
