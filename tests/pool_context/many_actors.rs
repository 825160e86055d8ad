//! Many actors on few connections.

use std::collections::BTreeMap;

use futures::future::join_all;
use sea_orm::{ActiveModelTrait, DatabaseConnection, DbErr, EntityTrait, TransactionTrait};
use sea_orm_audit::{Actor, AuditContext};

use crate::entity::ledger;
use crate::pool::{connect, create};
use crate::support::{TestDb, TestResult};

crate::on_servers! {
    actors_on_few_connections_are_recorded_under_their_own_names,
}

const ACTORS: i32 = 50;
const ROUNDS: i32 = 12;
/// So many ids has each actor.
const IDS: i32 = 1_000;

/// The actor that the task which writes a row has: none in each tenth task.
fn actor_of(id: i32) -> Option<i32> {
    let task = id / IDS;
    (task % 10 != 0).then_some(task)
}

async fn insert(db: &DatabaseConnection, id: i32) -> Result<(), DbErr> {
    ledger::new(id).insert(db).await.map(|_| ())
}

/// Polls a write a few times, and drops it.
async fn dropped_insert(db: &DatabaseConnection, id: i32, polls: i32) {
    let mut insert = Box::pin(insert(db, id));
    for _ in 0..polls {
        if futures::poll!(&mut insert).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// What a task does in one round: writes that end well, and writes that are left in the middle.
async fn round(db: &DatabaseConnection, id: i32, round: i32) -> Result<(), DbErr> {
    match round % 6 {
        0 => insert(db, id).await?,
        1 => {
            let tx = db.begin().await?;
            ledger::new(id).insert(&tx).await?;
            ledger::new(id + 1).insert(&tx).await?;
            tx.commit().await?;
        }
        2 => {
            let tx = db.begin().await?;
            ledger::new(id).insert(&tx).await?;
            drop(tx);
        }
        3 => dropped_insert(db, id, id / IDS % 15).await,
        4 => {
            // The key is taken.
            insert(db, id).await?;
            assert!(insert(db, id).await.is_err());
        }
        _ => {
            let tx = db.begin().await?;
            let inner = tx.begin().await?;
            ledger::new(id).insert(&inner).await?;
            inner.rollback().await?;
            ledger::new(id + 1).insert(&tx).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// A task that ends with a panic, or is aborted, in the middle of a transaction or of a write.
async fn ended_early(db: DatabaseConnection, id: i32, panics: bool) -> Result<(), DbErr> {
    insert(&db, id).await?;
    let tx = db.begin().await?;
    ledger::new(id + 1).insert(&tx).await?;
    assert!(!panics, "on purpose");
    tx.rollback().await?;
    for n in 2..50 {
        insert(&db, id + n).await?;
    }
    Ok(())
}

fn in_scope<F: Future>(task: i32, future: F) -> impl Future<Output = F::Output> {
    let actor = actor_of(task * IDS);
    async move {
        match actor {
            Some(actor) => {
                let context = AuditContext::new().actor(Actor::user(actor));
                context.scope(future).await
            }
            None => future.await,
        }
    }
}

async fn actors_on_few_connections_are_recorded_under_their_own_names(db: &TestDb) -> TestResult {
    create(db).await?;
    let pool = connect(db, 5).await?;
    let tasks = (0..ACTORS).map(|task| {
        let pool = pool.clone();
        tokio::spawn(in_scope(task, async move {
            for number in 0..ROUNDS {
                round(&pool, task * IDS + number * 10, number).await?;
                if number % 3 == 0 {
                    let id = task * IDS + 200 + number * 50;
                    let panics = (task + number) % 2 == 0;
                    let early = in_scope(task, ended_early(pool.clone(), id, panics));
                    let early = tokio::spawn(early);
                    if !panics {
                        // Some writes later, at any point of the next one.
                        let after = ledger::Entity::find_by_id(id + 2 + task % 5);
                        while !early.is_finished() && after.clone().one(&pool).await?.is_none() {
                            tokio::task::yield_now().await;
                        }
                        early.abort();
                    }
                    let ended = early.await;
                    assert!(!panics || ended.is_err_and(|error| error.is_panic()));
                }
            }
            Ok::<_, DbErr>(())
        }))
    });
    for task in join_all(tasks).await {
        task??;
    }
    // All connections are back, and all rollbacks done.
    pool.close().await?;

    let mut written: BTreeMap<i32, Option<String>> = BTreeMap::new();
    for row in ledger::Entity::find().all(&db.conn).await? {
        written.insert(row.id, actor_of(row.id).map(|actor| actor.to_string()));
    }
    let mut recorded = BTreeMap::new();
    for record in db.records().await? {
        let expected = if record.actor_id.is_some() {
            "USER"
        } else {
            "UNKNOWN"
        };
        assert_eq!(record.actor_type, expected, "{:?}", record.object_id);
        let id: i32 = record.object_id.unwrap_or_default().parse()?;
        assert_eq!(recorded.insert(id, record.actor_id), None, "{id}");
    }
    assert_eq!(recorded, written);
    let actors: std::collections::BTreeSet<_> = written.values().flatten().collect();
    assert_eq!(actors.len(), 45);
    Ok(())
}
