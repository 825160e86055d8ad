//! The temporary tables of a read of the past: the rows that were others, the keys of the rows that changed, and the
//! numbers of the records after the moment, by object.
//!
//! PostgreSQL and SQLite drop them with the transaction, MySQL and MariaDB when the read ends or with the connection. No
//! table of the application has their names.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use super::events::EventId;
use crate::auditable::EntityInfo;
use crate::sql::{SqlBuilder, quoted};

/// How many values one statement binds: SQLite takes 32,766.
const BINDS: usize = 30_000;

/// The temporary tables of one entity.
#[derive(Debug, Clone)]
pub(super) struct Temporary {
    info: &'static EntityInfo,
    backend: DbBackend,
    /// The table of the application, as a statement names it.
    pub(super) real: String,
    pub(super) rows: String,
    pub(super) keys: String,
    events: String,
}

impl Temporary {
    pub(super) fn new(
        backend: DbBackend,
        info: &'static EntityInfo,
        schema: Option<&str>,
        number: usize,
    ) -> Self {
        // With its schema, the name does not mean the clause that hides the table, in WITH RECURSIVE either.
        let real = match schema {
            Some(schema) => format!(
                "{}.{}",
                quoted(backend, schema),
                quoted(backend, info.table())
            ),
            None => quoted(backend, info.table()),
        };
        let name = |what: &str| quoted(backend, &format!("sea_orm_audit_past_{number}_{what}"));
        Self {
            info,
            backend,
            real,
            rows: name("rows"),
            keys: name("keys"),
            events: name("events"),
        }
    }

    fn columns(&self, which: impl Iterator<Item = usize>) -> String {
        let names: Vec<String> = which
            .map(|at| quoted(self.backend, self.info.columns[at].name))
            .collect();
        names.join(", ")
    }

    /// The names of all columns.
    pub(super) fn all_columns(&self) -> String {
        self.columns(0..self.info.columns.len())
    }

    fn key_columns(&self) -> String {
        self.columns(self.info.key.iter().copied())
    }

    /// Whether two rows, which have these names in a statement, have the same key.
    pub(super) fn key_matches(&self, one: &str, other: &str) -> String {
        let parts: Vec<String> = (self.info.key.iter())
            .map(|at| {
                let name = quoted(self.backend, self.info.columns[*at].name);
                format!("{one}.{name} = {other}.{name}")
            })
            .collect();
        parts.join(" AND ")
    }

    /// The statements that create the tables.
    fn definitions(&self) -> Vec<Vec<String>> {
        let (all, key) = (self.all_columns(), self.key_columns());
        let (real, rows, keys, events) = (&self.real, &self.rows, &self.keys, &self.events);
        // Each inner list has alternatives: the first one that the database accepts is used.
        match self.backend {
            DbBackend::Postgres => vec![
                vec![format!(
                    "CREATE TEMPORARY TABLE {rows} ON COMMIT DROP AS SELECT {all} FROM {real} WITH NO DATA"
                )],
                vec![format!(
                    "CREATE TEMPORARY TABLE {keys} ON COMMIT DROP AS SELECT {key} FROM {real} WITH NO DATA"
                )],
                vec![format!(
                    "CREATE TEMPORARY TABLE {events} (object_id text COLLATE \"C\", id bigint, \
                     PRIMARY KEY (object_id, id)) ON COMMIT DROP"
                )],
            ],
            DbBackend::Sqlite => vec![
                vec![format!(
                    "CREATE TEMPORARY TABLE {rows} AS SELECT {all} FROM {real} WHERE 0"
                )],
                vec![format!(
                    "CREATE TEMPORARY TABLE {keys} AS SELECT {key} FROM {real} WHERE 0"
                )],
                vec![format!(
                    "CREATE TEMPORARY TABLE {events} (object_id TEXT, id INTEGER, PRIMARY KEY (object_id, id)) \
                     WITHOUT ROWID"
                )],
            ],
            // In an outer join all columns may be NULL. Several clauses of ALTER or CREATE INDEX would commit.
            _ => {
                let of = |columns: &str| {
                    format!(
                        "SELECT {columns} FROM (SELECT 1) AS one LEFT JOIN {real} ON 1 = 0 WHERE 1 = 0"
                    )
                };
                vec![
                    vec![format!("CREATE TEMPORARY TABLE {rows} {}", of(&all))],
                    // A text without a length cannot be a key.
                    vec![
                        format!(
                            "CREATE TEMPORARY TABLE {keys} (PRIMARY KEY ({key})) {}",
                            of(&key)
                        ),
                        format!("CREATE TEMPORARY TABLE {keys} {}", of(&key)),
                    ],
                    vec![format!(
                        "CREATE TEMPORARY TABLE {events} (object_id VARCHAR(600) CHARACTER SET utf8mb4 \
                         COLLATE utf8mb4_bin NOT NULL, id BIGINT NOT NULL, PRIMARY KEY (object_id, id))"
                    )],
                ]
            }
        }
    }

