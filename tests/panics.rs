//! Panics of the process, told by the hook: the hook is the process's, so this is one of its own.
#![allow(missing_docs, clippy::panic)]

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use sea_orm::EntityTrait;
use sea_orm_audit::entity::audit_system_event;
use sea_orm_audit::test::TestDatabase;
use sea_orm_audit::web::{AuditLayer, record_panics};
use sea_orm_audit::{Actor, AuditContext, EventWriter, WithAuditContext};
use tower::{Layer, ServiceExt, service_fn};

async fn fails(_: Request<()>) -> Result<Response<()>, std::io::Error> {
    panic!("the handler failed")
}

#[tokio::test]
async fn every_panic_is_recorded_once_and_told_to_the_hook_before()
-> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
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
    // One that the layer catches is the layer's.
    let service = service_fn(fails);
    let response = AuditLayer::new()
        .layer(service)
        .oneshot(Request::new(()))
        .await?;
    assert_eq!(response.status(), 500);

    writer.flush().await;
    let events = audit_system_event::Entity::find().all(&*db).await?;
    let told_of: Vec<_> = (events.iter())
        .map(|event| (event.title.as_str(), event.description.as_deref()))
        .collect();
    assert_eq!(
        told_of,
        [
            ("a panic", Some("the job failed")),
            ("a handler panicked", Some("the handler failed")),
        ]
    );
    assert_eq!(events[0].actor_id.as_deref(), Some("nightly"));
    assert_eq!(events[1].actor_type, "ANONYMOUS");
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
    assert_eq!(told.load(Ordering::SeqCst), 2, "the hook before ours");
    Ok(())
}
