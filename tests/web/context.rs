//! Actor, address and request of a record.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::get as on_get;
use futures::{FutureExt, StreamExt, stream};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;
use sea_orm::{ActiveModelTrait, Set};
use sea_orm_audit::config::HashKey;
use sea_orm_audit::context::WithAuditContext;
use sea_orm_audit::web::{
    AddressPrivacy, Audit, AuditLayer, ClientAddress, IncomingRequestId, ProxyHeader,
    TrustedProxies, client_ip,
};
use sea_orm_audit::{Actor, AuditConfig, AuditContext, AuditedConnection};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Shop, TestResult, With, call, get, product, send, text};

fn peer(address: &str) -> TestResult<ConnectInfo<SocketAddr>> {
    Ok(ConnectInfo(address.parse()?))
}

/// A router whose `/new` inserts a product.
pub(crate) fn router(db: &AuditedConnection) -> Router {
    let db = db.clone();
    Router::new().route(
        "/new",
        on_get(move || {
            let db = db.clone();
            async move { insert(&db).await.unwrap() }
        }),
    )
}

pub(crate) async fn insert(db: &AuditedConnection) -> TestResult {
    let new = product::ActiveModel {
        name: Set("tea".into()),
        ..Default::default()
    };
    new.insert(db).await?;
    Ok(())
}

#[tokio::test]
async fn change_has_the_address_agent_id_and_trace_of_its_request() -> TestResult {
    let shop = Shop::open().await?;
    let proxies = TrustedProxies::new(["10.0.0.0/8"])?;
    let layer = AuditLayer::new()
        .client_address(ClientAddress::behind(proxies, ProxyHeader::XForwardedFor));
    let router = router(&AuditedConnection::new(shop.conn())).layer(layer);
    let mut request = get("/new?secret=1")
        .with("x-forwarded-for", b"6.6.6.6, 192.0.2.60")
        .with("user-agent", b"evil\t\xff agent")
        .with("x-request-id", b"r-17")
        .with(
            "traceparent",
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        );
    request.extensions_mut().insert(peer("10.0.0.1:999")?);
    let response = send(&router, request).await?;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-request-id"], "r-17");
    let record = shop.only_record().await?;
    assert_eq!(record.actor_type, "ANONYMOUS");
    assert_eq!(record.ip_address.as_deref(), Some("192.0.2.60"));
    assert_eq!(record.user_agent.as_deref(), Some("evil␉\u{fffd} agent"));
    assert_eq!(record.request_id.as_deref(), Some("r-17"));
    assert_eq!(
        record.trace_id.as_deref(),
        Some("4bf92f3577b34da6a3ce929d0e0e4736")
    );
    Ok(())
}

#[tokio::test]
async fn request_without_an_id_gets_one_that_its_answer_and_its_handler_know() -> TestResult {
    let shop = Shop::open().await?;
    let seen = |request: Request<Body>| async move {
        let id = request.headers()["x-request-id"].to_str().unwrap();
        id.to_owned()
    };
    let db = AuditedConnection::new(shop.conn());
    let router = router(&db)
        .route("/id", on_get(seen))
        .layer(AuditLayer::new());
    let response = send(&router, get("/new")).await?;
    let id = response.headers()["x-request-id"].to_str()?;
    assert_eq!(shop.only_record().await?.request_id.as_deref(), Some(id));
    let response = send(&router, get("/id")).await?;
    let id = response.headers()["x-request-id"].to_str()?.to_owned();
    assert_eq!(text(response).await?, id);

    let ignoring = AuditLayer::new().incoming_request_id(IncomingRequestId::Ignored);
    let router = Router::new().route("/id", on_get(seen)).layer(ignoring);
    let response = send(&router, get("/id").with("x-request-id", b"mine")).await?;
    assert_ne!(text(response).await?, "mine");
    Ok(())
}

