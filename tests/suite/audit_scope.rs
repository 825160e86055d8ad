//! A context's scope that is left and entered again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use sea_orm::ActiveModelTrait;
use sea_orm_audit::{Actor, AuditContext, AuditScope, MakeContext, migration_mode};

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    a_scope_is_entered_again_after_its_future_ended,
    the_current_scope_keeps_migration_mode,
}

/// As the body of a response, which goes on when the handler is done.
async fn a_scope_is_entered_again_after_its_future_ended(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let scope = AuditContext::new().request_id("request").into_scope();
    let handler = async {
        post::new("nobody yet").insert(&db.conn).await?;
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
fn an_actor_that_is_set_late_is_every_clones() {
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
async fn a_scope_keeps_what_was_outside_when_it_was_made() {
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
async fn a_scope_inside_keeps_its_actor_to_itself() {
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
    post::new("on record").insert(&db.conn).await?;
    assert_eq!(db.records().await?.len(), 1);
    Ok(())
}

/// How often a context was made.
#[derive(Default)]
struct Made(Arc<AtomicUsize>);

impl MakeContext for Made {
    fn make_context(&self) -> AuditContext {
        self.0.fetch_add(1, Relaxed);
        AuditContext::new()
            .actor(Actor::anonymous())
            .request_id("r")
            .metadata("from", "head")
    }
}

/// A scope whose context is made when asked for, and how often it was made.
fn unasked() -> (AuditScope, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let scope = AuditScope::when_asked(|maker: &mut Made| maker.0 = Arc::clone(&made));
    (scope.scope(), made)
}

#[test]
fn a_context_is_made_once_and_not_before_somebody_asks() {
    let (scope, made) = unasked();
    let another = scope.clone();
    scope.run(|| another.run(|| ()));
    assert_eq!(made.load(Relaxed), 0);
    assert_eq!(scope.context().get_request_id(), Some("r"));
    assert_eq!(scope.context(), another.context());
    assert_eq!(made.load(Relaxed), 1);
    let (never_asked, made) = unasked();
    drop(never_asked);
    assert_eq!(made.load(Relaxed), 0);
}

#[test]
fn the_maker_here_is_the_innermost_of_its_kind_and_may_be_looked_at_in_other_scopes() {
    let number = |made: &Made| {
        let inside = AuditContext::new().reason("another");
        inside.into_scope().run(|| made.0.load(Relaxed))
    };
    assert_eq!(AuditScope::look_at_maker(number), None);
    let scope = |number: usize| {
        let made = Arc::new(AtomicUsize::new(number));
        AuditScope::when_asked(|maker: &mut Made| maker.0 = made).scope()
    };
    scope(1).run(|| {
        assert_eq!(AuditScope::look_at_maker(number), Some(1));
        let plain = AuditContext::new().reason("inside").into_scope();
        plain.run(|| assert_eq!(AuditScope::look_at_maker(number), Some(1)));
        scope(2).run(|| assert_eq!(AuditScope::look_at_maker(number), Some(2)));
    });
}

#[test]
fn an_actor_is_set_where_the_context_is_made_already_and_not_where_it_is_not() {
    let made = Arc::new(AtomicUsize::new(0));
    let scope = AuditScope::when_asked(|maker: &mut Made| maker.0 = Arc::clone(&made));
    scope.set_actor_if_made(Actor::user(7));
    assert_eq!(made.load(Relaxed), 0);
    assert_eq!(scope.scope().context().get_actor(), Actor::anonymous());
    scope.set_actor_if_made(Actor::user(7));
    assert_eq!(scope.scope().context().get_actor(), Actor::user(7));
}

#[test]
fn what_is_set_before_anybody_asked_wins_over_what_is_made() {
    let (scope, made) = unasked();
    let another = scope.clone();
    assert!(scope.run(|| AuditContext::set_actor(Actor::user(7))));
    assert!(another.run(|| AuditContext::set_metadata("from", "handler")));
    let expected = AuditContext::new()
        .actor(Actor::user(7))
        .request_id("r")
        .metadata("from", "handler");
    assert_eq!(scope.context(), expected);
    assert_eq!(another.context(), expected);
    assert_eq!(made.load(Relaxed), 1);
}

#[tokio::test]
async fn a_context_that_is_made_late_is_inside_of_what_was_outside_at_the_beginning() {
    let outer = AuditContext::new().reason("outer").actor(Actor::user(1));
    let (scope, _) = outer.scope(async { unasked() }).await;
    let elsewhere = AuditContext::new().reason("elsewhere").tenant("elsewhere");
    let there = elsewhere.scope(scope.enter(async { AuditContext::current() }));
    let expected = AuditContext::new()
        .actor(Actor::anonymous())
        .request_id("r")
        .metadata("from", "head")
        .reason("outer");
    assert_eq!(there.await, expected);
}

#[tokio::test]
async fn a_scope_inside_asks_the_one_outside() {
    let (scope, made) = unasked();
    let inner = AuditContext::new().reason("inner").scope(async {
        assert!(AuditContext::set_actor(Actor::user(2)));
        AuditContext::current()
    });
    let seen = scope.enter(inner).await;
    assert_eq!(seen.get_request_id(), Some("r"));
    assert_eq!(seen.get_actor().id(), Some("2"));
    assert_eq!(scope.context().get_actor(), Actor::anonymous());
    assert_eq!(made.load(Relaxed), 1);
}

#[tokio::test]
async fn the_current_scope_is_the_innermost_that_states_a_context() {
    let nowhere = migration_mode("seed", async { AuditScope::current() });
    assert!(nowhere.await.is_none());
    let (scope, _) = unasked();
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
