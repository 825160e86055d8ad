//! A context's scope that is left and entered again.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Waker};

use sea_orm::ActiveModelTrait;
use sea_orm_audit::context::{AuditScope, migration_mode};
use sea_orm_audit::{Actor, AuditContext};

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    scope_is_entered_again_after_its_future_ended,
    the_current_scope_keeps_migration_mode,
}

/// As the body of a response, which continues after the handler has returned.
async fn scope_is_entered_again_after_its_future_ended(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let scope = AuditContext::new().request_id("request").into_scope();
    let handler = async {
        post::new("no actor yet").insert(&db.conn).await?;
        assert!(AuditContext::set_actor(Actor::user(7)));
        post::new("handler").insert(&db.conn).await
    };
    scope.enter(handler).await?;
    post::new("outside").insert(&db.conn).await?;
    let body = scope.clone();
    let conn = db.conn.clone();
    tokio::spawn(async move { body.enter(post::new("body").insert(&conn)).await }).await??;
    let seen: Vec<_> = (db.records().await?.into_iter())
        .map(|record| (record.actor_id, record.request_id))
        .collect();
    let (ann, request) = (Some("7".to_owned()), Some("request".to_owned()));
    assert_eq!(
        seen,
        [
            (None, request.clone()),
            (ann.clone(), request.clone()),
            (None, None),
            (ann, request),
        ]
    );
    Ok(())
}

fn actor() -> Option<String> {
    let context = AuditContext::current();
    context.get_actor().id().map(str::to_owned)
}

#[test]
fn actor_that_is_set_late_is_every_clones() {
    let scope = AuditContext::new().reason("test").into_scope();
    let another = scope.clone();
    assert_eq!(another.run(actor), None);
    assert!(scope.run(|| AuditContext::set_actor(Actor::user(7))));
    assert_eq!(another.run(actor).as_deref(), Some("7"));
    assert_eq!(another.context().get_actor().id(), Some("7"));
    assert_eq!(another.context().get_reason(), Some("test"));
    assert_eq!(actor(), None);
}

#[tokio::test]
async fn scope_keeps_what_was_outside_when_it_was_made() {
    let outer = AuditContext::new().reason("outer").actor(Actor::user(1));
    let scope = outer
        .scope(async { AuditContext::new().actor(Actor::user(2)).into_scope() })
        .await;
    let inside = || {
        (
            actor(),
            AuditContext::current().get_reason().map(str::to_owned),
        )
    };
    let expected = (Some("2".to_owned()), Some("outer".to_owned()));
    assert_eq!(scope.run(inside), expected);
    let elsewhere = AuditContext::new().reason("elsewhere");
    let there = elsewhere.scope(scope.enter(async { inside() }));
    assert_eq!(there.await, expected);
}

#[tokio::test]
async fn scope_inside_keeps_its_actor_to_itself() {
    let scope = AuditContext::new().into_scope();
    let inner = AuditContext::new().scope(async {
        assert!(AuditContext::set_actor(Actor::user(2)));
        actor()
    });
    assert_eq!(scope.enter(inner).await.as_deref(), Some("2"));
    assert_eq!(scope.run(actor), None);
}

async fn the_current_scope_keeps_migration_mode(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let seed = migration_mode("seed", async {
        let current = AuditScope::current().ok_or("no scope")?;
        current.enter(post::new("seed").insert(&db.conn)).await?;
        TestResult::Ok(current)
    });
    let current = AuditContext::new().reason("seed").scope(seed).await?;
    assert_eq!(db.records().await?.len(), 0);
    drop(current);
    post::new("recorded").insert(&db.conn).await?;
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_current_scope_is_the_innermost_that_states_a_context() {
    let nowhere = migration_mode("seed", async { AuditScope::current() });
    assert!(nowhere.await.is_none());
    let scope = AuditContext::new().into_scope();
    let inside = migration_mode("backfill", async {
        let current = AuditScope::current();
        let set = current.map(|it| it.run(|| AuditContext::set_actor(Actor::user(7))));
        assert_eq!(set, Some(true));
    });
    scope.enter(inside).await;
    assert_eq!(scope.context().get_actor(), Actor::user(7));
    let inner = AuditContext::new().actor(Actor::user(8)).into_scope();
    let current = scope.run(|| inner.run(AuditScope::current));
    let actor = current.map(|it| it.context().get_actor());
    assert_eq!(actor, Some(Actor::user(8)));
}

/// Records whether it is dropped in the context of its test.
struct SendOnDrop(Sender<bool>);

impl Drop for SendOnDrop {
    fn drop(&mut self) {
        let context = AuditContext::current();
        assert!(self.0.send(context.get_reason() == Some("test")).is_ok());
    }
}

#[test]
fn future_is_dropped_inside_of_its_scope() {
    let scope = AuditContext::new().reason("test").into_scope();
    let (sender, drops) = channel();
    let wait = |recorded| async move {
        let _held = recorded;
        pending::<()>().await;
    };
    // Never polled, polled and dropped, polled to the end.
    drop(scope.enter(wait(SendOnDrop(sender.clone()))));
    let mut context = Context::from_waker(Waker::noop());
    let mut waits = Box::pin(scope.enter(wait(SendOnDrop(sender.clone()))));
    assert!(waits.as_mut().poll(&mut context).is_pending());
    drop(waits);
    let recorded = SendOnDrop(sender);
    let mut ends = Box::pin(scope.enter(async { drop(recorded) }));
    assert!(ends.as_mut().poll(&mut context).is_ready());
    assert_eq!(drops.try_iter().collect::<Vec<_>>(), [true; 3]);
}

#[test]
fn scope_comes_back_from_what_panics_in_it() {
    let outer = AuditContext::new().reason("outer").into_scope();
    let inner = AuditContext::new().reason("inner").into_scope();
    outer.run(|| {
        let caught = catch_unwind(AssertUnwindSafe(|| inner.run(|| panic!("in here"))));
        assert!(caught.is_err());
        assert_eq!(AuditContext::current().get_reason(), Some("outer"));
    });
    assert!(AuditScope::current().is_none());
}
