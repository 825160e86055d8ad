//! Nothing that a transaction tells triggers is left for the next user of its connection.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait,
};
use sea_orm_audit::{Actor, AuditedConnection};

use crate::entities::{create, ledger};
use crate::support::{TestDb, TestResult};

mod mariadb_only {
    crate::support::tests_on! { mariadb: a_transaction_that_ddl_ends_leaves_nothing }
}

on_every_database! {
    a_pool_of_one_forgets_who_wrote,
    a_future_that_is_dropped_leaves_nothing,
    a_transaction_that_is_committed_by_hand_leaves_nothing,
}

/// The number of contexts that are there.
async fn contexts(db: &DatabaseConnection) -> TestResult<i64> {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT CASE WHEN coalesce(current_setting('sea_orm_audit.context', true), '') = ''
             THEN 0::bigint ELSE 1::bigint END AS n"
        }
        _ => "SELECT count(*) AS n FROM audit_trigger_context",
    };
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await?.ok_or("no row")?;
    Ok(row.try_get("", "n")?)
}

/// Writes by nobody in particular, and tells who it was.
async fn next(db: &TestDb, conn: &DatabaseConnection, id: i32) -> TestResult<String> {
    assert_eq!(contexts(conn).await?, 0);
    ledger::new(id, "next").insert(conn).await?;
    // A write whose caller went away may be done a moment later.
    let own = Some(id.to_string());
    let record = (db.records().await?.into_iter()).find(|record| record.object_id == own);
    Ok(record.ok_or("no record")?.actor_type)
}

async fn a_pool_of_one_forgets_who_wrote(db: &TestDb) -> TestResult {
    create(db).await?;
    let conn = db.another().await?;
    let ann = AuditedConnection::new(conn.clone()).as_actor(Actor::user(7));

    ledger::new(1, "a").insert(&ann).await?;
    assert_eq!(next(db, &conn, 2).await?, "SERVICE");

    let tx = ann.begin().await?;
    ledger::new(3, "a").insert(&tx).await?;
    tx.commit().await?;
    assert_eq!(next(db, &conn, 4).await?, "SERVICE");

    let tx = ann.begin().await?;
    ledger::new(5, "a").insert(&tx).await?;
    tx.rollback().await?;
    assert_eq!(next(db, &conn, 6).await?, "SERVICE");

    let tx = ann.begin().await?;
    ledger::new(7, "a").insert(&tx).await?;
    drop(tx);
    assert_eq!(next(db, &conn, 8).await?, "SERVICE");

    let tx = ann.begin().await?;
    let inner = tx.begin().await?;
    ledger::new(9, "a").insert(&inner).await?;
    inner.rollback().await?;
    tx.commit().await?;
    assert_eq!(next(db, &conn, 10).await?, "SERVICE");

    // One that fails.
    let tx = ann.begin().await?;
    ledger::new(11, "a").insert(&tx).await?;
    assert!(ledger::new(11, "a").insert(&tx).await.is_err());
    tx.rollback().await?;
    assert!(ledger::new(10, "a").insert(&ann).await.is_err());
    assert_eq!(next(db, &conn, 12).await?, "SERVICE");
    Ok(())
}

async fn a_transaction_that_is_committed_by_hand_leaves_nothing(db: &TestDb) -> TestResult {
    create(db).await?;
    // A connection of its own: sqlx's is out of step with SQLite afterwards.
    let conn = db.another().await?;
    let ann = AuditedConnection::new(conn).as_actor(Actor::user(7));
    let tx = ann.begin().await?;
    ledger::new(1, "a").insert(&tx).await?;
    tx.execute_unprepared("COMMIT").await?;
    assert_eq!(contexts(&db.conn).await?, 0);
    ledger::new(2, "b").insert(&db.conn).await?;
    let actors: Vec<_> = (db.records().await?.into_iter())
        .map(|record| record.actor_type)
        .collect();
    assert_eq!(actors, ["USER", "SERVICE"]);
    Ok(())
}

async fn a_future_that_is_dropped_leaves_nothing(db: &TestDb) -> TestResult {
    create(db).await?;
    let conn = db.another().await?;
    let ann = AuditedConnection::new(conn.clone()).as_actor(Actor::user(7));
    for polls in 0..12 {
        let id = 100 + polls;
        let mut insert = Box::pin(ledger::new(id, "a").insert(&ann));
        for _ in 0..polls {
            if futures::poll!(&mut insert).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(insert);
        // It is done, with its actor, or was never begun.
        assert_eq!(next(db, &conn, 200 + polls).await?, "SERVICE");
    }
    for record in db.records().await? {
        let object: i32 = record.object_id.as_deref().unwrap_or_default().parse()?;
        let expected = if object < 200 { "USER" } else { "SERVICE" };
        assert_eq!(record.actor_type, expected, "{object}");
    }
    Ok(())
}

async fn a_transaction_that_ddl_ends_leaves_nothing(db: &TestDb) -> TestResult {
    create(db).await?;
    let conn = db.another().await?;
    let ann = AuditedConnection::new(conn.clone()).as_actor(Actor::user(7));
    for (number, way) in ["commit", "rollback", "drop"].into_iter().enumerate() {
        let tx = ann.begin().await?;
        let id = i32::try_from(number)? * 10;
        ledger::new(id, "a").insert(&tx).await?;
        // Which commits all before it.
        tx.execute_unprepared(&format!("CREATE TABLE made_{number} (id INT)"))
            .await?;
        match way {
            "commit" => tx.commit().await?,
            "rollback" => tx.rollback().await?,
            _ => drop(tx),
        }
        assert_eq!(next(db, &conn, id + 1).await?, "SERVICE", "{way}");
    }
    Ok(())
}
