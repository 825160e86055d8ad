//! `AuditedConnection`: records every write through it, in the transaction of the change.
//!
//! One file, because it implements SeaORM's traits for one type.

mod autocommit;
mod batch_result;
mod bulk;
mod detached;
mod in_transaction;
mod indirect_change;
mod inherent;
mod partial_failure;
mod physical;
mod route;
mod stream;
mod text_control;
mod transaction;
mod uncaptured_report;

use std::sync::Arc;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, IsolationLevel,
    QueryResult, Statement, TransactionError, TransactionOptions, TransactionTrait,
};

pub use bulk::{
    AuditedDeleteMany, AuditedEntity, AuditedInsertMany, AuditedTryInsert, AuditedUpdateMany,
};
pub use transaction::AuditedTransaction;

use crate::actor::Actor;
use crate::binding::{Binding, answer};
use crate::capture::{ExecOutput, ServerInfo, result_of};
use crate::config::AuditConfig;
use crate::context::AuditContext;
use crate::exec_method::ExecMethod;
use crate::record::Dropping;
use crate::sql::{ParsedStatement, changes_schema, drops_prepared, outline_of, steps, understand};
use crate::transaction_state::Frames;
use crate::transaction_state::UncapturedStatement;
use route::Route;
use text_control::TextControl;

/// A connection on which every write to an audited table is recorded, atomically with the change.
///
/// Replaces SeaORM's `DatabaseConnection`, which it wraps: it is a `ConnectionTrait`, a `TransactionTrait` and a
/// `StreamTrait`. Cheap to clone. Bulk statements, raw SQL and cascades are recorded as well as models, whether or
/// not hooks run.
///
/// A single write is one transaction with its record, and runs to completion even if its future is dropped. Reads are
/// passed through unchanged; so are writes to other tables, unless they may change rows of an audited one, by a view,
/// a partition or a foreign key: then they are reported. Nothing is recorded on a mock connection.
///
/// # Examples
/// ```
/// # use sea_orm::{DatabaseConnection, DbErr};
/// use sea_orm_audit_core::{Actor, AuditedConnection};
/// # fn connect(db: DatabaseConnection) {
/// let db = AuditedConnection::new(db);
/// let as_ann = db.as_actor(Actor::user(7).named("Ann"));
/// // `as_ann` goes wherever SeaORM takes a connection
/// # }
/// ```
#[derive(Clone)]
pub struct AuditedConnection {
    db: DatabaseConnection,
    server: ServerInfo,
    binding: Arc<Binding>,
    text_control: TextControl,
}

impl std::fmt::Debug for AuditedConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditedConnection")
            .field("db", &self.db)
            .finish_non_exhaustive()
    }
}

impl From<DatabaseConnection> for AuditedConnection {
    fn from(db: DatabaseConnection) -> Self {
        Self::new(db)
    }
}

impl AuditedConnection {
    /// Wraps SeaORM's connection. The ambient context and configuration of each statement apply.
    #[must_use]
    pub fn new(db: DatabaseConnection) -> Self {
        Self {
            server: ServerInfo::new(db.get_database_backend()),
            db,
            binding: Arc::default(),
            text_control: TextControl::default(),
        }
    }

    /// The same connection, with a context bound to it. The bound context overrides the ambient one field by field.
    #[must_use]
    pub fn with_context(&self, context: AuditContext) -> Self {
        let context = match &self.binding.context {
            Some(outer) => context.or(outer),
            None => context,
        };
        self.bound(Binding {
            context: Some(context),
            config: self.binding.config.clone(),
        })
    }

    /// The same connection, with this actor as the writer.
    #[must_use]
    pub fn as_actor(&self, actor: Actor) -> Self {
        self.with_context(AuditContext::new().actor(actor))
    }

    /// The same connection, with a configuration bound to it.
    #[must_use]
    pub fn with_config(&self, config: AuditConfig) -> Self {
        self.bound(Binding {
            context: self.binding.context.clone(),
            config: Some(config),
        })
    }

    fn bound(&self, binding: Binding) -> Self {
        Self {
            db: self.db.clone(),
            server: self.server.clone(),
            binding: Arc::new(binding),
            text_control: self.text_control.clone(),
        }
    }

    /// SeaORM's own connection, on which statements are not captured; models still run their hooks.
    ///
    /// It is also the connection for what only SeaORM's types can do: `Migrator::up(db.unaudited(), None)`,
    /// `restricted_for(..)`, the driver's pool. The name can be searched for in reviews.
    #[must_use]
    #[doc(alias = "restricted_for")]
    #[doc(alias = "get_sqlite_connection_pool")]
    #[doc(alias = "get_postgres_connection_pool")]
    #[doc(alias = "get_mysql_connection_pool")]
    #[doc(alias = "into_transaction_log")]
    pub const fn unaudited(&self) -> &DatabaseConnection {
        &self.db
    }

