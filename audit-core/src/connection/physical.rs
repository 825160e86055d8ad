//! The physical transaction that all handles of an `AuditedTransaction` share, and its savepoints.
//!
//! SeaORM ends the innermost level, whichever handle is committed, rolled back or dropped: a handle is one level, but
//! no particular one. This module does the same. It sets the savepoints itself, since sqlx and SeaORM both roll back
//! a nested transaction that failed to begin, which turns one level into two. The rollback of a dropped handle is
//! queued, and runs before the next statement.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, RuntimeErr,
    Statement, TransactionOptions,
};
use tokio::sync::OwnedMutexGuard;

use super::detached::run_to_end;
use super::indirect_change::SchemaChange;
use crate::capture::ServerInfo;
use crate::exec_method::as_query;
use crate::record::{is_autocommit, prepare_again};
use crate::transaction_state::Frames;

/// The state that all handles of one transaction share.
#[derive(Debug)]
pub(super) struct Physical {
    pub(super) frames: Frames,
    /// Held while a write is captured, and while the transaction is controlled.
    pub(super) capture_lock: Arc<tokio::sync::Mutex<()>>,
    levels: Mutex<Levels>,
    /// The schema change that others see when the transaction ends.
    schema_change: Mutex<Option<SchemaChange>>,
}

/// The number of savepoints is the number of open handles and queued rollbacks, less one.
#[derive(Debug)]
struct Levels {
    open_handles: usize,
    queued_rollbacks: usize,
}

/// Ends the transaction unless it is completed.
struct EndOnDrop<'a> {
    physical: &'a Physical,
    completed: bool,
}

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        if !self.completed {
            let dropped = "the future that released a savepoint was dropped";
            self.physical.frames.end(DbErr::Custom(dropped.to_owned()));
            self.physical.levels().open_handles -= 1;
        }
    }
}

/// Queues the rollback of a savepoint, unless a handle is made for it.
struct RollBackOnDrop<'a> {
    physical: &'a Physical,
    has_handle: bool,
}

impl Drop for RollBackOnDrop<'_> {
    fn drop(&mut self) {
        if !self.has_handle {
            self.physical.levels().queued_rollbacks += 1;
        }
    }
}

impl Physical {
    /// A transaction that was begun at this level, if one was set.
    pub(super) fn at(isolation_level: Option<IsolationLevel>) -> Self {
        Self {
            frames: Frames::at(isolation_level),
            capture_lock: Arc::default(),
            levels: Mutex::new(Levels {
                open_handles: 1,
                queued_rollbacks: 0,
            }),
            schema_change: Mutex::default(),
        }
    }

    /// Records that the transaction may have changed the schema.
    pub(super) fn changes_schema(&self, server: &ServerInfo) {
        let mut change = (self.schema_change.lock()).unwrap_or_else(PoisonError::into_inner);
        change.get_or_insert_with(|| SchemaChange::begin(server.clone()));
    }

    fn levels(&self) -> MutexGuard<'_, Levels> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the next handle that ends is the last.
    pub(super) fn is_last(&self) -> bool {
        self.levels().open_handles <= 1
    }

    pub(super) fn has_queued(&self) -> bool {
        self.levels().queued_rollbacks > 0
    }

    /// Ends a handle that was dropped. The last one is returned: it rolls back the transaction.
    pub(super) fn drop_handle(
        &self,
        tx: Arc<DatabaseTransaction>,
    ) -> Option<Arc<DatabaseTransaction>> {
        let has_ended = self.frames.ended().is_some();
        let mut levels = self.levels();
        levels.open_handles = levels.open_handles.saturating_sub(1);
        if levels.open_handles == 0 {
            return Some(tx);
        }
        if !has_ended {
            levels.queued_rollbacks += 1;
        }
        // Dropped under the lock: the last handle must be the only owner of the transaction.
        drop(tx);
        None
    }

