//! Steps on a table without foreign keys.
//!
//! One file, because it has one function for each step.

use std::collections::HashSet;

use sea_orm::prelude::*;
use sea_orm::sea_query::{ExprTrait, FromValueTuple, IntoValueTuple, OnConflict, Value};
use sea_orm::{
    ActiveModelTrait, Condition, DbBackend, IdenStatic, IntoActiveModel, Iterable, ModelTrait,
    PrimaryKeyToColumn, TransactionSession, TryFromU64,
};
use sea_orm_audit::{Auditable, AuditedEntity};

use super::capture_path::{CapturePath, Connection};
use super::samples::sample;
use super::workload::{Fill, RowOp, Scores};

type Key<E> = <<E as EntityTrait>::PrimaryKey as PrimaryKeyTrait>::ValueType;

/// The answer of a step, compared between paths.
pub(super) type Answer = Result<String, DbErr>;

pub(super) const NONE: &str = "no row";

/// An entity whose models become active.
pub(super) trait Rows:
    Auditable
    + EntityTrait<
        Model: IntoActiveModel<<Self as EntityTrait>::ActiveModel> + Send,
        ActiveModel: Send,
    >
{
}

impl<E> Rows for E
where
    E: Auditable,
    E::Model: IntoActiveModel<E::ActiveModel> + Send,
    E::ActiveModel: Send,
{
}

pub(super) async fn run<E: Rows, C: Connection>(road: CapturePath, db: &C, op: &RowOp) -> Answer {
    match op {
        RowOp::Insert(code, fill) => match find::<E, C>(db, *code).await? {
            Some(_) => Ok("there already".into()),
            None => insert::<E, C>(road, db, new::<E>(backend(db), *code, *fill)).await,
        },
        RowOp::Update(code, fill) => {
            let key = key_of_code::<E, C>(db, *code).await?;
            update::<E, C>(road, db, key, changed::<E>(backend(db), *fill)).await
        }
        RowOp::UpdateNothing(code) => match find::<E, C>(db, *code).await? {
            None => Ok(NONE.into()),
            Some(row) => {
                let key = key_of::<E>(&row);
                update::<E, C>(road, db, key, row.into_active_model().reset_all()).await
            }
        },
        RowOp::Delete(code) => {
            let key = key_of_code::<E, C>(db, *code).await?;
            delete::<E, C>(road, db, key).await
        }
        RowOp::InsertMany(codes, fill) => insert_many::<E, C>(road, db, codes, *fill).await,
        RowOp::UpdateMany(scores, fill) => {
            let model = changed::<E>(backend(db), *fill);
            if !sets_anything::<E>(&model) {
                return Ok("nothing to set".into());
            }
            let result = if road.has_builders() {
                let update = E::audited_update_many().set(model);
                update.filter(between::<E>(scores)).exec(db).await
            } else {
                let update = E::update_many().set(model);
                update.filter(between::<E>(scores)).exec(db).await
            };
            Ok(result?.rows_affected.to_string())
        }
        RowOp::Double(scores) => {
            let score = column::<E>("score");
            let twice = Expr::col(score).add(Expr::col(score));
            let result = if road.has_builders() {
                let update = E::audited_update_many().col_expr(score, twice);
                update.filter(between::<E>(scores)).exec(db).await
            } else {
                let update = E::update_many().col_expr(score, twice);
                update.filter(between::<E>(scores)).exec(db).await
            };
            Ok(result?.rows_affected.to_string())
        }
        RowOp::DeleteMany(scores) => delete_where::<E, C>(road, db, between::<E>(scores)).await,
        RowOp::Upsert(codes, fill) => upsert::<E, C>(road, db, codes, *fill).await,
        RowOp::InsertOrIgnore(codes, fill) => ignore::<E, C>(road, db, codes, *fill).await,
        RowOp::Clash(code) => clash::<E, C>(road, db, *code).await,
        RowOp::Rename(from, to) => rename::<E, C>(road, db, *from, *to).await,
    }
}