    /// Closes the connection and all its clones.
    ///
    /// # Errors
    /// Returns SeaORM's error.
    pub async fn close(self) -> Result<(), DbErr> {
        self.db.close().await
    }

    async fn call(&self, call: ExecMethod, statement: Statement) -> Result<ExecOutput, DbErr> {
        if self.db.is_mock_connection() {
            return run(&self.db, call, statement).await;
        }
        let backend = self.db.get_database_backend();
        let understood = understand(backend, &statement.sql);
        let is_read = matches!(*understood, ParsedStatement::Read);
        let steps = steps(backend, &statement.sql);
        self.text_control.fetch(&self.db).await;
        if steps.is_empty() && !is_read && self.text_control.is_read_only() {
            return self.routed_as_read_only(call, statement).await;
        }
        // Its own report is written before it.
        let open = self.text_control.open();
        if open.is_none() && (!is_read || !steps.is_empty()) {
            (indirect_change::fetch_catalogue(&self.db, &self.binding, &self.server).await)
                .map_err(|error| call.own_error(error))?;
        }
        let _change = changes_schema(backend, &statement.sql, &understood)
            .then(|| indirect_change::SchemaChange::begin(self.server.clone()));
        if steps.is_empty() {
            // Another clone may have begun a transaction meanwhile.
            self.text_control.fetch(&self.db).await;
            let open = self.text_control.open();
            return self.routed(call, statement, &understood, open).await;
        }
        let sent = self.text_control.sent(steps);
        let answer = self
            .routed(call, statement, &understood, open.clone())
            .await;
        sent.answered(backend, answer.is_ok());
        if let Some(frames) = open
            && !self.text_control.is_locked()
        {
            let inside = self.text_control.open();
            uncaptured_report::report_after_lock(frames, self.db.clone(), inside).await;
        }
        answer
    }

    /// `open` is the transaction that the application controls by text.
    async fn routed(
        &self,
        call: ExecMethod,
        statement: Statement,
        understood: &ParsedStatement,
        open: Option<Arc<Frames>>,
    ) -> Result<ExecOutput, DbErr> {
        let place = (self.db.get_database_backend(), statement.sql.as_str());
        let indirect = indirect_change::reported(&self.binding, &self.server, understood, place)
            .map_err(|error| call.own_error(error))?;
        match open {
            Some(frames) => {
                self.routed_by_text(call, statement, &frames, indirect)
                    .await
            }
            None => self.routed_by_itself(call, statement, indirect).await,
        }
    }

    fn route(&self, call: ExecMethod, sql: &str) -> Result<Route, DbErr> {
        let is_mock = self.db.is_mock_connection();
        let backend = self.db.get_database_backend();
        Route::of(is_mock, &self.binding, &self.server, backend, sql)
            .map_err(|error| call.own_error(error))
    }

    async fn routed_by_itself(
        &self,
        call: ExecMethod,
        statement: Statement,
        indirect: Option<UncapturedStatement>,
    ) -> Result<ExecOutput, DbErr> {
        if let Some(reported) = indirect {
            uncaptured_report::report_detached(reported, self.db.clone()).await;
        }
        match self.route(call, &statement.sql)? {
            Route::Straight => run(&self.db, call, statement).await,
            Route::Uncaptured(reported) => {
                uncaptured_report::report_detached(reported, self.db.clone()).await;
                run(&self.db, call, statement).await
            }
            Route::Captured(captured) => {
                autocommit::write(self.clone(), call, statement, captured).await
            }
        }
    }

    /// Runs a statement in a transaction that the application controls by text: it is not captured.
    async fn routed_by_text(
        &self,
        call: ExecMethod,
        statement: Statement,
        frames: &Arc<Frames>,
        indirect: Option<UncapturedStatement>,
    ) -> Result<ExecOutput, DbErr> {
        if let Some(reported) = indirect {
            self.report_by_text(reported, frames).await;
        }
        if let Some((reported, is_capturable)) = self.unrecorded(call, &statement.sql)? {
            let reported = if is_capturable {
                reported.by_policy()?
            } else {
                reported
            };
            self.report_by_text(reported, frames).await;
        }
        run(&self.db, call, statement).await
    }

    async fn report_by_text(&self, reported: UncapturedStatement, frames: &Arc<Frames>) {
        if self.text_control.is_locked() {
            frames.report_before_commit(reported);
        } else {
            uncaptured_report::report_by_text(reported, self.db.clone(), Arc::clone(frames)).await;
        }
    }

