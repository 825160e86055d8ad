//! The table of write paths in `docs/semantics.md`, tested cell by cell on every database.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{DbBackend, IntoActiveModel, Set, Statement, TransactionSession, TransactionTrait};
use sea_orm_audit::AuditedEntity;
use sea_orm_audit::entity::audit_system_event;

use crate::relations::{author, book, book_tag, tag};
use crate::support::{TestDb, TestResult, refuse_records_of};

on_every_database! { every_cell_of_the_table_is_true }

/// A parent, whose children the database deletes with it.
mod parent {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "parent")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod child {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "child")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub parent_id: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::parent::Entity",
            from = "Column::ParentId",
            to = "super::parent::Column::Id",
            on_delete = "Cascade"
        )]
        Parent,
    }
}

/// The write paths, by their names in the table.
const PATHS: [&str; 22] = [
    "`ActiveModel::insert`, `save` of a new row",
    "`ActiveModel::update`, `save` of a known row",
    "`ActiveModel::delete`, `Model::delete`",
    "`ActiveModel::update_without_returning`",
    "`ActiveModelEx`: nested insert, save",
    "`ActiveModelEx`: junction row linked",
    "`ActiveModelEx`: junction rows removed with their owner",
    "`Entity::insert`",
    "`Entity::insert_many`",
    "`Entity::insert`, `insert_many` with `on_conflict`",
    "`Entity::update`",
    "`Entity::update_many`",
    "`Entity::delete`, `delete_by_id`",
    "`Entity::delete_many`",
    "`Entity::audited_insert_many`",
    "`Entity::audited_update_many`",
    "`Entity::audited_delete_many`, `audited_delete_by_id`",
    "`execute_raw` and the like, with bound values",
    "`execute_unprepared`",
    "`execute_unprepared`, several statements",
    "`ON DELETE CASCADE`, `SET NULL` in the database",
    "a statement that cannot be captured",
];

fn new(name: &str) -> parent::ActiveModel {
    parent::ActiveModel {
        name: Set(name.to_owned()),
        ..Default::default()
    }
}

fn known(id: i32, name: &str) -> parent::ActiveModel {
    parent::ActiveModel {
        id: Set(id),
        name: Set(name.to_owned()),
    }
}

