//! Recorded views.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get as on_get;
use futures::FutureExt;
use sea_orm::ConnectionTrait;
use sea_orm_audit::web::{AuditLayer, Viewed, Views, mark_viewed};
use sea_orm_audit::{Action, AuditConfig};

use crate::support::{Shop, TestResult, call, eventually, get, product, send, text};

fn tea() -> product::Model {
    product::Model {
        id: 1,
        name: "tea".into(),
    }
}

fn router(layer: AuditLayer) -> Router {
    Router::new()
        .route("/", on_get(async || Viewed(tea())))
        .layer(layer)
}

#[tokio::test]
async fn view_is_recorded_with_its_request() -> TestResult {
    let shop = Shop::open().await?;
    let response = send(
        &router(AuditLayer::new().views(Views::new(shop.conn()))),
        get("/"),
    )
    .await?;
    let id = response.headers()["x-request-id"].to_str()?.to_owned();
    assert_eq!(text(response).await?, r#"{"id":1,"name":"tea"}"#);
    let log = shop.log().await?;
    assert_eq!(log.len(), 1);
    assert_eq!(
        (log[0].action.as_str(), log[0].object_id.as_deref()),
        ("VIEW", Some("1"))
    );
    assert_eq!(log[0].request_id.as_deref(), Some(id.as_str()));
    Ok(())
}

#[tokio::test]
async fn response_of_any_kind_can_be_marked() -> TestResult {
    let shop = Shop::open().await?;
    let handler = async || {
        let mut response = axum::response::Html("<p>tea</p>").into_response();
        mark_viewed(response.extensions_mut(), &tea());
        mark_viewed(
            response.extensions_mut(),
            &product::Model { id: 2, ..tea() },
        );
        response
    };
    let router = Router::new()
        .route("/", on_get(handler))
        .layer(AuditLayer::new().views(Views::new(shop.conn())));
    send(&router, get("/")).await?;
    let seen: Vec<_> = (shop.log().await?.into_iter())
        .map(|record| record.object_id)
        .collect();
    assert_eq!(seen, [Some("1".to_owned()), Some("2".to_owned())]);
    Ok(())
}

#[tokio::test]
async fn views_are_sampled_and_left_out_by_model() -> TestResult {
    let shop = Shop::open().await?;
    let sampled = router(AuditLayer::new().views(Views::new(shop.conn()).one_in("product", 3)));
    for _ in 0..7 {
        send(&sampled, get("/")).await?;
    }
    let log = shop.log().await?;
    assert_eq!(log.len(), 3, "the first, the fourth, the seventh");
    let metadata = log[0].metadata.clone().unwrap_or_default();
    assert_eq!(metadata["one_in"], 3);
    let skipped = router(AuditLayer::new().views(Views::new(shop.conn()).skip("product")));
    send(&skipped, get("/")).await?;
    assert_eq!(shop.log().await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn unrecorded_view_is_withheld() -> TestResult {
    let shop = Shop::open().await?;
    shop.db.execute_unprepared("DROP TABLE audit_log").await?;
    let layer = AuditLayer::new()
        .views(Views::new(shop.conn()))
        .events(shop.events.clone());
    let response = send(&router(layer.clone()), get("/")).await?;
    assert_eq!(response.status(), 500);
    assert_eq!(text(response).await?, "");
    // A skipped action sends no query, and so does not notice the missing table.
    let config = AuditConfig::builder().skip_action(Action::View).build()?;
    let router = router(layer);
    let response = config.scope(call(&router, get("/")));
    // The request waits for nothing, and no background task would fail either.
    let response = response.now_or_never().ok_or("it waits")??;
    assert_eq!(response.status(), 200);
    Ok(())
}

#[tokio::test]
async fn without_a_layer_or_its_connection_the_response_goes_out_with_a_warning() -> TestResult {
    use sea_orm_audit::web::AuditTracingLayer;
    use tracing_subscriber::layer::SubscriberExt;
    let shop = Shop::open().await?;
    let warnings = AuditTracingLayer::new().warnings();
    let warnings = warnings.writer(shop.events.clone());
    let subscriber = tracing_subscriber::registry().with(warnings);
    let _guard = tracing::subscriber::set_default(subscriber);
    let response = send(&router(AuditLayer::new()), get("/")).await?;
    assert_eq!(response.status(), 200);
    let bare = Router::new().route("/", on_get(async || Viewed(tea())));
    assert_eq!(send(&bare, get("/")).await?.status(), 200);
    let logged: Vec<_> = (shop.events().await?.into_iter())
        .map(|event| event.description.unwrap_or_default())
        .collect();
    assert_eq!(
        logged,
        [
            "a view is not recorded: call `AuditLayer::views(..)`",
            "a view is not recorded: put `AuditLayer` around what answers with it"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn views_are_recorded_all_of_them_though_the_client_goes_away_meanwhile() -> TestResult {
    use futures::FutureExt;
    use sea_orm::TransactionTrait;
    use tower::ServiceExt;
    let shop = Shop::open().await?;
    let handler = async || {
        let mut response = ().into_response();
        for id in 1..=3 {
            mark_viewed(response.extensions_mut(), &product::Model { id, ..tea() });
        }
        response
    };
    let router = Router::new()
        .route("/", on_get(handler))
        .layer(AuditLayer::new().views(Views::new(shop.conn())));
    // Another client has the only connection: the records wait for it.
    let held = shop.db.begin().await?;
    let mut answer = Box::pin(router.oneshot(get("/")));
    assert!((&mut answer).now_or_never().is_none());
    drop(answer);
    held.rollback().await?;
    let log = eventually(async || {
        let log = shop.log().await?;
        Ok((log.len() == 3).then_some(log))
    });
    let log = log.await?;
    assert!(
        log.iter()
            .all(|record| record.request_id == log[0].request_id)
    );
    assert!(log[0].request_id.is_some());
    Ok(())
}

#[tokio::test]
async fn panic_while_a_view_is_recorded_withholds_it_and_is_reported_with_its_place() -> TestResult
{
    let shop = Shop::open().await?;
    // Panics at the first call, which is for the view.
    let asked = AtomicBool::new(false);
    let clock = move || {
        assert!(asked.swap(true, Relaxed), "the clock stands still");
        sea_orm::prelude::ChronoUtc::now()
    };
    let config = AuditConfig::builder().clock(clock).build()?;
    let layer = AuditLayer::new()
        .views(Views::new(shop.conn()))
        .events(shop.events.clone());
    let response = config.scope(send(&router(layer), get("/"))).await?;
    assert_eq!(response.status(), 500);
    assert_eq!(text(response).await?, "");
    assert_eq!(shop.log().await?.len(), 0);
    let events = shop.events().await?;
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(event.title, "recording a view panicked");
    assert_eq!(event.description.as_deref(), Some("the clock stands still"));
    assert!(
        event
            .module
            .as_deref()
            .unwrap_or_default()
            .ends_with("views.rs")
    );
    assert!(event.stack_trace.is_some());
    Ok(())
}
