//! The context of the task that acquires a connection, on SeaORM's own connection pool, for the triggers.
//!
//! It is set when the pool gives out a connection and cleared when the connection is returned. Nothing here wraps a
//! connection, records a write or looks at statements: triggers do.

mod driver;
#[cfg(feature = "pool-mysql")]
mod mysql;
#[cfg(feature = "pool-postgres")]
mod postgres;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use sea_orm::sqlx::pool::{PoolConnectionMetadata, PoolOptions};
use sea_orm::sqlx::{Connection, Database, Error, Pool};

use crate::config::AuditConfig;
use crate::context::AuditContext;
use crate::record::context_text;
use driver::Session;

pub use driver::PoolDatabase;

/// How often [`PoolContext::detect_pooler`] compares sessions.
const ROUNDS: usize = 5;

type Answer<'c, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'c>>;

type Callback<DB, T> = Arc<
    dyn for<'c> Fn(&'c mut <DB as Database>::Connection, PoolConnectionMetadata) -> Answer<'c, T>
        + Send
        + Sync,
>;

/// Sets the ambient [`AuditContext`] on the connections of SeaORM's own pool, so that triggers record who acts.
///
/// A connection gets the context of the task that acquires it, when it is acquired; outside of every scope the empty
/// one, whose actor is UNKNOWN. It is cleared when the connection is returned. Setting the context takes the place of
/// the ping with which sqlx tests an idle connection: an acquire costs one round trip, as before. A transaction of an
/// `AuditedConnection` on the same pool sets its own context, which takes precedence until it ends.
///
/// [`apply`](Self::apply) replaces the callbacks of the `PoolOptions`, among them the one with which SeaORM sets
/// `schema_search_path`: give that path and your own callbacks to this type instead. They run first.
///
/// # Limits
/// - The context is that of the acquire. An actor that is set later, or a scope that begins within a transaction,
///   applies from the next acquire.
/// - `try_acquire` runs no callback: such a connection has no context. One that is detached or leaked keeps its own.
/// - Behind a pooler that gives each transaction another session, `PgBouncer`'s transaction mode for example, another
///   client would write under this context. Where this type detects that, it logs an error and sets no context any
///   more: see [`detect_pooler`](Self::detect_pooler).
/// - Databases are PostgreSQL, MySQL and MariaDB. `AuditConfig`'s `require_actor` does not apply.
///
/// # Examples
#[cfg_attr(feature = "pool-postgres", doc = "```no_run")]
#[cfg_attr(not(feature = "pool-postgres"), doc = "```ignore")]
/// # async fn connect(url: &str) -> Result<sea_orm::DatabaseConnection, sea_orm::DbErr> {
/// use sea_orm::{ConnectOptions, Database};
/// use sea_orm_audit_core::PoolContext;
///
/// let context = PoolContext::new().schema_search_path("clinic");
/// let applied = context.clone();
/// let mut options = ConnectOptions::new(url);
/// options.map_sqlx_postgres_pool_opts(move |pool| applied.apply(pool));
/// let db = Database::connect(options).await?;
/// let pool = db.get_postgres_connection_pool();
/// if context.detect_pooler(pool).await.map_err(|error| sea_orm::DbErr::Custom(error.to_string()))? {
///     return Err(sea_orm::DbErr::Custom("connect to the server, not to a pooler".to_owned()));
/// }
/// # Ok(db)
/// # }
/// ```
#[must_use = "it does nothing until it is applied to a pool's options"]
pub struct PoolContext<DB: PoolDatabase> {
    after_connect: Option<Callback<DB, ()>>,
    before_acquire: Option<Callback<DB, bool>>,
    after_release: Option<Callback<DB, bool>>,
    #[cfg(feature = "pool-postgres")]
    schema_search_path: Option<String>,
    /// Whether sessions are shared with other clients; of all clones.
    found_pooler: Arc<AtomicBool>,
}

