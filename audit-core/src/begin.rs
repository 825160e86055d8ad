//! The log's own transactions around a few statements, on any connection of the application.
//!
//! Their begin is safe to drop. On a pool, sqlx leaves a connection inside of a transaction when the future of BEGIN is
//! dropped, and gives it to the next task; so BEGIN is a separate task there. Inside SeaORM's transaction, sqlx rolls
//! all of it back when the future of a nested `begin` is dropped, and SeaORM's handle then commits each statement by
//! itself; so the savepoint is a statement there.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, SqliteTransactionMode, Statement, TransactionOptions, TransactionSession,
    TransactionTrait,
};

use crate::exec_method::as_query;
use crate::record::{is_no_savepoint, is_no_transaction};
use crate::system_event::{EventType, SystemEvent, report};
use crate::task::completed;

/// The options of the log's own transactions: on SQLite, a transaction that reads first fails when another client
/// writes. Other databases ignore them.
pub(crate) fn options() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

/// The log's own transaction or savepoint; `T` is the type of transaction.
pub(crate) struct Begun<'a, T> {
    /// `None` once it is finished.
    on: Option<On<'a, T>>,
    backend: DbBackend,
    /// Whether it was begun on a pool, so that no other transaction is around it.
    is_outermost: bool,
}

enum On<'a, T> {
    /// A transaction, or a savepoint of a connection that is not SeaORM's.
    Own(T),
    /// A savepoint with this name inside SeaORM's transaction.
    Savepoint(&'a T, String),
    /// A transaction on SeaORM's handle, after the application has committed SeaORM's own by a statement (PostgreSQL).
    Anew(&'a T),
}

/// A transaction that may be SeaORM's, which gives rows one by one.
#[cfg(feature = "statements")]
pub(crate) trait MayStream {
    fn as_sea_orm(&self) -> Option<&DatabaseTransaction>;
}

#[cfg(feature = "statements")]
impl MayStream for DatabaseTransaction {
    fn as_sea_orm(&self) -> Option<&DatabaseTransaction> {
        Some(self)
    }
}

#[cfg(feature = "statements")]
impl<T: 'static> MayStream for Begun<'_, T> {
    fn as_sea_orm(&self) -> Option<&DatabaseTransaction> {
        match self.on.as_ref()? {
            On::Own(tx) => as_type(tx),
            On::Savepoint(tx, _) | On::Anew(tx) => as_type(*tx),
        }
    }
}

/// Begins a transaction, or a savepoint inside of another one.
pub(crate) async fn begin<C>(db: &C) -> Result<Begun<'_, C::Transaction>, DbErr>
where
    C: ConnectionTrait + TransactionTrait + 'static,
{
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let on = if let Some(pool) = as_type::<_, DatabaseConnection>(db) {
        into_type(begin_on(pool).await?).map(On::Own)
    } else if as_type::<_, DatabaseTransaction>(db).is_some() {
        let name = format!("sea_orm_audit_own_{}", NEXT.fetch_add(1, Relaxed));
        match db.execute_unprepared(&format!("SAVEPOINT {name}")).await {
            Ok(_) => as_type(db).map(|tx| On::Savepoint(tx, name)),
            Err(error) if is_no_transaction(&error) => {
                db.execute_unprepared("BEGIN").await?;
                as_type(db).map(On::Anew)
            }
            Err(error) => return Err(error),
        }
    } else {
        None
    };
    let on = match on {
        Some(on) => on,
        None => On::Own(db.begin_with_options(options()).await?),
    };
    Ok(Begun {
        on: Some(on),
        backend: db.get_database_backend(),
        is_outermost: as_type::<_, DatabaseConnection>(db).is_some(),
    })
}

/// Commits a transaction that was begun on a pool.
///
/// SQLite ends it where COMMIT fails, as with a full disk. The driver does not see that, and its ROLLBACK then fails:
/// the pooled connection would only set savepoints for its next users, and commit nothing. SeaORM's `commit` takes the
/// handle, and leaves none for a remedy; so COMMIT is a statement on SQLite, and the driver ends an empty transaction.
pub(crate) async fn commit<T>(tx: T) -> Result<(), DbErr>
where
    T: ConnectionTrait + TransactionSession + Send + 'static,
{
    if tx.get_database_backend() != DbBackend::Sqlite || tx.is_mock_connection() {
        return tx.commit().await;
    }
    let committing = async move {
        let Err(error) = tx.execute_unprepared("COMMIT; BEGIN").await else {
            if let Err(error) = tx.commit().await {
                tracing::warn!(%error, "an empty transaction could not be ended");
            }
            return Ok(());
        };
        if let Err(error) = roll_back(tx).await {
            tracing::warn!(%error, "a transaction that failed to commit could not be rolled back");
        }
        Err(as_query(error))
    };
    // In a task: a future dropped between COMMIT and BEGIN would leave the connection in the same state.
    completed(
        committing,
        "the transaction was not committed, as the runtime ends",
    )
    .await
}

/// Rolls back a transaction that was begun on a pool, and that SQLite may have ended.
async fn roll_back<T: ConnectionTrait + TransactionSession>(tx: T) -> Result<(), DbErr> {
    begin_if_ended(&tx).await;
    tx.rollback().await
}

/// Begins an empty transaction where SQLite has ended this one, which the driver does not see: its ROLLBACK would fail,
/// and leave the pooled connection in a transaction for the next user. Inside a transaction, BEGIN is refused.
pub(crate) async fn begin_if_ended<C: ConnectionTrait>(tx: &C) {
    if tx.get_database_backend() == DbBackend::Sqlite && !tx.is_mock_connection() {
        let _ = tx.execute_unprepared("BEGIN").await;
    }
}

/// The same reference, where the types are the same.
fn as_type<C: 'static, T: 'static>(db: &C) -> Option<&T> {
    let any: &dyn Any = db;
    any.downcast_ref()
}

/// The same value, where the types are the same.
fn into_type<S: 'static, T: 'static>(tx: S) -> Option<T> {
    let mut tx = Some(tx);
    let any: &mut dyn Any = &mut tx;
    any.downcast_mut::<Option<T>>()?.take()
}

/// Runs BEGIN in a task: a transaction that no caller waits for any more is rolled back.
async fn begin_on(pool: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let pool = pool.clone();
    completed(
        async move { pool.begin_with_options(options()).await },
        "no transaction was begun, as the runtime ends",
    )
    .await
}

#[cfg(feature = "statements")]
impl Begun<'_, DatabaseTransaction> {
    /// A transaction that was begun on a pool.
    pub(crate) fn on_pool(tx: DatabaseTransaction) -> Self {
        Self {
            backend: tx.get_database_backend(),
            on: Some(On::Own(tx)),
            is_outermost: true,
        }
    }
}

