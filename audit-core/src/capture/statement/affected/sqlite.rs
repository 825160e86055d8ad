//! What SQLite's pragmas say. Its views are written by triggers of the application's own, which are not looked into.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use super::super::live_table::sqlite::{asked, referring_keys};
use super::{By, Link};
use crate::capture::hook::take_write_lock;
use crate::config::AuditConfig;
use crate::connection::Frames;
use crate::recorder::is_contention;
use crate::sql::{TableName, quoted};

/// Asks; or does not, where nothing can be written.
///
/// A transaction that reads before it writes loses to another writer, so it takes the write lock first, as the statement
/// is about to do.
pub(super) async fn ask<C: ConnectionTrait>(
    db: &C,
    config: &AuditConfig,
    frames: Option<&Frames>,
    name: &TableName,
) -> Result<Option<Vec<Link>>, DbErr> {
    if let Some(frames) = frames.filter(|frames| frames.needs_write_lock()) {
        match take_write_lock(db, config).await {
            Ok(()) => frames.has_write_lock(),
            Err(error) if is_contention(&error) => return Err(error),
            Err(_) => return Ok(None),
        }
    }
    let schema = name.schema.as_deref().unwrap_or("main");
    let place = quoted(DbBackend::Sqlite, schema);
    let text = format!(
        "\
SELECT DISTINCT m.name AS name, f.on_delete AS rule
FROM {place}.sqlite_master AS m, pragma_foreign_key_list(m.name, ?2) AS f
WHERE m.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE
  AND f.on_delete NOT IN ('NO ACTION', 'RESTRICT')
  AND (SELECT foreign_keys FROM pragma_foreign_keys) = 1"
    );
    let follows = |table: String, by: By| Link {
        to: Some(TableName {
            schema: name.schema.clone(),
            table,
        }),
        by,
        fires_triggers: true,
    };
    let mut links = Vec::new();
    for row in db.query_all_raw(asked(&text, &name.table, schema)).await? {
        let deletes = row.try_get::<String>("", "rule")? == "CASCADE";
        links.push(follows(row.try_get("", "name")?, By::Delete { deletes }));
    }
    for key in referring_keys(db, Some(schema), &name.table).await? {
        let columns = key.to;
        links.push(follows(key.table, By::Update { columns }));
    }
    Ok(Some(links))
}