impl<DB: PoolDatabase> PoolContext<DB> {
    /// Sets the context and runs no other callback.
    pub fn new() -> Self {
        Self {
            after_connect: None,
            before_acquire: None,
            after_release: None,
            #[cfg(feature = "pool-postgres")]
            schema_search_path: None,
            found_pooler: Arc::default(),
        }
    }

    /// Runs this on each new connection, as `PoolOptions::after_connect` does.
    pub fn after_connect<F>(mut self, callback: F) -> Self
    where
        F: for<'c> Fn(&'c mut DB::Connection, PoolConnectionMetadata) -> Answer<'c, ()>
            + Send
            + Sync
            + 'static,
    {
        self.after_connect = Some(Arc::new(callback));
        self
    }

    /// Runs this on each idle connection that is acquired, as `PoolOptions::before_acquire` does, before the context
    /// is set.
    pub fn before_acquire<F>(mut self, callback: F) -> Self
    where
        F: for<'c> Fn(&'c mut DB::Connection, PoolConnectionMetadata) -> Answer<'c, bool>
            + Send
            + Sync
            + 'static,
    {
        self.before_acquire = Some(Arc::new(callback));
        self
    }

    /// Runs this on each connection that is returned, as `PoolOptions::after_release` does, before the context is
    /// cleared.
    pub fn after_release<F>(mut self, callback: F) -> Self
    where
        F: for<'c> Fn(&'c mut DB::Connection, PoolConnectionMetadata) -> Answer<'c, bool>
            + Send
            + Sync
            + 'static,
    {
        self.after_release = Some(Arc::new(callback));
        self
    }

    /// The pool's options with callbacks that set and clear the context, and without the ping before an acquire.
    ///
    /// The callbacks of `pool` are replaced; all other options stay. A connection on which the context cannot be set or
    /// cleared is closed, and the pool opens another one. A new connection is used all the same, with a warning: the
    /// actor of its first use is then the database's user.
    #[must_use]
    pub fn apply(&self, pool: PoolOptions<DB>) -> PoolOptions<DB> {
        let (connects, acquires, releases) = (self.clone(), self.clone(), self.clone());
        pool.test_before_acquire(false)
            .after_connect(move |connection, metadata| {
                let context = connects.clone();
                Box::pin(async move { context.connected(connection, metadata).await })
            })
            .before_acquire(move |connection, metadata| {
                let context = acquires.clone();
                Box::pin(async move { context.acquired(connection, metadata).await })
            })
            .after_release(move |connection, metadata| {
                let context = releases.clone();
                Box::pin(async move { context.released(connection, metadata).await })
            })
    }

    /// Whether a session of the server was found to serve other clients, too. From then on no context is set, and the
    /// actor is the database's user.
    ///
    /// Without [`detect_pooler`](Self::detect_pooler), a pooler is found when two connections of this process, or two
    /// clients that use sqlx, meet in one session, and when it renames prepared statements, as `PgBouncer` does since
    /// 1.21; on MySQL and MariaDB not at all.
    #[must_use]
    pub fn found_pooler(&self) -> bool {
        self.found_pooler.load(Relaxed)
    }

    /// Searches for a pooler between a pool and its server, and returns [`found_pooler`](Self::found_pooler).
    ///
    /// It opens two connections beside the pool, and compares the sessions that answer them. Two connections to a
    /// server never have the same one. Call it once, after connecting.
    ///
    /// # Errors
    /// Returns the driver's error where a connection cannot be opened or does not answer.
    pub async fn detect_pooler(&self, pool: &Pool<DB>) -> Result<bool, Error> {
        let options = pool.connect_options();
        let mut one = DB::Connection::connect_with(&options).await?;
        let mut another = DB::Connection::connect_with(&options).await?;
        let session = DB::session_number(&mut one).await?;
        // A pooler that other clients keep busy does not always give out the session that was used last.
        for _ in 0..ROUNDS {
            if DB::session_number(&mut another).await? == session
                || DB::session_number(&mut one).await? != session
            {
                self.report_pooler();
                break;
            }
        }
        one.close().await?;
        another.close().await?;
        Ok(self.found_pooler())
    }

    async fn connected(
        &self,
        connection: &mut DB::Connection,
        metadata: PoolConnectionMetadata,
    ) -> Result<(), Error> {
        // Before the application's own statements, which may prepare some.
        match DB::inspect(connection).await {
            Ok(Session::Own) => {}
            Ok(Session::Shared) => self.report_pooler(),
            Err(error) => {
                tracing::warn!(%error, "a new connection could not be searched for a pooler");
            }
        }
        #[cfg(feature = "pool-postgres")]
        if let Some(path) = &self.schema_search_path {
            DB::set_search_path(connection, path).await?;
        }
        if let Some(callback) = &self.after_connect {
            callback(connection, metadata).await?;
        }
        // An error here would make sqlx connect again and again.
        let begun = if self.found_pooler() {
            DB::clear(connection).await
        } else {
            DB::begin(connection, Self::text()).await
        };
        if let Err(error) = begun {
            tracing::warn!(%error, "the audit context of a new connection could not be set");
        }
        Ok(())
    }

    async fn acquired(
        &self,
        connection: &mut DB::Connection,
        metadata: PoolConnectionMetadata,
    ) -> Result<bool, Error> {
        if let Some(callback) = &self.before_acquire
            && !callback(connection, metadata).await?
        {
            return Ok(false);
        }
        let set = if self.found_pooler() {
            DB::clear(connection).await
        } else {
            match DB::set(connection, Self::text()).await {
                Ok(Session::Own) => Ok(()),
                Ok(Session::Shared) => {
                    self.report_pooler();
                    DB::clear(connection).await
                }
                Err(error) => Err(error),
            }
        };
        Ok(is_set(set))
    }

    async fn released(
        &self,
        connection: &mut DB::Connection,
        metadata: PoolConnectionMetadata,
    ) -> Result<bool, Error> {
        if let Some(callback) = &self.after_release
            && !callback(connection, metadata).await?
        {
            return Ok(false);
        }
        Ok(is_set(DB::clear(connection).await))
    }

    /// The context that applies here.
    fn text() -> String {
        let config = AuditConfig::current();
        context_text(&config, AuditContext::current(), None, DB::BACKEND).unwrap_or_else(|error| {
            tracing::warn!(%error, "the audit context could not be written for triggers");
            String::new()
        })
    }

    fn report_pooler(&self) {
        if !self.found_pooler.swap(true, Relaxed) {
            tracing::error!(
                "the database's sessions are shared with other clients, by PgBouncer in transaction mode for \
                 example: triggers get no audit context on this pool; connect to the server, or use an AuditedConnection"
            );
        }
    }
}