fn backend<C: Connection>(db: &C) -> DbBackend {
    db.get_database_backend()
}

fn column<E: Rows>(name: &str) -> E::Column {
    E::Column::iter()
        .find(|column| column.as_str() == name)
        .unwrap()
}

fn key_columns<E: Rows>() -> Vec<E::Column> {
    E::PrimaryKey::iter()
        .map(PrimaryKeyToColumn::into_column)
        .collect()
}

fn is_numbered<E: Rows>() -> bool {
    E::PrimaryKey::auto_increment()
}

/// The columns by which a step names a row.
fn identity<E: Rows>() -> Vec<E::Column> {
    if is_numbered::<E>() {
        vec![column::<E>("code")]
    } else {
        key_columns::<E>()
    }
}

fn is_identity<E: Rows>(column: &E::Column) -> bool {
    (identity::<E>().into_iter().chain(key_columns::<E>()))
        .any(|other| other.as_str() == column.as_str())
}

fn named<E: Rows>(backend: DbBackend, code: u8) -> Vec<(E::Column, Value)> {
    (identity::<E>().into_iter().enumerate())
        .map(|(at, column)| {
            (
                column,
                sample(backend, column.as_str(), usize::from(code) >> at),
            )
        })
        .collect()
}

fn is<E: Rows>(values: Vec<(E::Column, Value)>) -> Condition {
    (values.into_iter()).fold(Condition::all(), |all, (column, value)| {
        all.add(column.eq(value))
    })
}

fn between<E: Rows>(scores: &Scores) -> Condition {
    Condition::all().add(column::<E>("score").between(*scores.start(), *scores.end()))
}

async fn find<E: Rows, C: Connection>(db: &C, code: u8) -> Result<Option<E::Model>, DbErr> {
    let named = is::<E>(named::<E>(backend(db), code));
    E::find().filter(named).one(db).await
}

pub(super) fn key_of<E: Rows>(row: &E::Model) -> Key<E> {
    Key::<E>::from_value_tuple(row.get_primary_key_value())
}

fn key_values<E: Rows>(key: Key<E>) -> Vec<(E::Column, Value)> {
    let values = key.into_value_tuple().into_iter();
    key_columns::<E>().into_iter().zip(values).collect()
}

/// The key of a row, or one that no row has.
async fn key_of_code<E: Rows, C: Connection>(db: &C, code: u8) -> Result<Key<E>, DbErr> {
    if let Some(row) = find::<E, C>(db, code).await? {
        return Ok(key_of::<E>(&row));
    }
    if is_numbered::<E>() {
        return Key::<E>::try_from_u64(1_000_000);
    }
    let mut model = <E::ActiveModel as ActiveModelTrait>::default();
    for (column, value) in named::<E>(backend(db), code) {
        model.set(column, value);
    }
    let key = model.get_primary_key_value().unwrap();
    Ok(Key::<E>::from_value_tuple(key))
}

/// A new row; columns that are NOT NULL are always set.
fn new<E: Rows>(backend: DbBackend, code: u8, fill: Fill) -> E::ActiveModel {
    let mut model = changed::<E>(backend, fill);
    if model.get(column::<E>("score")).is_not_set() {
        model.set(column::<E>("score"), Value::from(3));
    }
    for (column, value) in named::<E>(backend, code) {
        model.set(column, value);
    }
    model
}

/// Some columns of a row.
fn changed<E: Rows>(backend: DbBackend, fill: Fill) -> E::ActiveModel {
    let mut model = <E::ActiveModel as ActiveModelTrait>::default();
    for (at, column) in E::Column::iter().enumerate() {
        if let Some(pick) = fill.of(at).filter(|_| !is_identity::<E>(&column)) {
            model.set(column, sample(backend, column.as_str(), pick));
        }
    }
    model
}

fn sets_anything<E: Rows>(model: &E::ActiveModel) -> bool {
    E::Column::iter().any(|column| model.get(column).is_set())
}