    /// Runs the queued rollbacks of dropped handles.
    pub(super) async fn run_queued<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        while self.has_queued() {
            self.roll_back_innermost(db).await?;
            self.levels().queued_rollbacks -= 1;
        }
        Ok(())
    }

    /// Rolls back to the innermost savepoint. Running it twice does no harm: the savepoint stays.
    async fn roll_back_innermost<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        let sql = format!("ROLLBACK TO SAVEPOINT {}", name(self.frames.depth() - 1));
        match db.execute_unprepared(&sql).await {
            Ok(_) => {
                self.frames.discard();
                Ok(())
            }
            Err(error) => {
                // The savepoint no longer exists, nor does the transaction.
                self.frames.end(error.clone());
                Err(as_query(error))
            }
        }
    }

    /// Rolls back the innermost level for a handle.
    pub(super) async fn roll_back<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        self.run_queued(db).await?;
        self.roll_back_innermost(db).await
    }

    /// One handle has ended its level.
    pub(super) fn handle_ended(&self) {
        let mut levels = self.levels();
        levels.open_handles = levels.open_handles.saturating_sub(1);
    }

    /// Sets a savepoint. A future that is dropped half way leaves one without effect, or with a queued rollback.
    pub(super) async fn set_savepoint<C: ConnectionTrait>(
        &self,
        db: &C,
        options: TransactionOptions,
    ) -> Result<(), DbErr> {
        let backend = db.get_database_backend();
        let characteristics = characteristics(backend, options);
        if backend == DbBackend::MySql
            && let Some(sql) = &characteristics
        {
            // Like SeaORM, which sends it before the savepoint. The server refuses it.
            let statement = Statement::from_string(backend, sql);
            db.execute_raw(statement).await?;
        }
        // A statement that commits, such as DDL, ends the transaction. The server then accepts a savepoint and
        // discards it; the driver finds no open transaction.
        if backend == DbBackend::MySql && self.frames.is_unbuffered() && is_autocommit(db).await {
            return Err(DbErr::Query(RuntimeErr::Internal(BEGIN_FAILED.to_owned())));
        }
        let sql = format!("SAVEPOINT {}", name(self.frames.depth()));
        db.execute_unprepared(&sql).await.map_err(as_query)?;
        let read_only = backend == DbBackend::Postgres
            && matches!(options.access_mode, Some(AccessMode::ReadOnly));
        self.frames.begin(read_only);
        // From here on the handle ends the level, or a rollback does if there is no handle.
        let mut level = RollBackOnDrop {
            physical: self,
            has_handle: false,
        };
        if backend == DbBackend::Postgres
            && let Some(sql) = characteristics
        {
            let statement = prepare_again(Statement::from_string(backend, sql));
            db.execute_raw(statement).await?;
        }
        self.levels().open_handles += 1;
        level.has_handle = true;
        Ok(())
    }

    /// Releases the innermost savepoint, also when the future is dropped half way.
    pub(super) async fn release(
        self: Arc<Self>,
        tx: Arc<DatabaseTransaction>,
        capture_lock: OwnedMutexGuard<()>,
    ) -> Result<(), DbErr> {
        run_to_end(async move {
            let mut end_on_drop = EndOnDrop {
                physical: &self,
                completed: false,
            };
            let sql = format!("RELEASE SAVEPOINT {}", name(self.frames.depth() - 1));
            let released = tx.execute_unprepared(&sql).await;
            end_on_drop.completed = true;
            drop(tx);
            let mut levels = self.levels();
            levels.open_handles = levels.open_handles.saturating_sub(1);
            let released = match released {
                Ok(_) => {
                    self.frames.merge();
                    Ok(())
                }
                Err(error) => {
                    // Like SeaORM, which then drops the handle.
                    levels.queued_rollbacks += 1;
                    self.frames.failed(&error);
                    Err(as_query(error))
                }
            };
            drop(levels);
            drop(end_on_drop);
            drop(capture_lock);
            released
        })
        .await
    }
}

/// The error text of sqlx in this case. Only sqlx can construct its error.
const BEGIN_FAILED: &str = "got unexpected connection status after attempting to begin transaction";

/// The savepoint of a level; the transaction itself is level 0.
fn name(level: usize) -> String {
    format!("sea_orm_audit_level_{level}")
}

/// `SET TRANSACTION` as SeaORM sends it, or nothing.
fn characteristics(backend: DbBackend, options: TransactionOptions) -> Option<String> {
    let level =
        (options.isolation_level).map(|level: IsolationLevel| format!("ISOLATION LEVEL {level}"));
    let mode = options.access_mode.map(|mode| mode.to_string());
    let settings: Vec<String> = level.into_iter().chain(mode).collect();
    if settings.is_empty() {
        return None;
    }
    let between = match backend {
        DbBackend::Postgres => " ",
        DbBackend::MySql => ", ",
        _ => {
            tracing::warn!("SQLite has no isolation level or access mode of a transaction");
            return None;
        }
    };
    Some(format!("SET TRANSACTION {}", settings.join(between)))
}
