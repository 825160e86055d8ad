//! The baseline of rows that are older than the log.

use std::sync::Mutex;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Set};
use sea_orm_audit::migration::{Note, coverage};
use sea_orm_audit::query::{AsOf, AuditAsOf, AuditHistory, Moment, PastObject};
use sea_orm_audit::{Actor, AuditConfig, AuditContext, AuditError, backfill};

use crate::shop::{Shop, customer};
use crate::support::{TestDb, TestResult};

on_every_database! {
    rows_older_than_the_log_get_a_snapshot_each,
    interrupted_backfill_goes_on,
    concurrent_writers_leave_a_log_that_leads_to_the_rows,
    past_is_known_from_the_baseline_on,
    coverage_names_tables_without_a_baseline,
    nothing_is_recorded_where_creations_are_not,
}

async fn plain_rows(db: &TestDb, count: i32) -> TestResult {
    let rows = (1..=count).map(|id| customer::ActiveModel {
        id: Set(id),
        name: Set(format!("name {id}")),
        city: Set((id % 2 == 0).then(|| "city".to_owned())),
    });
    customer::Entity::insert_many(rows).exec(&db.conn).await?;
    Ok(())
}

async fn rows_older_than_the_log_get_a_snapshot_each(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    plain_rows(db, 25).await?;
    // A row that the log has already, and one that is deleted and came back without a record.
    let sql = "INSERT INTO customer (id, name) VALUES (100, 'new'), (101, 'back')";
    shop.audited.execute_unprepared(sql).await?;
    customer::Entity::delete_by_id(101)
        .exec(&shop.audited)
        .await?;
    db.execute_unprepared("INSERT INTO customer (id, name) VALUES (101, 'back')")
        .await?;
    let before = db.records().await?.len();
    let seen = Mutex::new(Vec::new());
    let context = AuditContext::new()
        .actor(Actor::service("setup"))
        .reason("baseline");
    let work = backfill::<customer::Entity>(&shop.audited)
        .batch(10)
        .progress(|rows| seen.lock().unwrap().push(rows));
    let done = context.scope(work.run()).await?;
    assert_eq!((done.rows, done.recorded), (27, 26));
    assert_eq!(*seen.lock().unwrap(), [10, 20, 27]);
    let records = db.records().await?;
    let snapshots = &records[before..];
    assert_eq!(snapshots.len(), 26);
    let rows = customer::Entity::find()
        .filter(customer::Column::Id.ne(100))
        .order_by_asc(customer::Column::Id)
        .all(&db.conn)
        .await?;
    for (record, row) in snapshots.iter().zip(&rows) {
        assert_eq!(record.action, "SNAPSHOT");
        assert_eq!(record.object_id, Some(row.id.to_string()));
        assert_eq!(record.actor_id.as_deref(), Some("setup"));
        assert_eq!(record.reason.as_deref(), Some("baseline"));
        let expected = serde_json::json!({
            "id": {"new": row.id}, "name": {"new": row.name}, "city": {"new": row.city}
        });
        assert_eq!(record.changes, Some(expected));
    }
    let again = backfill::<customer::Entity>(&shop.audited).run().await?;
    assert_eq!((again.rows, again.recorded), (27, 0));
    assert_eq!(db.records().await?.len(), records.len());
    Ok(())
}

async fn interrupted_backfill_goes_on(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    plain_rows(db, 50).await?;
    let (tx, mut stopped) = tokio::sync::mpsc::unbounded_channel();
    let audited = shop.audited.clone();
    let task = tokio::spawn(async move {
        let work = backfill::<customer::Entity>(&audited)
            .batch(10)
            .progress(move |rows| {
                let _ = tx.send(rows);
            });
        work.run().await
    });
    // After some batches, wherever it is then.
    while let Some(rows) = stopped.recv().await {
        if rows >= 20 {
            task.abort();
        }
    }
    let _ = task.await;
    let first = db.records().await?.len();
    assert!(first >= 20, "{first}");
    let done = backfill::<customer::Entity>(&shop.audited)
        .batch(7)
        .run()
        .await?;
    assert_eq!(done.rows, 50);
    assert_eq!(first as u64 + done.recorded, 50);
    let mut ids: Vec<_> = db
        .records()
        .await?
        .into_iter()
        .map(|r| r.object_id)
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 50);
    Ok(())
}