impl<T> Begun<'_, T> {
    fn tx(&self) -> Result<&T, DbErr> {
        match &self.on {
            Some(On::Own(tx)) => Ok(tx),
            Some(On::Savepoint(tx, _) | On::Anew(tx)) => Ok(tx),
            None => Err(DbErr::Custom("the transaction is finished".to_owned())),
        }
    }
}

impl<T> Drop for Begun<'_, T> {
    /// A transaction is rolled back by being dropped. A savepoint stays, and what was done after it.
    fn drop(&mut self) {
        if let Some(On::Savepoint(..) | On::Anew(_)) = self.on.take() {
            const TITLE: &str =
                "a write inside of a transaction was dropped before it was recorded";
            let advice = "Roll a transaction back when the future of a write was dropped: if it is \
                          committed, the change has no audit record.";
            tracing::error!(system_event = true, "{TITLE}");
            report(SystemEvent::new(EventType::Warning, TITLE).description(advice));
        }
    }
}

#[async_trait]
impl<T: ConnectionTrait + Sync> ConnectionTrait for Begun<'_, T> {
    fn get_database_backend(&self) -> DbBackend {
        self.tx()
            .map_or(self.backend, ConnectionTrait::get_database_backend)
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.tx()?.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.tx()?.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.tx()?.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.tx()?.query_all_raw(statement).await
    }

    fn support_returning(&self) -> bool {
        self.tx().is_ok_and(ConnectionTrait::support_returning)
    }
}

#[async_trait]
impl<T: ConnectionTrait + TransactionSession + Send + Sync + 'static> TransactionSession
    for Begun<'_, T>
{
    async fn commit(mut self) -> Result<(), DbErr> {
        match self.on.take() {
            Some(On::Own(tx)) if self.is_outermost => commit(tx).await,
            Some(On::Own(tx)) => tx.commit().await,
            Some(On::Savepoint(tx, name)) => {
                let release = format!("RELEASE SAVEPOINT {name}");
                match tx.execute_unprepared(&release).await {
                    // MySQL had ended the transaction before, so that each statement was committed by itself.
                    Err(error) if is_no_savepoint(&error) => Ok(()),
                    released => released.map(|_| ()),
                }
            }
            Some(On::Anew(tx)) => tx.execute_unprepared("COMMIT").await.map(|_| ()),
            None => Ok(()),
        }
    }

    async fn rollback(mut self) -> Result<(), DbErr> {
        let undo = match &self.on {
            Some(On::Savepoint(tx, name)) => {
                let undo = format!("ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}");
                Some((*tx, undo))
            }
            Some(On::Anew(tx)) => Some((*tx, "ROLLBACK".to_owned())),
            Some(On::Own(_)) | None => None,
        };
        if let Some((tx, undo)) = undo {
            let undone = tx.execute_unprepared(&undo).await;
            self.on = None;
            return undone.map(|_| ());
        }
        match self.on.take() {
            Some(On::Own(tx)) if self.is_outermost => roll_back(tx).await,
            Some(On::Own(tx)) => tx.rollback().await,
            _ => Ok(()),
        }
    }
}
