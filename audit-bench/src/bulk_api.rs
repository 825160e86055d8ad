//! The two ways to write a bulk statement: SeaORM's builders and ours.

use std::marker::PhantomData;
use std::ops::RangeInclusive;

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, TransactionTrait};
use sea_orm_audit::AuditedEntity;

use crate::fixtures::{Audited, EntityPair};

/// The API for bulk statements.
pub(crate) trait CapturePath: 'static {
    type EntityPair: EntityPair;

    async fn insert_many<C: ConnectionTrait + TransactionTrait + 'static>(
        db: &C,
        models: Vec<<Self::EntityPair as EntityPair>::Active>,
    ) -> Result<(), DbErr>;

    async fn update_many<C: ConnectionTrait + TransactionTrait + 'static>(
        db: &C,
        ids: RangeInclusive<i32>,
    ) -> Result<u64, DbErr>;

    async fn delete_many<C: ConnectionTrait + TransactionTrait + 'static>(
        db: &C,
        ids: RangeInclusive<i32>,
    ) -> Result<u64, DbErr>;
}

/// SeaORM's own builders.
pub(crate) struct SeaOrm<T>(PhantomData<T>);

/// `Entity::audited_insert_many` and the like.
pub(crate) struct Builders;

impl<T: EntityPair> CapturePath for SeaOrm<T> {
    type EntityPair = T;

    async fn insert_many<C: ConnectionTrait + TransactionTrait + 'static>(
        db: &C,
        models: Vec<T::Active>,
    ) -> Result<(), DbErr> {
        T::Entity::insert_many(models).exec(db).await.map(drop)
    }

    async fn update_many<C: ConnectionTrait + TransactionTrait + 'static>(
        db: &C,
        ids: RangeInclusive<i32>,
    ) -> Result<u64, DbErr> {
        let update = T::Entity::update_many().set(T::changes());
        let update = update.filter(T::ID.between(*ids.start(), *ids.end()));
        Ok(update.exec(db).await?.rows_affected)
    }

    async fn delete_many<C: ConnectionTrait + TransactionTrait + 'static>(
        db: &C,
        ids: RangeInclusive<i32>,
    ) -> Result<u64, DbErr> {
        let delete = T::Entity::delete_many().filter(T::ID.between(*ids.start(), *ids.end()));
        Ok(delete.exec(db).await?.rows_affected)
    }
}

type Entity = <Audited as EntityPair>::Entity;

impl CapturePath for Builders {
    type EntityPair = Audited;

    async fn insert_many<C: ConnectionTrait + TransactionTrait + 'static>(
        db: &C,
        models: Vec<<Audited as EntityPair>::Active>,
    ) -> Result<(), DbErr> {
        let insert = Entity::audited_insert_many(models);
        insert.exec(db).await.map(drop)
    }

    async fn update_many<C: ConnectionTrait + TransactionTrait + 'static>(
        db: &C,
        ids: RangeInclusive<i32>,
    ) -> Result<u64, DbErr> {
        let update = Entity::audited_update_many().set(Audited::changes());
        let update = update.filter(Audited::ID.between(*ids.start(), *ids.end()));
        Ok(update.exec(db).await?.rows_affected)
    }

    async fn delete_many<C: ConnectionTrait + TransactionTrait + 'static>(
        db: &C,
        ids: RangeInclusive<i32>,
    ) -> Result<u64, DbErr> {
        let delete =
            Entity::audited_delete_many().filter(Audited::ID.between(*ids.start(), *ids.end()));
        Ok(delete.exec(db).await?.rows_affected)
    }
}
