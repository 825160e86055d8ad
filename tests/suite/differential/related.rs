//! Steps on rows that refer to each other: nested saves, and cascades of the database.

use sea_orm::prelude::*;
use sea_orm::sea_query::{IntoCondition, Value};
use sea_orm::{IntoActiveModel, Iterable, ModelTrait, PrimaryKeyToColumn, QueryOrder, Set};
use sea_orm_audit::AuditedEntity;

use super::capture_path::{CapturePath, Connection};
use super::entity::{author, book, branch, leaf, node, root};
use super::rows::{Answer, NONE, Rows, delete, delete_where, insert, update};
use super::workload::{Kind, NestedOp, TreeOp};

fn key_column<E: Rows>() -> E::Column {
    E::PrimaryKey::iter().next().unwrap().into_column()
}

/// The keys of all rows, in order.
async fn ids<E: Rows, C: Connection>(db: &C) -> Result<Vec<i32>, DbErr> {
    let rows = E::find().order_by_asc(key_column::<E>()).all(db).await?;
    let id = |row: &E::Model| match row.get(key_column::<E>()) {
        Value::Int(Some(id)) => id,
        other => panic!("{other:?} is no key of these tables"),
    };
    Ok(rows.iter().map(id).collect())
}

/// The row at a place, the first after the last; none at 0.
async fn at<E: Rows, C: Connection>(db: &C, place: u8) -> Result<Option<i32>, DbErr> {
    let ids = ids::<E, C>(db).await?;
    Ok(usize::from(place)
        .checked_sub(1)
        .and_then(|at| ids.get(at % ids.len().max(1)).copied()))
}

pub(super) async fn nested<C: Connection>(road: CapturePath, db: &C, op: &NestedOp) -> Answer {
    match *op {
        NestedOp::Save { name, books } => {
            let name = format!("author {name}");
            if !road.is_builders() {
                let saved = (0..books)
                    .fold(
                        author::ActiveModel::builder().set_name(name),
                        |author, at| author.add_book(new_book(at)),
                    )
                    .save(db)
                    .await?;
                return Ok(format!("{:?}", saved.id));
            }
            let model = author::ActiveModel {
                name: Set(name),
                ..Default::default()
            };
            let id = author::Entity::audited_insert_many([model])
                .exec(db)
                .await?;
            let id = id.last_insert_id.unwrap();
            add_one_by_one(db, id, books).await?;
            Ok(format!("{:?}", sea_orm::ActiveValue::Unchanged(id)))
        }
        NestedOp::AddBooks {
            author,
            name,
            books,
        } => {
            let Some(id) = at::<author::Entity, C>(db, author + 1).await? else {
                return Ok(NONE.into());
            };
            let name = format!("author {name}");
            if road.is_builders() {
                let model = author::ActiveModel {
                    name: Set(name),
                    ..Default::default()
                };
                update::<author::Entity, C>(road, db, id, model).await?;
                add_one_by_one(db, id, books).await?;
            } else {
                let row = author::Entity::find_by_id(id).one(db).await?.unwrap();
                (0..books)
                    .fold(
                        row.into_active_model().into_ex().set_name(name),
                        |author, at| author.add_book(new_book(at)),
                    )
                    .save(db)
                    .await?;
            }
            Ok("added".into())
        }
        NestedOp::Delete { author } => {
            let Some(id) = at::<author::Entity, C>(db, author + 1).await? else {
                return Ok(NONE.into());
            };
            if road.is_builders() {
                let books = book::Column::AuthorId.eq(id).into_condition();
                delete_where::<book::Entity, C>(road, db, books).await?;
                delete::<author::Entity, C>(road, db, id).await?;
            } else {
                let row = author::Entity::find_by_id(id).one(db).await?.unwrap();
                row.into_active_model().into_ex().delete(db).await?;
            }
            Ok("deleted".into())
        }
    }
}

fn new_book(at: u8) -> book::ActiveModelEx {
    book::ActiveModel::builder().set_title(format!("book {at}"))
}

