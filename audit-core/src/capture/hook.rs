//! The four hooks of an `ActiveModel` on SeaORM's own connections and transactions.
//!
//! One file, because the four hooks share what they know of one operation.
//!
//! They read before and write after, through the connection of the operation: in a transaction, the record commits
//! with the change. Between the two, the store keeps the image of the row.

use sea_orm::sea_query::{Expr, ExprTrait, LockType, Query, Value};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait,
    FromQueryResult, Iterable, PrimaryKeyToColumn, PrimaryKeyTrait, QueryFilter, QuerySelect,
    QueryTrait, Select, Statement,
};

use super::before_image::{BeforeImage, MatchKind, Operation, Row, store};
use super::hook_context::{HookContext, count_suppressed};
use super::pending_record::{Captured, Finished};
use crate::auditable::{Auditable, values_of};
use crate::config::{AuditConfig, FailurePolicy};
use crate::connection_kind::ConnectionKind;
use crate::error::{AuditError, Cause, ChangeState};
use crate::record::{is_autocommit, is_refused, is_unreadable, missing_table};
use crate::value::canonical_eq;

type ModelOf<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Model;

/// The primary key of an active model, `None` if a part of it is not set.
fn key_of<A: ActiveModelTrait>(model: &A) -> Option<Vec<Value>> {
    <A::Entity as EntityTrait>::PrimaryKey::iter()
        .map(|key| model.get(key.into_column()).into_value())
        .collect()
}

/// A SELECT of the row with this key.
fn select_of<E: EntityTrait>(key: &[Value]) -> Select<E> {
    let mut select = E::find();
    for (column, value) in E::PrimaryKey::iter().zip(key) {
        select = select.filter(ColumnTrait::eq(&column.into_column(), value.clone()));
    }
    select
}

/// The state read before a write.
struct Before {
    row: Option<Vec<Value>>,
    /// The handle is a transaction that MySQL has ended: each statement commits by itself.
    is_ended: bool,
}

/// Reads the row with this key, locked if the lock lasts until the write.
async fn read_row<E: Auditable, C: ConnectionTrait>(
    db: &C,
    operating: &HookContext,
    key: &[Value],
) -> Result<Before, DbErr> {
    let backend = db.get_database_backend();
    if operating.handle != ConnectionKind::Pool && backend == DbBackend::Sqlite {
        take_write_lock(db, &operating.config).await?;
    }
    let mut select = select_of::<E>(key);
    // On a pool the lock would end before the write begins.
    if operating.handle != ConnectionKind::Pool && backend != DbBackend::Sqlite {
        select = match (backend, operating.operation) {
            // Locking a row that does not exist locks the gap where others insert.
            (_, Operation::Insert) => select,
            // The lock that the UPDATE takes itself. FOR UPDATE would block inserts of rows that refer to this one,
            // until the transaction ends.
            (DbBackend::Postgres, Operation::Update) => select.lock(LockType::NoKeyUpdate),
            _ => select.lock_exclusive(),
        };
    }
    if operating.handle == ConnectionKind::Transaction && backend == DbBackend::MySql {
        return read_in_mysql_transaction(db, select).await;
    }
    let row = select.one(db).await?;
    Ok(Before {
        row: row.map(|row| values_of(&row)),
        is_ended: false,
    })
}

/// Reads a row, and whether the transaction is still open: a deadlock ends it, and the handle then commits each
/// statement by itself.
async fn read_in_mysql_transaction<E: Auditable, C: ConnectionTrait>(
    db: &C,
    select: Select<E>,
) -> Result<Before, DbErr> {
    const OPEN: &str = "sea_orm_audit_open";
    // MySQL has no such variable, and reads the second half as a comment.
    let open = Expr::cust("CAST(-1 /*M! + 1 + @@in_transaction */ AS SIGNED)");
    let mut select = select.expr_as(open, OPEN);
    let row = db.query_one(QueryTrait::query(&mut select)).await?;
    let open: i64 = match &row {
        Some(row) => row.try_get("", OPEN)?,
        // A missing row is not captured.
        None => 1,
    };
    let is_ended = match open {
        0 => true,
        1 => false,
        _ => is_autocommit(db).await,
    };
    let row = row.map(|row| E::Model::from_query_result(&row, ""));
    Ok(Before {
        row: row.transpose()?.map(|row| values_of(&row)),
        is_ended,
    })
}

