//! SeaORM's own features through the audited connection.

use futures::TryStreamExt;
use sea_orm::entity::prelude::*;
use sea_orm::{
    AccessMode, DatabaseBackend, IntoActiveModel, IsolationLevel, LoaderTrait, MockDatabase,
    MockExecResult, QueryOrder, StreamTrait, TransactionTrait,
};
use sea_orm_audit::AuditedConnection;

use crate::entity::post;
use crate::relations::{author, book, book_tag, create, labels, tag};
use crate::support::{TestDb, TestResult};

on_every_database! {
    pages_cursors_and_streams_read,
    stream_of_a_write_is_refused,
    loaders_load,
    isolation_levels_and_access_modes_pass,
    nested_save_records_every_row_once,
    linked_and_unlinked_junction_rows_are_recorded,
    client_side_cascade_records_junction_rows_too,
    hooks_may_write_through_the_same_connection,
    methods_beside_the_traits_are_those_of_seaorm,
}

async fn some_posts(db: &TestDb) -> TestResult<AuditedConnection> {
    db.create(post::Entity).await?;
    let audited = db.audited();
    post::Entity::insert_many((0..25).map(|number| post::new(&format!("{number:02}"))))
        .exec(&audited)
        .await?;
    Ok(audited)
}

async fn pages_cursors_and_streams_read(db: &TestDb) -> TestResult {
    let audited = some_posts(db).await?;
    let pages = post::Entity::find()
        .order_by_asc(post::Column::Id)
        .paginate(&audited, 10);
    assert_eq!(pages.num_pages().await?, 3);
    assert_eq!(pages.fetch_page(2).await?.len(), 5);
    let mut cursor = post::Entity::find().cursor_by(post::Column::Id);
    assert_eq!(cursor.after(20).first(10).all(&audited).await?.len(), 5);
    {
        let stream = post::Entity::find().stream(&audited).await?;
        assert_eq!(stream.try_collect::<Vec<_>>().await?.len(), 25);
    }
    let tx = audited.begin().await?;
    {
        let stream = post::Entity::find().stream(&tx).await?;
        assert_eq!(stream.try_collect::<Vec<_>>().await?.len(), 25);
    }
    tx.commit().await?;
    Ok(())
}

async fn stream_of_a_write_is_refused(db: &TestDb) -> TestResult {
    if db.backend() == DatabaseBackend::MySql {
        return Ok(());
    }
    let audited = some_posts(db).await?;
    let statement = sea_orm::Statement::from_string(db.backend(), "DELETE FROM post RETURNING id");
    assert!(audited.stream_raw(statement).await.is_err());
    assert_eq!(post::Entity::find().count(&audited).await?, 25);
    Ok(())
}

async fn loaders_load(db: &TestDb) -> TestResult {
    create(db).await?;
    let audited = db.audited();
    author::ActiveModel::builder()
        .set_name("Ann")
        .add_book(book::ActiveModel::builder().set_title("One"))
        .save(&audited)
        .await?;
    let books = book::Entity::find().all(&audited).await?;
    let authors = books.load_one(author::Entity, &audited).await?;
    assert_eq!(
        authors[0].as_ref().map(|author| author.name.as_str()),
        Some("Ann")
    );
    let loaded = author::Entity::load()
        .with(book::Entity)
        .all(&audited)
        .await?;
    assert_eq!(loaded[0].books.len(), 1);
    Ok(())
}

async fn isolation_levels_and_access_modes_pass(db: &TestDb) -> TestResult {
    let audited = some_posts(db).await?;
    let before = db.records().await?.len();
    let tx = audited
        .begin_with_config(
            Some(IsolationLevel::Serializable),
            Some(AccessMode::ReadWrite),
        )
        .await?;
    post::retitle(1, "serializable").update(&tx).await?;
    tx.commit().await?;
    assert_eq!(db.records().await?.len(), before + 1);
    if db.backend() != DatabaseBackend::Sqlite {
        let tx = audited
            .begin_with_config(None, Some(AccessMode::ReadOnly))
            .await?;
        assert_eq!(post::Entity::find().count(&tx).await?, 25);
        assert!(post::retitle(1, "x").update(&tx).await.is_err());
        tx.rollback().await?;
    }
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
        .save(&db.audited())
        .await?;
    let mut labels = labels(db).await?;
    labels.sort();
    assert_eq!(
        labels,
        [
            "CREATE Ann",
            "CREATE One",
            "CREATE Two",
            "CREATE book_tag #[1,1]",
            "CREATE red"
        ]
    );
    let ids: std::collections::HashSet<_> = db
        .records()
        .await?
        .into_iter()
        .map(|r| r.transaction_id)
        .collect();
    assert_eq!(ids.len(), 1);
    Ok(())
}

