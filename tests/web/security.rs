//! Findings become SECURITY events.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::middleware::{Next, from_fn};
use axum::routing::get as on_get;
use futures::FutureExt;
use http::{Request, StatusCode};
use sea_orm_audit::config::HashKey;
use sea_orm_audit::entity::audit_system_event;
use sea_orm_audit::web::security::{Burst, SecurityMonitor, SecurityRules};
use sea_orm_audit::web::{AddressPrivacy, AuditLayer};
use sea_orm_audit::{Actor, AuditConfig, AuditContext};

use crate::support::{Shop, TestResult, With, call, get, send};

fn router(shop: &Shop, rules: SecurityRules) -> Router {
    let monitor = SecurityMonitor::new(rules).events(shop.events.clone());
    Router::new()
        .route("/administration", on_get(async || "fine"))
        .layer(
            AuditLayer::new()
                .security(monitor)
                .events(shop.events.clone()),
        )
}

fn probing(path: &str, from: &str) -> TestResult<Request<Body>> {
    let mut request = get(path).with("user-agent", b"Mozilla/5.0 (X11; Linux x86_64)");
    let from: SocketAddr = from.parse()?;
    request.extensions_mut().insert(ConnectInfo(from));
    Ok(request)
}

async fn probe(router: &Router, path: &str, from: &str) -> TestResult {
    send(router, probing(path, from)?).await?;
    Ok(())
}

#[tokio::test]
async fn probe_is_an_event_of_its_client_that_counts() -> TestResult {
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
async fn fingerprint_does_not_reveal_the_client() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(&shop, SecurityRules::default());
    // Twice under one key, and once under another: an unkeyed digest would be the same three times.
    for (id, byte) in [("k1", 1), ("k1", 1), ("k2", 2)] {
        let key = HashKey::from_bytes(id, &[byte; 32])?;
        let config = AuditConfig::builder().hash_key(key).build()?;
        let probe = probe(&router, "/wp-admin/", "192.0.2.1:5");
        config.scope(probe).await?;
    }
    // Without a configured key the process uses a random one.
    probe(&router, "/wp-admin/", "192.0.2.1:5").await?;
    let events = shop.events().await?;
    let counted: Vec<_> = events.iter().map(|event| event.occurrences).collect();
    assert_eq!(counted, [2, 1, 1]);
    Ok(())
}

#[tokio::test]
async fn network_of_ipv6_is_one_client() -> TestResult {
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
async fn scanner_that_tries_everything_does_not_fill_the_log() -> TestResult {
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

#[tokio::test]
async fn finding_names_the_user_however_the_request_ends() -> TestResult {
    let shop = Shop::open().await?;
    let monitor = SecurityMonitor::default().events(shop.events.clone());
    let signed_in = async |request: Request<Body>, next: Next| {
        AuditContext::set_actor(Actor::user(7));
        next.run(request).await
    };
    let router = Router::new()
        .route(
            "/wp-login.php",
            on_get(async || -> StatusCode { panic!("a handler") }),
        )
        .route("/.env", on_get(std::future::pending::<()>))
        .layer(from_fn(signed_in))
        .layer(
            AuditLayer::new()
                .security(monitor)
                .events(shop.events.clone()),
        );
    probe(&router, "/wp-admin/", "192.0.2.1:5").await?;
    probe(&router, "/wp-login.php", "192.0.2.1:5").await?;
    let given_up = call(&router, probing("/.env", "192.0.2.1:5")?).now_or_never();
    assert!(given_up.is_none());
    let events = shop.events().await?;
    let recorded: Vec<_> = (events.iter())
        .filter(|event| event.event_type == "SECURITY")
        .map(|event| (event.actor_id.as_deref(), event.request_id.is_some()))
        .collect();
    assert_eq!(recorded, [(Some("7"), true); 3]);
    Ok(())
}

#[tokio::test]
async fn refused_requests_of_one_client_are_a_burst() -> TestResult {
    let shop = Shop::open().await?;
    let window = std::time::Duration::from_hours(1);
    let rules = SecurityRules::builder()
        .burst(Burst::Refused, 4, window)
        .build()?;
    let monitor = SecurityMonitor::new(rules).events(shop.events.clone());
    let router = Router::new()
        .route("/who", on_get(async || StatusCode::UNAUTHORIZED))
        .route("/admin/users", on_get(async || StatusCode::FORBIDDEN))
        .layer(AuditLayer::new().security(monitor));
    for from in ["192.0.2.1:5", "192.0.2.2:5"] {
        for path in ["/who", "/admin/users", "/who"] {
            probe(&router, path, from).await?;
        }
    }
    assert!(shop.events().await?.is_empty());
    probe(&router, "/admin/users", "192.0.2.1:5").await?;
    let events = shop.events().await?;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].title, "authz_fail");
    assert_eq!(events[0].ip_address.as_deref(), Some("192.0.2.1"));
    Ok(())
}