/// A SQLite transaction that reads before it writes fails if there is another writer ("database is locked"), so it
/// takes the write lock first, with a write that changes no row. If records may fail, writes go on without an audit
/// table.
pub(super) async fn take_write_lock<C: ConnectionTrait>(
    db: &C,
    config: &AuditConfig,
) -> Result<(), DbErr> {
    let tables = config.tables();
    let mut nothing = Query::delete();
    nothing
        .from_table(tables.reference(tables.log()))
        .and_where(ExprTrait::eq(Expr::value(1), 0));
    match db.execute(&nothing).await {
        Ok(_) => Ok(()),
        Err(error) => match missing_table(config, &error) {
            Some(_) if config.failure_policy() == FailurePolicy::Isolate => Ok(()),
            // A role that may only add records cannot take the lock this way.
            None if is_refused(&error) => Ok(()),
            Some(cause) => {
                let state = ChangeState::NotTried;
                Err(AuditError::NotRecorded { state, cause }.into())
            }
            None => Err(error),
        },
    }
}

/// The row, or `None` if it could not be read and the operation can go on; and whether the handle is a transaction
/// that has ended.
///
/// A row that the model's types cannot decode is unknown, and does not block the write. Any other error is SeaORM's,
/// unchanged: nothing was changed, and callers may retry by its kind. After such an error only a pool can go on, if
/// the failure policy allows it: inside a transaction the error may have ended the transaction, as a deadlock does.
async fn seen<E: Auditable, C: ConnectionTrait>(
    db: &C,
    operating: &HookContext,
    key: &[Value],
) -> Result<(Option<Row>, bool), DbErr> {
    let isolates = operating.config.failure_policy() == FailurePolicy::Isolate
        && operating.handle == ConnectionKind::Pool;
    match read_row::<E, C>(db, operating, key).await {
        Ok(Before { row, is_ended }) => {
            if is_ended {
                tracing::warn!(
                    model = operating.plan.info.model(),
                    "the database has ended this transaction: what is written through its handle is committed at once"
                );
            }
            let row = match row {
                Some(row) => Row::Found(row.into_iter().map(Some).collect()),
                None => Row::Missing,
            };
            Ok((Some(row), is_ended))
        }
        Err(error) if isolates || is_unreadable(&error) => {
            tracing::error!(
                model = operating.plan.info.model(),
                %error,
                "a row could not be read before its change; its old values will be unknown"
            );
            Ok((None, false))
        }
        Err(error) => Err(error),
    }
}

/// Before an insert or update, after the user's own `before_save`.
pub(crate) async fn before_save<A, C>(model: A, db: &C, insert: bool) -> Result<A, DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Auditable,
    C: ConnectionTrait,
{
    if insert {
        before_insert(&model, db).await?;
    } else {
        before_update(&model, db).await?;
    }
    Ok(model)
}

/// Checks whether a row with a complete composite key already exists.
///
/// SeaORM links junction rows with an upsert that, without RETURNING, reports an existing row as inserted; an
/// ordinary insert of an existing key fails and needs no check.
async fn before_insert<A, C>(model: &A, db: &C) -> Result<(), DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Auditable,
    C: ConnectionTrait,
{
    type Key<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::PrimaryKey;
    let Some(operating) = HookContext::on::<A::Entity, C>(db, Operation::Insert) else {
        return Ok(());
    };
    operating.check()?;
    let composite = Key::<A>::iter().nth(1).is_some() && !Key::<A>::auto_increment();
    if !composite || db.support_returning() {
        return Ok(());
    }
    let Some(key) = key_of(model) else {
        return Ok(());
    };
    let (row, is_ended) = (seen::<A::Entity, C>(db, &operating, &key).await)
        .map_err(|error| as_of_write(error, false))?;
    operating.put(&key, row, Vec::new(), is_ended);
    Ok(())
}