pub(super) async fn insert<E: Rows, C: Connection>(
    road: CapturePath,
    db: &C,
    model: E::ActiveModel,
) -> Answer {
    let key = if road.has_models() {
        key_of::<E>(&model.insert(db).await?)
    } else if !road.has_builders() {
        E::insert(model).exec(db).await?.last_insert_id
    } else if is_numbered::<E>() {
        let result = E::audited_insert_many([model]).exec(db).await?;
        result.last_insert_id.unwrap()
    } else {
        // SeaORM does not return a key of `insert_many` that is no number.
        let key = Key::<E>::from_value_tuple(model.get_primary_key_value().unwrap());
        let insert = E::audited_insert_many([model]);
        insert.exec_without_returning(db).await?;
        key
    };
    Ok(format!("{key:?}"))
}

pub(super) async fn update<E: Rows, C: Connection>(
    road: CapturePath,
    db: &C,
    key: Key<E>,
    mut model: E::ActiveModel,
) -> Answer {
    let key = key_values::<E>(key);
    if !sets_anything::<E>(&model) {
        return Ok("nothing to set".into());
    }
    let affected = if road.is_builders() {
        let update = E::audited_update_many().set(model).filter(is::<E>(key));
        update.exec(db).await?.rows_affected
    } else {
        for (column, value) in key {
            model.set(column, value);
        }
        let result = if road.has_models() {
            model.update(db).await
        } else {
            E::update(model).validate()?.exec(db).await
        };
        match result {
            Ok(_) => 1,
            Err(DbErr::RecordNotUpdated) => 0,
            Err(error) => return Err(error),
        }
    };
    Ok(format!("updated {affected}"))
}

pub(super) async fn delete<E: Rows, C: Connection>(
    road: CapturePath,
    db: &C,
    key: Key<E>,
) -> Answer {
    let result = if road.has_models() {
        let mut model = <E::ActiveModel as ActiveModelTrait>::default();
        for (column, value) in key_values::<E>(key) {
            model.set(column, value);
        }
        model.delete(db).await
    } else if road.has_builders() {
        E::audited_delete_by_id(key).exec(db).await
    } else {
        E::delete_by_id(key).exec(db).await
    };
    Ok(format!("deleted {}", result?.rows_affected))
}

pub(super) async fn delete_where<E: Rows, C: Connection>(
    road: CapturePath,
    db: &C,
    condition: Condition,
) -> Answer {
    let result = if road.has_builders() {
        E::audited_delete_many().filter(condition).exec(db).await
    } else {
        E::delete_many().filter(condition).exec(db).await
    };
    Ok(format!("deleted {}", result?.rows_affected))
}

/// One model for each code, each a little different.
fn several<E: Rows>(backend: DbBackend, codes: &[u8], fill: Fill) -> Vec<E::ActiveModel> {
    (codes.iter().enumerate())
        .map(|(at, code)| new::<E>(backend, *code, fill.and(at)))
        .collect()
}

fn without_repeats<E: Rows>(backend: DbBackend, codes: &[u8]) -> Vec<u8> {
    let mut seen = HashSet::new();
    let mut codes = codes.to_vec();
    codes.retain(|code| {
        let name = format!("{:?}", named::<E>(backend, *code));
        // Texts that are one to MariaDB's collation.
        let is_folded = backend == DbBackend::MySql;
        seen.insert(if is_folded {
            name.to_lowercase().replace('é', "e").replace(' ', "")
        } else {
            name
        })
    });
    codes
}

async fn insert_many<E: Rows, C: Connection>(
    road: CapturePath,
    db: &C,
    codes: &[u8],
    fill: Fill,
) -> Answer {
    let mut fresh = Vec::new();
    for code in without_repeats::<E>(backend(db), codes) {
        if find::<E, C>(db, code).await?.is_none() {
            fresh.push(code);
        }
    }
    if !is_numbered::<E>() && key_columns::<E>().len() == 1 {
        fresh.truncate(1); // Two texts may be one to MariaDB.
    }
    let models = several::<E>(backend(db), &fresh, fill);
    if !is_numbered::<E>() {
        let rows = if road.has_builders() {
            let insert = E::audited_insert_many(models);
            insert.exec_without_returning(db).await?
        } else {
            E::insert_many(models).exec_without_returning(db).await?
        };
        return Ok(rows.to_string());
    }
    let last = if road.has_builders() {
        E::audited_insert_many(models).exec(db).await?
    } else {
        E::insert_many(models).exec(db).await?
    };
    Ok(format!("{:?}", last.last_insert_id))
}

