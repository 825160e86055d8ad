//! The links in SQLite's pragmas, and of its views, which the application's triggers write.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};

use super::{By, Link};
use crate::routine::Body;
use crate::sql::{TableName, quoted};

/// A foreign key without target columns refers to the primary key.
fn keys_of(schema: &str) -> String {
    let place = quoted(DbBackend::Sqlite, schema);
    format!(
        "\
SELECT m.name AS follower, f.\"table\" AS name, f.on_delete AS deleted, f.on_update AS updated, COALESCE(f.\"to\",
    (SELECT p.name FROM pragma_table_info(f.\"table\", ?) AS p WHERE p.pk = f.seq + 1)) AS part
FROM {place}.sqlite_master AS m, pragma_foreign_key_list(m.name, ?) AS f WHERE m.type = 'table'"
    )
}

/// The triggers of views, which run instead of a write.
fn triggers_of_views(schema: &str) -> String {
    let place = quoted(DbBackend::Sqlite, schema);
    format!(
        "\
SELECT v.name AS name, t.sql AS body FROM {place}.sqlite_master AS t JOIN {place}.sqlite_master AS v
  ON v.name = t.tbl_name COLLATE NOCASE AND v.type = 'view' WHERE t.type = 'trigger'"
    )
}

pub(super) async fn fetch(db: &DatabaseConnection) -> Result<Vec<Link>, DbErr> {
    let backend = DbBackend::Sqlite;
    let databases = "SELECT name FROM pragma_database_list WHERE seq <> 1";
    let mut links = Vec::new();
    for database in (db.query_all_raw(Statement::from_string(backend, databases))).await? {
        let schema: String = database.try_get("", "name")?;
        let values = [schema.as_str().into(), schema.as_str().into()];
        let keys = Statement::from_sql_and_values(backend, keys_of(&schema), values);
        for row in db.query_all_raw(keys).await? {
            let table = |column: &str| -> Result<TableName, DbErr> {
                Ok(TableName {
                    schema: Some(schema.clone()),
                    table: row.try_get("", column)?,
                })
            };
            let mut add = |by: By| -> Result<(), DbErr> {
                links.push(Link {
                    from: table("name")?,
                    to: Some(table("follower")?),
                    by,
                    fires_triggers: true,
                });
                Ok(())
            };
            let acts = |rule: &str| !matches!(rule, "RESTRICT" | "NO ACTION");
            let deleted: String = row.try_get("", "deleted")?;
            if acts(&deleted) {
                add(By::Delete {
                    deletes: deleted == "CASCADE",
                })?;
            }
            if acts(&row.try_get::<String>("", "updated")?) {
                let column: Option<String> = row.try_get("", "part")?;
                add(By::Update {
                    columns: column.map(|column| vec![column]),
                })?;
            }
        }
        let triggers = Statement::from_string(backend, triggers_of_views(&schema));
        for row in db.query_all_raw(triggers).await? {
            let body: String = row.try_get("", "body")?;
            let view: String = row.try_get("", "name")?;
            for written in Body::read(backend, &body, "").writes {
                links.push(Link {
                    from: TableName {
                        schema: Some(schema.clone()),
                        table: view.clone(),
                    },
                    to: Some(TableName {
                        schema: written.schema.or_else(|| Some(schema.clone())),
                        table: written.name,
                    }),
                    by: By::Rule,
                    fires_triggers: true,
                });
            }
        }
    }
    Ok(links)
}