    /// Runs a statement that MySQL must refuse, if it writes, because the application has made its transaction
    /// read-only. Anything that the log did before would be that transaction.
    async fn routed_as_read_only(
        &self,
        call: ExecMethod,
        statement: Statement,
    ) -> Result<ExecOutput, DbErr> {
        let reported = self.unrecorded(call, &statement.sql)?;
        let answer = run(&self.db, call, statement).await?;
        self.text_control.has_been_read_only();
        // The setting was another connection's, or a read has used it.
        if let Some((reported, _)) = reported {
            uncaptured_report::report_detached(reported, self.db.clone()).await;
        }
        Ok(answer)
    }

    /// The report of a statement that runs without capture, and whether it could be captured elsewhere.
    fn unrecorded(
        &self,
        call: ExecMethod,
        sql: &str,
    ) -> Result<Option<(UncapturedStatement, bool)>, DbErr> {
        Ok(match self.route(call, sql)? {
            Route::Straight => None,
            Route::Uncaptured(reported) => Some((reported, false)),
            Route::Captured(captured) => {
                let outline = || outline_of(self.db.get_database_backend(), sql);
                let reported = captured.reported(text_control::BY_TEXT, outline);
                reported.map(|reported| (reported, true))
            }
        })
    }
}

/// Runs a statement unchanged.
async fn run<C: ConnectionTrait>(
    db: &C,
    call: ExecMethod,
    statement: Statement,
) -> Result<ExecOutput, DbErr> {
    // When it is done, or its future is dropped.
    let _dropping = Dropping(drops_prepared(db.get_database_backend(), &statement.sql));
    Ok(match call {
        ExecMethod::Execute => ExecOutput::Executed(db.execute_raw(statement).await?),
        ExecMethod::Unprepared => {
            ExecOutput::Executed(db.execute_unprepared(&statement.sql).await?)
        }
        ExecMethod::QueryOne => {
            ExecOutput::Rows(db.query_one_raw(statement).await?.into_iter().collect())
        }
        ExecMethod::QueryAll => ExecOutput::Rows(db.query_all_raw(statement).await?),
    })
}

impl ExecOutput {
    fn executed(self) -> Result<ExecResult, DbErr> {
        match self {
            Self::Executed(result) => Ok(result),
            Self::Rows(rows) => result_of(0, rows.len() as u64),
        }
    }

    fn row(self) -> Option<QueryResult> {
        self.rows().into_iter().next()
    }

    fn rows(self) -> Vec<QueryResult> {
        match self {
            Self::Executed(_) => Vec::new(),
            Self::Rows(rows) => rows,
        }
    }
}

#[async_trait]
impl ConnectionTrait for AuditedConnection {
    fn get_database_backend(&self) -> DbBackend {
        answer(None, &self.binding);
        self.db.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.call(ExecMethod::Execute, statement).await?.executed()
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let statement = Statement::from_string(self.db.get_database_backend(), sql);
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
        self.db.support_returning()
    }

    fn is_mock_connection(&self) -> bool {
        self.db.is_mock_connection()
    }
}

#[async_trait]
impl TransactionTrait for AuditedConnection {
    type Transaction = AuditedTransaction;

    async fn begin(&self) -> Result<AuditedTransaction, DbErr> {
        self.begin_with_options(TransactionOptions::default()).await
    }

    async fn begin_with_config(
        &self,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<AuditedTransaction, DbErr> {
        let options = TransactionOptions {
            isolation_level,
            access_mode,
            ..TransactionOptions::default()
        };
        self.begin_with_options(options).await
    }

    async fn begin_with_options(
        &self,
        options: TransactionOptions,
    ) -> Result<AuditedTransaction, DbErr> {
        if !self.db.is_mock_connection() {
            indirect_change::fetch_catalogue(&self.db, &self.binding, &self.server).await?;
        }
        // A future dropped inside of BEGIN would leave the pooled connection in a transaction.
        let (db, level) = (self.db.clone(), options.isolation_level);
        let tx = detached::run_to_end(async move { db.begin_with_options(options).await }).await?;
        if let Some(frames) = self.text_control.begun() {
            uncaptured_report::submit_waiting(&frames);
        }
        Ok(AuditedTransaction::outermost(
            tx,
            self.server.clone(),
            Arc::clone(&self.binding),
            self.db.is_mock_connection(),
            level,
        ))
    }

    async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(
                &'c AuditedTransaction,
            )
                -> std::pin::Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>
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
        F: for<'c> FnOnce(
                &'c AuditedTransaction,
            )
                -> std::pin::Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>>
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
