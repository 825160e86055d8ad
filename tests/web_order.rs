//! Layers in a wrong order report that once per process, over real connections; duplicate layers record once. A
//! separate program, since the message appears once per process.
#![allow(
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_imports
)]

#[path = "suite/logged.rs"]
mod logged;
#[path = "web/people.rs"]
mod people;
#[path = "web/support.rs"]
mod support;

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use axum::Router;
use axum::routing::get as on_get;
use axum_login::AuthManagerLayerBuilder;
use http::StatusCode;
use http::request::Parts;
use sea_orm_audit::Actor;
use sea_orm_audit::web::login::AuditAuthLayer;
use sea_orm_audit::web::security::{Burst, SecurityMonitor, SecurityRules};
use sea_orm_audit::web::{AuditLayer, AuditSessionLayer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower_sessions::{MemoryStore, SessionManagerLayer};

use logged::Logged;
use people::{Auth, backend};
use support::{Shop, TestResult, serve};

/// Sends a request over a new connection. Returns the status; `None` if the connection ends without an answer.
async fn ask(address: SocketAddr, path: &str, cookie: &str) -> TestResult<Option<StatusCode>> {
    let answer = async {
        let mut connection = TcpStream::connect(address).await?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: shop\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        TestResult::Ok(answer)
    };
    let answer = timeout(Duration::from_secs(20), answer).await??;
    let status = answer.split(' ').nth(1);
    Ok(status.map(str::parse).transpose()?)
}

fn routes() -> Router {
    Router::new()
        .route("/who", on_get(async || "no user"))
        .route(
            "/panics",
            on_get(async || -> StatusCode { panic!("a handler") }),
        )
}

fn sessions() -> SessionManagerLayer<MemoryStore> {
    SessionManagerLayer::new(MemoryStore::default()).with_secure(false)
}

/// The answer to a request in the wrong order: it fails with debug assertions.
fn is_refused(answer: Option<StatusCode>) -> bool {
    answer.is_none_or(|status| status.is_server_error()) == cfg!(debug_assertions)
}

/// The log of the program.
fn log() -> Logged {
    static LOG: LazyLock<Logged> = LazyLock::new(|| {
        let log = Logged::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(log.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    });
    LOG.clone()
}

/// Clients determine the number of events.
#[tokio::test]
async fn events_without_a_writer_are_a_warning_once() -> TestResult {
    let log = log();
    let fails = on_get(async || StatusCode::BAD_GATEWAY);
    let router = Router::new()
        .route("/fails", fails)
        .layer(AuditLayer::new().security(SecurityMonitor::default()));
    let address = serve(router).await?;
    for number in 0..4 {
        ask(address, "/fails", "").await?;
        ask(address, &format!("/wp-admin/{number}"), "").await?;
    }
    for words in [
        "no writer is installed for this system event",
        "no writer is installed for this finding",
    ] {
        let said = log.lines(words);
        let at = |level: &str| {
            let start = format!(" {level} sea_orm_audit");
            said.iter().filter(|line| line.contains(&start)).count()
        };
        assert_eq!((at("WARN"), at("DEBUG")), (1, 3), "{said:?}");
    }
    Ok(())
}

#[tokio::test]
async fn layers_in_a_wrong_order_say_so_once() -> TestResult {
    let log = log();
    let shop = Shop::open().await?;
    let audit = || AuditLayer::new().events(shop.events.clone());
    let auth = || AuditAuthLayer::<Auth, _>::new(shop.conn());
    let manager = || AuthManagerLayerBuilder::new(backend(&shop), sessions()).build();
    for (router, words, order) in [
        (
            routes().layer(manager()).layer(auth()).layer(audit()),
            "not inside of axum-login's layer",
            "`.layer(AuditAuthLayer::<Backend, _>::new(db))`, `.layer(auth_manager_layer)`",
        ),
        (
            routes().layer(auth()).layer(manager()),
            "`AuditAuthLayer` is not inside of an `AuditLayer`",
            "`.layer(AuditLayer::new())`",
        ),
        (
            routes().layer(audit()).layer(sessions()),
            "`AuditLayer` is inside of the session layer",
            "call `.layer(AuditLayer::new())` last",
        ),
        (
            routes().layer(AuditSessionLayer).layer(audit()),
            "`AuditSessionLayer` is not inside of",
            "`.layer(AuditSessionLayer)`, `.layer(session_layer)`",
        ),
    ] {
        let address = serve(router).await?;
        assert!(log.lines(words).is_empty());
        for _ in 0..3 {
            assert!(is_refused(ask(address, "/who", "").await?), "{words}");
        }
        let said = log.lines(words);
        let at_its_level = said.iter().filter(|line| line.contains("ERROR"));
        assert_eq!(at_its_level.count(), 1, "{said:?}");
        assert!(said[0].contains(order), "{said:?}");
    }
    // The right order logs nothing; a server without client addresses gets a message with the fix.
    let right = routes().layer(auth()).layer(manager()).layer(audit());
    let address = serve(right.clone()).await?;
    assert_eq!(ask(address, "/who", "").await?, Some(StatusCode::OK));
    let unknown = "into_make_service_with_connect_info::<SocketAddr>()";
    assert!(log.lines(unknown).is_empty());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, right).await });
    for _ in 0..3 {
        assert_eq!(ask(address, "/who", "").await?, Some(StatusCode::OK));
    }
    let said = log.lines(unknown);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("WARN"), "{said:?}");
    Ok(())
}

