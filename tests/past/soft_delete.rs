//! A column that marks a row as deleted, by every way of capture; and a column that was renamed.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, Set,
    TransactionSession, TransactionTrait,
};
use sea_orm_audit::migration::AuditTriggers;
use sea_orm_audit::query::{AsOf, AuditAsOf, AuditHistory, Moment};
use sea_orm_audit::undo::Undo;
use sea_orm_audit::{Action, AuditConfig, AuditedConnection, AuditedEntity};

use crate::support::{TestDb, TestResult};

on_every_database! {
    mark_is_recorded_by_hooks,
    mark_is_recorded_by_the_connection,
    mark_is_recorded_by_bulk_builders,
    mark_is_recorded_by_triggers,
    boolean_mark_is_recorded_by_all,
    skipped_update_skips_the_mark,
    history_and_undo_know_the_mark,
    renamed_column_has_its_history,
}

mod post {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "post")]
    #[audit(soft_delete = "deleted_at")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub title: String,
        pub deleted_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod note {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "note")]
    #[audit(soft_delete = "is_deleted")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub text: String,
        pub is_deleted: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod old_article {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "article_before")]
    #[audit(name = "article")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub headline: String,
        pub gone: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod article {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "article")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        #[audit(was = "headline")]
        pub title: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

async fn actions(db: &TestDb) -> TestResult<Vec<String>> {
    Ok(db
        .records()
        .await?
        .into_iter()
        .map(|record| record.action)
        .collect())
}

const EXPECTED: [&str; 6] = [
    "CREATE",
    "UPDATE",
    "SOFT_DELETE",
    "UPDATE",
    "RESTORE",
    "UPDATE",
];

fn time(n: i64) -> Option<sea_orm::prelude::DateTimeUtc> {
    sea_orm::prelude::DateTimeUtc::from_timestamp(1_780_000_000 + n, 0)
}

/// Writes by active models: a change, the mark, another time of the mark, none, a change.
async fn by_models<C: ConnectionTrait>(db: &C) -> TestResult {
    let new = post::ActiveModel {
        id: Set(1),
        title: Set("a".to_owned()),
        deleted_at: Set(None),
    };
    let mut model = new.insert(db).await?;
    for (title, deleted) in [
        ("b", None),
        ("b", time(0)),
        ("b", time(1)),
        ("b", None),
        ("c", None),
    ] {
        let mut active = model.into_active_model();
        active.title = Set(title.to_owned());
        active.deleted_at = Set(deleted);
        model = active.update(db).await?;
    }
    Ok(())
}

async fn mark_is_recorded_by_hooks(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    by_models(&db.conn).await?;
    assert_eq!(actions(db).await?, EXPECTED);
    db.forget().await?;
    post::Entity::delete_many().exec(&db.conn).await?;
    let tx = db.conn.begin().await?;
    by_models(&tx).await?;
    tx.commit().await?;
    assert_eq!(actions(db).await?, EXPECTED);
    Ok(())
}

/// The same by statements.
async fn by_statements<C: ConnectionTrait>(db: &C) -> TestResult {
    for sql in [
        "INSERT INTO post (id, title) VALUES (1, 'a')",
        "UPDATE post SET title = 'b'",
        "UPDATE post SET deleted_at = '2026-03-01 00:00:00'",
        "UPDATE post SET deleted_at = '2026-03-02 00:00:00' WHERE id = 1",
        "UPDATE post SET deleted_at = NULL WHERE deleted_at IS NOT NULL",
        "UPDATE post SET title = 'c'",
    ] {
        db.execute_unprepared(sql).await?;
    }
    Ok(())
}

async fn mark_is_recorded_by_the_connection(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let audited = db.audited();
    by_statements(&audited).await?;
    assert_eq!(actions(db).await?, EXPECTED);
    for in_transaction in [false, true] {
        audited.execute_unprepared("DELETE FROM post").await?;
        db.forget().await?;
        if in_transaction {
            let tx = audited.begin().await?;
            by_models(&tx).await?;
            tx.commit().await?;
        } else {
            by_models(&audited).await?;
        }
        assert_eq!(actions(db).await?, EXPECTED);
    }
    // An upsert of a row that is marked, and of one that is not there.
    db.forget().await?;
    let row = |id, deleted_at| post::ActiveModel {
        id: Set(id),
        title: Set("d".to_owned()),
        deleted_at: Set(deleted_at),
    };
    post::Entity::insert_many([row(1, time(3)), row(2, None)])
        .on_conflict(
            OnConflict::column(post::Column::Id)
                .update_column(post::Column::DeletedAt)
                .to_owned(),
        )
        .exec(&audited)
        .await?;
    let mut found = actions(db).await?;
    found.sort();
    assert_eq!(found, ["CREATE", "SOFT_DELETE"]);
    Ok(())
}

async fn mark_is_recorded_by_bulk_builders(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    by_models(&db.audited()).await?;
    db.forget().await?;
    let conn = &db.conn;
    for value in [
        Expr::value(time(5)),
        Expr::value(time(6)),
        Expr::value(None::<sea_orm::prelude::DateTimeUtc>),
    ] {
        post::Entity::audited_update_many()
            .col_expr(post::Column::DeletedAt, value)
            .filter(post::Column::Id.eq(1))
            .exec(conn)
            .await?;
    }
    assert_eq!(actions(db).await?, ["SOFT_DELETE", "UPDATE", "RESTORE"]);
    Ok(())
}

async fn by_triggers<E: sea_orm_audit::Auditable>(db: &TestDb) -> TestResult<AuditedConnection> {
    let config = AuditConfig::builder().captured_by_trigger::<E>().build()?;
    let triggers = AuditTriggers::of::<E>();
    config.scope(triggers.create(&db.conn)).await?;
    Ok(db.audited().with_config(config))
}

