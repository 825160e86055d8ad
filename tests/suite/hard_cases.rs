//! Statements that are easily misread as smaller or different changes.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, Set, TransactionTrait};
use sea_orm_audit::entity::audit_system_event;

use crate::entity::post;
use crate::faults::assert_replays;
use crate::support::{TestDb, TestResult};

on_every_database! {
    write_beside_something_not_understood_is_not_let_pass_unseen,
    the_case_of_a_column_is_not_minded,
    unpolled_write_does_not_keep_its_row_locked,
    change_of_another_transaction_is_not_recorded,
    upserts_at_once_leave_an_unbroken_chain,
    upsert_that_changes_keys_is_reported_or_recorded,
    replaced_parent_takes_its_children_along,
}

mod only_mariadb {
    crate::support::tests_on!(
        mariadb: modifier_is_not_taken_for_the_table,
        upsert_by_an_undeclared_index_creates_nothing,
        new_row_that_an_upsert_names_twice_is_created,
    );
}

mod only_postgres {
    crate::support::tests_on!(
        postgres: writes_inside_other_statements_are_reported,
        joined_update_that_returns_everything_is_recorded_as_it_was,
    );
}

mod only_sqlite {
    crate::support::tests_on!(
        sqlite: transaction_that_a_conflict_ended_records_nothing,
        update_of_more_rows_than_can_be_named_is_captured,
    );
}

async fn posts(db: &TestDb, titles: &[&str]) -> TestResult {
    db.create(post::Entity).await?;
    for title in titles {
        post::new(title).insert(&db.audited()).await?;
    }
    Ok(())
}

async fn events(db: &TestDb) -> TestResult<usize> {
    Ok(audit_system_event::Entity::find()
        .all(&db.conn)
        .await?
        .len())
}

async fn new_row_that_an_upsert_names_twice_is_created(db: &TestDb) -> TestResult {
    posts(db, &[]).await?;
    let conflict = OnConflict::column(post::Column::Title)
        .update_column(post::Column::Title)
        .to_owned();
    post::Entity::insert_many([post::new("a"), post::new("a")])
        .on_conflict(conflict)
        .exec_without_returning(&db.audited())
        .await?;
    let record = db.record().await?;
    assert_eq!(record.action, "CREATE");
    let changes = record.changes.unwrap_or_default();
    assert_eq!(changes["title"], serde_json::json!({"new": "a"}));
    Ok(())
}

async fn write_beside_something_not_understood_is_not_let_pass_unseen(db: &TestDb) -> TestResult {
    posts(db, &["a"]).await?;
    db.execute_unprepared("CREATE TABLE staging (id INTEGER PRIMARY KEY, qty INTEGER)")
        .await?;
    let other = match db.backend() {
        DbBackend::Postgres => "TRUNCATE staging, staging",
        DbBackend::MySql => "TRUNCATE staging",
        _ => "UPDATE OR IGNORE staging SET qty = 1",
    };
    db.audited().execute_unprepared(other).await?;
    assert_eq!(events(db).await?, 0, "the table is not audited");
    db.audited()
        .execute_unprepared(&format!("{other}; DELETE FROM post"))
        .await?;
    assert_eq!(events(db).await?, 1);
    Ok(())
}

