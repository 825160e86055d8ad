//! Errors that the application logs.

use sea_orm_audit::web::AuditTracingLayer;
use sea_orm_audit::{Actor, AuditContext};
use tracing_subscriber::layer::SubscriberExt;

use crate::support::{Shop, TestResult};

#[tokio::test]
async fn errors_become_events_with_the_fields_that_are_allowed() -> TestResult {
    let shop = Shop::open().await?;
    let layer = AuditTracingLayer::new()
        .field("order_id")
        .writer(shop.events.clone());
    let subscriber = tracing_subscriber::registry().with(layer);
    let context = AuditContext::new().actor(Actor::user(7)).into_scope();
    tracing::subscriber::with_default(subscriber, || {
        context.run(|| {
            for order in 1..=3 {
                tracing::error!(order_id = order, password = "hunter2", "the order\nfailed");
            }
            tracing::warn!("only a warning");
            tracing::error!(target: "sea_orm_audit_core::event", "our own");
        });
    });
    let events = shop.events().await?;
    assert_eq!(events.len(), 1, "{events:?}");
    let event = &events[0];
    assert_eq!((event.event_type.as_str(), event.occurrences), ("ERROR", 3));
    assert_eq!(event.description.as_deref(), Some("the order␊failed"));
    assert_eq!(event.actor_id.as_deref(), Some("7"));
    assert!(
        event
            .module
            .as_deref()
            .unwrap_or_default()
            .ends_with("tracing_layer")
    );
    assert!(event.line_number.is_some());
    let metadata = event.metadata.clone().unwrap_or_default();
    assert_eq!(metadata["order_id"], "1");
    assert!(metadata.get("password").is_none());
    Ok(())
}

#[tokio::test]
async fn warnings_become_events_on_request() -> TestResult {
    let shop = Shop::open().await?;
    let layer = AuditTracingLayer::new()
        .warnings()
        .writer(shop.events.clone());
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        tracing::warn!("a warning");
        tracing::info!("no warning");
    });
    let events = shop.events().await?;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event_type, "WARNING");
    Ok(())
}
