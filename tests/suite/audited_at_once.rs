//! Many tasks on one `AuditedConnection`.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, ExecResult,
    QueryFilter, QueryResult, Set, Statement, TransactionTrait,
};
use sea_orm_audit::{Actor, AuditContext, AuditedConnection, AuditedEntity};

use crate::entity::post;
use crate::faults::assert_replays;
use crate::support::{TestDb, TestResult};

on_every_database! {
    two_hundred_tasks_of_fifty_actors_leave_a_true_log,
    one_row_in_one_join_has_an_unbroken_chain,
    one_row_in_one_join_inside_a_transaction_has_an_unbroken_chain,
    the_losing_branch_of_a_select_is_recorded_or_not_done,
    unordered_futures_keep_their_actors,
    wrapper_around_ours_records_once,
}

async fn posts(db: &TestDb, number: usize) -> TestResult<AuditedConnection> {
    db.create(post::Entity).await?;
    let audited = db.audited();
    for number in 0..number {
        post::new(&format!("post {number}"))
            .insert(&audited)
            .await?;
    }
    Ok(audited)
}

/// Writes as an actor, and puts the actor's ID into the row's body.
async fn work(db: &AuditedConnection, task: usize, round: usize) -> Result<(), DbErr> {
    let actor = format!("{}", task % 50);
    let task = task * 3 + round;
    let row = i32::try_from(task % 7).unwrap_or_default() + 1;
    let body = Set(Some(actor.clone()));
    match task % 5 {
        0 => {
            let mut new = post::new(&format!("by task {task}"));
            new.body = body;
            new.insert(db).await?;
        }
        1 => {
            let mut change = post::retitle(row, &format!("title of task {task}"));
            change.body = body;
            change.update(db).await?;
        }
        2 => {
            post::Entity::update_many()
                .col_expr(post::Column::Qty, Expr::col(post::Column::Qty).add(1))
                .col_expr(post::Column::Body, Expr::value(actor))
                .filter(post::Column::Id.eq(row))
                .exec(db)
                .await?;
        }
        3 => {
            let tx = db.begin().await?;
            let mut change = post::retitle(row, &format!("title of task {task}"));
            change.body = body.clone();
            change.update(&tx).await?;
            let mut new = post::new(&format!("by task {task}"));
            new.body = body;
            new.insert(&tx).await?;
            tx.commit().await?;
        }
        _ => {
            let mut new = post::new(&format!("short-lived {task}"));
            new.body = body;
            let new = new.insert(db).await?;
            post::Entity::audited_delete_by_id(new.id).exec(db).await?;
        }
    }
    Ok(())
}

async fn two_hundred_tasks_of_fifty_actors_leave_a_true_log(db: &TestDb) -> TestResult {
    let audited = posts(db, 7).await?;
    let mut tasks = Vec::new();
    for task in 0..200 {
        let audited = audited.clone();
        let context = AuditContext::new().actor(Actor::user(task % 50));
        tasks.push(tokio::spawn(context.scope(async move {
            for round in 0..3 {
                work(&audited, task, round).await?;
            }
            Ok::<_, DbErr>(())
        })));
    }
    for task in tasks {
        task.await??;
    }
    assert_replays(db).await?;
    for record in db.records().await? {
        let changes = record.changed().unwrap_or_default();
        let by = changes
            .get("body")
            .and_then(|change| change.new_value().cloned());
        if let Some(serde_json::Value::String(by)) = by {
            assert_eq!(record.actor_id.as_deref(), Some(by.as_str()), "{record:?}");
        }
    }
    Ok(())
}

async fn one_row_in_one_join_has_an_unbroken_chain(db: &TestDb) -> TestResult {
    let audited = posts(db, 1).await?;
    let update = |title: &'static str| post::retitle(1, title).update(&audited);
    for _ in 0..5 {
        let (a, b, c) = tokio::join!(update("a"), update("b"), update("c"));
        a?;
        b?;
        c?;
    }
    assert_replays(db).await
}

async fn one_row_in_one_join_inside_a_transaction_has_an_unbroken_chain(db: &TestDb) -> TestResult {
    let audited = posts(db, 1).await?;
    let tx = audited.begin().await?;
    let update = |title: &'static str| post::retitle(1, title).update(&tx);
    for _ in 0..5 {
        let (a, b, c) = tokio::join!(update("a"), update("b"), update("c"));
        a?;
        b?;
        c?;
    }
    tx.commit().await?;
    assert_eq!(db.records().await?.len(), 16);
    assert_replays(db).await
}

async fn the_losing_branch_of_a_select_is_recorded_or_not_done(db: &TestDb) -> TestResult {
    let audited = posts(db, 2).await?;
    for round in 0..20 {
        tokio::select! {
            done = post::retitle(1, &format!("a {round}")).update(&audited) => { done?; }
            done = post::retitle(2, &format!("b {round}")).update(&audited) => { done?; }
        }
    }
    crate::faults::settle(db).await?;
    assert_replays(db).await
}

async fn unordered_futures_keep_their_actors(db: &TestDb) -> TestResult {
    let audited = posts(db, 0).await?;
    let mut all: FuturesUnordered<_> = (0..50)
        .map(|number| {
            let audited = audited.as_actor(Actor::user(number));
            async move {
                let mut new = post::new(&format!("{number}"));
                new.body = Set(Some(number.to_string()));
                new.insert(&audited).await
            }
        })
        .collect();
    while let Some(done) = all.next().await {
        done?;
    }
    let records = db.records().await?;
    assert_eq!(records.len(), 50);
    for record in records {
        let changes = record.changes.unwrap_or_default();
        assert_eq!(changes["body"]["new"].as_str(), record.actor_id.as_deref());
    }
    Ok(())
}

/// A wrapper that an application might put around a connection: a counter, a router.
struct Wrapper<'a, C>(&'a C);

#[async_trait]
impl<C: ConnectionTrait> ConnectionTrait for Wrapper<'_, C> {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.0.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.0.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.0.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.0.query_all_raw(statement).await
    }

    fn support_returning(&self) -> bool {
        self.0.support_returning()
    }
}

async fn wrapper_around_ours_records_once(db: &TestDb) -> TestResult {
    let audited = posts(db, 0).await?;
    let wrapper = Wrapper(&audited);
    let a = post::new("a").insert(&wrapper).await?;
    post::retitle(a.id, "b").update(&wrapper).await?;
    let tx = audited.begin().await?;
    post::retitle(a.id, "c").update(&Wrapper(&tx)).await?;
    tx.commit().await?;
    post::retitle(a.id, "c").delete(&Wrapper(&wrapper)).await?;
    let actions: Vec<_> = db.records().await?.into_iter().map(|r| r.action).collect();
    assert_eq!(actions, ["CREATE", "UPDATE", "UPDATE", "DELETE"]);
    assert_replays(db).await
}