async fn write<C>(db: &C, path: &str) -> TestResult
where
    C: ConnectionTrait + TransactionTrait + 'static,
{
    use parent::{Column, Entity};
    match PATHS.iter().position(|known| *known == path) {
        Some(0) => drop(new("c").insert(db).await?),
        Some(1) => drop(known(2, "bb").update(db).await?),
        Some(2) => drop(known(2, "b").delete(db).await?),
        Some(3) => drop(known(2, "bb").update_without_returning(db).await?),
        Some(4) => {
            author::ActiveModel::builder()
                .set_name("Bea")
                .add_book(book::ActiveModel::builder().set_title("Two"))
                .save(db)
                .await?;
        }
        Some(5) => {
            let one = book::Entity::find_by_id(1)
                .one(db)
                .await?
                .ok_or("no book")?;
            let blue = tag::Entity::find_by_id(2).one(db).await?.ok_or("no tag")?;
            one.into_active_model()
                .into_ex()
                .add_tag(blue.into_active_model())
                .save(db)
                .await?;
        }
        Some(6) => {
            let one = book::Entity::find_by_id(1)
                .one(db)
                .await?
                .ok_or("no book")?;
            one.into_active_model().into_ex().delete(db).await?;
        }
        Some(7) => drop(Entity::insert(new("c")).exec(db).await?),
        Some(8) => drop(Entity::insert_many([new("c"), new("d")]).exec(db).await?),
        Some(9) => {
            let update = OnConflict::column(Column::Id)
                .update_column(Column::Name)
                .to_owned();
            Entity::insert(known(2, "bb"))
                .on_conflict(update)
                .exec_without_returning(db)
                .await?;
        }
        Some(10) => drop(Entity::update(known(2, "bb")).exec(db).await?),
        Some(11) => {
            Entity::update_many()
                .col_expr(Column::Name, Expr::value("bb"))
                .filter(Column::Id.eq(2))
                .exec(db)
                .await?;
        }
        Some(12) => drop(Entity::delete_by_id(2).exec(db).await?),
        Some(13) => drop(
            Entity::delete_many()
                .filter(Column::Id.gt(1))
                .exec(db)
                .await?,
        ),
        Some(14) => drop(
            Entity::audited_insert_many([new("c"), new("d")])
                .exec(db)
                .await?,
        ),
        Some(15) => {
            Entity::audited_update_many()
                .col_expr(Column::Name, Expr::value("bb"))
                .filter(Column::Id.eq(2))
                .exec(db)
                .await?;
        }
        Some(16) => drop(Entity::audited_delete_by_id(2).exec(db).await?),
        Some(17) => {
            let sql = match db.get_database_backend() {
                DbBackend::Postgres => "UPDATE parent SET name = $1 WHERE id = $2",
                _ => "UPDATE parent SET name = ? WHERE id = ?",
            };
            let values = ["bb".into(), 2.into()];
            db.execute_raw(Statement::from_sql_and_values(
                db.get_database_backend(),
                sql,
                values,
            ))
            .await?;
        }
        Some(18) => drop(
            db.execute_unprepared("DELETE FROM parent WHERE id = 2")
                .await?,
        ),
        Some(19) => {
            db.execute_unprepared(
                "UPDATE parent SET name = 'bb' WHERE id = 2; DELETE FROM parent WHERE id = 2",
            )
            .await?;
        }
        Some(20) => drop(Entity::delete_by_id(1).exec(db).await?),
        Some(21) => {
            let sql = match db.get_database_backend() {
                DbBackend::Postgres => "DO $$ BEGIN DELETE FROM parent WHERE id = 2; END $$",
                DbBackend::MySql => "BEGIN NOT ATOMIC DELETE FROM parent WHERE id = 2; END",
                _ => "UPDATE OR IGNORE parent SET name = 'bb' WHERE id = 2",
            };
            db.execute_unprepared(sql).await?;
        }
        _ => return Err("the path is unknown".into()),
    }
    Ok(())
}

/// The rows of the tables, to see whether a write left anything.
async fn contents(db: &TestDb) -> TestResult<String> {
    Ok(format!(
        "{:?} {:?} {:?} {:?} {:?}",
        parent::Entity::find().all(&db.conn).await?,
        child::Entity::find().all(&db.conn).await?,
        author::Entity::find().all(&db.conn).await?,
        book::Entity::find().all(&db.conn).await?,
        book_tag::Entity::find().all(&db.conn).await?,
    ))
}

async fn fill(db: &TestDb) -> TestResult {
    for table in [
        "book_tag",
        "book",
        "author",
        "tag",
        "child",
        "parent",
        "audit_log",
        "audit_system_event",
    ] {
        let empty = match db.backend() {
            DbBackend::Postgres => format!("TRUNCATE {table} RESTART IDENTITY CASCADE"),
            _ => format!("DELETE FROM {table}"),
        };
        db.execute_unprepared(&empty).await?;
    }
    for sql in [
        "INSERT INTO parent (id, name) VALUES (1, 'a'), (2, 'b')",
        "INSERT INTO child (id, parent_id) VALUES (1, 1)",
        "INSERT INTO author (id, name) VALUES (1, 'Ann')",
        "INSERT INTO book (id, title, author_id) VALUES (1, 'One', 1)",
        "INSERT INTO tag (id, word) VALUES (1, 'red'), (2, 'blue')",
        "INSERT INTO book_tag (book_id, tag_id) VALUES (1, 1)",
    ] {
        db.execute_unprepared(sql).await?;
    }
    if db.backend() == DbBackend::Postgres {
        for table in ["parent", "author", "book", "tag"] {
            db.execute_unprepared(&format!("ALTER SEQUENCE {table}_id_seq RESTART WITH 10"))
                .await?;
        }
    }
    Ok(())
}

