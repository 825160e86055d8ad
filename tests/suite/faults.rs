//! Failures at every step: never a change without its record or a record without its change, and the pool stays usable.
//!
//! One file, because its cases share the posts and the replay.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Set,
    TransactionTrait,
};
use sea_orm_audit::{AuditError, AuditedConnection, AuditedEntity};

use crate::entity::post;
use crate::support::{TestDb, TestResult, poll_and_drop, refuse_records_of};

on_every_database! {
    refused_record_undoes_every_kind_of_write,
    refused_change_leaves_no_record,
    missing_log_fails_writes_and_leaves_reads_alone,
    connection_lost_in_the_change_leaves_neither,
    connection_lost_in_the_record_leaves_neither,
    write_whose_caller_goes_away_is_done_or_never_begins,
    pool_of_one_survives_everything,
}

mod only_postgres {
    crate::support::tests_on!(postgres:
        failed_commit_leaves_neither,
        connection_lost_in_commit_leaves_neither,
        transaction_whose_write_is_dropped_commits_nothing_unrecorded,
    );
}

mod only_mariadb {
    crate::support::tests_on!(mariadb: deadlock_in_the_record_leaves_neither);
}

mod only_sqlite {
    crate::support::tests_on!(sqlite:
        failed_commit_leaves_neither,
        transaction_whose_write_is_dropped_commits_nothing_unrecorded,
    );
}

/// Every existing row has the log's values, and the log has no other rows.
pub(crate) async fn assert_replays(db: &TestDb) -> TestResult {
    let mut rows = std::collections::BTreeMap::<String, serde_json::Map<_, _>>::new();
    for record in db.records().await? {
        let id = record.object_id.clone().unwrap_or_default();
        let deleted = record.action == "DELETE";
        let changes = record.changed().unwrap_or_default();
        if deleted {
            assert!(
                rows.remove(&id).is_some(),
                "DELETE of {id}, which was not there"
            );
        } else {
            let known = rows.contains_key(&id);
            assert_eq!(
                record.action == "CREATE",
                !known,
                "{} of {id}",
                record.action
            );
            let row = rows.entry(id).or_default();
            for (field, change) in &changes {
                if known {
                    assert_eq!(change.old_value(), row.get(field), "{field}");
                }
            }
            changes.apply(row);
        }
    }
    let posts = post::Entity::find().all(&db.conn).await?;
    assert_eq!(posts.len(), rows.len());
    for post in posts {
        let row = rows
            .get(&post.id.to_string())
            .ok_or("a post without record")?;
        assert_eq!(row["title"], post.title);
        assert_eq!(row["qty"], post.qty);
    }
    Ok(())
}

async fn three_posts(db: &TestDb) -> TestResult<AuditedConnection> {
    db.create(post::Entity).await?;
    let audited = db.audited();
    for title in ["a", "b", "c"] {
        post::new(title).insert(&audited).await?;
    }
    Ok(audited)
}

/// One write of every kind; each fails or succeeds by itself.
async fn writes(db: &AuditedConnection) -> Vec<Result<(), sea_orm::DbErr>> {
    let mut all = Vec::new();
    all.push(post::new("new").insert(db).await.map(|_| ()));
    all.push(post::retitle(1, "changed").update(db).await.map(|_| ()));
    all.push(post::retitle(2, "x").delete(db).await.map(|_| ()));
    let many = [post::new("new 2"), post::new("new 3")];
    all.push(post::Entity::insert_many(many).exec(db).await.map(|_| ()));
    all.push(
        post::Entity::update_many()
            .col_expr(post::Column::Qty, Expr::value(1))
            .exec(db)
            .await
            .map(|_| ()),
    );
    all.push(
        post::Entity::audited_update_many()
            .col_expr(post::Column::Qty, Expr::value(2))
            .exec(db)
            .await
            .map(|_| ()),
    );
    all.push(
        post::Entity::delete_many()
            .filter(post::Column::Id.gt(1))
            .exec(db)
            .await
            .map(|_| ()),
    );
    all.push(
        db.execute_unprepared("UPDATE post SET qty = 3")
            .await
            .map(|_| ()),
    );
    all
}

async fn refused_record_undoes_every_kind_of_write(db: &TestDb) -> TestResult {
    let audited = three_posts(db).await?;
    refuse_records_of(db, "").await?;
    for result in writes(&audited).await {
        let error = result.unwrap_err();
        assert!(
            matches!(AuditError::of(&error), Some(AuditError::NotRecorded { .. })),
            "{error}"
        );
    }
    assert_replays(db).await?;
    assert_eq!(db.records().await?.len(), 3);
    Ok(())
}

