//! Change and record commit together and roll back together.

use sea_orm::{ActiveModelTrait, EntityTrait, Set, TransactionTrait};

use crate::entity::{comment, post};
use crate::support::{TestDb, TestResult};

on_every_database! {
    change_commits_with_its_record,
    rolled_back_change_leaves_no_record,
    dropped_transaction_leaves_no_record,
    savepoint_takes_its_records_along,
    transaction_sees_what_the_database_changed_besides,
    audited_update_does_not_hold_up_rows_that_refer_to_it,
}

async fn titles(db: &TestDb) -> TestResult<Vec<String>> {
    let mut titles: Vec<_> = (post::Entity::find().all(&db.conn).await?.into_iter())
        .map(|post| post.title)
        .collect();
    titles.sort();
    Ok(titles)
}

async fn labels(db: &TestDb) -> TestResult<Vec<String>> {
    let mut labels: Vec<_> = (db.records().await?.into_iter())
        .map(|record| format!("{} {}", record.action, record.object_repr.unwrap()))
        .collect();
    labels.sort();
    Ok(labels)
}

async fn change_commits_with_its_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let tx = db.begin().await?;
    let a = post::new("a").insert(&tx).await?;
    post::retitle(a.id, "b").update(&tx).await?;
    tx.commit().await?;
    assert_eq!(labels(db).await?, ["CREATE a (#1)", "UPDATE b (#1)"]);
    Ok(())
}

async fn rolled_back_change_leaves_no_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let tx = db.begin().await?;
    let a = post::new("a").insert(&tx).await?;
    post::retitle(a.id, "b").update(&tx).await?;
    post::retitle(a.id, "b").delete(&tx).await?;
    tx.rollback().await?;
    assert_eq!(titles(db).await?, [""; 0]);
    assert_eq!(labels(db).await?, [""; 0]);
    Ok(())
}

async fn dropped_transaction_leaves_no_record(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let tx = db.begin().await?;
    post::new("a").insert(&tx).await?;
    drop(tx);
    // The next transaction waits until the dropped one has ended.
    let tx = db.begin().await?;
    post::new("b").insert(&tx).await?;
    tx.commit().await?;
    assert_eq!(titles(db).await?, ["b"]);
    assert_eq!(labels(db).await?.len(), 1);
    Ok(())
}

async fn savepoint_takes_its_records_along(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let tx = db.begin().await?;
    let outer = post::new("outer").insert(&tx).await?;
    let kept = tx.begin().await?;
    post::new("kept").insert(&kept).await?;
    let lost = kept.begin().await?;
    post::new("lost").insert(&lost).await?;
    post::retitle(outer.id, "never").update(&lost).await?;
    lost.rollback().await?;
    kept.commit().await?;
    tx.commit().await?;
    assert_eq!(titles(db).await?, ["kept", "outer"]);
    assert_eq!(labels(db).await?, ["CREATE kept (#2)", "CREATE outer (#1)"]);
    Ok(())
}

/// A trigger changes a column that the statement does not write.
async fn transaction_sees_what_the_database_changed_besides(db: &TestDb) -> TestResult {
    use sea_orm::{ConnectionTrait, DbBackend};
    db.create(post::Entity).await?;
    let a = post::new("a").insert(&db.conn).await?;
    db.forget().await?;
    match db.backend() {
        DbBackend::Postgres => {
            db.execute_unprepared(
                "CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN NEW.qty := OLD.qty + 1; RETURN NEW; END $$;
                 CREATE TRIGGER bump BEFORE UPDATE ON post FOR EACH ROW EXECUTE FUNCTION bump()",
            )
            .await?;
        }
        DbBackend::MySql => {
            db.execute_unprepared(
                "CREATE TRIGGER bump BEFORE UPDATE ON post FOR EACH ROW SET NEW.qty = OLD.qty + 1",
            )
            .await?;
        }
        _ => return Ok(()), // SQLite has no BEFORE trigger that changes the row.
    }
    let tx = db.begin().await?;
    post::ActiveModel {
        id: Set(a.id),
        body: Set(Some("x".into())),
        ..Default::default()
    }
    .update(&tx)
    .await?;
    tx.commit().await?;
    assert_eq!(
        db.log().await?,
        [r#"UPDATE post 1 {"body":{"new":"x","old":null},"qty":{"new":8,"old":7}}"#]
    );
    Ok(())
}

/// A plain UPDATE on PostgreSQL does not block; FOR UPDATE would.
async fn audited_update_does_not_hold_up_rows_that_refer_to_it(db: &TestDb) -> TestResult {
    use sea_orm::{ConnectionTrait, DbBackend};
    if db.backend() != DbBackend::Postgres {
        return Ok(()); // There an UPDATE itself blocks them.
    }
    db.create(post::Entity).await?;
    db.create(comment::Entity).await?;
    let a = post::new("a").insert(&db.conn).await?;
    let tx = db.begin().await?;
    // Not the title: its unique index could be referred to.
    let quantity = post::ActiveModel {
        id: Set(a.id),
        qty: Set(8),
        ..Default::default()
    };
    quantity.update(&tx).await?;
    let other = db.begin().await?;
    other
        .execute_unprepared("SET LOCAL lock_timeout = '1s'")
        .await?;
    comment::new(a.id, "meanwhile").insert(&other).await?;
    other.commit().await?;
    tx.commit().await?;
    Ok(())
}
