//! What is known of the database server.

use std::sync::{Arc, OnceLock};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use crate::recorder::prepared_anew;

/// Facts about a server; asked for once per connection, when they are first needed.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    backend: DbBackend,
    asked: Arc<OnceLock<Asked>>,
}

#[derive(Debug)]
struct Asked {
    /// The schemas in which unqualified names are found, with commas between; in MySQL the database.
    schema: Option<String>,
    /// The step of numbered keys.
    step: u64,
    /// Whether the numbers of one INSERT follow each other, however many rows it turns out to have.
    is_consecutive: bool,
}

impl Server {
    pub(crate) fn new(backend: DbBackend) -> Self {
        Self {
            backend,
            asked: Arc::default(),
        }
    }

    /// Whether cascades of the database fire triggers.
    pub(crate) fn cascades_fire_triggers(&self) -> bool {
        self.backend != DbBackend::MySql
    }

    /// Asks the server, once. Needed by MySQL's INSERT and by names with a schema.
    pub(crate) async fn ask<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        if self.asked.get().is_some() {
            return Ok(());
        }
        let sql = match self.backend {
            DbBackend::Sqlite => {
                let _ = self.asked.set(Asked {
                    schema: Some("main".into()),
                    step: 1,
                    is_consecutive: false,
                });
                return Ok(());
            }
            DbBackend::Postgres => "SELECT array_to_string(current_schemas(false), ',') AS name",
            _ => {
                "SELECT DATABASE() AS name, \
                 CAST(@@auto_increment_increment AS CHAR) AS step, \
                 CAST(@@innodb_autoinc_lock_mode AS CHAR) AS lock_mode"
            }
        };
        let row = db
            .query_one_raw(prepared_anew(Statement::from_string(self.backend, sql)))
            .await?
            .ok_or_else(|| DbErr::RecordNotFound("the server did not name its schema".into()))?;
        let step = match self.backend {
            DbBackend::MySql => row.try_get::<String>("", "step")?.parse().unwrap_or(1),
            _ => 1,
        };
        let is_consecutive =
            self.backend == DbBackend::MySql && row.try_get::<String>("", "lock_mode")? != "2";
        let _ = self.asked.set(Asked {
            is_consecutive,
            schema: row.try_get("", "name")?,
            step,
        });
        Ok(())
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.get().is_some()
    }

    pub(super) fn is_sqlite(&self) -> bool {
        self.backend == DbBackend::Sqlite
    }

    pub(super) fn is_mysql(&self) -> bool {
        self.backend == DbBackend::MySql
    }

    pub(super) fn is_postgres(&self) -> bool {
        self.backend == DbBackend::Postgres
    }

    /// Whether names that differ by case are different tables. In MySQL that depends on the system:
    /// there are no two audited tables of one name in any case.
    pub(super) fn minds_case(&self) -> bool {
        self.is_postgres()
    }

    pub(super) fn numbers_are_consecutive(&self) -> bool {
        self.asked.get().is_some_and(|asked| asked.is_consecutive)
    }

    pub(super) fn step(&self) -> u64 {
        self.asked.get().map_or(1, |asked| asked.step)
    }

    /// Where that is not known yet, any schema could be.
    pub(super) fn is_default_schema(&self, name: &str) -> bool {
        if self.is_sqlite() {
            return name.eq_ignore_ascii_case("main");
        }
        match self.asked.get() {
            Some(Asked {
                schema: Some(schema),
                ..
            }) => schema
                .split(',')
                .any(|known| known.eq_ignore_ascii_case(name)),
            _ => true,
        }
    }
}
