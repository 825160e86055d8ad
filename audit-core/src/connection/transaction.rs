//! `AuditedTransaction`: changes and records of one transaction, committed or rolled back together.

mod end;

use std::pin::Pin;
use std::sync::Arc;

use sea_orm::prelude::Uuid;
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, IsolationLevel,
    QueryResult, Statement, TransactionError, TransactionOptions, TransactionSession,
    TransactionTrait,
};

use super::in_transaction::{follow, report_before};
use super::physical::Physical;
use super::route::Route;
use super::uncaptured_report::reports_before_commit;
use super::{indirect_change, run};
use crate::binding::{Binding, answer};
use crate::capture::{ExecOutput, ServerInfo};
use crate::exec_method::ExecMethod;
use crate::sql::{ParsedStatement, changes_character_set, changes_schema, understand};
use crate::transaction_state::Frames;

/// A transaction on which every write to an audited table is recorded.
///
/// Records are buffered and written in batches before COMMIT; records of a rolled-back savepoint are dropped. They
/// share one `transaction_id`. A transaction whose record failed refuses to commit, with
/// [`AuditError::CommitRefused`](crate::AuditError::CommitRefused), and is rolled back.
///
/// Handles may end in any order. As with SeaORM's own, each ends the innermost savepoint, and the last one the
/// transaction. Once the database has ended the transaction, no further statement is sent, and every call returns
/// [`AuditError::CommitRefused`](crate::AuditError::CommitRefused).
///
/// Statements of one transaction are captured one after the other, from all its tasks. Dropping the future of a write
/// before it is done leaves its effect unknown, as it does without audit log: the transaction then refuses to commit.
pub struct AuditedTransaction {
    /// Shared by all handles, so that the last one commits it; on a mock connection, where SeaORM records each begin,
    /// each handle has its own. `None` once the handle has ended.
    tx: Option<Arc<DatabaseTransaction>>,
    physical: Arc<Physical>,
    pub(super) server: ServerInfo,
    pub(super) binding: Arc<Binding>,
    /// SeaORM's own transaction does not expose this.
    mock: bool,
}

