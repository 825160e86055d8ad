//! The cost of the web layer: the processor time of a request with and without it, in process and on one thread, so
//! that nothing else is measured.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::routing::get;
use cpu_time::ThreadTime;
use sea_orm_audit::web::AuditLayer;
use sea_orm_audit::web::security::SecurityMonitor;
use tower::ServiceExt;
use tower_layer::Identity;

use crate::BoxError;
use crate::statistics::{median, percentile};

/// Requests of one router in a round. Rounds are short and many: other load of the machine varies, and then is the
/// same within a round.
const REQUESTS: u32 = 5_000;
const ROUNDS_OF_ONE: usize = 10;

/// Measures, and returns the text to print.
pub(crate) async fn measure(rounds: usize) -> Result<String, BoxError> {
    let router = || Router::new().route("/products", get(async || "that is all"));
    // axum's cost for any layer is not ours.
    let routers = [
        ("a layer that does nothing", router().layer(Identity::new())),
        ("AuditLayer", router().layer(AuditLayer::new())),
        (
            "AuditLayer with security monitoring",
            router().layer(AuditLayer::new().security(SecurityMonitor::default())),
        ),
    ]
    // As a server does: without it axum calls layers anew for every request.
    .map(|(name, router)| (name, router.with_state(())));
    let mut nanos = [const { Vec::new() }; 3];
    // The first round fills the caches.
    for round in 0..=rounds * ROUNDS_OF_ONE {
        for (nanos, (_, router)) in nanos.iter_mut().zip(&routers) {
            let took = nanoseconds_of_one(router).await?;
            if round > 0 {
                nanos.push(took);
            }
        }
    }
    let [idle, layered @ ..] = &nanos;
    let lines = (routers.iter().skip(1).zip(layered)).map(|((name, _), nanos)| {
        let more: Vec<f64> = (nanos.iter().zip(idle))
            .map(|(with, without)| with - without)
            .collect();
        format!(
            "{name}: {:.0} ns of the processor beyond a layer that does nothing ({:.0}–{:.0}, 10th–90th percentile).\n",
            median(&more),
            percentile(&more, 0.1),
            percentile(&more, 0.9),
        )
    });
    Ok(format!(
        "## Web layer\n\n{REQUESTS} requests in a round, in process, one thread. With a layer that does nothing a request takes \
         {:.0} ns with axum.\n{}",
        median(idle),
        lines.collect::<String>()
    ))
}

/// The request never waits, so it stays on its thread.
async fn nanoseconds_of_one(router: &Router) -> Result<f64, BoxError> {
    let began = ThreadTime::now();
    for _ in 0..REQUESTS {
        let answer = router.clone().oneshot(request()?).await?;
        std::hint::black_box(answer);
    }
    Ok(began.elapsed().as_secs_f64() * 1e9 / f64::from(REQUESTS))
}

/// The request of a browser.
fn request() -> Result<Request<Body>, BoxError> {
    let mut request = Request::builder()
        .uri("/products?page=2&sort=price")
        .header("host", "shop.example")
        .header(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
        )
        .header(
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        )
        .header("accept-language", "en-GB,en;q=0.5")
        .header("accept-encoding", "gzip, deflate, br")
        .body(Body::empty())?;
    let peer = SocketAddr::from(([192, 0, 2, 1], 50_000));
    request.extensions_mut().insert(ConnectInfo(peer));
    Ok(request)
}
