//! A database of its own for every test, and the macro that lists tests.
//!
//! One file, because it is one type, the database of a test.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, EntityTrait,
    QueryOrder, Schema, Statement, TransactionTrait,
};
use sea_orm_audit::config::AuditConfigBuilder;
use sea_orm_audit::entity::{
    audit_data_export, audit_log, audit_login_attempt, audit_system_event,
};
use sea_orm_audit::migration::Migrator;
use sea_orm_audit::{AuditConfig, AuditedConnection};
use sea_orm_migration::MigratorTrait;

pub type TestResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Makes a test of each function on every database.
#[macro_export]
macro_rules! on_every_database {
    ($($name:ident),* $(,)?) => {
        mod sqlite { $crate::tests_on!(sqlite: $($name),*); }
        mod postgres { $crate::tests_on!(postgres: $($name),*); }
        mod mariadb { $crate::tests_on!(mariadb: $($name),*); }
    };
}

/// Makes a test of each function on one database.
#[macro_export]
macro_rules! tests_on {
    ($database:ident: $($name:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> $crate::support::TestResult {
                let Some(db) = $crate::support::TestDb::$database().await? else {
                    return Ok(());
                };
                super::$name(&db).await?;
                db.remove().await
            }
        )*
    };
}
pub use crate::tests_on;

/// `target/tmp`, beside the folder of the test programs.
pub fn temporary_folder() -> std::io::Result<std::path::PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(3).unwrap_or(&program);
    let folder = target.join("tmp");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A fresh database with the audit tables.
pub struct TestDb {
    pub conn: DatabaseConnection,
    /// Its connection has read the catalogue, so that tests may count statements.
    audited: AuditedConnection,
    options: ConnectOptions,
    name: String,
    /// The database from which it can be dropped; `None` for a file.
    server: Option<DatabaseConnection>,
    statements: Arc<Mutex<Vec<String>>>,
}

impl std::ops::Deref for TestDb {
    type Target = DatabaseConnection;

    fn deref(&self) -> &DatabaseConnection {
        &self.conn
    }
}

fn unique_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("audit_test_{}_{number}", std::process::id())
}

/// The URL of a server, or the reason why the test does not run.
fn server(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok();
    if url.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{variable} is not set, so this test cannot run"
        );
        eprintln!("NOT RUN: {variable} is not set; start servers with scripts/with-databases");
    }
    url
}

impl TestDb {
    pub async fn sqlite() -> TestResult<Option<Self>> {
        Self::sqlite_with(5).await.map(Some)
    }