/// Whether a connection may be used; one that cannot is closed, and an error would only be logged in addition.
fn is_set(outcome: Result<(), Error>) -> bool {
    outcome
        .inspect_err(|error| {
            tracing::info!(%error, "a connection is closed, whose audit context could not be set");
        })
        .is_ok()
}

#[cfg(feature = "pool-postgres")]
impl PoolContext<sea_orm::sqlx::Postgres> {
    /// Sets the search path on each new connection, in the form of SeaORM's `ConnectOptions::set_schema_search_path`,
    /// whose callback is replaced: names of schemas with commas between, quoted or not.
    pub fn schema_search_path(mut self, schemas: impl Into<String>) -> Self {
        self.schema_search_path = Some(schemas.into());
        self
    }
}

impl<DB: PoolDatabase> Clone for PoolContext<DB> {
    fn clone(&self) -> Self {
        Self {
            after_connect: self.after_connect.clone(),
            before_acquire: self.before_acquire.clone(),
            after_release: self.after_release.clone(),
            #[cfg(feature = "pool-postgres")]
            schema_search_path: self.schema_search_path.clone(),
            found_pooler: Arc::clone(&self.found_pooler),
        }
    }
}

impl<DB: PoolDatabase> Default for PoolContext<DB> {
    fn default() -> Self {
        Self::new()
    }
}

impl<DB: PoolDatabase> fmt::Debug for PoolContext<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolContext")
            .field("found_pooler", &self.found_pooler())
            .finish_non_exhaustive()
    }
}