    pub(super) async fn create<Db: ConnectionTrait>(&self, db: &Db) -> Result<(), DbErr> {
        self.drop(db).await?;
        for alternatives in self.definitions() {
            let last = alternatives.len() - 1;
            for (at, definition) in alternatives.iter().enumerate() {
                match db.execute_unprepared(definition).await {
                    Ok(_) => break,
                    Err(error) if at == last => return Err(error),
                    Err(_) => {}
                }
            }
        }
        Ok(())
    }

    /// Drops what a read left on the connection that was dropped before it ended (MySQL and MariaDB).
    pub(super) async fn drop<Db: ConnectionTrait>(&self, db: &Db) -> Result<(), DbErr> {
        if self.backend != DbBackend::MySql {
            return Ok(());
        }
        let (rows, keys, events) = (&self.rows, &self.keys, &self.events);
        let sql = format!("DROP TEMPORARY TABLE IF EXISTS {rows}, {keys}, {events}");
        db.execute_unprepared(&sql).await.map(|_| ())
    }

    /// Makes joins with the tables quick.
    pub(super) async fn index<Db: ConnectionTrait>(&self, db: &Db) -> Result<(), DbErr> {
        let (key, keys, rows) = (self.key_columns(), &self.keys, &self.rows);
        let statements = match self.backend {
            DbBackend::Postgres => vec![format!("ANALYZE {keys}"), format!("ANALYZE {rows}")],
            DbBackend::Sqlite => {
                let name =
                    |table: &str| table.replace("sea_orm_audit_past", "sea_orm_audit_past_index");
                vec![
                    format!("CREATE INDEX temp.{} ON {keys} ({key})", name(keys)),
                    format!("CREATE INDEX temp.{} ON {rows} ({key})", name(rows)),
                ]
            }
            _ => Vec::new(),
        };
        for statement in statements {
            db.execute_unprepared(&statement).await?;
        }
        Ok(())
    }

    pub(super) async fn add_events<Db: ConnectionTrait>(
        &self,
        db: &Db,
        events: &[EventId],
    ) -> Result<(), DbErr> {
        for chunk in events.chunks(BINDS / 2) {
            let mut sql = SqlBuilder::new(self.backend, &[]);
            sql.text("INSERT INTO ").text(&self.events).text(" VALUES ");
            for (at, event) in chunk.iter().enumerate() {
                sql.text(if at == 0 { "(" } else { ", (" });
                sql.value(event.object_id.clone().into()).text(", ");
                sql.value(event.id.into()).text(")");
            }
            db.execute_raw(sql.finish()).await?;
        }
        Ok(())
    }

    /// The next records in the order of objects, after this one.
    pub(super) async fn next_events<Db: ConnectionTrait>(
        &self,
        db: &Db,
        after: Option<&(String, i64)>,
        limit: usize,
    ) -> Result<Vec<(String, i64)>, DbErr> {
        let mut sql = SqlBuilder::new(self.backend, &[]);
        sql.text("SELECT object_id, id FROM ").text(&self.events);
        if let Some((object_id, id)) = after {
            let object_id = || Value::from(object_id.as_str());
            sql.text(" WHERE object_id >= ").value(object_id());
            sql.text(" AND (object_id > ").value(object_id());
            sql.text(" OR id > ").value((*id).into()).text(")");
        }
        sql.text(&format!(" ORDER BY object_id, id LIMIT {limit}"));
        let found = db.query_all_raw(sql.finish()).await?;
        (found.iter())
            .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
            .collect()
    }

    /// Adds keys of rows that are no longer, or were not yet, what they are.
    pub(super) async fn add_keys<Db: ConnectionTrait>(
        &self,
        db: &Db,
        keys: &[Vec<Value>],
    ) -> Result<(), DbErr> {
        let columns = self.info.key.clone();
        self.add(db, &self.keys, &columns, keys).await
    }

    pub(super) async fn add_rows<Db: ConnectionTrait>(
        &self,
        db: &Db,
        rows: &[Vec<Value>],
    ) -> Result<(), DbErr> {
        let columns: Vec<usize> = (0..self.info.columns.len()).collect();
        self.add(db, &self.rows, &columns, rows).await
    }

    async fn add<Db: ConnectionTrait>(
        &self,
        db: &Db,
        table: &str,
        columns: &[usize],
        rows: &[Vec<Value>],
    ) -> Result<(), DbErr> {
        for chunk in rows.chunks(Ord::max(BINDS / columns.len(), 1)) {
            let mut sql = SqlBuilder::new(self.backend, &[]);
            sql.text("INSERT INTO ").text(table).text(" (");
            sql.text(&self.columns(columns.iter().copied()));
            sql.text(") VALUES ");
            for (at, row) in chunk.iter().enumerate() {
                sql.text(if at == 0 { "(" } else { ", (" });
                for (part, (column, value)) in columns.iter().zip(row).enumerate() {
                    if part > 0 {
                        sql.text(", ");
                    }
                    let (before, after) = (self.info.access.cast)(self.backend, *column);
                    sql.text(&before).value(value.clone()).text(&after);
                }
                sql.text(")");
            }
            db.execute_raw(sql.finish()).await?;
        }
        Ok(())
    }
}