impl std::fmt::Debug for AuditedTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditedTransaction")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl AuditedTransaction {
    pub(super) fn outermost(
        tx: DatabaseTransaction,
        server: ServerInfo,
        binding: Arc<Binding>,
        mock: bool,
        isolation_level: Option<IsolationLevel>,
    ) -> Self {
        Self {
            tx: Some(Arc::new(tx)),
            physical: Arc::new(Physical::at(isolation_level)),
            server,
            binding,
            mock,
        }
    }

    /// The `transaction_id` of its records.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.physical.frames.id()
    }

    pub(super) fn tx(&self) -> Result<&DatabaseTransaction, DbErr> {
        self.frames().check_open()?;
        // Only `commit`, `rollback` and `drop` take it, and they end the handle.
        self.tx
            .as_deref()
            .ok_or_else(|| DbErr::Custom("the transaction is finished".into()))
    }

    /// Runs the queued rollbacks of dropped handles, which must precede any statement.
    pub(super) async fn run_queued(&self) -> Result<(), DbErr> {
        if !self.physical.has_queued() {
            return Ok(());
        }
        let _lock = self.physical.capture_lock.lock().await;
        self.physical.run_queued(self.tx()?).await
    }

    pub(super) fn frames(&self) -> &Frames {
        &self.physical.frames
    }

    /// Records that a statement failed.
    fn track_error<T>(&self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        if let Err(error) = &result {
            self.frames().failed(error);
        }
        result
    }

    async fn call(&self, call: ExecMethod, statement: Statement) -> Result<ExecOutput, DbErr> {
        let tx = self.tx()?;
        let backend = tx.get_database_backend();
        let understood = understand(backend, &statement.sql);
        if self.mock {
            return self.track_error(run(tx, call, statement).await);
        }
        if changes_character_set(backend, &statement.sql) {
            // The server would read the texts of these records as others.
            let _lock = self.physical.capture_lock.lock().await;
            self.track_error(self.frames().flush_all(tx).await)?;
        }
        if matches!(*understood, ParsedStatement::Read) {
            let observe = |sql: &str| self.frames().live_tables.observe(sql, &understood);
            observe(&statement.sql);
            self.run_queued().await?;
            if self.frames().has_other_context(|| self.binding.context()) {
                let _lock = self.physical.capture_lock.lock().await;
                self.look_whether_open().await?;
                self.track_error(self.refresh_context(tx).await)?;
            }
            let sql = statement.sql.clone();
            let answer = self.track_error(run(tx, call, statement).await);
            // Another task may have captured a statement meanwhile.
            observe(&sql);
            return answer;
        }
        let _lock = self.physical.capture_lock.lock().await;
        // It may have ended meanwhile.
        let tx = self.tx()?;
        self.physical.run_queued(tx).await?;
        self.look_whether_open().await?;
        if may_control(&understood) {
            self.track_error(self.before_control().await)?;
        } else {
            self.track_error(self.refresh_context(tx).await)?;
        }
        (self.frames().live_tables).observe(&statement.sql, &understood);
        if changes_schema(backend, &statement.sql, &understood) {
            self.physical.changes_schema(&self.server);
        }
        let result = self.write(tx, call, statement, &understood).await;
        // The application may have committed: the trigger context then commits at once, and must be cleared.
        if self.frames().is_unbuffered() {
            let taken_back = self.frames().clear_context(tx).await;
            return self.track_error(result.and_then(|answer| taken_back.map(|()| answer)));
        }
        self.track_error(result)
    }

    /// If triggers have another context, sets the current one: a statement that is not a write may also write, by a
    /// function or another trigger.
    async fn refresh_context(&self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        if !self.frames().has_other_context(|| self.binding.context()) {
            return Ok(());
        }
        let (config, context) = (self.binding.config(), self.binding.context());
        (self.frames())
            .set_trigger_context(tx, &config, &context)
            .await
    }

    async fn write(
        &self,
        tx: &DatabaseTransaction,
        call: ExecMethod,
        statement: Statement,
        understood: &ParsedStatement,
    ) -> Result<ExecOutput, DbErr> {
        self.look_whether_open().await?;
        let backend = tx.get_database_backend();
        let (sql, frames) = (&statement.sql, self.frames());
        let (binding, server) = (&self.binding, &self.server);
        let indirect = indirect_change::reported(binding, server, understood, (backend, sql))
            .map_err(|error| call.own_error(error))?;
        if let Some(reported) = indirect {
            (report_before(&reported, tx, frames).await).map_err(|error| call.own_error(error))?;
        }
        let route = Route::of(self.mock, binding, server, backend, sql)
            .map_err(|error| call.own_error(error))?;
        follow(route, tx, frames, &self.server, call, statement).await
    }

    /// Writes the buffered records before a statement that may set or roll back a savepoint, or commit; also clears
    /// the trigger context, which must not be committed.
    async fn before_control(&self) -> Result<(), DbErr> {
        reports_before_commit(self.tx()?, self.frames()).await?;
        self.frames().flush_all(self.tx()?).await?;
        self.frames().clear_context(self.tx()?).await?;
        self.frames().stop_buffering();
        Ok(())
    }

    pub(super) async fn run<F, T, E>(self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Self) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>
            + Send,
        T: Send,
        E: std::fmt::Display + std::fmt::Debug + Send,
    {
        let result = callback(&self).await;
        self.end_with(result).await
    }

    /// Commits, or rolls back after an error.
    pub(super) async fn end_with<T, E>(self, result: Result<T, E>) -> Result<T, TransactionError<E>>
    where
        E: std::fmt::Display + std::fmt::Debug,
    {
        let ended = match &result {
            Ok(_) => TransactionSession::commit(self).await,
            Err(_) => TransactionSession::rollback(self).await,
        };
        ended.map_err(TransactionError::Connection)?;
        result.map_err(TransactionError::Transaction)
    }

    async fn look_whether_open(&self) -> Result<(), DbErr> {
        self.frames().look_whether_open(self.tx()?).await
    }

    async fn nested(&self, options: TransactionOptions) -> Result<Self, DbErr> {
        let (tx, physical) = if self.mock {
            let tx = self.tx()?.begin_with_options(options).await?;
            (Arc::new(tx), Arc::new(Physical::at(None)))
        } else {
            let _lock = self.physical.capture_lock.lock().await;
            let tx = self.tx()?;
            self.physical.run_queued(tx).await?;
            self.look_whether_open().await?;
            self.track_error(self.physical.set_savepoint(tx, options).await)?;
            match &self.tx {
                Some(tx) => (Arc::clone(tx), Arc::clone(&self.physical)),
                None => return Err(DbErr::Custom("the transaction is finished".into())),
            }
        };
        Ok(Self {
            tx: Some(tx),
            physical,
            server: self.server.clone(),
            binding: Arc::clone(&self.binding),
            mock: self.mock,
        })
    }

    /// Commits the transaction, its records with it, or releases the savepoint of a nested one.
    ///
    /// # Errors
    /// Returns [`AuditError::CommitRefused`](crate::AuditError::CommitRefused) if a record failed or the database
    /// would not commit, and the database's own errors. Everything is rolled back then.
    pub async fn commit(self) -> Result<(), DbErr> {
        TransactionSession::commit(self).await
    }

    /// Rolls the transaction back, or a nested one to its savepoint.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn rollback(self) -> Result<(), DbErr> {
        TransactionSession::rollback(self).await
    }
}

