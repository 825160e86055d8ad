//! Bulk builders, for callers with a plain connection and for code that names the recording explicitly.
//!
//! One file, because the four builders have the same shape.
//!
//! They wrap SeaORM's own and run on the engine of `AuditedConnection`: on a plain connection in a separate
//! transaction, which is a savepoint inside of another.

use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::sea_query::{OnConflict, SimpleExpr};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, DeleteMany, DeleteResult, EntityTrait,
    ExecResult, InsertMany, InsertManyResult, InsertResult, IntoActiveModel, PrimaryKeyTrait,
    QueryFilter, QueryResult, Statement, TransactionSession, TransactionTrait, TryInsert,
    TryInsertResult, UpdateMany, UpdateResult,
};

use super::autocommit;
use super::in_transaction::follow;
use super::route::Route;
use crate::action::Source;
use crate::auditable::Auditable;
use crate::begin::{Begun, begin};
use crate::binding::{Binding, probe};
use crate::capture::{ExecOutput, ServerInfo};
use crate::connection_kind::ConnectionKind;
use crate::exec_method::ExecMethod;
use crate::transaction_state::Frames;

tokio::task_local! {
    static BULK: ();
}

/// The capture path of the current write.
pub(super) fn source() -> Source {
    if BULK.try_with(|()| ()).is_ok() {
        Source::Bulk
    } else {
        Source::Statement
    }
}

/// The executor of a builder.
enum BulkExecutor<'a, T> {
    /// A connection that captures by itself, or a mock.
    Given,
    Own(Box<OwnedTransaction<'a, T>>),
}

/// A transaction that the builder owns.
struct OwnedTransaction<'a, T> {
    tx: Begun<'a, T>,
    frames: Frames,
    server: ServerInfo,
    binding: Binding,
    /// Whether a statement failed, not only SeaORM's decoding of its result.
    is_failed: AtomicBool,
}

impl<'a, T: ConnectionTrait + TransactionSession + Send> BulkExecutor<'a, T> {
    async fn of<C>(db: &'a C) -> Result<Self, DbErr>
    where
        C: ConnectionTrait + TransactionTrait<Transaction = T> + 'static,
    {
        if db.is_mock_connection() || probe(db).is_some() {
            return Ok(Self::Given);
        }
        let tx = begin(db).await?;
        let frames = Frames::new();
        if ConnectionKind::of::<C>() == ConnectionKind::Pool {
            frames.has_write_lock();
        } else {
            // It may be inside of the application's transaction.
            frames.mark_nested();
        }
        Ok(Self::Own(Box::new(OwnedTransaction {
            tx,
            frames,
            server: ServerInfo::new(db.get_database_backend()),
            binding: Binding::default(),
            is_failed: AtomicBool::new(false),
        })))
    }
}

impl<T: ConnectionTrait + TransactionSession + Send + 'static> OwnedTransaction<'_, T> {
    async fn end<R>(self: Box<Self>, result: Result<R, DbErr>) -> Result<R, DbErr> {
        if self.is_failed.into_inner() {
            return autocommit::end(self.tx, &self.frames, result).await;
        }
        // A returned row or key that SeaORM cannot decode causes no rollback without audit log.
        autocommit::end(self.tx, &self.frames, Ok(result))
            .await
            .flatten()
    }

    async fn call(&self, call: ExecMethod, statement: Statement) -> Result<ExecOutput, DbErr> {
        let answer = self.captured(call, statement).await;
        if answer.is_err() {
            self.is_failed.store(true, Ordering::Relaxed);
        }
        answer
    }

