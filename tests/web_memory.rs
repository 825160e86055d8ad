//! What requests through the web layers take from the heap, and leave on it: counted, in a program of its own, since
//! what counts is the program's allocator.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};

use allocation_counter::{AllocationInfo, measure};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::get;
use futures::FutureExt;
use http::header::USER_AGENT;
use http::{HeaderValue, Request};
use http_body_util::BodyExt;
use sea_orm_audit::web::AuditLayer;
use sea_orm_audit::web::security::SecurityLayer;
use tower::ServiceExt;
use tower_layer::Identity;

/// What both layers take for a request: its scope, its id in request and answer, and the box in which axum keeps a
/// body that is not axum's own.
const OF_BOTH_LAYERS: u64 = 4;

const FEW: u32 = 1_000;
const MANY: u32 = 100_000;

const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
    "curl/8.5.0",
    "sqlmap/1.8 (https://sqlmap.org)",
];

fn router() -> Router {
    Router::new().route("/products", get(async || "that is all"))
}

fn layered() -> Router {
    let layers = (AuditLayer::new(), SecurityLayer::default());
    // As a server does: until then axum calls layers anew for every request.
    router().layer(layers).with_state(())
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

/// Sends a request, and reads the answer to its end. Nothing here waits for anything.
fn send(router: &Router, request: Request<Body>) {
    let answered = async {
        let answer = router.clone().oneshot(request).await.unwrap();
        answer.into_body().collect().await.unwrap()
    };
    assert!(answered.now_or_never().is_some());
}

/// Sends requests of all kinds: of many clients and agents, found and not found, harmless and not.
fn send_all(router: &Router, count: u32) {
    for number in 0..count {
        let client = Ipv4Addr::from_bits(0x0a00_0000 + number % 500);
        let target = match number % 10 {
            0 => "/wp-admin/setup.php",
            1 => "/products?page=1%20UNION%20SELECT%20password%20FROM%20users",
            2 => "/nowhere",
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

fn one(router: &Router) -> AllocationInfo {
    let mut request = Some(request("/products", Ipv4Addr::LOCALHOST, AGENTS[0]));
    measure(|| send(router, request.take().unwrap()))
}

#[test]
fn a_request_takes_no_more_allocations_than_are_known() {
    let (idle, layered) = (with_a_layer_that_does_nothing(), layered());
    for router in [&idle, &layered] {
        // For what is made once.
        send_all(router, FEW);
    }
    let more = one(&layered).count_total - one(&idle).count_total;
    assert_eq!(more, OF_BOTH_LAYERS);
}

#[test]
fn requests_leave_nothing_behind() {
    let router = layered();
    // Every client, rule and agent is known from then on.
    send_all(&router, 10 * FEW);
    let left = measure(|| send_all(&router, MANY));
    assert!(left.count_total > u64::from(MANY) * OF_BOTH_LAYERS);
    assert_eq!((left.count_current, left.bytes_current), (0, 0));
}