/// Whether a text may set or roll back a savepoint, or commit.
fn may_control(understood: &ParsedStatement) -> bool {
    match understood {
        ParsedStatement::DdlOrTransaction | ParsedStatement::Unsupported(_) => true,
        ParsedStatement::Batch(parts) => parts.iter().any(|(_, part)| may_control(part)),
        ParsedStatement::Read | ParsedStatement::Write(_) => false,
    }
}

#[async_trait]
impl ConnectionTrait for AuditedTransaction {
    fn get_database_backend(&self) -> DbBackend {
        answer(Some(self.id()), &self.binding);
        self.tx
            .as_deref()
            .map_or(DbBackend::Sqlite, ConnectionTrait::get_database_backend)
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.call(ExecMethod::Execute, statement).await?.executed()
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let statement = Statement::from_string(self.tx()?.get_database_backend(), sql);
        self.call(ExecMethod::Unprepared, statement)
            .await?
            .executed()
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.call(ExecMethod::QueryOne, statement).await?.row())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        Ok(self.call(ExecMethod::QueryAll, statement).await?.rows())
    }

    fn support_returning(&self) -> bool {
        self.tx
            .as_deref()
            .is_some_and(ConnectionTrait::support_returning)
    }

    fn is_mock_connection(&self) -> bool {
        self.mock
    }
}

#[async_trait]
impl TransactionTrait for AuditedTransaction {
    type Transaction = Self;

    async fn begin(&self) -> Result<Self, DbErr> {
        self.nested(TransactionOptions::default()).await
    }

    async fn begin_with_config(
        &self,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<Self, DbErr> {
        self.nested(TransactionOptions {
            isolation_level,
            access_mode,
            ..TransactionOptions::default()
        })
        .await
    }

    async fn begin_with_options(&self, options: TransactionOptions) -> Result<Self, DbErr> {
        self.nested(options).await
    }

    async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Self) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>
            + Send,
        T: Send,
        E: std::fmt::Display + std::fmt::Debug + Send,
    {
        let tx = self.begin().await.map_err(TransactionError::Connection)?;
        tx.run(callback).await
    }

    async fn transaction_with_config<F, T, E>(
        &self,
        callback: F,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Self) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>
            + Send,
        T: Send,
        E: std::fmt::Display + std::fmt::Debug + Send,
    {
        let tx = self
            .begin_with_config(isolation_level, access_mode)
            .await
            .map_err(TransactionError::Connection)?;
        tx.run(callback).await
    }
}