async fn linked_and_unlinked_junction_rows_are_recorded(db: &TestDb) -> TestResult {
    create(db).await?;
    let audited = db.audited();
    author::ActiveModel::builder()
        .set_name("Ann")
        .add_book(
            book::ActiveModel::builder()
                .set_title("One")
                .add_tag(tag::ActiveModel::builder().set_word("red")),
        )
        .save(&audited)
        .await?;
    db.forget().await?;
    let red = tag::Entity::find_by_id(1)
        .one(&audited)
        .await?
        .ok_or("no tag")?;
    let one = book::Entity::find_by_id(1)
        .one(&audited)
        .await?
        .ok_or("no book")?;
    one.clone()
        .into_active_model()
        .into_ex()
        .add_tag(red.into_active_model())
        .add_tag(tag::ActiveModel::builder().set_word("blue"))
        .save(&audited)
        .await?;
    assert_eq!(labels(db).await?, ["CREATE blue", "CREATE book_tag #[1,2]"]);
    db.forget().await?;
    let mut one = one.into_active_model().into_ex();
    one.tags = ActiveHasMany::Replace(vec![]);
    one.save(&audited).await?;
    let mut labels = labels(db).await?;
    labels.sort();
    assert_eq!(labels, ["DELETE book_tag #[1,1]", "DELETE book_tag #[1,2]"]);
    Ok(())
}

async fn client_side_cascade_records_junction_rows_too(db: &TestDb) -> TestResult {
    create(db).await?;
    let audited = db.audited();
    author::ActiveModel::builder()
        .set_name("Ann")
        .add_book(
            book::ActiveModel::builder()
                .set_title("One")
                .add_tag(tag::ActiveModel::builder().set_word("red")),
        )
        .save(&audited)
        .await?;
    db.forget().await?;
    let ann = author::Entity::find_by_id(1)
        .one(&audited)
        .await?
        .ok_or("no author")?;
    ann.into_active_model().into_ex().delete(&audited).await?;
    assert_eq!(book_tag::Entity::find().count(&audited).await?, 0);
    let mut labels = labels(db).await?;
    labels.sort();
    assert_eq!(
        labels,
        ["DELETE Ann", "DELETE One", "DELETE book_tag #[1,1]"]
    );
    Ok(())
}

/// An entity whose hook reads and writes through the connection it is given.
mod counted {
    use sea_orm::entity::prelude::*;
    use sea_orm::{ActiveModelBehavior, ConnectionTrait, DbErr};
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "counted")]
    #[audit(behavior = "own")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub number: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    #[sea_orm_audit::behavior]
    #[async_trait::async_trait]
    impl ActiveModelBehavior for ActiveModel {
        async fn before_save<C: ConnectionTrait>(
            mut self,
            db: &C,
            _insert: bool,
        ) -> Result<Self, DbErr> {
            let number = Entity::find().count(db).await?;
            self.number = sea_orm::Set(i32::try_from(number).unwrap_or_default());
            Ok(self)
        }

        async fn after_save<C: ConnectionTrait>(
            model: Model,
            db: &C,
            _insert: bool,
        ) -> Result<Model, DbErr> {
            let note = super::post::new(&format!("counted {}", model.id));
            super::post::Entity::insert(note).exec(db).await?;
            Ok(model)
        }
    }
}

async fn hooks_may_write_through_the_same_connection(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    db.create(counted::Entity).await?;
    let pool = db.another().await?;
    let audited = AuditedConnection::new(pool.clone());
    let new = || counted::ActiveModel {
        number: sea_orm::Set(0),
        ..Default::default()
    };
    new().insert(&audited).await?;
    let tx = audited.begin().await?;
    new().insert(&tx).await?;
    tx.commit().await?;
    pool.close().await?;
    let models: Vec<_> = (db.records().await?.into_iter())
        .filter_map(|record| record.model)
        .collect();
    assert_eq!(models, ["counted", "post", "counted", "post"]);
    Ok(())
}

#[tokio::test]
async fn mock_connection_sees_what_seaorm_sends() -> TestResult {
    let db = MockDatabase::new(DatabaseBackend::Postgres)
        .append_query_results([[post::Model {
            id: 1,
            title: "a".into(),
            body: None,
            qty: 7,
        }]])
        .append_exec_results([MockExecResult {
            last_insert_id: 0,
            rows_affected: 1,
        }])
        .into_connection();
    let audited = AuditedConnection::new(db.clone());
    post::new("a").insert(&audited).await?;
    let tx = audited.begin().await?;
    post::Entity::delete_by_id(1).exec(&tx).await?;
    tx.commit().await?;
    drop(audited);
    let log = db.into_transaction_log();
    assert_eq!(log.len(), 2, "{log:#?}");
    Ok(())
}

async fn methods_beside_the_traits_are_those_of_seaorm(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let audited = db.audited();
    audited.ping().await?;
    assert_eq!(audited.get_database_backend(), db.backend());
    let _ = audited.get_schema_builder().register(post::Entity);
    let committed: Result<i32, sea_orm::TransactionError<DbErr>> = audited
        .transaction_async(async |tx| {
            assert_eq!(tx.get_database_backend(), db.backend());
            post::new("committed").insert(tx).await?;
            let inner: Result<(), sea_orm::TransactionError<DbErr>> = tx
                .transaction_async(async |inner| {
                    post::new("rolled back").insert(inner).await?;
                    Err(DbErr::Custom("no".into()))
                })
                .await;
            assert!(matches!(
                inner,
                Err(sea_orm::TransactionError::Transaction(_))
            ));
            Ok(7)
        })
        .await;
    assert_eq!(committed?, 7);
    let posts = post::Entity::find().all(&db.conn).await?;
    let titles: Vec<&str> = posts.iter().map(|post| post.title.as_str()).collect();
    assert_eq!(titles, ["committed"]);
    assert_eq!(db.log().await?.len(), 1);
    Ok(())
}