async fn concurrent_writers_leave_a_log_that_leads_to_the_rows(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    plain_rows(db, 60).await?;
    let writers = (0..3).map(|writer| {
        let audited = shop.audited.clone();
        tokio::spawn(async move {
            for n in 0..40 {
                let id = 1 + (n * 7 + writer * 13) % 60;
                let sql = format!("UPDATE customer SET name = 'w{writer} {n}' WHERE id = {id}");
                audited.execute_unprepared(&sql).await?;
            }
            Ok::<_, sea_orm::DbErr>(())
        })
    });
    let writers: Vec<_> = writers.collect();
    let done = backfill::<customer::Entity>(&shop.audited)
        .batch(3)
        .run()
        .await?;
    assert_eq!(done.recorded, 60);
    for writer in writers {
        writer.await??;
    }
    for row in customer::Entity::find().all(&db.conn).await? {
        let versions = customer::Entity::history(row.id).all(&db.conn).await?;
        assert!(
            versions.iter().all(|version| version.unrecorded.is_empty()),
            "{versions:#?}"
        );
        let last = versions
            .last()
            .and_then(sea_orm_audit::query::Version::model);
        assert_eq!(last, Some(row));
    }
    Ok(())
}

async fn past_is_known_from_the_baseline_on(db: &TestDb) -> TestResult {
    let mut shop = Shop::new(db).await?;
    plain_rows(db, 5).await?;
    backfill::<customer::Entity>(&shop.audited).run().await?;
    let last = db.records().await?.last().ok_or("no record")?.id;
    let copy = customer::Entity::find()
        .order_by_asc(customer::Column::Id)
        .all(&db.conn)
        .await?;
    shop.play(60).await?;
    let past = AsOf::new(Moment::after_record(last))
        .open(&shop.audited)
        .await?;
    let found = customer::Entity::find()
        .order_by_asc(customer::Column::Id)
        .all(&past)
        .await?;
    assert_eq!(found, copy);
    past.close().await?;
    // Blame does not name the baseline.
    for row in &copy {
        let blame = customer::Entity::history(row.id).blame(&db.conn).await?;
        let snapshot =
            |record: &sea_orm_audit::entity::audit_log::Model| record.action == "SNAPSHOT";
        assert!(!blame.iter().filter_map(|b| b.record.as_ref()).any(snapshot));
    }
    // A snapshot that was made later shows the value of the moment before it.
    let moment = Moment::after_record(last);
    db.execute_unprepared("INSERT INTO customer (id, name) VALUES (50, 'late')")
        .await?;
    backfill::<customer::Entity>(&shop.audited).run().await?;
    shop.audited
        .execute_unprepared("UPDATE customer SET name = 'later' WHERE id = 50")
        .await?;
    let past = customer::Entity::as_of(moment)
        .one(50, &shop.audited)
        .await?;
    assert_eq!(past.model().map(|c| c.name).as_deref(), Some("late"));
    Ok(())
}

async fn coverage_names_tables_without_a_baseline(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    let without = async || -> TestResult<Vec<String>> {
        let report = coverage(&db.conn).await?;
        let tables = report.notes.iter().find_map(|note| match note {
            Note::WithoutBaseline { tables } => Some(tables.clone()),
            _ => None,
        });
        Ok(tables.unwrap_or_default())
    };
    assert_eq!(without().await?, [""; 0]);
    plain_rows(db, 3).await?;
    assert_eq!(without().await?, ["customer"]);
    backfill::<customer::Entity>(&shop.audited).run().await?;
    assert_eq!(without().await?, [""; 0]);
    Ok(())
}

async fn nothing_is_recorded_where_creations_are_not(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    plain_rows(db, 3).await?;
    let config = AuditConfig::builder()
        .skip_entity::<customer::Entity>()
        .build()?;
    let audited = shop.audited.with_config(config);
    let error = backfill::<customer::Entity>(&audited)
        .run()
        .await
        .unwrap_err();
    assert!(
        matches!(AuditError::of(&error), Some(AuditError::Config(_))),
        "{error}"
    );
    assert_eq!(db.records().await?.len(), 0);
    let past = customer::Entity::as_of(Moment::time(shop.clock.now()))
        .one(1, &shop.audited)
        .await?;
    assert!(matches!(past, PastObject::Unknown));
    Ok(())
}
