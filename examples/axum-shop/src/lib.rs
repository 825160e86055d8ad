//! A small shop, to show `sea-orm-audit` in a whole application: users with passwords and sessions, products, orders
//! with lines, an export. Every change, login, view and refusal is recorded.
//!
//! Start with [`app`], which orders the layers, [`entity`], which has the derives, and [`auth`], which has the
//! logins. `README.md` shows how to use it.

pub mod auth;
pub mod entity;
mod error;
pub mod jobs;
pub mod migration;
mod routes;

use std::pin::pin;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::serve::Listener;
use axum::{Extension, Router};
use axum_login::AuthManagerLayerBuilder;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectOptions, Database, DatabaseConnection, DbErr,
    EntityTrait, PaginatorTrait, QueryFilter, Set,
};
use sea_orm_audit::event::{EventWriter, Lockout};
use sea_orm_audit::migration::{AuditedMigrator, Migrator, MigratorTrait};
use sea_orm_audit::web::login::{AuditAuthLayer, AuditedBackend};
use sea_orm_audit::web::security::SecurityMonitor;
use sea_orm_audit::web::{AuditLayer, ClientAddress, Views};
use sea_orm_audit::{Actor, AuditContext, AuditedConnection};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_sessions::{MemoryStore, SessionManagerLayer};

use auth::{Auth, Backend, BackendError, Credentials, Hasher};
use entity::user;

pub use error::Error;
pub use routes::Shop;

/// The options of the shop.
#[derive(Clone)]
pub struct Options {
    /// The proxies whose client address is trusted. By default none.
    pub client_address: ClientAddress,
    /// The duration from which a request is slow; a second by default.
    pub slow_after: Duration,
    /// How many failed logins are too many; by default five within a quarter of an hour, by one name from
    /// one address.
    pub lockout: Lockout,
    /// The first administrator, created if there is none. By default none.
    pub admin: Option<Credentials>,
    /// Whether the routes below `/demo` exist. By default they do not.
    pub demo: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client_address: ClientAddress::of_socket(),
            slow_after: Duration::from_secs(1),
            lockout: Lockout::per_user_and_address(5, Duration::from_mins(15))
                // In a flood, passwords wait for the hasher for more than the default of a minute.
                .lease(Duration::from_mins(5)),
            admin: None,
            demo: false,
        }
    }
}

/// Why the shop did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DbErr),
    /// The authentication backend failed.
    #[error("the login backend failed")]
    Backend(#[from] BackendError),
}

/// Connects to a database, and creates the audit tables if they are missing: from then on everything, the start
/// included, can be recorded.
///
/// # Errors
/// Returns the database's error.
pub async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        // SeaORM's default for SQLite is one.
        .max_connections(10)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|options| {
            use sea_orm::sqlx::sqlite::SqliteJournalMode;
            // Readers do not wait for writers, and writers wait for each other.
            options
                .journal_mode(SqliteJournalMode::Wal)
                .busy_timeout(Duration::from_secs(30))
        });
    let db = Database::connect(options).await?;
    Migrator::up(&db, None).await?;
    Ok(db)
}

/// Opens the shop: its tables, its first administrator, its routes and layers.
///
/// # Errors
/// Returns [`StartError`] when the database fails, or passwords cannot be hashed.
pub async fn app(
    db: DatabaseConnection,
    events: EventWriter,
    options: Options,
) -> Result<Router, StartError> {
    AuditedMigrator::<migration::Migrator>::up(&db, None).await?;
    let db = AuditedConnection::new(db); // the one line
    let hasher = Hasher::default();
    if let Some(admin) = options.admin {
        make_admin(&db, &hasher, admin).await?;
    }

    let monitor = SecurityMonitor::default().events(events.clone());
    let backend = Backend::new(db.clone(), hasher.clone()).await?;
    let backend = AuditedBackend::new(backend, db.clone())
        .lockout(options.lockout)
        .monitor(monitor.clone());
    // This example speaks plain HTTP. Behind TLS leave `with_secure` alone.
    let sessions = SessionManagerLayer::new(MemoryStore::default()).with_secure(false);

    let shop = Shop {
        db: db.clone(),
        hasher,
        slow: options.slow_after + Duration::from_millis(50),
    };
    // From the inside out: the last layer is the first to see a request. A wrong order is logged as an error:
    // - `AuditLayer` is outermost, since all inner layers write in its context;
    // - axum-login's layer loads session and user,
    // - `AuditAuthLayer` sets that user as the actor and detects logouts.
    // All are around the fallback, too: a probe for `/wp-admin` is recorded.
    Ok(routes::routes(options.demo)
        .with_state(shop)
        .layer(AuditAuthLayer::<Auth, _>::new(db.clone()))
        .layer(AuthManagerLayerBuilder::new(backend, sessions).build())
        .layer(
            AuditLayer::new()
                .client_address(options.client_address)
                .slow_after(options.slow_after)
                .security(monitor)
                .events(events)
                .views(Views::new(db)),
        ))
}

/// No user exists yet: the actor is the application itself.
async fn make_admin(
    db: &AuditedConnection,
    hasher: &Hasher,
    Credentials { name, password }: Credentials,
) -> Result<(), StartError> {
    let admins = user::Entity::find().filter(user::Column::Role.eq(user::Role::Admin));
    if admins.count(db).await? > 0 {
        return Ok(());
    }
    let hash = hasher.hash(password).await.map_err(BackendError::from)?;
    let admin = user::ActiveModel {
        name_key: Set(auth::name_key(&name)),
        name: Set(name),
        password_hash: Set(hash),
        role: Set(user::Role::Admin),
        ..Default::default()
    };
    AuditContext::new()
        .actor(Actor::system())
        .reason("the first administrator")
        .scope(admin.insert(db))
        .await?;
    Ok(())
}

/// How long a stopping shop waits for requests in progress.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Serves until `shutdown` is done, and then waits up to `patience` for requests in progress. When it returns, no
/// request is in progress.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
    patience: Duration,
) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let (mut listener, mut shutdown) = (listener, pin!(shutdown));
    loop {
        let (socket, client) = tokio::select! {
            // axum's, which continues after errors.
            accepted = Listener::accept(&mut listener) => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut shutdown => break,
        };
        // With the client's address, for the log.
        let app = app.clone().layer(Extension(ConnectInfo(client)));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(socket), TowerToHyperService::new(app));
        connections.spawn(graceful.watch(connection));
    }
    drop(listener);
    if timeout(patience, graceful.shutdown()).await.is_err() {
        // A client that has sent half of a request does not block the flush of the log. `axum::serve` would detach
        // such connections: their last records would be written too late.
        tracing::warn!("some requests did not end in time, and are cut off");
        connections.shutdown().await;
    }
}
