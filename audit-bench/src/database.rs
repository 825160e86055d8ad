//! A separate database for each run.

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database as SeaOrmDatabase, DatabaseConnection, DbErr,
    PaginatorTrait, Schema, Statement, TryGetable,
};
use sea_orm::{EntityName, EntityTrait};
use sea_orm_audit::connection::PoolContext;
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::migration::{AuditTriggers, Migrator, MigratorTrait};

use crate::BoxError;
use crate::args::Server;
use crate::fixtures::{audited, bare, manual, skipped, triggered};
use crate::servers;

/// A fresh database with the audit tables and the articles', all empty.
pub(crate) struct Database {
    pub(crate) conn: DatabaseConnection,
    pub(crate) server: Server,
    options: ConnectOptions,
    /// The database's name, or the file's.
    name: String,
    /// A connection to drop the database with; `None` for a file.
    admin: Option<DatabaseConnection>,
}

impl Database {
    pub(crate) async fn create(server: Server) -> Result<Self, BoxError> {
        let name = format!("audit_bench_{}", std::process::id());
        let database = match servers::url(server)? {
            Some(url) => Self::on_server(server, &url, name).await?,
            None => Self::in_file(&name).await?,
        };
        Migrator::up(&database.conn, None).await?;
        database.create_table(bare::Entity).await?;
        database.create_table(manual::Entity).await?;
        database.create_table(audited::Entity).await?;
        database.create_table(skipped::Entity).await?;
        database.create_table(triggered::Entity).await?;
        AuditTriggers::of::<triggered::Entity>()
            .create(&database.conn)
            .await?;
        Ok(database)
    }

    async fn in_file(name: &str) -> Result<Self, BoxError> {
        let folder = servers::root().join("target").join("bench");
        std::fs::create_dir_all(&folder)?;
        let name = folder.join(name).with_extension("sqlite");
        let name = name.display().to_string();
        let mut options = ConnectOptions::new(format!("sqlite://{name}?mode=rwc"));
        options.sqlx_logging(false).map_sqlx_sqlite_opts(|options| {
            use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
            options
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
        });
        Ok(Self {
            conn: SeaOrmDatabase::connect(options.clone()).await?,
            server: Server::Sqlite,
            options,
            name,
            admin: None,
        })
    }

    async fn on_server(server: Server, url: &str, name: String) -> Result<Self, BoxError> {
        let mut options = ConnectOptions::new(url.to_owned());
        options.max_connections(1).sqlx_logging(false);
        let admin = SeaOrmDatabase::connect(options).await?;
        admin
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await?;
        let (base, _) = url.rsplit_once('/').ok_or("the URL names no database")?;
        let mut options = ConnectOptions::new(format!("{base}/{name}"));
        options.sqlx_logging(false);
        Ok(Self {
            conn: SeaOrmDatabase::connect(options.clone()).await?,
            server,
            options,
            name,
            admin: Some(admin),
        })
    }

    async fn create_table<E: EntityTrait>(&self, entity: E) -> Result<(), DbErr> {
        let schema = Schema::new(self.conn.get_database_backend());
        let table = schema.create_table_from_entity(entity);
        self.conn.execute(&table).await.map(drop)
    }

    /// Another pool for the same database.
    pub(crate) async fn another(&self) -> Result<DatabaseConnection, DbErr> {
        SeaOrmDatabase::connect(self.options.clone()).await
    }

    /// A pool that sets the context of triggers, with as many connections as another one, if that is given.
    pub(crate) async fn context_pool(
        &self,
        connections: Option<u32>,
    ) -> Result<DatabaseConnection, DbErr> {
        let mut options = self.sized(connections);
        match self.server {
            Server::Postgres => {
                let context = PoolContext::new();
                options.map_sqlx_postgres_pool_opts(move |pool| context.apply(pool));
            }
            Server::Mariadb => {
                let context = PoolContext::new();
                options.map_sqlx_mysql_pool_opts(move |pool| context.apply(pool));
            }
            // No path uses it there.
            Server::Sqlite => {}
        }
        SeaOrmDatabase::connect(options).await
    }

