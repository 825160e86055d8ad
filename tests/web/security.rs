//! Findings become SECURITY events.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get as on_get;
use sea_orm_audit::web::AuditLayer;
use sea_orm_audit::web::security::{Burst, SecurityLayer, SecurityMonitor, SecurityRules};

use crate::support::{Shop, TestResult, With, get, send};

fn router(shop: &Shop, rules: SecurityRules) -> Router {
    let monitor = SecurityMonitor::new(rules).events(shop.events.clone());
    Router::new()
        .route("/administration", on_get(async || "fine"))
        .layer(SecurityLayer::new(monitor))
        .layer(AuditLayer::new().events(shop.events.clone()))
}

async fn probe(router: &Router, path: &str, from: &str) -> TestResult {
    let mut request = get(path).with("user-agent", b"Mozilla/5.0 (X11; Linux x86_64)");
    let from: SocketAddr = from.parse()?;
    request.extensions_mut().insert(ConnectInfo(from));
    send(router, request).await?;
    Ok(())
}

#[tokio::test]
async fn a_probe_is_an_event_of_its_client_that_counts() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(&shop, SecurityRules::default());
    for _ in 0..3 {
        probe(&router, "/wp-admin/", "192.0.2.1:5").await?;
    }
    probe(&router, "/wp-admin/", "192.0.2.2:5").await?;
    probe(&router, "/administration", "192.0.2.1:5").await?;
    let events = shop.events().await?;
    let found: Vec<_> = (events.iter())
        .map(|event| (event.ip_address.as_deref(), event.occurrences))
        .collect();
    assert_eq!(found, [(Some("192.0.2.1"), 3), (Some("192.0.2.2"), 1)]);
    assert_eq!(events[0].event_type, "SECURITY");
    assert_eq!(events[0].title, "malicious_direct_reference");
    assert_eq!(
        events[0].metadata.clone().unwrap_or_default()["rule"],
        "/wp-admin"
    );
    Ok(())
}

#[tokio::test]
async fn many_refusals_of_one_client_are_a_burst() -> TestResult {
    let shop = Shop::open().await?;
    let window = std::time::Duration::from_hours(1);
    let rules = SecurityRules::builder()
        .burst(Burst::NotFound, 5, window)
        .build()?;
    let router = router(&shop, rules);
    for page in 0..4 {
        probe(&router, &format!("/page/{page}"), "192.0.2.1:5").await?;
        probe(&router, &format!("/page/{page}"), "192.0.2.2:5").await?;
    }
    assert!(shop.events().await?.is_empty());
    probe(&router, "/page/4", "192.0.2.1:5").await?;
    let events = shop.events().await?;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].title, "malicious_excess_404");
    assert_eq!(events[0].ip_address.as_deref(), Some("192.0.2.1"));
    Ok(())
}