#[tokio::test]
async fn probing_path_that_is_served_is_no_finding() -> TestResult {
    let shop = Shop::open().await?;
    let monitor = SecurityMonitor::default().events(shop.events.clone());
    let router = Router::new()
        .route("/wp-login.php", on_get(async || "this one has it"))
        .route("/.env", on_get(async || StatusCode::FORBIDDEN))
        .layer(AuditLayer::new().security(monitor));
    for path in [
        "/wp-login.php",
        "/wp-login.php?q=%3Cscript%3Ealert(1)",
        "/.env",
        "/wp-admin",
    ] {
        probe(&router, path, "192.0.2.1:5").await?;
    }
    let mut rules: Vec<_> = (shop.events().await?.into_iter())
        .map(|event| event.metadata.unwrap_or_default()["rule"].to_string())
        .collect();
    rules.sort();
    assert_eq!(rules, [r#"".env""#, r#""/wp-admin""#, r#""xss-tag""#]);
    Ok(())
}

/// Each spelling comes from another address: only the account shows that all are guesses at it.
#[tokio::test]
async fn failed_logins_of_one_account_by_several_names_are_one_burst() -> TestResult {
    let shop = Shop::open().await?;
    let window = std::time::Duration::from_hours(1);
    let rules = SecurityRules::builder().burst(Burst::LoginsOfUser, 3, window);
    let monitor = SecurityMonitor::new(rules.build()?).events(shop.events.clone());
    for name in ["ann", "\u{ff41}nn", "ann@example.org", "ann"] {
        monitor.login_failed_of(name, &Actor::user(7));
    }
    // Another account, another kind of account, and a name that belongs to none.
    for _ in 0..2 {
        monitor.login_failed_of("ann", &Actor::user(8));
        monitor.login_failed_of("ann", &Actor::service("7"));
        monitor.login_failed("7");
    }
    let accounts: Vec<_> = (shop.events().await?.into_iter())
        .map(|event| event.metadata.unwrap_or_default()["account"].to_string())
        .collect();
    assert_eq!(accounts, ["\"7\""]);
    Ok(())
}

/// The texts of the events of bounded findings, by rule `many-rules`.
#[tokio::test]
async fn bounded_findings_name_no_address() -> TestResult {
    let shop = Shop::open().await?;
    let path = |number| format!("/probe-{number}");
    let rules = (0..51).fold(SecurityRules::builder(), |rules, number| {
        rules.probing_path(path(number))
    });
    let no_burst = rules.burst(Burst::NotFound, 1_000, std::time::Duration::from_mins(1));
    let router = Router::new().layer(
        AuditLayer::new()
            .security(SecurityMonitor::new(no_burst.build()?))
            .events(shop.events.clone())
            .address_privacy(AddressPrivacy::Off),
    );
    for number in 0..51 {
        probe(&router, &path(number), "192.0.2.1:5").await?;
    }
    for network in 0..201 {
        let from = format!("[2001:db8:7:{network:x}::1]:5");
        probe(&router, &path(0), &from).await?;
    }
    let events = shop.events().await?;
    for event in &events {
        let stored = format!("{event:?}");
        assert_eq!(event.ip_address, None);
        for part in ["192.0.2", "2001:db8"] {
            assert!(!stored.contains(part), "{stored}");
        }
    }
    let many: Vec<_> = (events.into_iter())
        .filter(|event| {
            event
                .metadata
                .as_ref()
                .is_some_and(|it| it["rule"] == "many-rules")
        })
        .filter_map(|event| event.description)
        .collect();
    assert_eq!(
        many,
        [
            "more than 50 different findings of one client within an hour",
            "more than 200 different findings of one network within an hour",
        ]
    );
    Ok(())
}

/// Single-page applications and file servers answer 200 to every path.
#[tokio::test]
async fn probing_path_that_a_fallback_serves_is_a_finding() -> TestResult {
    let shop = Shop::open().await?;
    let audit = || {
        let monitor = SecurityMonitor::default().events(shop.events.clone());
        AuditLayer::new().security(monitor)
    };
    let page = || on_get(async || "the application");
    let files = tower::service_fn(|_: Request<Body>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::from("a file")))
    });
    let nested = Router::new()
        .route("/wp-admin", page())
        .fallback(async || "the application");
    for router in [
        Router::new().fallback(async || "the application"),
        Router::new().fallback_service(files),
        Router::new().route("/{*path}", page()),
        Router::new().nest_service("/.git", files),
        Router::new().nest("/api", nested.clone()),
    ] {
        let before = count(&shop).await?;
        let router = router.layer(audit());
        for path in ["/wp-login.php", "/.git/config", "/api/.env"] {
            probe(&router, path, "192.0.2.1:5").await?;
        }
        let found = count(&shop).await? - before;
        assert_eq!(found, 3, "{router:?}");
    }
    // A request to an existing route is no finding, also in a nested router.
    let before = count(&shop).await?;
    let router = Router::new()
        .route("/wp-login.php", page())
        .route("/.git/{name}", page())
        .nest("/xmlrpc.php", nested)
        .layer(audit());
    for path in ["/wp-login.php", "/.git/config", "/xmlrpc.php/wp-admin"] {
        probe(&router, path, "192.0.2.1:5").await?;
    }
    assert_eq!(count(&shop).await?, before);
    Ok(())
}

/// How many findings there are.
async fn count(shop: &Shop) -> TestResult<i64> {
    let events = shop.events().await?;
    Ok(events.iter().map(|event| event.occurrences).sum())
}