    /// A SQLite file in WAL mode with a pool of this size.
    pub async fn sqlite_with(pool: u32) -> TestResult<Self> {
        let folder = temporary_folder()?;
        let path = folder.join(format!("{}.sqlite", unique_name()));
        let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rwc", path.display()));
        options
            .max_connections(pool)
            .sqlx_logging(false)
            .map_sqlx_sqlite_opts(|options| {
                use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
                options
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Off)
                    .busy_timeout(Duration::from_mins(1))
            });
        Self::open(options, path.display().to_string(), None).await
    }

    pub async fn postgres() -> TestResult<Option<Self>> {
        match server("TEST_POSTGRES_URL") {
            Some(url) => Self::on_server(&url, "").await.map(Some),
            None => Ok(None),
        }
    }

    pub async fn mariadb() -> TestResult<Option<Self>> {
        match server("TEST_MYSQL_URL") {
            Some(url) => Self::on_server(&url, " CHARACTER SET utf8mb4")
                .await
                .map(Some),
            None => Ok(None),
        }
    }

    /// A database whose default character set is not Unicode.
    pub async fn mariadb_latin1() -> TestResult<Option<Self>> {
        match server("TEST_MYSQL_URL") {
            Some(url) => Self::on_server(&url, " CHARACTER SET latin1")
                .await
                .map(Some),
            None => Ok(None),
        }
    }

    async fn on_server(url: &str, options: &str) -> TestResult<Self> {
        let mut admin = ConnectOptions::new(url.to_owned());
        admin.max_connections(1).sqlx_logging(false);
        let server = Database::connect(admin).await?;
        let name = unique_name();
        server
            .execute_unprepared(&format!("CREATE DATABASE {name}{options}"))
            .await?;
        let (base, _) = url.rsplit_once('/').ok_or("the URL names no database")?;
        let mut connect = ConnectOptions::new(format!("{base}/{name}"));
        connect
            .max_connections(5)
            .acquire_timeout(Duration::from_mins(1))
            .sqlx_logging(false);
        Self::open(connect, name, Some(server)).await
    }

    async fn open(
        options: ConnectOptions,
        name: String,
        server: Option<DatabaseConnection>,
    ) -> TestResult<Self> {
        let mut conn = Database::connect(options.clone()).await?;
        let statements = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&statements);
        conn.set_metric_callback(move |info| {
            seen.lock().unwrap().push(info.statement.sql.clone());
        });
        Migrator::up(&conn, None).await?;
        let audited = AuditedConnection::new(conn.clone());
        audited.begin().await?.rollback().await?;
        Ok(Self {
            conn,
            audited,
            options,
            name,
            server,
            statements,
        })
    }

    /// Whether the server supports MERGE: PostgreSQL from 15 on.
    pub async fn has_merge(&self) -> TestResult<bool> {
        Ok(self.postgres_version().await? >= 15)
    }

    /// The major version of PostgreSQL; 0 on other databases.
    pub async fn postgres_version(&self) -> TestResult<i32> {
        if self.conn.get_database_backend() != DbBackend::Postgres {
            return Ok(0);
        }
        let version = Statement::from_string(
            DbBackend::Postgres,
            "SELECT current_setting('server_version_num')::int",
        );
        let row = self
            .conn
            .query_one_raw(version)
            .await?
            .ok_or("no version")?;
        Ok(row.try_get_by_index::<i32>(0)? / 10_000)
    }

    /// Creates the table of an entity.
    pub async fn create<E: EntityTrait>(&self, entity: E) -> Result<(), DbErr> {
        let backend = self.conn.get_database_backend();
        let schema = Schema::new(backend);
        for create in schema.create_enum_from_entity(entity) {
            self.conn.execute(&create).await?;
        }
        self.conn
            .execute(&schema.create_table_from_entity(entity))
            .await?;
        Ok(())
    }

    /// The database with recording of all writes.
    pub fn audited(&self) -> AuditedConnection {
        self.audited.clone()
    }

    pub fn backend(&self) -> DbBackend {
        self.conn.get_database_backend()
    }

    /// Another pool, of one connection, to the same database. The connection lives as long as the pool, so that session
    /// variables stay set.
    pub async fn another(&self) -> Result<DatabaseConnection, DbErr> {
        let mut options = self.options.clone();
        options.max_connections(1);
        options.idle_timeout(None).max_lifetime(None);
        Database::connect(options).await
    }

    /// The options of the database's pool, to open another one.
    pub fn connect_options(&self) -> ConnectOptions {
        self.options.clone()
    }

    /// A name for a schema of this test's own, if the database has schemas.
    pub fn schema_beside(&self) -> Option<String> {
        (self.backend() != DbBackend::Sqlite).then(|| format!("{}_beside", self.name))
    }

    /// All records, the oldest first.
    pub async fn records(&self) -> Result<Vec<audit_log::Model>, DbErr> {
        audit_log::Entity::find()
            .order_by_asc(audit_log::Column::Id)
            .all(&self.conn)
            .await
    }

    /// The records as `ACTION model id changes`.
    pub async fn log(&self) -> Result<Vec<String>, DbErr> {
        let lines = self.records().await?.into_iter().map(|record| {
            format!(
                "{} {} {} {}",
                record.action,
                record.model.unwrap_or_default(),
                record.object_id.unwrap_or_default(),
                record.changes.unwrap_or_default(),
            )
        });
        Ok(lines.collect())
    }

    /// The only record.
    pub async fn record(&self) -> TestResult<audit_log::Model> {
        let mut records = self.records().await?;
        assert_eq!(records.len(), 1, "{records:#?}");
        Ok(records.remove(0))
    }

    pub async fn forget(&self) -> Result<(), DbErr> {
        audit_log::Entity::delete_many().exec(&self.conn).await?;
        Ok(())
    }

    /// The statements that a future runs, without transaction control.
    pub async fn statements_of<F: Future>(&self, future: F) -> (F::Output, Vec<String>) {
        self.statements.lock().unwrap().clear();
        let output = future.await;
        let mut statements = self.statements.lock().unwrap().clone();
        // How the log commits on SQLite.
        statements.retain(|sql| sql != "COMMIT; BEGIN");
        (output, statements)
    }

    /// All attempts to sign in, the oldest first.
    pub async fn logins(&self) -> Result<Vec<audit_login_attempt::Model>, DbErr> {
        audit_login_attempt::Entity::find()
            .order_by_asc(audit_login_attempt::Column::Id)
            .all(&self.conn)
            .await
    }

    /// All exports of data, the oldest first.
    pub async fn exports(&self) -> Result<Vec<audit_data_export::Model>, DbErr> {
        audit_data_export::Entity::find()
            .order_by_asc(audit_data_export::Column::Id)
            .all(&self.conn)
            .await
    }

    /// All events of the system, the oldest first.
    pub async fn events(&self) -> Result<Vec<audit_system_event::Model>, DbErr> {
        audit_system_event::Entity::find()
            .order_by_asc(audit_system_event::Column::Id)
            .all(&self.conn)
            .await
    }

    /// The events of the system as `TYPE title occurrences`.
    pub async fn counted_events(&self) -> Result<Vec<String>, DbErr> {
        let lines = self.events().await?.into_iter();
        Ok(lines
            .map(|e| format!("{} {} {}", e.event_type, e.title, e.occurrences))
            .collect())
    }

    /// Everything that the audit tables hold, as text.
    pub async fn dump(&self) -> TestResult<String> {
        Ok(format!(
            "{:?}\n{:?}\n{:?}\n{:?}",
            self.records().await?,
            self.logins().await?,
            self.exports().await?,
            self.events().await?,
        ))
    }

    /// Another fresh database of the same kind.
    pub async fn sibling(&self) -> TestResult<Self> {
        let other = match self.backend() {
            DbBackend::Postgres => Self::postgres().await?,
            DbBackend::MySql => Self::mariadb().await?,
            _ => Self::sqlite().await?,
        };
        other.ok_or_else(|| "the server is gone".into())
    }

    pub async fn remove(self) -> TestResult {
        self.conn.close().await?;
        if let Some(server) = self.server {
            server
                .execute_unprepared(&format!("DROP DATABASE {}", self.name))
                .await?;
            server.close().await?;
        } else {
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{suffix}", self.name));
            }
        }
        Ok(())
    }
}

