//! Panics of the process, reported by the panic hook. The hook is the process's, so this is a separate process.
#![allow(missing_docs, clippy::panic)]

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use sea_orm::EntityTrait;
use sea_orm_audit::context::WithAuditContext;
use sea_orm_audit::entity::audit_system_event;
use sea_orm_audit::event::EventWriter;
use sea_orm_audit::test::TestDatabase;
use sea_orm_audit::web::{AuditLayer, record_panics};
use sea_orm_audit::{Actor, AuditContext};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::catch_panic::CatchPanicLayer;

async fn fails(_: Request<()>) -> Result<Response<()>, std::io::Error> {
    panic!("the handler failed")
}

/// Catches its panics and answers.
async fn copes(_: Request<()>) -> Result<Response<()>, std::io::Error> {
    AuditContext::set_actor(Actor::user(7));
    for part in ["the first part failed", "the second part failed"] {
        assert!(panic::catch_unwind(|| panic!("{part}")).is_err());
    }
    Ok(Response::new(()))
}

async fn is_caught(_: Request<String>) -> Result<Response<String>, std::convert::Infallible> {
    panic!("other code catches it")
}

#[tokio::test]
async fn every_panic_is_recorded_once_and_passed_to_the_hook_before()
-> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let logged = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&logged);
    panic::set_hook(Box::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    }));
    let db = TestDatabase::new().await?;
    let writer = EventWriter::start(db.clone());
    writer.install();
    record_panics();

    let job = async { panic!("the job failed") };
    let job = AuditContext::new()
        .actor(Actor::service("nightly"))
        .scope(async { tokio::spawn(job.with_audit_context()).await });
    assert!(job.await.is_err());
    // The layer reports a panic that it catches.
    let service = service_fn(fails);
    let response = AuditLayer::new()
        .layer(service)
        .oneshot(Request::new(()))
        .await?;
    assert_eq!(response.status(), 500);

    // Panics that other code catches inside of it are recorded, too.
    let service = AuditLayer::new().layer(service_fn(copes));
    assert_eq!(service.oneshot(Request::new(())).await?.status(), 200);
    let service = AuditLayer::new()
        .server_errors(false)
        .layer(CatchPanicLayer::new().layer(service_fn(is_caught)));
    let response = service.oneshot(Request::new(String::new())).await?;
    assert_eq!(response.status(), 500);

    writer.flush().await;
    let events = audit_system_event::Entity::find().all(&*db).await?;
    let events_of: Vec<_> = (events.iter())
        .map(|event| (event.title.as_str(), event.description.as_deref()))
        .collect();
    assert_eq!(
        events_of,
        [
            ("a panic", Some("the job failed")),
            ("a handler panicked", Some("the handler failed")),
            ("a panic", Some("the first part failed")),
            ("a panic", Some("other code catches it")),
        ]
    );
    assert_eq!(events[0].actor_id.as_deref(), Some("nightly"));
    assert_eq!(events[1].actor_type, "ANONYMOUS");
    assert_eq!(events[2].actor_id.as_deref(), Some("7"));
    // Two panics at one place are one event.
    assert_eq!(events[2].occurrences, 2);
    assert!(events[3].request_id.is_some());
    for event in &events {
        assert!(
            event
                .module
                .as_deref()
                .is_some_and(|file| file.ends_with("panics.rs"))
        );
        let trace = event.stack_trace.as_deref().unwrap_or_default();
        assert!(trace.contains("panics::"), "{trace}");
    }
    assert_eq!(logged.load(Ordering::SeqCst), 5, "the hook before ours");
    Ok(())
}
