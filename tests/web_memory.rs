//! The heap allocations of requests through the web layers, and what remains of them. A separate program, since the
//! program's allocator counts them.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};

use allocation_counter::measure;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::get;
use futures::FutureExt;
use http::header::USER_AGENT;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::BodyExt;
use sea_orm_audit::event::EventWriter;
use sea_orm_audit::test::TestDatabase;
use sea_orm_audit::web::AuditLayer;
use sea_orm_audit::web::security::SecurityMonitor;
use sea_orm_audit::{Actor, AuditContext, AuditStats};
use tokio::runtime::Builder;
use tower::ServiceExt;
use tower_layer::Identity;

/// The layer's allocations for a request, signs of an attack included: its scope; its ID as a header value, which is
/// shared, in the extensions and in the context; the texts of address and agent; a share of the target, which a
/// server's request has already; and the box in which axum keeps a body that is not axum's own.
const OF_THE_LAYER: u64 = 9;

/// Enough requests to find every client in a burst.
const SOME: u32 = 25_000;
const MANY: u32 = 50_000;

const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
    "curl/8.5.0",
    "sqlmap/1.8 (https://sqlmap.org)",
];

fn router() -> Router {
    let whose = async || {
        AuditContext::set_actor(Actor::user(7));
        let id = AuditContext::current().get_request_id().map(str::to_owned);
        id.unwrap_or_default()
    };
    Router::new()
        .route("/products", get(async || "that is all"))
        .route("/whose", get(whose))
        .route("/fails", get(async || StatusCode::BAD_GATEWAY))
}

fn layered(audit: AuditLayer, monitor: SecurityMonitor) -> Router {
    // However long a request takes, no slow request is reported.
    let layer = audit.slow_after(None).security(monitor);
    // As a server does: until then axum calls layers anew for every request.
    router().layer(layer).with_state(())
}

fn with_a_layer_that_does_nothing() -> Router {
    router().layer(Identity::new()).with_state(())
}

fn request(target: &str, client: Ipv4Addr, agent: &'static str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = target.parse().unwrap();
    let agent = HeaderValue::from_static(agent);
    request.headers_mut().insert(USER_AGENT, agent);
    let peer = SocketAddr::from((client, 50_000));
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

/// Sends a request, and reads the answer to its end. Nothing here waits.
fn send(router: &Router, request: Request<Body>) {
    let answered = async {
        let answer = router.clone().oneshot(request).await.unwrap();
        answer.into_body().collect().await.unwrap()
    };
    assert!(answered.now_or_never().is_some());
}

/// Sends requests of many kinds, from 499 clients.
fn send_all(router: &Router, count: u32) {
    for number in 0..count {
        let client = Ipv4Addr::from_bits(0x0a00_0000 + number % 499);
        let target = match number % 10 {
            0 => "/wp-admin/setup.php",
            1 => "/products?page=1%20UNION%20SELECT%20password%20FROM%20users",
            2 => "/nowhere",
            3 => "/whose",
            4 => "/fails",
            _ => "/products?page=2&sort=price",
        };
        let agent = AGENTS[usize::from(number % 7 == 0) + usize::from(number % 21 == 0)];
        let mut request = request(target, client, agent);
        if number % 3 == 0 {
            let id = HeaderValue::from(number);
            request.headers_mut().insert("x-request-id", id);
        }
        send(router, request);
    }
}

fn allocations_of_one(router: &Router) -> u64 {
    let mut request = Some(request("/products", Ipv4Addr::LOCALHOST, AGENTS[0]));
    measure(|| send(router, request.take().unwrap())).count_total
}

/// A writer that makes events and stores none: it is shut down.
fn ended_writer() -> EventWriter {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let db = TestDatabase::new().await.unwrap();
        let writer = EventWriter::start(db.clone());
        writer.shutdown().await;
        writer
    })
}

#[test]
fn request_takes_as_many_allocations_as_are_known() {
    let idle = with_a_layer_that_does_nothing();
    let layered = layered(AuditLayer::new(), SecurityMonitor::default());
    for router in [&idle, &layered] {
        // For one-time allocations.
        send_all(router, 100);
    }
    assert_eq!(
        allocations_of_one(&layered),
        allocations_of_one(&idle) + OF_THE_LAYER
    );
}

#[test]
fn requests_leave_nothing_behind() {
    let writer = ended_writer();
    let audit = AuditLayer::new().events(writer.clone());
    let router = layered(audit, SecurityMonitor::default().events(writer));
    send_all(&router, SOME);
    let dropped = AuditStats::now().events_dropped;
    let left = measure(|| send_all(&router, MANY));
    // Less, if the counts of clients have expired.
    assert!(
        left.count_current <= 0 && left.bytes_current <= 0,
        "{left:?}"
    );
    assert!(left.count_total > u64::from(MANY) * OF_THE_LAYER);
    let events = AuditStats::now().events_dropped - dropped;
    assert!(
        events > u64::from(MANY) * 3 / 10,
        "{events} findings and errors"
    );
}
