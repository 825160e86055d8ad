//! Nested saves, junction rows and client-side cascades of `ActiveModelEx`.

use sea_orm::{ActiveHasMany, EntityTrait, IntoActiveModel, PaginatorTrait, TransactionTrait};

use crate::support::{TestDb, TestResult, poll_and_drop};

on_every_database! {
    nested_save_records_every_row_once,
    linked_junction_row_is_recorded_and_linking_it_again_is_not,
    replaced_junction_row_is_recorded_as_deleted,
    client_side_cascade_records_every_row_once,
    client_side_cascade_leaves_junction_rows_unrecorded,
}

// On MariaDB sqlx's connection may wait for ever after a dropped future, also with SeaORM alone.
mod sqlite_dropped {
    crate::support::tests_on!(sqlite: nested_save_dropped_midway_leaves_the_transaction_to_its_end);
}

mod postgres_dropped {
    crate::support::tests_on!(postgres: nested_save_dropped_midway_leaves_the_transaction_to_its_end);
}

pub(crate) mod author {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "author")]
    #[audit(display = "{name}")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
        #[sea_orm(has_many)]
        pub books: HasMany<super::book::Entity>,
    }
}

pub(crate) mod book {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "book")]
    #[audit(display = "{title}")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub title: String,
        pub author_id: i32,
        #[sea_orm(belongs_to, from = "author_id", to = "id")]
        pub author: BelongsTo<super::author::Entity>,
        #[sea_orm(has_many, via = "book_tag")]
        pub tags: HasMany<super::tag::Entity>,
    }
}

pub(crate) mod tag {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "tag")]
    #[audit(display = "{word}")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub word: String,
        #[sea_orm(has_many, via = "book_tag")]
        pub books: HasMany<super::book::Entity>,
    }
}

pub(crate) mod book_tag {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "book_tag")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub book_id: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub tag_id: i32,
        #[sea_orm(belongs_to, from = "book_id", to = "id")]
        pub book: BelongsTo<super::book::Entity>,
        #[sea_orm(belongs_to, from = "tag_id", to = "id")]
        pub tag: BelongsTo<super::tag::Entity>,
    }
}

pub(crate) async fn create(db: &TestDb) -> TestResult {
    db.create(author::Entity).await?;
    db.create(book::Entity).await?;
    db.create(tag::Entity).await?;
    db.create(book_tag::Entity).await?;
    Ok(())
}

pub(crate) async fn labels(db: &TestDb) -> TestResult<Vec<String>> {
    let records = db.records().await?;
    let labels = records
        .into_iter()
        .map(|record| format!("{} {}", record.action, record.object_repr.unwrap()));
    Ok(labels.collect())
}

/// The rows before the test begins, without their log.
async fn book_of_ann_tagged_red(db: &TestDb) -> TestResult {
    author::ActiveModel::builder()
        .set_name("Ann")
        .add_book(
            book::ActiveModel::builder()
                .set_title("One")
                .add_tag(tag::ActiveModel::builder().set_word("red")),
        )
        .save(&db.conn)
        .await?;
    db.forget().await?;
    Ok(())
}

async fn nested_save_records_every_row_once(db: &TestDb) -> TestResult {
    create(db).await?;
    author::ActiveModel::builder()
        .set_name("Ann")
        .add_book(
            book::ActiveModel::builder()
                .set_title("One")
                .add_tag(tag::ActiveModel::builder().set_word("red")),
        )
        .add_book(book::ActiveModel::builder().set_title("Two"))
        .save(&db.conn)
        .await?;
    assert_eq!(
        labels(db).await?,
        [
            "CREATE Ann",
            "CREATE One",
            "CREATE red",
            "CREATE book_tag #[1,1]",
            "CREATE Two",
        ]
    );
    Ok(())
}

