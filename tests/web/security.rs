//! Findings become SECURITY events.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get as on_get;
use sea_orm_audit::entity::audit_system_event;
use sea_orm_audit::web::AuditLayer;
use sea_orm_audit::web::security::{Burst, SecurityLayer, SecurityMonitor, SecurityRules};
use sea_orm_audit::{AuditConfig, HashKey};

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

#[tokio::test]
async fn nobody_finds_out_the_client_by_trying_addresses_on_the_fingerprint() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(&shop, SecurityRules::default());
    // Twice under one key, and once under another: an unkeyed digest would be the same three times.
    for (id, byte) in [("k1", 1), ("k1", 1), ("k2", 2)] {
        let key = HashKey::from_bytes(id, &[byte; 32])?;
        let config = AuditConfig::builder().hash_key(key).build()?;
        let probe = probe(&router, "/wp-admin/", "192.0.2.1:5");
        config.scope(probe).await?;
    }
    // Without a key that is configured it is one that nobody knows.
    probe(&router, "/wp-admin/", "192.0.2.1:5").await?;
    let events = shop.events().await?;
    let counted: Vec<_> = events.iter().map(|event| event.occurrences).collect();
    assert_eq!(counted, [2, 1, 1]);
    Ok(())
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_client() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(&shop, SecurityRules::default());
    for host in 1..=5 {
        let from = format!("[2001:db8::{host}]:5");
        probe(&router, "/wp-admin/", &from).await?;
    }
    probe(&router, "/wp-admin/", "[2001:db8:0:1::1]:5").await?;
    let events = shop.events().await?;
    let counted: Vec<_> = events.iter().map(|event| event.occurrences).collect();
    assert_eq!(counted, [5, 1]);
    Ok(())
}

#[tokio::test]
async fn a_scanner_that_tries_everything_does_not_fill_the_log() -> TestResult {
    let shop = Shop::open().await?;
    let path = |number| format!("/probe-{number}");
    let rules = (0..60).fold(SecurityRules::builder(), |rules, number| {
        rules.probing_path(path(number))
    });
    let no_burst = rules.burst(Burst::NotFound, 1_000, std::time::Duration::from_mins(1));
    let router = router(&shop, no_burst.build()?);
    for _ in 0..2 {
        for number in 0..60 {
            probe(&router, &path(number), "192.0.2.1:5").await?;
        }
    }
    probe(&router, &path(59), "192.0.2.2:5").await?;
    let events = shop.events().await?;
    let rule_of = |event: &audit_system_event::Model| {
        let metadata = event.metadata.clone().unwrap_or_default();
        metadata["rule"].as_str().unwrap_or_default().to_owned()
    };
    let many: Vec<_> = (events.iter())
        .filter(|event| rule_of(event) == "many-rules")
        .collect();
    assert_eq!(many.len(), 1);
    assert_eq!(many[0].occurrences, 2 * 10);
    assert_eq!(many[0].title, "malicious_attack_tool");
    assert_eq!(events.len(), 50 + 1 + 1, "and that of the other client");
    Ok(())
}