/// Makes the log refuse records of objects whose label has this prefix.
pub async fn refuse_records_of(db: &TestDb, label: &str) -> TestResult {
    refuse_rows(db, "audit_log", "object_repr", label).await?;
    Ok(())
}

/// Makes a table refuse rows whose text in a column has this prefix. Returns the SQL that ends that.
pub async fn refuse_rows(db: &TestDb, table: &str, column: &str, text: &str) -> TestResult<String> {
    // A new name each time: a connection to SQLite remembers triggers that another one dropped.
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("refuse_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let sql = match db.backend() {
        DbBackend::Sqlite => format!(
            "CREATE TRIGGER {name} BEFORE INSERT ON {table} \
             WHEN NEW.{column} LIKE '{text}%' BEGIN SELECT RAISE(FAIL, 'refused'); END"
        ),
        DbBackend::MySql => format!(
            "CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW \
             BEGIN IF NEW.{column} LIKE '{text}%' THEN SIGNAL SQLSTATE '45000'; END IF; END"
        ),
        _ => format!(
            "ALTER TABLE {table} ADD CONSTRAINT {name} \
             CHECK ({column} NOT LIKE '{text}%') NOT VALID"
        ),
    };
    db.execute_unprepared(&sql).await?;
    Ok(match db.backend() {
        DbBackend::Postgres => format!("ALTER TABLE {table} DROP CONSTRAINT {name}"),
        _ => format!("DROP TRIGGER {name}"),
    })
}

/// A clock that the test moves.
#[derive(Clone)]
pub struct HandClock(Arc<Mutex<DateTimeUtc>>);

impl HandClock {
    pub fn at(time: &str) -> TestResult<Self> {
        Ok(Self(Arc::new(Mutex::new(time.parse()?))))
    }

    pub fn forward(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }

    pub fn now(&self) -> DateTimeUtc {
        *self.0.lock().unwrap()
    }

    /// A configuration that uses this clock.
    pub fn config(&self) -> AuditConfigBuilder {
        let clock = Arc::clone(&self.0);
        AuditConfig::builder().clock(move || *clock.lock().unwrap())
    }
}

/// Polls a future so many times, each time it is woken, and drops it then. Returns its output if it was ready.
pub async fn poll_and_drop<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