async fn linked_junction_row_is_recorded_and_linking_it_again_is_not(db: &TestDb) -> TestResult {
    create(db).await?;
    book_of_ann_tagged_red(db).await?;
    let red = tag::Entity::find_by_id(1).one(&db.conn).await?.unwrap();
    let one = book::Entity::find_by_id(1).one(&db.conn).await?.unwrap();
    one.into_active_model()
        .into_ex()
        .add_tag(red.into_active_model())
        .add_tag(tag::ActiveModel::builder().set_word("blue"))
        .save(&db.conn)
        .await?;
    assert_eq!(labels(db).await?, ["CREATE blue", "CREATE book_tag #[1,2]"]);
    Ok(())
}

async fn replaced_junction_row_is_recorded_as_deleted(db: &TestDb) -> TestResult {
    create(db).await?;
    book_of_ann_tagged_red(db).await?;
    let one = book::Entity::find_by_id(1).one(&db.conn).await?.unwrap();
    let mut one = one.into_active_model().into_ex();
    one.tags = ActiveHasMany::Replace(vec![tag::ActiveModel::builder().set_word("blue")]);
    one.save(&db.conn).await?;
    let mut labels = labels(db).await?;
    labels.sort();
    assert_eq!(
        labels,
        [
            "CREATE blue",
            "CREATE book_tag #[1,2]",
            "DELETE book_tag #[1,1]"
        ]
    );
    Ok(())
}

async fn client_side_cascade_records_every_row_once(db: &TestDb) -> TestResult {
    create(db).await?;
    author::ActiveModel::builder()
        .set_name("Ann")
        .add_book(book::ActiveModel::builder().set_title("One"))
        .add_book(book::ActiveModel::builder().set_title("Two"))
        .save(&db.conn)
        .await?;
    db.forget().await?;
    let ann = author::Entity::find_by_id(1).one(&db.conn).await?.unwrap();
    ann.into_active_model().into_ex().delete(&db.conn).await?;
    let mut labels = labels(db).await?;
    labels.sort();
    assert_eq!(labels, ["DELETE Ann", "DELETE One", "DELETE Two"]);
    Ok(())
}

/// SeaORM removes them with a statement that fires no hook.
async fn client_side_cascade_leaves_junction_rows_unrecorded(db: &TestDb) -> TestResult {
    create(db).await?;
    book_of_ann_tagged_red(db).await?;
    let one = book::Entity::find_by_id(1).one(&db.conn).await?.unwrap();
    one.into_active_model().into_ex().delete(&db.conn).await?;
    assert!(book_tag::Entity::find().one(&db.conn).await?.is_none());
    assert_eq!(labels(db).await?, ["DELETE One"]);
    Ok(())
}

/// A save of several rows begins a transaction inside of the given one.
async fn nested_save_dropped_midway_leaves_the_transaction_to_its_end(db: &TestDb) -> TestResult {
    create(db).await?;
    for (polls, commits) in (1..=24).flat_map(|polls| [(polls, true), (polls, false)]) {
        let rows = async || -> TestResult<u64> {
            let authors = author::Entity::find().count(&db.conn).await?;
            Ok(authors + book::Entity::find().count(&db.conn).await?)
        };
        let (rows_before, records_before) = (rows().await?, db.records().await?.len());
        let tx = db.audited().begin().await?;
        let first = author::ActiveModel::builder().set_name("before").save(&tx);
        first.await?;
        let book = book::ActiveModel::builder().set_title("One");
        let author = author::ActiveModel::builder()
            .set_name("Ann")
            .add_book(book);
        poll_and_drop(author.save(&tx), polls).await;
        let is_committed = if commits {
            tx.commit().await.is_ok()
        } else {
            tx.rollback().await?;
            false
        };
        let written = rows().await? - rows_before;
        let recorded = db.records().await?.len() - records_before;
        assert_eq!(written, recorded as u64, "after {polls} polls");
        assert_eq!(written > 0, is_committed, "after {polls} polls");
    }
    Ok(())
}
