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
async fn slow_request_is_an_event_and_a_fast_one_is_none() -> TestResult {
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
async fn each_route_and_status_is_an_event_of_its_own() -> TestResult {
    let shop = Shop::open().await?;
    let layer = AuditLayer::new().events(shop.events.clone());
    let failing = on_get(async || StatusCode::INTERNAL_SERVER_ERROR);
    let router = Router::new()
        .route(
            "/orders/{id}",
            failing.clone().post(async || StatusCode::BAD_GATEWAY),
        )
        .route("/payments", failing.clone())
        .layer(layer.clone());
    for path in [
        "/orders/1",
        "/orders/2",
        "/payments",
        "/payments",
        "/payments",
    ] {
        send(&router, get(path)).await?;
    }
    // Without a known route.
    let bare =
        tower::ServiceBuilder::new()
            .layer(layer)
            .service_fn(async |_: axum::extract::Request| {
                Ok::<_, std::convert::Infallible>(axum::response::IntoResponse::into_response(
                    StatusCode::INTERNAL_SERVER_ERROR,
                ))
            });
    for path in ["/shop.Orders/Get", "/items/17", "/items/18"] {
        let answer = bare.clone().oneshot(get(path)).await?;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
    let mut recorded: Vec<_> = (shop.events().await?.into_iter())
        .map(|event| (event.function_name.unwrap_or_default(), event.occurrences))
        .collect();
    recorded.sort();
    let expected = [
        ("/items/*", 2),
        ("/orders/{id}", 2),
        ("/payments", 3),
        ("/shop.Orders/Get", 1),
    ];
    assert_eq!(
        recorded,
        expected.map(|(route, times)| (route.to_owned(), times))
    );
    Ok(())
}

#[tokio::test]
async fn panic_before_there_is_a_future_is_caught_as_well() -> TestResult {
    let shop = Shop::open().await?;
    let service = tower::ServiceBuilder::new()
        .layer(AuditLayer::new().events(shop.events.clone()))
        .map_request(|request: axum::extract::Request| {
            assert!(request.uri().path() != "/bad", "a bad path");
            request
        })
        .service(Router::new().route("/good", on_get(async || "")));
    let good = service.clone().oneshot(get("/good")).await?;
    assert_eq!(good.status(), StatusCode::OK);
    let bad = service.oneshot(get("/bad")).await?;
    assert_eq!(bad.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(bad.headers().contains_key("x-request-id"));
    let events = shop.events().await?;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].description.as_deref(), Some("a bad path"));
    Ok(())
}

#[tokio::test]
async fn client_that_went_away_ends_a_slow_request() -> TestResult {
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
async fn response_of_500_is_an_error_of_its_actor() -> TestResult {
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
async fn panic_is_answered_with_500_and_reported_with_place_and_backtrace() -> TestResult {
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
    assert!(trace.contains("events::panic_is_answered"), "{trace}");
    Ok(())
}

#[tokio::test]
async fn panic_of_who_is_asked_for_the_actor_is_one_of_the_request() -> TestResult {
    let shop = Shop::open().await?;
    let layer = AuditLayer::new()
        .events(shop.events.clone())
        .actor(|_: &http::request::Parts| panic!("no such key"));
    let handler = on_get(async || -> &'static str { unreachable!("no actor is known") });
    let router = Router::new().route("/", handler).layer(layer);
    let request = get("/").with("x-request-id", b"r-20");
    assert_eq!(send(&router, request).await?.status(), 500);
    let events = shop.events().await?;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].description.as_deref(), Some("no such key"));
    assert_eq!(events[0].title, "who is asked for the actor panicked");
    assert_eq!(events[0].request_id.as_deref(), Some("r-20"));
    Ok(())
}

#[tokio::test]
async fn panic_is_let_through_on_request() -> TestResult {
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

#[tokio::test]
async fn record_has_the_trace_of_the_current_opentelemetry_span() -> TestResult {
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
    // As an outer layer does.
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
