//! Slow requests, errors and panics.

use std::time::Duration;

use axum::Router;
use axum::routing::get as on_get;
use futures::FutureExt;
use http::StatusCode;
use sea_orm_audit::web::AuditLayer;
use sea_orm_audit::{Actor, AuditContext};
use tower::ServiceExt;

use crate::support::{Shop, TestResult, With, get, send};

#[tokio::test]
async fn a_slow_request_is_an_event_and_a_fast_one_is_none() -> TestResult {
    let shop = Shop::open().await?;
    let slow = AuditLayer::new().events(shop.events.clone());
    let router = |layer| {
        Router::new()
            .route("/{id}", on_get(async || ""))
            .layer(layer)
    };
    let fast = router(slow.clone());
    let slow = router(slow.slow_after(Duration::ZERO));
    send(&fast, get("/1?token=secret")).await?;
    assert!(shop.events().await?.is_empty());
    for path in ["/1?token=secret", "/2"] {
        send(&slow, get(path).with("x-request-id", b"r1")).await?;
    }
    let events = shop.events().await?;
    assert_eq!(
        events.len(),
        1,
        "one route is one event that counts: {events:?}"
    );
    let event = &events[0];
    assert_eq!(
        (event.event_type.as_str(), event.occurrences),
        ("PERFORMANCE", 2)
    );
    assert_eq!(event.description.as_deref(), Some("GET /1"));
    assert_eq!(event.request_id.as_deref(), Some("r1"));
    assert_eq!(event.function_name.as_deref(), Some("/{id}"));
    Ok(())
}

#[tokio::test]
async fn a_client_that_went_away_ends_a_slow_request() -> TestResult {
    let shop = Shop::open().await?;
    let layer = AuditLayer::new()
        .events(shop.events.clone())
        .slow_after(Duration::ZERO);
    let router = Router::new()
        .route("/", on_get(std::future::pending::<()>))
        .layer(layer);
    let mut answer = router.oneshot(get("/"));
    assert!((&mut answer).now_or_never().is_none());
    drop(answer);
    let events = shop.events().await?;
    let metadata = events[0].metadata.clone().unwrap_or_default();
    assert_eq!(metadata["ended"], "dropped");
    Ok(())
}

#[tokio::test]
async fn an_answer_of_500_is_an_error_by_whoever_asked() -> TestResult {
    let shop = Shop::open().await?;
    let handler = async || {
        AuditContext::set_actor(Actor::user(7));
        StatusCode::BAD_GATEWAY
    };
    let layer = AuditLayer::new().events(shop.events.clone());
    let router = Router::new()
        .route("/", on_get(handler))
        .route("/404", on_get(async || StatusCode::NOT_FOUND))
        .layer(layer.clone());
    send(&router, get("/404")).await?;
    send(&router, get("/")).await?;
    let events = shop.events().await?;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event_type, "ERROR");
    assert_eq!(events[0].error_code.as_deref(), Some("502"));
    assert_eq!(events[0].actor_id.as_deref(), Some("7"));

    let quiet = Router::new()
        .route("/", on_get(handler))
        .layer(layer.server_errors(false));
    send(&quiet, get("/")).await?;
    assert_eq!(shop.events().await?[0].occurrences, 1);
    Ok(())
}

#[tokio::test]
async fn a_panic_is_answered_with_500_and_told_with_place_and_backtrace() -> TestResult {
    let shop = Shop::open().await?;
    let handler = async || -> &'static str {
        tokio::task::yield_now().await;
        panic!("the shelf is empty")
    };
    let router = Router::new()
        .route("/", on_get(handler))
        .layer(AuditLayer::new().events(shop.events.clone()));
    let response = send(&router, get("/").with("x-request-id", b"r9")).await?;
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["x-request-id"], "r9");
    let events = shop.events().await?;
    assert_eq!(events.len(), 1, "the panic, and not the 500 beside it");
    let event = &events[0];
    assert_eq!(event.error_code.as_deref(), Some("PANIC"));
    assert_eq!(event.description.as_deref(), Some("the shelf is empty"));
    assert!(
        event
            .module
            .as_deref()
            .unwrap_or_default()
            .ends_with("events.rs")
    );
    assert!(event.line_number.is_some());
    let trace = event.stack_trace.as_deref().unwrap_or_default();
    assert!(trace.contains("events::a_panic_is_answered"), "{trace}");
    Ok(())
}

#[tokio::test]
async fn a_panic_is_let_through_on_request() -> TestResult {
    let layer = AuditLayer::new().catch_panics(false);
    let router = Router::new()
        .route(
            "/",
            on_get(async || -> &'static str { panic!("let through") }),
        )
        .layer(layer);
    let answer = tokio::spawn(router.oneshot(get("/"))).await;
    assert!(answer.is_err_and(|error| error.is_panic()));
    Ok(())
}

#[cfg(feature = "opentelemetry")]
#[tokio::test]
async fn a_record_has_the_trace_of_the_current_opentelemetry_span() -> TestResult {
    use opentelemetry::Context;
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceState};
    use sea_orm_audit::{Action, AuditEvent};

    let shop = Shop::open().await?;
    let db = shop.conn();
    let handler = async move || {
        let event = AuditEvent::new(Action::View);
        event.record(&db).await.unwrap();
    };
    let router = Router::new()
        .route("/", on_get(handler))
        .layer(AuditLayer::new());
    let span = SpanContext::new(
        0x2a.into(),
        SpanId::from(7),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    // As a layer around does.
    let current = Context::new().with_remote_span_context(span).attach();
    let other = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    send(&router, get("/").with("traceparent", other)).await?;
    drop(current);
    send(&router, get("/").with("traceparent", other)).await?;
    let traces: Vec<_> = (shop.log().await?.into_iter())
        .map(|record| record.trace_id.unwrap_or_default())
        .collect();
    assert_eq!(
        traces,
        [
            "0000000000000000000000000000002a",
            "4bf92f3577b34da6a3ce929d0e0e4736"
        ]
    );
    Ok(())
}