#[tokio::test]
async fn layers_that_are_there_twice_record_once() -> TestResult {
    let shop = Shop::open().await?;
    let monitor = SecurityMonitor::default().events(shop.events.clone());
    let audit = || {
        AuditLayer::new()
            .events(shop.events.clone())
            .security(monitor.clone())
            .slow_after(Duration::ZERO)
    };
    let inner = AuditAuthLayer::<Auth, _>::new(shop.conn());
    let twice = people::router_with(&shop, backend(&shop), [people::KEY; 2], |router| {
        router.layer(inner)
    });
    let cookie = people::cookie(&twice).await?;
    let address = serve(twice).await?;
    let out = ask(address, "/out/well", &cookie).await?;
    assert_eq!(out, Some(StatusCode::NO_CONTENT));
    let logouts = people::actions(&shop).await?;
    let logouts = logouts.iter().filter(|action| *action == "LOGOUT");
    assert_eq!(logouts.count(), 1);
    let address = serve(routes().layer(audit()).layer(audit())).await?;
    let failed = ask(address, "/panics?q=%3Cscript%3E", "").await?;
    assert_eq!(failed, Some(StatusCode::INTERNAL_SERVER_ERROR));
    let events = shop.events().await?;
    let kinds: Vec<_> = (events.iter())
        .map(|event| {
            (
                event.event_type.as_str(),
                event.error_code.as_deref(),
                event.occurrences,
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("ERROR", Some("PANIC"), 1),
            ("SECURITY", Some("malicious_extraneous"), 1),
            ("PERFORMANCE", None, 1),
        ]
    );
    Ok(())
}

#[tokio::test]
async fn layer_inside_of_another_tells_the_actor_and_counts_nothing_twice() -> TestResult {
    let shop = Shop::open().await?;
    let hour = Duration::from_hours(1);
    let rules = SecurityRules::builder().burst(Burst::NotFound, 4, hour);
    let monitor = SecurityMonitor::new(rules.build()?);
    let audit = || {
        AuditLayer::new()
            .security(monitor.clone())
            .events(shop.events.clone())
    };
    let key = |_: &Parts| Some(Actor::service("key"));
    let router = Router::new()
        .route("/fails", on_get(async || StatusCode::BAD_GATEWAY))
        .layer(audit().actor(key))
        .layer(audit());
    let address = serve(router).await?;
    let failed = ask(address, "/fails", "").await?;
    assert_eq!(failed, Some(StatusCode::BAD_GATEWAY));
    for _ in 0..3 {
        ask(address, "/nowhere", "").await?;
    }
    let events = shop.events().await?;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].actor_id.as_deref(), Some("key"));
    assert_eq!(events[0].ip_address.as_deref(), Some("127.0.0.1"));
    ask(address, "/nowhere", "").await?;
    let events = shop.events().await?;
    assert_eq!(events.len(), 2, "four are a burst");
    assert_eq!(
        events[1].error_code.as_deref(),
        Some("malicious_excess_404")
    );
    Ok(())
}

#[tokio::test]
async fn the_stored_path_is_that_of_the_request() -> TestResult {
    let shop = Shop::open().await?;
    let audit = AuditLayer::new().events(shop.events.clone());
    let inner = Router::new()
        .route("/fails/{id}", on_get(async || StatusCode::BAD_GATEWAY))
        .layer(audit);
    let address = serve(Router::new().nest("/api/v1", inner)).await?;
    let answer = ask(address, "/api/v1/fails/7?page=2", "").await?;
    assert_eq!(answer, Some(StatusCode::BAD_GATEWAY));
    let events = shop.events().await?;
    assert_eq!(events.len(), 1);
    let metadata = events[0].metadata.clone().unwrap_or_default();
    assert_eq!(metadata["path"], "/api/v1/fails/7");
    assert_eq!(metadata["route"], "/api/v1/fails/{id}");
    Ok(())
}