async fn the_case_of_a_column_is_not_minded(db: &TestDb) -> TestResult {
    posts(db, &["a", "b"]).await?;
    let audited = db.audited();
    audited
        .execute_unprepared("UPDATE post SET QTY = 8 WHERE ID = 1")
        .await?;
    if db.backend() != DbBackend::Postgres {
        audited
            .execute_unprepared("REPLACE INTO post (ID, Title, Qty) VALUES (2, 'b', 5)")
            .await?;
    }
    audited
        .execute_unprepared("UPDATE post SET ID = 50 WHERE title = 'a'")
        .await?;
    assert_eq!(events(db).await?, 0);
    let log = db.log().await?;
    let mut expected = vec![r#"UPDATE post 1 {"qty":{"new":8,"old":7}}"#];
    if db.backend() != DbBackend::Postgres {
        expected.push(r#"UPDATE post 2 {"qty":{"new":5,"old":7}}"#);
    }
    expected.push(r#"UPDATE post 1 {"id":{"new":50,"old":1}}"#);
    assert_eq!(log[2..], expected);
    Ok(())
}

/// As the other branch of a `select!` on `&mut future` does.
async fn unpolled_write_does_not_keep_its_row_locked(db: &TestDb) -> TestResult {
    posts(db, &["a"]).await?;
    let audited = db.audited();
    for polls in 1..8 {
        let title = format!("paused {polls}");
        let mut paused = std::pin::pin!(post::retitle(1, &title).update(&audited));
        for _ in 0..polls {
            // The write may already be complete.
            if futures::poll!(paused.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        post::retitle(1, &format!("goes on {polls}"))
            .update(&audited)
            .await?;
    }
    crate::faults::settle(db).await?;
    assert_replays(db).await
}

async fn change_of_another_transaction_is_not_recorded(db: &TestDb) -> TestResult {
    if db.backend() == DbBackend::Sqlite {
        // One writer at a time.
        return Ok(());
    }
    posts(db, &["a"]).await?;
    let audited = db.audited();
    let tx = audited.begin().await?;
    assert_eq!(post::Entity::find().all(&tx).await?[0].qty, 7);
    let mut other = post::retitle(1, "a");
    other.qty = Set(99);
    other.update(&audited).await?;
    // Changes nothing: the title is the same.
    tx.execute_unprepared("UPDATE post SET title = 'a' WHERE id = 1")
        .await?;
    let mut upsert = post::new("a");
    upsert.qty = Set(100);
    let conflict = OnConflict::column(post::Column::Title)
        .update_column(post::Column::Qty)
        .to_owned();
    post::Entity::insert(upsert)
        .on_conflict(conflict)
        .exec_without_returning(&tx)
        .await?;
    tx.commit().await?;
    assert_replays(db).await
}

async fn upserts_at_once_leave_an_unbroken_chain(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let audited = db.audited();
    let tasks = (0..20).map(|number| {
        let audited = audited.clone();
        tokio::spawn(async move {
            let mut upsert = post::new("one");
            upsert.qty = Set(number);
            let conflict = OnConflict::column(post::Column::Title)
                .update_column(post::Column::Qty)
                .to_owned();
            post::Entity::insert(upsert)
                .on_conflict(conflict)
                .exec_without_returning(&audited)
                .await
        })
    });
    for task in futures::future::join_all(tasks).await {
        task??;
    }
    let records = db.records().await?;
    let created = records
        .iter()
        .filter(|record| record.action == "CREATE")
        .count();
    assert_eq!(created, 1, "{:#?}", db.log().await?);
    let mut known = None;
    for record in records {
        let changes = record.changed().unwrap_or_default();
        let Some(qty) = changes.get("qty") else {
            continue;
        };
        if let Some(old) = qty.old_value() {
            assert_eq!(Some(old), known.as_ref(), "{:#?}", db.log().await?);
        }
        known = qty.new_value().cloned();
    }
    let post = post::Entity::find().one(&db.conn).await?.ok_or("no post")?;
    assert_eq!(known, Some(post.qty.into()));
    Ok(())
}

async fn upsert_that_changes_keys_is_reported_or_recorded(db: &TestDb) -> TestResult {
    posts(db, &["a"]).await?;
    let mut upsert = post::retitle(77, "a");
    upsert.qty = Set(1);
    let conflict = OnConflict::column(post::Column::Title)
        .update_columns([post::Column::Id, post::Column::Qty])
        .to_owned();
    post::Entity::insert(upsert)
        .on_conflict(conflict)
        .exec_without_returning(&db.audited())
        .await?;
    let expected = match db.postgres_version().await? {
        18.. => (2, 0),
        _ => (1, 1),
    };
    assert_eq!((db.records().await?.len(), events(db).await?), expected);
    Ok(())
}

async fn replaced_parent_takes_its_children_along(db: &TestDb) -> TestResult {
    if db.backend() == DbBackend::Postgres {
        return Ok(());
    }
    crate::cascades::create(db).await?;
    db.audited()
        .execute_unprepared("REPLACE INTO shelf (id, name) VALUES (1, 'again')")
        .await?;
    let mut lines: Vec<_> = (db.records().await?.into_iter())
        .map(|r| {
            format!(
                "{} {} {}",
                r.action,
                r.model.unwrap_or_default(),
                r.object_id.unwrap_or_default()
            )
        })
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "DELETE box 10",
            "DELETE box 11",
            "DELETE item 100",
            "DELETE item 110",
            "UPDATE note 1",
            "UPDATE shelf 1"
        ]
    );
    Ok(())
}

async fn modifier_is_not_taken_for_the_table(db: &TestDb) -> TestResult {
    posts(db, &["a"]).await?;
    let audited = db.audited();
    audited
        .execute_unprepared("UPDATE IGNORE post SET qty = 1")
        .await?;
    audited
        .execute_unprepared("UPDATE LOW_PRIORITY post SET qty = 2")
        .await?;
    assert_eq!(events(db).await?, 2);
    Ok(())
}

async fn upsert_by_an_undeclared_index_creates_nothing(db: &TestDb) -> TestResult {
    posts(db, &["a", "b", "c"]).await?;
    db.execute_unprepared("UPDATE post SET body = title")
        .await?;
    db.execute_unprepared("ALTER TABLE post MODIFY body VARCHAR(20), ADD UNIQUE (body)")
        .await?;
    db.forget().await?;
    db.audited()
        .execute_unprepared(
            "INSERT INTO post (title, body) VALUES ('new', 'b') ON DUPLICATE KEY UPDATE qty = 50",
        )
        .await?;
    let lines: Vec<_> = (db.records().await?.into_iter())
        .map(|r| format!("{} {}", r.action, r.object_id.unwrap_or_default()))
        .collect();
    assert_eq!(lines, ["UPDATE 2"]);
    Ok(())
}

async fn writes_inside_other_statements_are_reported(db: &TestDb) -> TestResult {
    posts(db, &["a", "b"]).await?;
    db.audited()
        .execute_unprepared(
            "CREATE TABLE gone AS WITH d AS (DELETE FROM post WHERE id = 1 RETURNING id) SELECT id FROM d",
        )
        .await?;
    assert_eq!(events(db).await?, 1);
    Ok(())
}

async fn joined_update_that_returns_everything_is_recorded_as_it_was(db: &TestDb) -> TestResult {
    posts(db, &["a", "b"]).await?;
    db.forget().await?;
    let sql = "UPDATE post SET qty = 50 FROM post AS other \
               WHERE post.id = 1 AND other.id = 2 RETURNING *";
    db.audited()
        .query_all_raw(sea_orm::Statement::from_string(db.backend(), sql))
        .await?;
    assert_eq!(
        db.log().await?,
        [r#"UPDATE post 1 {"qty":{"new":50,"old":7}}"#]
    );
    Ok(())
}

async fn transaction_that_a_conflict_ended_records_nothing(db: &TestDb) -> TestResult {
    posts(db, &["a"]).await?;
    let tx = db.audited().begin().await?;
    post::new("first").insert(&tx).await?;
    let ended = tx
        .execute_unprepared("INSERT OR ROLLBACK INTO post (title) VALUES ('a')")
        .await;
    assert!(ended.is_err());
    assert!(post::new("second").insert(&tx).await.is_err());
    assert!(tx.commit().await.is_err());
    assert_replays(db).await
}

async fn update_of_more_rows_than_can_be_named_is_captured(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    db.execute_unprepared(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) \
         INSERT INTO post (title) SELECT 'post ' || i FROM n",
    )
    .await?;
    let done = db
        .audited()
        .execute_unprepared("UPDATE post SET qty = 2 WHERE id IN (SELECT id FROM post)")
        .await?;
    assert_eq!(done.rows_affected(), 40_000);
    assert_eq!(events(db).await?, 0);
    assert_eq!(db.records().await?.len(), 40_000);
    Ok(())
}