async fn refused_change_leaves_no_record(db: &TestDb) -> TestResult {
    let audited = three_posts(db).await?;
    assert!(post::new("a").insert(&audited).await.is_err());
    assert!(post::retitle(2, "a").update(&audited).await.is_err());
    assert!(
        audited
            .execute_unprepared("UPDATE post SET title = 'same'")
            .await
            .is_err()
    );
    assert!(
        audited
            .execute_unprepared("UPDATE post SET nonsense = 1")
            .await
            .is_err()
    );
    assert_eq!(db.records().await?.len(), 3);
    assert_replays(db).await
}

async fn missing_log_fails_writes_and_leaves_reads_alone(db: &TestDb) -> TestResult {
    let audited = three_posts(db).await?;
    let before = post::Entity::find().all(&audited).await?;
    db.execute_unprepared("DROP TABLE audit_log").await?;
    for result in writes(&audited).await {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("Migrator"), "{error}");
    }
    assert_eq!(post::Entity::find().all(&audited).await?, before);
    Ok(())
}

/// Makes the server end the connection during a write to a table.
async fn lose_connection_in(db: &TestDb, table: &str) -> TestResult<bool> {
    match db.backend() {
        DbBackend::Postgres => {
            db.execute_unprepared(&format!(
                "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ \
                 BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; \
                 CREATE TRIGGER lose AFTER INSERT OR UPDATE OR DELETE ON {table} \
                 FOR EACH STATEMENT EXECUTE FUNCTION lose()"
            ))
            .await?;
        }
        DbBackend::MySql => {
            for event in ["INSERT", "UPDATE", "DELETE"] {
                db.execute_unprepared(&format!(
                    "CREATE TRIGGER lose_{event} AFTER {event} ON {table} \
                     FOR EACH ROW KILL CONNECTION_ID()"
                ))
                .await?;
            }
        }
        // SQLite has no connection to lose.
        _ => return Ok(false),
    }
    Ok(true)
}

async fn stop_losing(db: &TestDb, table: &str) -> TestResult {
    if db.backend() == DbBackend::Postgres {
        db.execute_unprepared(&format!("DROP TRIGGER lose ON {table}"))
            .await?;
    } else {
        for event in ["INSERT", "UPDATE", "DELETE"] {
            db.execute_unprepared(&format!("DROP TRIGGER lose_{event}"))
                .await?;
        }
    }
    Ok(())
}

async fn connection_lost_in_the_change_leaves_neither(db: &TestDb) -> TestResult {
    let audited = three_posts(db).await?;
    if !lose_connection_in(db, "post").await? {
        return Ok(());
    }
    for result in writes(&audited).await {
        assert!(result.is_err());
    }
    stop_losing(db, "post").await?;
    assert_replays(db).await?;
    post::new("goes on").insert(&audited).await?;
    assert_replays(db).await
}

async fn connection_lost_in_the_record_leaves_neither(db: &TestDb) -> TestResult {
    let audited = three_posts(db).await?;
    if !lose_connection_in(db, "audit_log").await? {
        return Ok(());
    }
    for result in writes(&audited).await {
        assert!(result.is_err());
    }
    stop_losing(db, "audit_log").await?;
    assert_eq!(db.records().await?.len(), 3);
    assert_replays(db).await?;
    post::new("goes on").insert(&audited).await?;
    assert_replays(db).await
}

/// A foreign key that is checked only at the commit.
async fn failed_commit_leaves_neither(db: &TestDb) -> TestResult {
    db.execute_unprepared("CREATE TABLE kind (qty INTEGER PRIMARY KEY); ")
        .await?;
    db.execute_unprepared("INSERT INTO kind VALUES (1)").await?;
    let id = match db.backend() {
        DbBackend::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
        _ => "SERIAL PRIMARY KEY",
    };
    db.execute_unprepared(&format!(
        "CREATE TABLE post (id {id}, title VARCHAR(40) NOT NULL UNIQUE, body TEXT, qty INTEGER NOT NULL \
         DEFAULT 7 REFERENCES kind (qty) DEFERRABLE INITIALLY DEFERRED)"
    ))
    .await?;
    let audited = db.audited();
    let mut fits = post::new("fits");
    fits.qty = Set(1);
    fits.insert(&audited).await?;
    assert!(post::new("does not").insert(&audited).await.is_err());
    let tx = audited.begin().await?;
    post::new("does not either").insert(&tx).await?;
    assert!(tx.commit().await.is_err());
    assert_eq!(db.records().await?.len(), 1);
    assert_replays(db).await
}

async fn connection_lost_in_commit_leaves_neither(db: &TestDb) -> TestResult {
    let audited = three_posts(db).await?;
    db.execute_unprepared(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ \
         BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER lose AFTER INSERT OR UPDATE OR DELETE ON audit_log \
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lose()",
    )
    .await?;
    for result in writes(&audited).await {
        assert!(result.is_err());
    }
    stop_losing(db, "audit_log").await?;
    assert_eq!(db.records().await?.len(), 3);
    assert_replays(db).await
}

