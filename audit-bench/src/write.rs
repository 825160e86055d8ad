//! One operation, prepared in advance so that only the database's work is timed.

use std::ops::RangeInclusive;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait,
    QueryFilter, QueryOrder, TransactionSession, TransactionTrait,
};

use crate::bulk_api::CapturePath;
use crate::fixtures::EntityPair;
use crate::operation::{MANY, Operation};
use crate::path::Kind;

/// An operation with its models.
pub(crate) enum Write<T: EntityPair> {
    Insert(T::Active),
    Update(T::Active),
    /// `save` instead of `update`, as for a form without changes.
    Save(T::Active),
    Delete(T::Model),
    InsertMany(Vec<T::Active>),
    UpdateMany(RangeInclusive<i32>),
    DeleteMany(RangeInclusive<i32>),
    Inserts(Vec<T::Active>),
    Updates(Vec<T::Active>),
}

/// Prepares an operation this many times. The rows that it needs are written on SeaORM's own connection with
/// statements that fire no hook.
pub(crate) async fn prepare<T: EntityPair>(
    db: &DatabaseConnection,
    operation: Operation,
    times: usize,
) -> Result<Vec<Write<T>>, DbErr> {
    let rows = operation.rows();
    let fresh = || (1..).map(T::fresh).take(rows).collect::<Vec<_>>();
    let mut writes = Vec::with_capacity(times);
    match operation {
        Operation::Insert => writes.extend((1..).take(times).map(|n| Write::Insert(T::fresh(n)))),
        Operation::InsertMany => writes.extend((0..times).map(|_| Write::InsertMany(fresh()))),
        Operation::Inserts => writes.extend((0..times).map(|_| Write::Inserts(fresh()))),
        _ => {
            let mut models = existing::<T>(db, times * rows).await?.into_iter();
            for _ in 0..times {
                let models: Vec<_> = models.by_ref().take(rows).collect();
                writes.extend(on_rows(operation, models));
            }
        }
    }
    Ok(writes)
}

/// An operation on existing rows.
fn on_rows<T: EntityPair>(operation: Operation, models: Vec<T::Model>) -> Option<Write<T>> {
    let ids = T::id(models.first()?)..=T::id(models.last()?);
    let one = |models: Vec<T::Model>| models.into_iter().next();
    Some(match operation {
        Operation::Update => Write::Update(T::changed(one(models)?)),
        Operation::UpdateNothing => Write::Save(T::same(one(models)?)),
        Operation::Delete => Write::Delete(one(models)?),
        Operation::UpdateMany => Write::UpdateMany(ids),
        Operation::DeleteMany => Write::DeleteMany(ids),
        Operation::Updates => Write::Updates(models.into_iter().map(T::changed).collect()),
        Operation::Insert | Operation::InsertMany | Operation::Inserts => return None,
    })
}

/// New rows, as stored in the database.
async fn existing<T: EntityPair>(
    db: &DatabaseConnection,
    rows: usize,
) -> Result<Vec<T::Model>, DbErr> {
    let last = T::Entity::find().order_by_desc(T::ID).one(db).await?;
    let last = last.as_ref().map_or(0, T::id);
    let fresh: Vec<_> = (1..).map(T::fresh).take(rows).collect();
    for some in fresh.chunks(MANY) {
        T::Entity::insert_many(some.to_vec()).exec(db).await?;
    }
    let rows = T::Entity::find().filter(T::ID.gt(last)).order_by_asc(T::ID);
    rows.all(db).await
}

/// Runs an operation.
pub(crate) async fn run<R: CapturePath, C>(
    db: &C,
    kind: Kind,
    write: Write<R::EntityPair>,
) -> Result<(), DbErr>
where
    C: ConnectionTrait + TransactionTrait + 'static,
{
    match kind {
        Kind::Autocommit => apply::<R, C>(db, write).await,
        Kind::Transaction => {
            let tx = db.begin().await?;
            apply::<R, _>(&tx, write).await?;
            tx.commit().await
        }
    }
}

async fn apply<R: CapturePath, C>(db: &C, write: Write<R::EntityPair>) -> Result<(), DbErr>
where
    C: ConnectionTrait + TransactionTrait + 'static,
{
    match write {
        Write::Insert(model) => model.insert(db).await.map(drop),
        Write::Update(model) => model.update(db).await.map(drop),
        Write::Save(model) => model.save(db).await.map(drop),
        Write::Delete(model) => {
            let result = sea_orm::ModelTrait::delete(model, db).await?;
            all_of(1, result.rows_affected)
        }
        Write::InsertMany(models) => R::insert_many(db, models).await,
        Write::UpdateMany(ids) => all_of(MANY, R::update_many(db, ids).await?),
        Write::DeleteMany(ids) => all_of(MANY, R::delete_many(db, ids).await?),
        Write::Inserts(models) => {
            for model in models {
                model.insert(db).await?;
            }
            Ok(())
        }
        Write::Updates(models) => {
            for model in models {
                model.update(db).await?;
            }
            Ok(())
        }
    }
}

fn all_of(expected: usize, affected: u64) -> Result<(), DbErr> {
    if u64::try_from(expected).is_ok_and(|expected| expected == affected) {
        return Ok(());
    }
    let message = format!("{affected} articles were written instead of {expected}");
    Err(DbErr::Custom(message))
}