    async fn captured(&self, call: ExecMethod, statement: Statement) -> Result<ExecOutput, DbErr> {
        let tx = &self.tx;
        let backend = tx.get_database_backend();
        let mut route = Route::of(false, &self.binding, &self.server, backend, &statement.sql)
            .map_err(|error| call.own_error(error))?;
        if let Route::Captured(captured) = &mut route {
            captured.source = Source::Bulk;
        }
        follow(route, tx, &self.frames, &self.server, call, statement).await
    }
}

#[async_trait]
impl<T: ConnectionTrait + TransactionSession + Send + 'static> ConnectionTrait
    for OwnedTransaction<'_, T>
{
    fn get_database_backend(&self) -> DbBackend {
        self.tx.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.call(ExecMethod::Execute, statement).await?.executed()
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let statement = Statement::from_string(self.get_database_backend(), sql);
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
        self.tx.support_returning()
    }
}

/// Runs one of SeaORM's builders so that its writes are recorded.
macro_rules! recorded {
    ($db:expr, $on:ident => $run:expr) => {{
        match BulkExecutor::of($db).await? {
            BulkExecutor::Given => {
                let $on = $db;
                BULK.scope((), $run).await
            }
            BulkExecutor::Own(own) => {
                let $on = &*own;
                let result = $run.await;
                own.end(result).await
            }
        }
    }};
}

/// A recorded INSERT of several models; created by `Entity::audited_insert_many`.
///
/// Options that are missing here can be set on SeaORM's builder first: `InsertMany::into()`.
#[derive(Debug)]
#[must_use = "nothing is inserted before one of the `exec` methods is awaited"]
pub struct AuditedInsertMany<A: ActiveModelTrait>(InsertMany<A>);

/// A recorded INSERT whose conflicts are not errors.
#[derive(Debug)]
#[must_use = "nothing is inserted before one of the `exec` methods is awaited"]
pub struct AuditedTryInsert<A: ActiveModelTrait>(TryInsert<A>);

/// A recorded UPDATE of several rows; created by `Entity::audited_update_many`.
#[derive(Debug, Clone)]
#[must_use = "nothing is updated before one of the `exec` methods is awaited"]
pub struct AuditedUpdateMany<E: EntityTrait>(UpdateMany<E>);

/// A recorded DELETE of several rows; created by `Entity::audited_delete_many`.
#[derive(Debug, Clone)]
#[must_use = "nothing is deleted before one of the `exec` methods is awaited"]
pub struct AuditedDeleteMany<E: EntityTrait>(DeleteMany<E>);

/// Bulk writes of an audited entity that are recorded on any connection; implemented for all audited entities.
///
/// # Examples
/// ```no_run
/// # use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
/// use sea_orm_audit_core::{Auditable, AuditedEntity};
/// # async fn clear<E: Auditable>(db: &DatabaseConnection) -> Result<(), DbErr> {
/// let done = E::audited_delete_many().exec(db).await?;
/// # Ok(())
/// # }
/// ```
pub trait AuditedEntity: Auditable {
    /// Inserts models as `EntityTrait::insert_many` does, recorded on any connection.
    fn audited_insert_many<A, I>(models: I) -> AuditedInsertMany<A>
    where
        A: ActiveModelTrait<Entity = Self>,
        I: IntoIterator<Item = A>,
    {
        Self::insert_many(models).into()
    }

    /// Updates rows as `EntityTrait::update_many` does, recorded on any connection with the state of each row before
    /// and afterwards.
    fn audited_update_many() -> AuditedUpdateMany<Self> {
        Self::update_many().into()
    }

    /// Deletes rows as `EntityTrait::delete_many` does, recorded on any connection.
    fn audited_delete_many() -> AuditedDeleteMany<Self> {
        Self::delete_many().into()
    }

    /// Deletes a row as `EntityTrait::delete_by_id` does, recorded on any connection.
    fn audited_delete_by_id<T>(key: T) -> AuditedDeleteMany<Self>
    where
        T: Into<<Self::PrimaryKey as PrimaryKeyTrait>::ValueType>,
    {
        Self::delete_many().filter_by_ids([key.into()]).into()
    }
}

impl<E: Auditable> AuditedEntity for E {}

type ModelOf<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Model;
type KeyOf<A> =
    <<<A as ActiveModelTrait>::Entity as EntityTrait>::PrimaryKey as PrimaryKeyTrait>::ValueType;

impl<A: ActiveModelTrait> From<InsertMany<A>> for AuditedInsertMany<A> {
    fn from(insert: InsertMany<A>) -> Self {
        Self(insert)
    }
}

impl<A: ActiveModelTrait> From<TryInsert<A>> for AuditedTryInsert<A> {
    fn from(insert: TryInsert<A>) -> Self {
        Self(insert)
    }
}

impl<E: EntityTrait> From<UpdateMany<E>> for AuditedUpdateMany<E> {
    fn from(update: UpdateMany<E>) -> Self {
        Self(update)
    }
}

impl<E: EntityTrait> From<DeleteMany<E>> for AuditedDeleteMany<E> {
    fn from(delete: DeleteMany<E>) -> Self {
        Self(delete)
    }
}

impl<A: ActiveModelTrait> AuditedInsertMany<A> {
    /// Sets the action for existing rows; SeaORM's `InsertMany::on_conflict`.
    pub fn on_conflict(self, on_conflict: OnConflict) -> Self {
        Self(self.0.on_conflict(on_conflict))
    }

    /// Leaves existing rows unchanged; SeaORM's `InsertMany::on_conflict_do_nothing`.
    pub fn on_conflict_do_nothing(self) -> AuditedTryInsert<A> {
        AuditedTryInsert(self.0.on_conflict_do_nothing())
    }

    /// Inserts the models; returns the last key.
    ///
    /// # Errors
    /// Returns SeaORM's errors, and `AuditError` inside one if the records could not be written. Then nothing is
    /// inserted.
    pub async fn exec<C: ConnectionTrait + TransactionTrait + 'static>(
        self,
        db: &C,
    ) -> Result<InsertManyResult<A>, DbErr> {
        recorded!(db, on => self.0.exec(on))
    }

