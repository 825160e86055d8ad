//! The actor of a change: set by the layer, or later.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::middleware::{Next, from_fn};
use axum::routing::{get as on_get, post};
use futures::stream;
use http::request::Parts;
use sea_orm_audit::web::{Audit, AuditLayer};
use sea_orm_audit::{Actor, AuditContext, AuditedConnection};

use crate::context::{insert, router};
use crate::support::{Shop, TestResult, With, call, get, send, text};

#[tokio::test]
async fn layer_inside_of_another_keeps_the_actor_unless_it_names_one() -> TestResult {
    let shop = Shop::open().await?;
    let db = AuditedConnection::new(shop.conn());
    let outer = |parts: &Parts| parts.headers.get("x-user").map(|_| Actor::user(7));
    let inner = |parts: &Parts| parts.headers.get("x-key").map(|_| Actor::service("key"));
    let router = router(&db)
        .layer(AuditLayer::new().actor(inner))
        .layer(AuditLayer::new().actor(outer));
    let new = || get("/new");
    send(&router, new()).await?;
    send(&router, new().with("x-user", b"ann")).await?;
    send(&router, new().with("x-user", b"ann").with("x-key", b"k")).await?;
    let actors: Vec<_> = (shop.log().await?.into_iter())
        .map(|record| (record.actor_type, record.actor_id))
        .collect();
    let actor = |kind: &str, id: Option<&str>| (kind.to_owned(), id.map(str::to_owned));
    assert_eq!(
        actors,
        [
            actor("ANONYMOUS", None),
            actor("USER", Some("7")),
            actor("SERVICE", Some("key")),
        ]
    );
    Ok(())
}

/// A body that inserts a product when it is read.
fn late_insert(
    db: AuditedConnection,
) -> impl futures::Stream<Item = Result<&'static str, std::io::Error>> {
    stream::once(async move {
        insert(&db).await.unwrap();
        Ok("")
    })
}

#[tokio::test]
async fn the_actor_outside_of_the_layer_is_the_one_of_the_beginning() -> TestResult {
    let shop = Shop::open().await?;
    let db = AuditedConnection::new(shop.conn());
    let outside = AuditContext::new().actor(Actor::service("gateway"));
    let outside = outside.into_scope();
    let router = Router::new()
        .route(
            "/",
            on_get(async move || Body::from_stream(late_insert(db))),
        )
        .layer(AuditLayer::new().actor(|_: &Parts| None));
    let response = outside.enter(call(&router, get("/"))).await?;
    outside.run(|| AuditContext::set_actor(Actor::user(9)));
    text(response).await?;
    let record = shop.only_record().await?;
    assert_eq!(record.actor_id.as_deref(), Some("gateway"));
    Ok(())
}

#[tokio::test]
async fn actor_comes_from_the_head_or_later_and_ends_with_the_request() -> TestResult {
    let shop = Shop::open().await?;
    let db = AuditedConnection::new(shop.conn());
    let key = |parts: &Parts| {
        let key = parts.headers.get("x-api-key")?.to_str().ok()?;
        Some(Actor::service(key))
    };
    let inner = db.clone();
    let late = async move |audit: Audit| {
        audit.set_actor(Actor::user(7).named("Ann"));
        audit.set_reason("by telephone");
        // In a task of its own the extractor still belongs to the request.
        let write = audit
            .scope()
            .enter(async move { insert(&inner).await.is_ok() });
        assert!(tokio::spawn(write).await.unwrap());
    };
    let router = router(&db)
        .route("/late", post(late))
        .layer(AuditLayer::new().actor(key));
    send(&router, get("/new").with("x-api-key", b"importer")).await?;
    let mut request = get("/late").with("x-api-key", b"importer");
    *request.method_mut() = http::Method::POST;
    send(&router, request).await?;
    send(&router, get("/new")).await?;
    let log = shop.log().await?;
    let actors: Vec<_> = (log.iter())
        .map(|record| (record.actor_type.as_str(), record.actor_id.as_deref()))
        .collect();
    assert_eq!(
        actors,
        [
            ("SERVICE", Some("importer")),
            ("USER", Some("7")),
            ("ANONYMOUS", None)
        ]
    );
    assert_eq!(log[1].reason.as_deref(), Some("by telephone"));
    Ok(())
}

#[tokio::test]
async fn actor_function_reads_and_sets_the_context() -> TestResult {
    let shop = Shop::open().await?;
    let db = AuditedConnection::new(shop.conn());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let see = Arc::clone(&seen);
    // The context exists before its actor is known.
    let identify = move |parts: &Parts| {
        let context = AuditContext::current();
        let id = context.get_request_id().map(str::to_owned);
        see.lock()
            .unwrap()
            .push((id, context.get_actor().id().map(str::to_owned)));
        if parts.uri.query() == Some("set") {
            assert!(AuditContext::set_actor(Actor::user(8)));
            return None;
        }
        Some(Actor::user(7))
    };
    let router = router(&db).layer(AuditLayer::new().actor(identify));
    for path in ["/new", "/new?set"] {
        send(&router, get(path).with("x-request-id", b"r-19")).await?;
    }
    let log = shop.log().await?;
    let actors: Vec<_> = log.iter().map(|it| it.actor_id.as_deref()).collect();
    assert_eq!(actors, [Some("7"), Some("8")]);
    let not_yet = (Some("r-19".to_owned()), None);
    assert_eq!(*seen.lock().unwrap(), [not_yet.clone(), not_yet]);
    Ok(())
}

#[tokio::test]
async fn the_extractor_sets_the_actor_of_what_the_handler_writes_also_in_a_scope_inside()
-> TestResult {
    let shop = Shop::open().await?;
    let db = AuditedConnection::new(shop.conn());
    let handler = async move |audit: Audit| {
        audit.set_actor(Actor::user(7));
        insert(&db).await.unwrap();
    };
    // A middleware of the application's, with a context of its own.
    let inside = async |request, next: Next| {
        let context = AuditContext::new().actor(Actor::service("gateway"));
        context.scope(next.run(request)).await
    };
    let router = Router::new()
        .route("/", on_get(handler))
        .layer(from_fn(inside))
        .layer(AuditLayer::new());
    assert_eq!(send(&router, get("/")).await?.status(), 200);
    assert_eq!(shop.only_record().await?.actor_id.as_deref(), Some("7"));
    Ok(())
}