#[tokio::test]
async fn answer_keeps_the_id_to_itself_where_it_is_to() -> TestResult {
    let shop = Shop::open().await?;
    let db = AuditedConnection::new(shop.conn());
    let fails = on_get(async || -> &'static str { panic!("on purpose") });
    let own = on_get(async || [("x-request-id", "the handler's")]);
    let router = router(&db)
        .route("/fails", fails)
        .route("/own", own)
        .layer(AuditLayer::new().request_id_in_response(false));
    for (path, status) in [("/new", 200), ("/fails", 500)] {
        let response = send(&router, get(path).with("x-request-id", b"r-21")).await?;
        assert_eq!(response.status(), status);
        assert!(!response.headers().contains_key("x-request-id"));
    }
    let response = send(&router, get("/own")).await?;
    assert_eq!(response.headers()["x-request-id"], "the handler's");
    // The record has the request's ID all the same.
    let record = shop.only_record().await?;
    assert_eq!(record.request_id.as_deref(), Some("r-21"));
    Ok(())
}

#[tokio::test]
async fn body_that_is_streamed_after_the_handler_returned_has_the_context() -> TestResult {
    let shop = Shop::open().await?;
    let db = AuditedConnection::new(shop.conn());
    let handler = async move || {
        AuditContext::set_actor(Actor::user(7));
        let chunk = stream::once(async move {
            insert(&db).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>("done")
        });
        Body::from_stream(chunk)
    };
    let router = Router::new()
        .route("/", on_get(handler))
        .layer(AuditLayer::new());
    let response = call(&router, get("/").with("x-request-id", b"streamed")).await?;
    assert!(shop.log().await?.is_empty(), "the body is not polled yet");
    assert_eq!(text(response).await?, "done");
    let record = shop.only_record().await?;
    assert_eq!(record.actor_id.as_deref(), Some("7"));
    assert_eq!(record.request_id.as_deref(), Some("streamed"));
    Ok(())
}

#[tokio::test]
async fn context_that_is_first_asked_for_in_the_body_is_the_requests_as_it_came() -> TestResult {
    let shop = Shop::open().await?;
    let db = AuditedConnection::new(shop.conn());
    let key = HashKey::from_bytes("k1", &[7; 32])?;
    let config = AuditConfig::builder().hash_key(key).build()?;
    let handler = async move || {
        let chunk = stream::once(async move {
            insert(&db).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>("done")
        });
        Body::from_stream(chunk)
    };
    let forget = |mut request: axum::extract::Request| {
        request.headers_mut().clear();
        request.extensions_mut().clear();
        std::future::ready(request)
    };
    let router = Router::new()
        .route("/", on_get(handler))
        .layer(axum::middleware::map_request(forget))
        .layer(AuditLayer::new().address_privacy(AddressPrivacy::Hashed));
    let mut request = get("/")
        .with("user-agent", b"curl")
        .with("x-request-id", b"r-17");
    request.extensions_mut().insert(peer("192.0.2.60:1")?);
    let response = config.scope(send(&router, request)).await?;
    assert_eq!(text(response).await?, "done");
    let record = shop.only_record().await?;
    assert_eq!(record.user_agent.as_deref(), Some("curl"));
    assert_eq!(record.request_id.as_deref(), Some("r-17"));
    let address = record.ip_address.unwrap_or_default();
    assert!(address.starts_with("hmac-sha256:"), "{address}");
    Ok(())
}

#[tokio::test]
async fn the_extractor_says_that_the_layer_is_missing() -> TestResult {
    let router = Router::new().route("/", on_get(async |_: Audit| "never"));
    assert_eq!(send(&router, get("/")).await?.status(), 500);
    Ok(())
}

#[tokio::test]
async fn the_address_and_the_id_are_known_to_all_that_belongs_to_the_request() -> TestResult {
    let known = |headers: &http::HeaderMap| {
        let id = headers["x-request-id"].to_str().unwrap_or_default();
        format!("{:?} {id}", client_ip())
    };
    let recorded = Arc::new(Mutex::new(String::new()));
    let tell = Arc::clone(&recorded);
    let identify = move |parts: &Parts| {
        *tell.lock().unwrap() = known(&parts.headers);
        None
    };
    let proxies = TrustedProxies::new(["10.0.0.0/8"])?;
    let layer = AuditLayer::new()
        .actor(identify)
        .client_address(ClientAddress::behind(proxies, ProxyHeader::XForwardedFor))
        .address_privacy(AddressPrivacy::Off);
    let handler = async move |headers: http::HeaderMap| known(&headers);
    let router = Router::new().route("/", on_get(handler)).layer(layer);
    let mut request = get("/")
        .with("x-forwarded-for", b"192.0.2.60")
        .with("x-request-id", b"r-18");
    request.extensions_mut().insert(peer("10.0.0.8:1")?);
    let expected = "Some(192.0.2.60) r-18";
    assert_eq!(text(send(&router, request).await?).await?, expected);
    assert_eq!(*recorded.lock().unwrap(), expected);
    assert_eq!(client_ip(), None);
    Ok(())
}

#[tokio::test]
async fn the_address_is_known_to_the_body_and_to_tasks_that_take_the_context_along() -> TestResult {
    let handler = async || {
        let spawned = tokio::spawn(async { client_ip() }).await.unwrap();
        let along = async { client_ip() }.with_audit_context();
        let along = tokio::spawn(along).await.unwrap();
        let inside = AuditContext::new().scope(async { client_ip() }).await;
        let body = stream::once(async move {
            let all = [spawned, along, inside, client_ip()];
            Ok::<_, std::io::Error>(format!("{all:?}"))
        });
        Response::new(Body::from_stream(body))
    };
    let router = Router::new()
        .route("/", on_get(handler))
        .layer(AuditLayer::new());
    let mut request = get("/");
    request.extensions_mut().insert(peer("192.0.2.60:1")?);
    let one = "Some(192.0.2.60)";
    assert_eq!(
        text(send(&router, request).await?).await?,
        format!("[None, {one}, {one}, {one}]")
    );
    Ok(())
}

#[tokio::test]
async fn every_tower_service_can_be_wrapped() -> TestResult {
    // No axum, no clone, an error type and a body of its own.
    let service = service_fn(|_: Request<u8>| async {
        let id = AuditContext::current().get_request_id().map(str::to_owned);
        Ok::<_, std::io::Error>(Response::new(id))
    });
    let service = AuditLayer::new().layer(service);
    let response = service.oneshot(Request::new(1)).await?;
    assert!(response.headers().contains_key("x-request-id"));
    Ok(())
}

#[tokio::test]
async fn addresses_and_agents_are_stored_as_far_as_is_wanted() -> TestResult {
    let shop = Shop::open().await?;
    let db = AuditedConnection::new(shop.conn());
    let key = HashKey::from_bytes("k1", &[7; 32])?;
    let config = AuditConfig::builder().hash_key(key).build()?;
    let layers = [
        AddressPrivacy::Full,
        AddressPrivacy::Truncated,
        AddressPrivacy::Hashed,
        AddressPrivacy::Off,
    ];
    for privacy in layers {
        let layer = AuditLayer::new().address_privacy(privacy).user_agent(false);
        let mut request = get("/new").with("user-agent", b"curl");
        request
            .extensions_mut()
            .insert(peer("[::ffff:192.0.2.60]:1")?);
        let router = router(&db).layer(layer);
        config.scope(send(&router, request)).await?;
    }
    let log = shop.log().await?;
    assert!(log.iter().all(|record| record.user_agent.is_none()));
    let stored: Vec<_> = (log.iter())
        .map(|record| record.ip_address.clone())
        .collect();
    assert_eq!(stored[0].as_deref(), Some("192.0.2.60"));
    assert_eq!(stored[1].as_deref(), Some("192.0.2.0/24"));
    let hashed = stored[2].as_deref().unwrap_or_default();
    assert!(
        hashed.starts_with("hmac-sha256:") && hashed.len() == 44,
        "{hashed}"
    );
    assert_eq!(stored[3], None);
    Ok(())
}

/// Records the request in which it is dropped.
struct Guard(Arc<Mutex<Vec<Option<String>>>>);

impl Drop for Guard {
    fn drop(&mut self) {
        let context = AuditContext::current();
        let request = context.get_request_id().map(str::to_owned);
        self.0.lock().unwrap().push(request);
    }
}

#[tokio::test]
async fn end_of_a_request_has_its_context() -> TestResult {
    let ended = Arc::<Mutex<Vec<_>>>::default();
    let guard = {
        let ended = Arc::clone(&ended);
        move || Guard(Arc::clone(&ended))
    };
    let (waits, sends) = (guard.clone(), guard.clone());
    let router = Router::new()
        .route(
            "/done",
            on_get(async move || {
                let _guard = guard();
            }),
        )
        .route(
            "/waits",
            on_get(async move || {
                let _guard = waits();
                std::future::pending::<()>().await;
            }),
        )
        .route(
            "/sends",
            on_get(async move || {
                let guard = sends();
                let parts = stream::iter(["a", "b"]).map(move |part| {
                    let _guard = &guard;
                    Ok::<_, std::io::Error>(part)
                });
                Body::from_stream(parts)
            }),
        )
        .layer(AuditLayer::new());
    let named = |path: &str, id: &str| get(path).with("x-request-id", id.as_bytes());
    call(&router, named("/done", "done")).await?;
    assert!(
        call(&router, named("/waits", "given-up"))
            .now_or_never()
            .is_none()
    );
    text(call(&router, named("/sends", "sent")).await?).await?;
    let mut body = call(&router, named("/sends", "cut-off")).await?.into_body();
    body.frame().await.ok_or("no frame")??;
    drop(body);
    drop(call(&router, named("/sends", "unread")).await?);
    let expected = ["done", "given-up", "sent", "cut-off", "unread"];
    assert_eq!(
        *ended.lock().unwrap(),
        expected.map(|id| Some(id.to_owned()))
    );
    Ok(())
}