    /// A pool with so many connections.
    pub(crate) async fn pool(&self, connections: u32) -> Result<DatabaseConnection, DbErr> {
        SeaOrmDatabase::connect(self.sized(Some(connections))).await
    }

    fn sized(&self, connections: Option<u32>) -> ConnectOptions {
        let mut options = self.options.clone();
        if let Some(connections) = connections {
            options
                .min_connections(connections)
                .max_connections(connections);
        }
        options
    }

    /// Empties every table that the benchmark writes.
    pub(crate) async fn clear(&self) -> Result<(), DbErr> {
        // The log last: this also deletes what triggers record of the other tables.
        let tables = [
            bare::Entity.table_name(),
            manual::Entity.table_name(),
            audited::Entity.table_name(),
            skipped::Entity.table_name(),
            triggered::Entity.table_name(),
            audit_log::Entity.table_name(),
        ];
        for table in tables {
            let word = match self.server {
                Server::Sqlite => "DELETE FROM",
                // A DELETE would leave dead rows, and their cleanup would disturb a measurement.
                Server::Postgres | Server::Mariadb => "TRUNCATE TABLE",
            };
            self.conn
                .execute_unprepared(&format!("{word} {table}"))
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn audit_rows(&self) -> Result<u64, DbErr> {
        audit_log::Entity::find().count(&self.conn).await
    }

    /// The size of the audit table in bytes, indexes included.
    pub(crate) async fn audit_bytes(&self) -> Result<i64, BoxError> {
        let table = audit_log::Entity.table_name();
        let query = match self.server {
            Server::Sqlite => format!(
                "SELECT sum(pgsize) FROM dbstat \
                 WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = '{table}')"
            ),
            Server::Postgres => format!("SELECT pg_total_relation_size('{table}')"),
            Server::Mariadb => {
                self.conn
                    .query_all_raw(self.statement(format!("ANALYZE TABLE {table}")))
                    .await?;
                format!(
                    "SELECT CAST(data_length + index_length AS SIGNED) \
                     FROM information_schema.tables \
                     WHERE table_schema = DATABASE() AND table_name = '{table}'"
                )
            }
        };
        self.only_value(query).await
    }

    /// The settings that show whether a commit waits for the disk.
    pub(crate) async fn durability(&self) -> Result<String, BoxError> {
        let query = match self.server {
            Server::Sqlite => {
                "SELECT 'journal_mode=' || journal_mode || ' synchronous=' || synchronous \
                 FROM pragma_journal_mode, pragma_synchronous"
            }
            Server::Postgres => {
                "SELECT 'fsync=' || current_setting('fsync') \
                 || ' synchronous_commit=' || current_setting('synchronous_commit') \
                 || ' full_page_writes=' || current_setting('full_page_writes')"
            }
            Server::Mariadb => {
                "SELECT CONCAT('innodb_flush_log_at_trx_commit=', \
                 @@innodb_flush_log_at_trx_commit, ' innodb_doublewrite=', @@innodb_doublewrite)"
            }
        };
        self.only_value(query.to_owned()).await
    }

    fn statement(&self, sql: String) -> Statement {
        Statement::from_string(self.conn.get_database_backend(), sql)
    }

    async fn only_value<V: TryGetable>(&self, query: String) -> Result<V, BoxError> {
        let row = self.conn.query_one_raw(self.statement(query)).await?;
        Ok(row.ok_or("a query found nothing")?.try_get_by_index(0)?)
    }

    /// Leaves the database, and returns its name.
    pub(crate) async fn keep(self) -> Result<String, DbErr> {
        self.conn.close().await?;
        Ok(self.name)
    }

    pub(crate) async fn remove(self) -> Result<(), BoxError> {
        self.conn.close().await?;
        if let Some(admin) = self.admin {
            admin
                .execute_unprepared(&format!("DROP DATABASE {}", self.name))
                .await?;
            admin.close().await?;
        } else {
            for suffix in ["", "-wal", "-shm"] {
                // The last connection has removed its own files.
                let _ = std::fs::remove_file(format!("{}{suffix}", self.name));
            }
        }
        Ok(())
    }
}
