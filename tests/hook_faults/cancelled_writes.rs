//! Writes that a BEFORE trigger cancels without an error, or changes into other writes.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseExecutor, DbBackend, DbErr, EntityTrait, ModelTrait,
    TransactionTrait,
};
use sea_orm_audit::AuditConfig;

use crate::post;
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on!(sqlite:
        cancelled_delete_has_no_record,
        delete_that_marks_the_row_is_recorded_as_update,
        cancelled_update_and_insert_have_no_record,
        delete_of_an_unreadable_row_is_recorded,
    );
}

mod postgres {
    crate::support::tests_on!(postgres:
        cancelled_delete_has_no_record,
        delete_that_marks_the_row_is_recorded_as_update,
        cancelled_update_and_insert_have_no_record,
        delete_of_an_unreadable_row_is_recorded,
    );
}

mod mariadb {
    crate::support::tests_on!(mariadb: delete_of_an_unreadable_row_is_recorded);
}

/// Creates a BEFORE trigger that runs this SQL and cancels the statement.
async fn cancel(db: &TestDb, name: &str, event: &str, instead: &str) -> TestResult {
    let sql = match db.backend() {
        DbBackend::Postgres => format!(
            "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN {instead} RETURN NULL; END $$; \
             CREATE TRIGGER {name} BEFORE {event} ON post FOR EACH ROW EXECUTE FUNCTION {name}()"
        ),
        _ => format!(
            "CREATE TRIGGER {name} BEFORE {event} ON post \
             BEGIN {instead} SELECT RAISE(IGNORE); END"
        ),
    };
    db.execute_unprepared(&sql).await?;
    Ok(())
}

async fn cancelled_delete_has_no_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    for title in ["a", "b", "c"] {
        post::new(title).insert(&db.conn).await?;
    }
    db.forget().await?;
    cancel(db, "keep", "DELETE", "").await?;
    let posts = post::Entity::find().all(&db.conn).await?;
    let [a, b, c] = &posts[..] else {
        panic!("three posts")
    };

    assert_eq!(a.clone().delete(&db.conn).await?.rows_affected, 0);
    assert_eq!(
        post::retitle(a.id, "a")
            .delete(&db.conn)
            .await?
            .rows_affected,
        0
    );
    let tx = db.begin().await?;
    assert_eq!(b.clone().delete(&tx).await?.rows_affected, 0);
    let executor = DatabaseExecutor::from(&tx);
    assert_eq!(c.clone().delete(&executor).await?.rows_affected, 0);
    drop(executor);
    tx.commit().await?;

    assert_eq!(db.log().await?, [""; 0]);
    assert_eq!(post::Entity::find().all(&db.conn).await?, posts);
    Ok(())
}

async fn delete_that_marks_the_row_is_recorded_as_update(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    for title in ["a", "b"] {
        post::new(title).insert(&db.conn).await?;
    }
    db.forget().await?;
    let mark = "UPDATE post SET qty = 0 WHERE id = OLD.id;";
    cancel(db, "mark", "DELETE", mark).await?;
    let [a, b] = &post::Entity::find().all(&db.conn).await?[..] else {
        panic!("two posts")
    };
    a.clone().delete(&db.conn).await?;
    let tx = db.begin().await?;
    b.clone().delete(&tx).await?;
    tx.commit().await?;
    let log = db.log().await?;
    assert_eq!(
        log,
        [
            r#"UPDATE post 1 {"qty":{"new":0,"old":7}}"#,
            r#"UPDATE post 2 {"qty":{"new":0,"old":7}}"#,
        ]
    );
    Ok(())
}

async fn cancelled_update_and_insert_have_no_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let a = post::new("a").insert(&db.conn).await?;
    db.forget().await?;
    cancel(db, "no_update", "UPDATE", "").await?;
    cancel(db, "no_insert", "INSERT", "").await?;
    let tx = db.begin().await?;
    let updated = post::retitle(a.id, "b").update(&tx).await;
    assert!(
        matches!(updated, Err(DbErr::RecordNotUpdated)),
        "{updated:?}"
    );
    let inserted = post::new("c").insert(&tx).await;
    assert!(
        matches!(inserted, Err(DbErr::RecordNotFound(_))),
        "{inserted:?}"
    );
    tx.commit().await?;
    let inserted = post::new("c").insert(&db.conn).await;
    assert!(
        matches!(inserted, Err(DbErr::RecordNotFound(_))),
        "{inserted:?}"
    );
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

/// A row with a value that the model's type cannot read can be deleted.
async fn delete_of_an_unreadable_row_is_recorded(db: &TestDb) -> TestResult {
    let qty = match db.backend() {
        DbBackend::Sqlite => "qty",
        _ => "qty VARCHAR(20)",
    };
    db.execute_unprepared(&format!(
        "CREATE TABLE post (id INTEGER PRIMARY KEY, title VARCHAR(20), body VARCHAR(20), {qty})"
    ))
    .await?;
    db.execute_unprepared(
        "INSERT INTO post (id, title, qty) VALUES (1, 'a', 'many'), (2, 'b', 'few')",
    )
    .await?;
    assert_eq!(
        post::retitle(1, "a").delete(&db.conn).await?.rows_affected,
        1
    );
    let tx = db.begin().await?;
    assert_eq!(post::retitle(2, "b").delete(&tx).await?.rows_affected, 1);
    tx.commit().await?;
    let log = db.log().await?;
    assert_eq!(log.len(), 2, "{log:#?}");
    for (line, id) in log.iter().zip([1, 2]) {
        assert!(line.starts_with(&format!("DELETE post {id} ")), "{line}");
        assert!(line.contains("old_unknown"), "{line}");
    }
    Ok(())
}