async fn before_update<A, C>(model: &A, db: &C) -> Result<(), DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Auditable,
    C: ConnectionTrait,
{
    let Some(operating) = HookContext::on::<A::Entity, C>(db, Operation::Update) else {
        return Ok(());
    };
    operating.check()?;
    let Some(key) = key_of(model) else {
        return Ok(());
    };
    let plan = &operating.plan;
    let written: Vec<Option<Value>> = <A::Entity as EntityTrait>::Column::iter()
        .enumerate()
        .map(|(at, column)| match model.get(column) {
            ActiveValue::Set(value)
                if !plan.info.key.contains(&at) && plan.columns[at].is_recorded() =>
            {
                Some(value)
            }
            _ => None,
        })
        .collect();
    if written.iter().all(Option::is_none) {
        // No compared column will be written: SeaORM runs no UPDATE, or an irrelevant one.
        let row = Row::Found(vec![None; written.len()]);
        operating.put(&key, Some(row), written, false);
        return Ok(());
    }
    let mut key = key;
    let (row, is_ended) = (seen::<A::Entity, C>(db, &operating, &key).await)
        .map_err(|error| as_of_write(error, db.support_returning()))?;
    if matches!(row, Some(Row::Missing)) {
        // The UPDATE of a missing row fails, and its second hook never runs. If another task inserts the row right
        // now, the record has every old value unknown.
        return Ok(());
    }
    if let Some(Row::Found(row)) = &row {
        // The database may treat another spelling as the same key; the row that the write returns has the stored one.
        let stored = |at: &usize| row.get(*at).cloned().flatten();
        key = plan.info.key.iter().filter_map(stored).collect();
    }
    operating.put(&key, row, written, is_ended);
    Ok(())
}

/// Before a delete, after the user's own `before_delete`.
pub(crate) async fn before_delete<A, C>(model: A, db: &C) -> Result<A, DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Auditable,
    C: ConnectionTrait,
{
    if let Some(operating) = HookContext::on::<A::Entity, C>(db, Operation::Delete)
        && let Some(key) = key_of(&model)
    {
        operating.check()?;
        // The DELETE of a missing row succeeds, and its second hook needs this.
        let (row, is_ended) = (seen::<A::Entity, C>(db, &operating, &key).await)
            .map_err(|error| as_of_write(error, false))?;
        operating.put(&key, row, Vec::new(), is_ended);
    }
    Ok(model)
}

/// The error of a read, mapped to the write's: SeaORM queries writes that return rows, and executes the others.
fn as_of_write(error: DbErr, returns: bool) -> DbErr {
    match error {
        DbErr::Query(error) | DbErr::Exec(error) if returns => DbErr::Query(error),
        DbErr::Query(error) => DbErr::Exec(error),
        other => other,
    }
}

fn same_key(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| canonical_eq(a, b))
}

/// How an image matches the row after the write.
fn fit(image: &BeforeImage, key: &[Value], row: &[Value]) -> MatchKind {
    // Another row, whose key differs only in case. If nothing is written the row was not read, and the image has the
    // key as given.
    if !same_key(&image.key, key) && image.written.iter().any(Option::is_some) {
        return MatchKind::Untouched;
    }
    let old = match &image.row {
        Some(Row::Found(old)) => old.as_slice(),
        _ => &[],
    };
    let mut fit = MatchKind::Written;
    for (at, (written, now)) in image.written.iter().zip(row).enumerate() {
        let Some(written) = written else { continue };
        if canonical_eq(written, now) {
            continue;
        }
        match old.get(at) {
            Some(Some(old)) if canonical_eq(old, now) => return MatchKind::Untouched,
            _ => fit = MatchKind::Changed,
        }
    }
    fit
}

/// After an insert or update, before the user's own `after_save`.
pub(crate) fn saved<A, C>(model: &ModelOf<A>, db: &C, insert: bool) -> Captured
where
    A: ActiveModelTrait,
    A::Entity: Auditable,
    C: ConnectionTrait,
{
    let operation = if insert {
        Operation::Insert
    } else {
        Operation::Update
    };
    let Some(operating) = HookContext::on::<A::Entity, C>(db, operation) else {
        count_suppressed::<A::Entity, C>(db, operation);
        return Captured::Nothing;
    };
    let mut row = values_of(model);
    let key = operating.plan.info.key_of(&row);
    let waiting = operating.waiting(HookContext::key_text(&key));
    let image = store().take(&waiting, |image| fit(image, &key, &row));
    if image.is_none() && !insert {
        operating.warn_without_image();
    }
    if let Some(image) = image.as_ref().filter(|image| image.seen_done) {
        // Another operation saw what this one wrote; the row returned here need not contain it.
        for (now, written) in row.iter_mut().zip(&image.written) {
            if let Some(written) = written {
                now.clone_from(written);
            }
        }
    }
    Captured::Finished(Box::new(Finished {
        operating,
        image,
        key,
        row,
    }))
}

