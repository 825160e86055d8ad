//! How the handles of a transaction end: COMMIT, rollback and drop.

use std::sync::Arc;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement, TransactionSession,
};

use super::AuditedTransaction;
use crate::begin;
use crate::connection::uncaptured_report;
use crate::error::AuditError;
use crate::record::prepare_again;
use crate::task::Task;

impl AuditedTransaction {
    /// Rolls back instead of committing.
    async fn refuse(mut self, reason: String) -> Result<(), DbErr> {
        if let Err(error) = self.roll_back_level().await {
            tracing::warn!(%error, "a refused transaction could not be rolled back");
        }
        Err(AuditError::CommitRefused { reason }.into())
    }

    /// Rolls back the innermost level; the last handle rolls back the transaction. Needs the lock.
    async fn roll_back_level(&mut self) -> Result<(), DbErr> {
        let Some(tx) = &self.tx else {
            return Ok(());
        };
        if self.mock || self.physical.is_last() {
            if !self.mock {
                if self.frames().is_suspect() {
                    begin::begin_if_ended(&**tx).await;
                }
                self.take_back_before_rollback(tx).await;
            }
            return match self.last_tx() {
                Some(tx) => tx.rollback().await,
                None => Ok(()),
            };
        }
        if self.frames().ended().is_none() {
            self.physical.roll_back(&**tx).await?;
        }
        self.tx = None;
        self.physical.handle_ended();
        Ok(())
    }

    /// Takes the transaction from the last handle.
    fn last_tx(&mut self) -> Option<DatabaseTransaction> {
        let tx = self.tx.take()?;
        if !self.mock {
            self.physical.handle_ended();
        }
        Arc::into_inner(tx)
    }

    /// Whether PostgreSQL has aborted the transaction: it answers COMMIT with ROLLBACK, without an error.
    async fn aborted(&self) -> Result<Option<DbErr>, DbErr> {
        let tx = self.tx()?;
        if tx.get_database_backend() != DbBackend::Postgres || !self.frames().is_suspect() {
            return Ok(None);
        }
        let look = prepare_again(Statement::from_string(DbBackend::Postgres, "SELECT 1"));
        Ok(tx.execute_raw(look).await.err())
    }

    /// Clears the trigger context if a rollback might not: the application has controlled the transaction by itself.
    async fn take_back_before_rollback(&self, tx: &DatabaseTransaction) {
        if !self.frames().is_unbuffered() {
            return;
        }
        if let Err(error) = self.frames().clear_context(tx).await {
            tracing::debug!(%error, "the context of triggers ends with the transaction");
        }
    }
}

#[async_trait]
impl TransactionSession for AuditedTransaction {
    async fn commit(mut self) -> Result<(), DbErr> {
        if self.mock {
            return match self.last_tx() {
                Some(tx) => tx.commit().await,
                None => Ok(()),
            };
        }
        let physical = Arc::clone(&self.physical);
        let lock = Arc::clone(&physical.capture_lock).lock_owned().await;
        if let Some(error) = physical.frames.ended() {
            let reason = format!("the database has ended it ({error})");
            return self.refuse(reason).await;
        }
        if let Err(error) = physical.run_queued(self.tx()?).await {
            return self.refuse(error.to_string()).await;
        }
        if let Some(error) = physical.frames.failure() {
            return self.refuse(error.reason()).await;
        }
        if let Err(error) = self.look_whether_open().await {
            return self.refuse(error.to_string()).await;
        }
        if !physical.is_last() {
            return match self.tx.take() {
                Some(tx) => physical.release(tx, lock).await,
                None => Ok(()),
            };
        }
        if let Some(error) = self.aborted().await? {
            return self.refuse(error.to_string()).await;
        }
        let tx = self.tx()?;
        let frames = &physical.frames;
        let ready = async {
            uncaptured_report::reports_before_commit(tx, frames).await?;
            frames.flush(tx).await?;
            frames.clear_context(tx).await
        };
        let ready = ready.await;
        if let Err(error) = ready {
            return self.refuse(AuditError::reason_of(&error)).await;
        }
        match self.last_tx() {
            Some(tx) => begin::commit(tx).await,
            None => Err(DbErr::Custom("the transaction is in use".into())),
        }
    }

    async fn rollback(mut self) -> Result<(), DbErr> {
        let physical = Arc::clone(&self.physical);
        let _lock = physical.capture_lock.lock().await;
        self.roll_back_level().await
    }
}

impl Drop for AuditedTransaction {
    fn drop(&mut self) {
        let Some(tx) = self.tx.take() else {
            return;
        };
        if self.mock {
            return;
        }
        let Some(tx) = self.physical.drop_handle(tx) else {
            return;
        };
        // SeaORM's own handle rolls back when it is dropped, with two exceptions: a statement that committed may have
        // left the trigger context, and SQLite may have ended the transaction.
        let frames = self.frames();
        let left = frames.is_unbuffered() && frames.has_context_to_clear();
        let suspect = frames.is_suspect() && tx.get_database_backend() == DbBackend::Sqlite;
        if !left && !suspect {
            return;
        }
        let physical = Arc::clone(&self.physical);
        // Outside of a runtime the handle rolls back by itself.
        drop(Task::spawn(async move {
            if physical.frames.is_suspect() {
                begin::begin_if_ended(&*tx).await;
            }
            if left && let Err(error) = physical.frames.clear_context(&*tx).await {
                tracing::warn!(%error, "the context of triggers could not be removed");
            }
            if let Some(tx) = Arc::into_inner(tx)
                && let Err(error) = tx.rollback().await
            {
                tracing::debug!(%error, "a dropped transaction could not be rolled back");
            }
        }));
    }
}