async fn add_one_by_one<C: Connection>(db: &C, author: i32, books: u8) -> Result<(), DbErr> {
    for at in 0..books {
        let model = book::ActiveModel {
            title: Set(format!("book {at}")),
            author_id: Set(author),
            ..Default::default()
        };
        book::Entity::audited_insert_many([model]).exec(db).await?;
    }
    Ok(())
}

pub(super) async fn tree<C: Connection>(road: CapturePath, db: &C, op: &TreeOp) -> Answer {
    match *op {
        TreeOp::Root => {
            let model = root::ActiveModel {
                note: Set(Some(1)),
                ..Default::default()
            };
            insert::<root::Entity, C>(road, db, model).await
        }
        TreeOp::Branch { root, other } => {
            let root = at::<root::Entity, C>(db, root).await?;
            let other = at::<root::Entity, C>(db, other).await?;
            let model = branch::ActiveModel {
                root_id: Set(root),
                other_id: Set(other),
                ..Default::default()
            };
            insert::<branch::Entity, C>(road, db, model).await
        }
        TreeOp::Leaf { branch } => {
            let model = leaf::ActiveModel {
                branch_id: Set(at::<branch::Entity, C>(db, branch).await?),
                note: Set(None),
                ..Default::default()
            };
            insert::<leaf::Entity, C>(road, db, model).await
        }
        TreeOp::Node {
            branch,
            above,
            beside,
        } => {
            let branch = at::<branch::Entity, C>(db, branch).await?;
            let above = at::<node::Entity, C>(db, above).await?;
            let beside = at::<node::Entity, C>(db, beside).await?;
            let model = node::ActiveModel {
                branch_id: Set(branch),
                above_id: Set(above),
                beside_id: Set(beside),
                ..Default::default()
            };
            insert::<node::Entity, C>(road, db, model).await
        }
        TreeOp::Move {
            node,
            above,
            beside,
        } => {
            let Some(id) = at::<node::Entity, C>(db, node).await? else {
                return Ok(NONE.into());
            };
            let above = at::<node::Entity, C>(db, above).await?;
            let beside = at::<node::Entity, C>(db, beside).await?;
            let model = node::ActiveModel {
                above_id: Set(above),
                beside_id: Set(beside),
                ..Default::default()
            };
            update::<node::Entity, C>(road, db, id, model).await
        }
        TreeOp::Delete(kind, place) => match kind {
            Kind::Root => fell::<root::Entity, C>(road, db, place).await,
            Kind::Branch => fell::<branch::Entity, C>(road, db, place).await,
            Kind::Leaf => fell::<leaf::Entity, C>(road, db, place).await,
            Kind::Node => fell::<node::Entity, C>(road, db, place).await,
        },
        TreeOp::DeleteMany(kind, from, to) => match kind {
            Kind::Root => fell_many::<root::Entity, C>(road, db, from, to).await,
            Kind::Branch => fell_many::<branch::Entity, C>(road, db, from, to).await,
            Kind::Leaf => fell_many::<leaf::Entity, C>(road, db, from, to).await,
            Kind::Node => fell_many::<node::Entity, C>(road, db, from, to).await,
        },
    }
}

/// Hooks do not see cascades of the database: on that path the builder deletes.
async fn fell<E, C: Connection>(road: CapturePath, db: &C, place: u8) -> Answer
where
    E: Rows + EntityTrait<PrimaryKey: PrimaryKeyTrait<ValueType = i32>>,
{
    match at::<E, C>(db, place).await? {
        Some(id) => delete::<E, C>(road.without_hooks(), db, id).await,
        None => Ok(NONE.into()),
    }
}

async fn fell_many<E: Rows, C: Connection>(road: CapturePath, db: &C, from: u8, to: u8) -> Answer {
    let (Some(from), Some(to)) = (at::<E, C>(db, from).await?, at::<E, C>(db, to).await?) else {
        return Ok(NONE.into());
    };
    let range = key_column::<E>().between(from, to).into_condition();
    delete_where::<E, C>(road, db, range).await
}