async fn write_whose_caller_goes_away_is_done_or_never_begins(db: &TestDb) -> TestResult {
    let audited = three_posts(db).await?;
    let mut abandoned = 0;
    for times in 0..30 {
        let insert = post::new(&format!("post {times}"));
        if poll_and_drop(insert.insert(&audited), times % 6)
            .await
            .is_none()
        {
            abandoned += 1;
        }
        let mut update = post::retitle(1, &format!("title {times}"));
        update.qty = Set(i32::try_from(times)?);
        if poll_and_drop(update.update(&audited), times % 6)
            .await
            .is_none()
        {
            abandoned += 1;
        }
        let delete = post::Entity::delete_many()
            .filter(post::Column::Title.eq(format!("post {}", times / 2)));
        poll_and_drop(delete.exec(&audited), times % 6).await;
    }
    assert!(abandoned > 10, "nothing was dropped");
    settle(db).await?;
    assert_replays(db).await?;
    post::new("goes on").insert(&audited).await?;
    assert_replays(db).await
}

/// Waits until no write is under way: each holds one of the pool's five connections.
pub(crate) async fn settle(db: &TestDb) -> TestResult {
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(db.conn.begin().await?);
    }
    for tx in all {
        tx.rollback().await?;
    }
    Ok(())
}

/// Not on MariaDB: if a PREPARE is dropped, sqlx takes its answer for that of the next statement.
/// `dropped_write_keeps_the_transaction_from_committing` of `transaction_faults` tests MariaDB.
async fn transaction_whose_write_is_dropped_commits_nothing_unrecorded(db: &TestDb) -> TestResult {
    let audited = three_posts(db).await?;
    let (mut refused, mut committed) = (0, 0);
    // The progress of a write after so many polls depends on the database's own thread.
    for times in 0..600 {
        if times >= 24 && refused > 0 && committed > 0 {
            break;
        }
        let tx = audited.begin().await?;
        post::new(&format!("first {times}")).insert(&tx).await?;
        let done = match times % 3 {
            0 => poll_and_drop(
                post::new(&format!("post {times}")).insert(&tx),
                times / 3 % 8,
            )
            .await
            .is_some(),
            1 => poll_and_drop(
                post::retitle(1, &format!("title {times}")).update(&tx),
                times / 3 % 8,
            )
            .await
            .is_some(),
            _ => {
                let rest = post::Entity::delete_many().filter(post::Column::Id.gt(3));
                poll_and_drop(rest.exec(&tx), times / 3 % 8).await.is_some()
            }
        };
        match tx.commit().await {
            Ok(()) => committed += 1,
            Err(error) => {
                assert!(!done, "{error}");
                refused += 1;
            }
        }
        assert_replays(db).await?;
    }
    assert!(
        refused > 0 && committed > 0,
        "{refused} refused, {committed} committed"
    );
    Ok(())
}

async fn pool_of_one_survives_everything(db: &TestDb) -> TestResult {
    three_posts(db).await?;
    let pool = db.another().await?;
    let audited = AuditedConnection::new(pool.clone());
    for times in 0..20 {
        poll_and_drop(
            post::new(&format!("post {times}")).insert(&audited),
            times % 5,
        )
        .await;
        let _ = post::new("a").insert(&audited).await;
        poll_and_drop(async { audited.begin().await?.commit().await }, times % 5).await;
        let tx = audited.begin().await?;
        post::new(&format!("undone {times}")).insert(&tx).await?;
        drop(tx);
    }
    post::new("goes on").insert(&audited).await?;
    pool.close().await?;
    assert_replays(db).await
}

/// Another transaction locks the whole log and waits for the row that this one has changed. It has more changes, so the
/// database ends this one.
async fn deadlock_in_the_record_leaves_neither(db: &TestDb) -> TestResult {
    let audited = three_posts(db).await?;
    db.execute_unprepared(
        "CREATE TABLE ballast (id INTEGER AUTO_INCREMENT PRIMARY KEY, n INTEGER)",
    )
    .await?;
    let other = db.conn.begin().await?;
    for _ in 0..50 {
        other
            .execute_unprepared("INSERT INTO ballast (n) VALUES (1), (2), (3), (4)")
            .await?;
    }
    other.execute_unprepared("DELETE FROM ballast").await?;
    let lock = sea_orm::Statement::from_string(db.backend(), "SELECT * FROM audit_log FOR UPDATE");
    other.query_all_raw(lock).await?;
    let tx = audited.begin().await?;
    post::retitle(1, "changed").update(&tx).await?;
    let waiting = tokio::spawn(async move {
        let done = other
            .execute_unprepared("UPDATE post SET qty = 1 WHERE id = 1")
            .await;
        other.rollback().await?;
        done
    });
    let error = tx.commit().await.unwrap_err();
    assert!(
        matches!(
            AuditError::of(&error),
            Some(AuditError::CommitRefused { .. })
        ),
        "{error}"
    );
    assert!(error.to_string().contains("1213"), "{error}");
    waiting.await??;
    assert_eq!(db.records().await?.len(), 3);
    assert_replays(db).await
}