async fn mark_is_recorded_by_triggers(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let audited = by_triggers::<post::Entity>(db).await?;
    by_statements(&audited).await?;
    assert_eq!(actions(db).await?, EXPECTED);
    db.forget().await?;
    // Several rows at once.
    audited
        .execute_unprepared("INSERT INTO post (id, title) VALUES (2, 'x'), (3, 'y')")
        .await?;
    audited
        .execute_unprepared("UPDATE post SET deleted_at = '2026-03-01 00:00:00'")
        .await?;
    audited
        .execute_unprepared("UPDATE post SET deleted_at = NULL, title = 'z'")
        .await?;
    let expected = [
        vec!["CREATE"; 2],
        vec!["SOFT_DELETE"; 3],
        vec!["RESTORE"; 3],
    ]
    .concat();
    assert_eq!(actions(db).await?, expected);
    Ok(())
}

async fn boolean_mark_is_recorded_by_all(db: &TestDb) -> TestResult {
    db.create(note::Entity).await?;
    let expected = ["CREATE", "SOFT_DELETE", "UPDATE", "RESTORE"];
    let write = async |db: &AuditedConnection| -> TestResult {
        let new = note::ActiveModel {
            id: Set(1),
            text: Set("a".to_owned()),
            is_deleted: Set(false),
        };
        let mut model = new.insert(db).await?;
        for (text, is_deleted) in [("a", true), ("b", true), ("c", false)] {
            let mut active = model.into_active_model();
            active.text = Set(text.to_owned());
            active.is_deleted = Set(is_deleted);
            model = active.update(db).await?;
        }
        Ok(())
    };
    write(&db.audited()).await?;
    assert_eq!(actions(db).await?, expected);
    note::Entity::delete_many().exec(&db.conn).await?;
    db.forget().await?;
    let audited = by_triggers::<note::Entity>(db).await?;
    write(&audited).await?;
    assert_eq!(actions(db).await?, expected);
    Ok(())
}

async fn skipped_update_skips_the_mark(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let config = AuditConfig::builder().skip_action(Action::Update).build()?;
    by_models(&db.audited().with_config(config)).await?;
    assert_eq!(actions(db).await?, ["CREATE"]);
    Ok(())
}

async fn history_and_undo_know_the_mark(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let audited = db.audited();
    by_statements(&audited).await?;
    let versions = post::Entity::history(1).all(&audited).await?;
    assert_eq!(versions.len(), 6);
    let marked: Vec<bool> = (versions.iter())
        .map(|version| {
            version
                .model()
                .is_some_and(|post| post.deleted_at.is_some())
        })
        .collect();
    assert_eq!(marked, [false, false, true, true, false, false]);
    let records = db.records().await?;
    let past = post::Entity::as_of(Moment::after_record(records[2].id))
        .one(1, &audited)
        .await?;
    assert!(past.model().is_some_and(|post| post.deleted_at.is_some()));
    // The row was marked, then restored: undoing the restoration marks it again.
    Undo::record(records[4].id).apply(&audited).await?;
    assert_eq!(
        actions(db).await?.last().map(String::as_str),
        Some("SOFT_DELETE")
    );
    let now = post::Entity::find_by_id(1)
        .one(&audited)
        .await?
        .ok_or("no row")?;
    assert_eq!(
        now.deleted_at,
        versions[3].model().and_then(|post| post.deleted_at)
    );
    Ok(())
}

async fn renamed_column_has_its_history(db: &TestDb) -> TestResult {
    db.create(old_article::Entity).await?;
    let audited = db.audited();
    let new = old_article::ActiveModel {
        id: Set(1),
        headline: Set("first".to_owned()),
        gone: Set("x".to_owned()),
    };
    new.insert(&audited).await?;
    audited
        .execute_unprepared("UPDATE article_before SET headline = 'second', gone = 'y'")
        .await?;
    let renamed = db.records().await?;
    db.execute_unprepared("ALTER TABLE article_before RENAME TO article")
        .await?;
    db.execute_unprepared("ALTER TABLE article RENAME COLUMN headline TO title")
        .await?;
    db.execute_unprepared("ALTER TABLE article DROP COLUMN gone")
        .await?;
    audited
        .execute_unprepared("UPDATE article SET title = 'third'")
        .await?;
    let versions = article::Entity::history(1).all(&audited).await?;
    let titles: Vec<_> = versions
        .iter()
        .map(|v| v.model().map(|a| a.title))
        .collect();
    let expected = ["first", "second", "third"].map(|title| Some(title.to_owned()));
    assert_eq!(titles, expected);
    let gone = versions[0]
        .state
        .as_ref()
        .and_then(|state| state.get("gone"));
    assert!(gone.is_some_and(|gone| gone.value() == Some(&"x".into())));
    let moment = Moment::after_record(renamed[0].id);
    let past = article::Entity::as_of(moment).one(1, &audited).await?;
    assert_eq!(past.model().map(|a| a.title).as_deref(), Some("first"));
    let past = AsOf::new(moment).open(&audited).await?;
    let row = article::Entity::find().one(&past).await?.ok_or("no row")?;
    assert_eq!(row.title, "first");
    past.close().await?;
    let third = db.records().await?.last().ok_or("no record")?.id;
    Undo::record(third).apply(&audited).await?;
    // The record from before the renaming is undone under the new name; the column that is gone is left out.
    Undo::record(renamed[1].id)
        .resolve_all("article", "gone", sea_orm_audit::undo::Resolution::Keep)
        .apply(&audited)
        .await?;
    let now = article::Entity::find()
        .one(&audited)
        .await?
        .ok_or("no row")?;
    assert_eq!(now.title, "first");
    Ok(())
}