/// A way to run a write: on a connection as it is, or in a transaction.
#[derive(Clone, Copy)]
enum Ground {
    Pool,
    Transaction,
    Audited,
    AuditedTransaction,
}

impl Ground {
    const ALL: [Self; 4] = [
        Self::Pool,
        Self::Transaction,
        Self::Audited,
        Self::AuditedTransaction,
    ];

    async fn run(self, db: &TestDb, path: &str) -> TestResult {
        async fn within<T>(tx: T, path: &str) -> TestResult
        where
            T: ConnectionTrait + TransactionTrait + TransactionSession + 'static,
        {
            write(&tx, path).await?;
            tx.commit().await?;
            Ok(())
        }
        match self {
            Self::Pool => write(&db.conn, path).await,
            Self::Transaction => within(db.conn.begin().await?, path).await,
            Self::Audited => write(&db.audited(), path).await,
            Self::AuditedTransaction => within(db.audited().begin().await?, path).await,
        }
    }
}

/// The cell of the table for one write.
async fn cell(db: &TestDb, refusing: &TestDb, ground: Ground, path: &str) -> TestResult<String> {
    fill(db).await?;
    ground.run(db, path).await?;
    let sources: BTreeSet<String> = (db.records().await?.into_iter())
        .filter(|record| is_about(path, record.model.as_deref()))
        .map(|record| record.source.to_lowercase())
        .collect();
    if sources.is_empty() {
        let events = audit_system_event::Entity::find().count(&db.conn).await?;
        return Ok(if events > 0 { "reported" } else { "no" }.to_owned());
    }
    fill(refusing).await?;
    let before = contents(refusing).await?;
    assert!(
        ground.run(refusing, path).await.is_err(),
        "{path}: the log refuses"
    );
    let atomic = contents(refusing).await? == before;
    let by: Vec<String> = sources.into_iter().collect();
    Ok(format!(
        "{}{}",
        by.join(" and "),
        if atomic { ", atomic" } else { "" }
    ))
}

/// Whether a record is of the rows that a path is about, and not of their owner or parent.
fn is_about(path: &str, model: Option<&str>) -> bool {
    match PATHS.iter().position(|known| *known == path) {
        Some(5 | 6) => model == Some("book_tag"),
        Some(20) => model == Some("child"),
        _ => true,
    }
}

/// The table's rows: path → cells.
fn documented() -> BTreeMap<String, Vec<String>> {
    let text = include_str!("../../docs/semantics.md");
    let rows = text.lines().filter_map(|line| {
        let mut cells = line
            .strip_prefix("| ")?
            .split(" | ")
            .map(|cell| cell.trim_end_matches('|').trim().to_owned());
        Some((cells.next()?, cells.collect()))
    });
    rows.collect()
}

async fn every_cell_of_the_table_is_true(db: &TestDb) -> TestResult {
    let refusing = db.sibling().await?;
    for db in [db, &refusing] {
        crate::relations::create(db).await?;
        db.create(parent::Entity).await?;
        db.create(child::Entity).await?;
    }
    refuse_records_of(&refusing, "").await?;
    let documented = documented();
    let mut wrong = Vec::new();
    for path in PATHS {
        let mut cells = Vec::new();
        for ground in Ground::ALL {
            cells.push(cell(db, &refusing, ground, path).await?);
        }
        if documented.get(path).map(|row| &row[..4.min(row.len())]) != Some(&cells) {
            wrong.push(format!("| {path} | {} |", cells.join(" | ")));
        }
    }
    refusing.remove().await?;
    assert!(
        wrong.is_empty(),
        "the table should say:\n{}",
        wrong.join("\n")
    );
    Ok(())
}