    /// Inserts the models; returns the number of rows.
    ///
    /// # Errors
    /// As [`Self::exec`].
    pub async fn exec_without_returning<C: ConnectionTrait + TransactionTrait + 'static>(
        self,
        db: &C,
    ) -> Result<u64, DbErr> {
        recorded!(db, on => self.0.exec_without_returning(on))
    }

    /// Inserts the models and returns them as stored in the database.
    ///
    /// # Errors
    /// As [`Self::exec`]; if the database cannot return them, `DbErr::BackendNotSupported`.
    pub async fn exec_with_returning<C: ConnectionTrait + TransactionTrait + 'static>(
        self,
        db: &C,
    ) -> Result<Vec<ModelOf<A>>, DbErr>
    where
        ModelOf<A>: IntoActiveModel<A>,
    {
        recorded!(db, on => self.0.exec_with_returning(on))
    }

    /// Inserts the models and returns their keys.
    ///
    /// # Errors
    /// As [`Self::exec_with_returning`].
    pub async fn exec_with_returning_keys<C: ConnectionTrait + TransactionTrait + 'static>(
        self,
        db: &C,
    ) -> Result<Vec<KeyOf<A>>, DbErr>
    where
        ModelOf<A>: IntoActiveModel<A>,
    {
        recorded!(db, on => self.0.exec_with_returning_keys(on))
    }
}

impl<A: ActiveModelTrait> AuditedTryInsert<A> {
    /// Inserts the models; reports whether there was a conflict, or nothing to insert.
    ///
    /// # Errors
    /// As [`AuditedInsertMany::exec`].
    pub async fn exec<C: ConnectionTrait + TransactionTrait + 'static>(
        self,
        db: &C,
    ) -> Result<TryInsertResult<InsertResult<A>>, DbErr> {
        recorded!(db, on => self.0.exec(on))
    }

    /// Inserts the models; returns the number of rows.
    ///
    /// # Errors
    /// As [`AuditedInsertMany::exec`].
    pub async fn exec_without_returning<C: ConnectionTrait + TransactionTrait + 'static>(
        self,
        db: &C,
    ) -> Result<TryInsertResult<u64>, DbErr>
    where
        ModelOf<A>: IntoActiveModel<A>,
    {
        recorded!(db, on => self.0.exec_without_returning(on))
    }
}

impl<E: EntityTrait> QueryFilter for AuditedUpdateMany<E> {
    type QueryStatement = <UpdateMany<E> as QueryFilter>::QueryStatement;

    fn query(&mut self) -> &mut Self::QueryStatement {
        QueryFilter::query(&mut self.0)
    }
}

impl<E: EntityTrait> AuditedUpdateMany<E> {
    /// Sets what is set in a model; SeaORM's `UpdateMany::set`.
    pub fn set<A: ActiveModelTrait<Entity = E>>(self, model: A) -> Self {
        Self(self.0.set(model))
    }

    /// Sets a column to an expression; SeaORM's `UpdateMany::col_expr`.
    pub fn col_expr(self, column: E::Column, expr: SimpleExpr) -> Self {
        Self(self.0.col_expr(column, expr))
    }

    /// Updates the rows that the filters select, or all rows without a filter.
    ///
    /// # Errors
    /// Returns SeaORM's errors, and `AuditError` inside one if the records could not be written. Then nothing is
    /// updated.
    pub async fn exec<C: ConnectionTrait + TransactionTrait + 'static>(
        self,
        db: &C,
    ) -> Result<UpdateResult, DbErr> {
        recorded!(db, on => self.0.exec(on))
    }

    /// Updates the rows and returns them.
    ///
    /// # Errors
    /// As [`Self::exec`]; if the database cannot return them, `DbErr::BackendNotSupported`.
    pub async fn exec_with_returning<C: ConnectionTrait + TransactionTrait + 'static>(
        self,
        db: &C,
    ) -> Result<Vec<E::Model>, DbErr> {
        recorded!(db, on => self.0.exec_with_returning(on))
    }
}

impl<E: EntityTrait> QueryFilter for AuditedDeleteMany<E> {
    type QueryStatement = <DeleteMany<E> as QueryFilter>::QueryStatement;

    fn query(&mut self) -> &mut Self::QueryStatement {
        QueryFilter::query(&mut self.0)
    }
}

impl<E: EntityTrait> AuditedDeleteMany<E> {
    /// Deletes the rows that the filters select, or all rows without a filter.
    ///
    /// # Errors
    /// Returns SeaORM's errors, and `AuditError` inside one if the records could not be written. Then nothing is
    /// deleted.
    pub async fn exec<C: ConnectionTrait + TransactionTrait + 'static>(
        self,
        db: &C,
    ) -> Result<DeleteResult, DbErr> {
        recorded!(db, on => self.0.exec(on))
    }

    /// Deletes the rows and returns them in their state before it.
    ///
    /// # Errors
    /// As [`Self::exec`]; if the database cannot return them, `DbErr::BackendNotSupported`.
    pub async fn exec_with_returning<C: ConnectionTrait + TransactionTrait + 'static>(
        self,
        db: &C,
    ) -> Result<Vec<E::Model>, DbErr> {
        recorded!(db, on => self.0.exec_with_returning(on))
    }
}
