//! Rows as they are, by their keys.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr};

use crate::auditable::EntityInfo;
use crate::sql::SqlBuilder;

/// The rows with these keys; `lock` is the end of the statement.
pub(crate) async fn read_rows<Db: ConnectionTrait>(
    db: &Db,
    info: &EntityInfo,
    keys: &[Vec<Value>],
    lock: &str,
) -> Result<Vec<Vec<Value>>, DbErr> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let backend = db.get_database_backend();
    let mut sql = SqlBuilder::new(backend, &[]);
    sql.text("SELECT ")
        .text(&(info.access.list)(backend, None))
        .text(" FROM ");
    add_table(&mut sql, info);
    sql.text(" WHERE ");
    for (at, key) in keys.iter().enumerate() {
        sql.text(if at == 0 { "(" } else { " OR (" });
        add_key(&mut sql, info, key, backend);
        sql.text(")");
    }
    sql.text(lock);
    let found = db.query_all_raw(sql.finish()).await?;
    found.iter().map(|row| (info.access.read)(row)).collect()
}

/// The table of an entity, as its own statements name it.
pub(crate) fn add_table(sql: &mut SqlBuilder<'_>, info: &EntityInfo) {
    if let Some(schema) = info.schema() {
        sql.name(schema).text(".");
    }
    sql.name(info.table());
}

/// The condition that a row has this key.
pub(crate) fn add_key(
    sql: &mut SqlBuilder<'_>,
    info: &EntityInfo,
    key: &[Value],
    backend: sea_orm::DbBackend,
) {
    for (part, (column, value)) in info.key.iter().zip(key).enumerate() {
        if part > 0 {
            sql.text(" AND ");
        }
        let (before, after) = (info.access.cast)(backend, *column);
        sql.name(info.columns[*column].name).text(" = ");
        sql.text(&before).value(value.clone()).text(&after);
    }
}