async fn upsert<E: Rows, C: Connection>(
    road: CapturePath,
    db: &C,
    codes: &[u8],
    fill: Fill,
) -> Answer {
    let backend = backend(db);
    let codes = if backend == DbBackend::Sqlite {
        codes.to_vec()
    } else {
        // PostgreSQL refuses them; MariaDB does not report whether the first of them existed.
        without_repeats::<E>(backend, codes)
    };
    let mut updated: Vec<_> = (E::Column::iter().enumerate())
        .filter(|(at, column)| fill.of(*at).is_some() && !is_identity::<E>(column))
        .map(|(_, column)| column)
        .collect();
    if updated.is_empty() {
        updated.push(column::<E>("score"));
    }
    let conflict = OnConflict::columns(identity::<E>())
        .update_columns(updated)
        .to_owned();
    let models = several::<E>(backend, &codes, fill);
    let rows = if road.has_builders() {
        let insert = E::audited_insert_many(models).on_conflict(conflict);
        insert.exec_without_returning(db).await?
    } else {
        let insert = E::insert_many(models).on_conflict(conflict);
        insert.exec_without_returning(db).await?
    };
    Ok(rows.to_string())
}

async fn ignore<E: Rows, C: Connection>(
    road: CapturePath,
    db: &C,
    codes: &[u8],
    fill: Fill,
) -> Answer {
    let codes = if backend(db) == DbBackend::MySql {
        without_repeats::<E>(backend(db), codes)
    } else {
        codes.to_vec()
    };
    let models = several::<E>(backend(db), &codes, fill);
    let conflict = OnConflict::columns(identity::<E>())
        .do_nothing_on(key_columns::<E>())
        .to_owned();
    let rows = if road.has_builders() {
        let insert = E::audited_insert_many(models).on_conflict(conflict);
        insert.exec_without_returning(db).await?
    } else {
        let insert = E::insert_many(models).on_conflict(conflict);
        insert.exec_without_returning(db).await?
    };
    Ok(rows.to_string())
}

/// Inside a savepoint, since PostgreSQL ends a transaction with the first error.
async fn clash<E: Rows, C: Connection>(road: CapturePath, db: &C, code: u8) -> Answer {
    if find::<E, C>(db, code).await?.is_none() {
        return Ok(NONE.into());
    }
    let savepoint = db.begin().await?;
    let again = new::<E>(backend(db), code, Fill::NOTHING);
    let result = insert::<E, C::Transaction>(road, &savepoint, again).await;
    TransactionSession::rollback(savepoint).await?;
    match result {
        Err(error) if error.sql_err().is_some() => Ok("clashed".into()),
        Err(error) => Err(error),
        Ok(key) => Ok(format!("no clash: {key}")),
    }
}

/// The models have no such operation.
async fn rename<E: Rows, C: Connection>(road: CapturePath, db: &C, from: u8, to: u8) -> Answer {
    if is_numbered::<E>() || find::<E, C>(db, to).await?.is_some() {
        return Ok(NONE.into());
    }
    let Some(row) = find::<E, C>(db, from).await? else {
        return Ok(NONE.into());
    };
    let mut model = <E::ActiveModel as ActiveModelTrait>::default();
    for (column, value) in named::<E>(backend(db), to) {
        model.set(column, value);
    }
    let key = is::<E>(key_values::<E>(key_of::<E>(&row)));
    let result = if road.has_builders() {
        let update = E::audited_update_many().set(model);
        update.filter(key).exec(db).await?
    } else {
        E::update_many().set(model).filter(key).exec(db).await?
    };
    Ok(result.rows_affected.to_string())
}