/// After a delete, before the user's own `after_delete`.
pub(crate) async fn deleted<A, C>(model: &A, db: &C) -> Captured
where
    A: ActiveModelTrait,
    A::Entity: Auditable,
    C: ConnectionTrait,
{
    let Some(operating) = HookContext::on::<A::Entity, C>(db, Operation::Delete) else {
        count_suppressed::<A::Entity, C>(db, Operation::Delete);
        return Captured::Nothing;
    };
    let Some(key) = key_of(model) else {
        return Captured::Nothing;
    };
    let waiting = operating.waiting(HookContext::key_text(&key));
    let image = store().take(&waiting, |image| {
        if same_key(&image.key, &key) {
            MatchKind::Written
        } else {
            MatchKind::Changed
        }
    });
    let was_missing = (image.as_ref()).is_some_and(|image| matches!(image.row, Some(Row::Missing)));
    if was_missing {
        return Captured::Nothing;
    }
    let is_ended = image.as_ref().is_some_and(|image| image.is_ended);
    let left = row_left::<A::Entity, C>(db, &key, is_ended).await;
    let finished = Finished {
        operating,
        image,
        key,
        row: Vec::new(),
    };
    match left {
        Ok(Left::Deleted) => {
            if finished.image.is_none() {
                finished.operating.warn_without_image();
            }
            Captured::Finished(Box::new(finished))
        }
        Ok(Left::NotDeleted) => Captured::Nothing,
        Ok(Left::Row(row)) => finished.not_deleted(row),
        Err(error) => Captured::Failed {
            cause: Cause::Unconfirmed {
                model: finished.operating.plan.info.model().to_owned(),
                error,
            },
            config: finished.operating.config,
        },
    }
}

/// What a DELETE left of an existing row.
enum Left {
    /// Nothing.
    Deleted,
    /// The row; its values are unknown.
    NotDeleted,
    /// The row, which a trigger preserved.
    Row(Vec<Value>),
}

/// Checks whether a DELETE took place: SeaORM passes no affected-row count to a hook, and on PostgreSQL and SQLite a
/// trigger can cancel the DELETE without an error.
async fn row_left<E: Auditable, C: ConnectionTrait>(
    db: &C,
    key: &[Value],
    is_ended: bool,
) -> Result<Left, DbErr> {
    if db.get_database_backend() == DbBackend::MySql {
        // MySQL's triggers cannot cancel without an error, and in a transaction the row is locked. After the
        // transaction has ended, another client may have deleted the row since it was read.
        let deleted = !is_ended || mysql_row_count(db).await? != 0;
        return Ok(if deleted {
            Left::Deleted
        } else {
            Left::NotDeleted
        });
    }
    match select_of::<E>(key).one(db).await {
        Ok(Some(row)) => Ok(Left::Row(values_of(&row))),
        Ok(None) => Ok(Left::Deleted),
        Err(error) if is_unreadable(&error) => Ok(Left::NotDeleted),
        Err(error) => Err(error),
    }
}

/// How many rows the last statement of this connection affected.
async fn mysql_row_count<C: ConnectionTrait>(db: &C) -> Result<i64, DbErr> {
    let sql = "SELECT ROW_COUNT() AS affected";
    let row = db.query_one_raw(Statement::from_string(DbBackend::MySql, sql));
    match row.await? {
        Some(row) => row.try_get("", "affected"),
        None => Ok(-1),
    }
}

/// After an insert or update of an entity without hooks of its own.
pub(crate) async fn after_save<A, C>(
    model: ModelOf<A>,
    db: &C,
    insert: bool,
) -> Result<ModelOf<A>, DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Auditable,
    C: ConnectionTrait,
{
    saved::<A, C>(&model, db, insert).record(db).await?;
    Ok(model)
}

/// After a delete of an entity without hooks of its own.
pub(crate) async fn after_delete<A, C>(model: A, db: &C) -> Result<A, DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Auditable,
    C: ConnectionTrait,
{
    deleted(&model, db).await.record(db).await?;
    Ok(model)
}
