//! Logins that are recorded when a session is signed in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use axum::Router;
use chrono::Utc;
use http::StatusCode;
use sea_orm::ConnectionTrait;
use sea_orm::prelude::DateTimeUtc;
use sea_orm_audit::AuditConfig;
use sea_orm_audit::config::Clock;
use sea_orm_audit::web::login::LoginRecording;

use crate::people::{
    KEY, actions, attempts, backend, cookie, go_away_after, is_signed_in, router, status,
};
use crate::support::{Shop, TestResult, eventually, get, send};

fn deferring(shop: &Shop) -> Router {
    router(
        shop,
        backend(shop).record_success(LoginRecording::LoggedIn),
        [KEY; 2],
    )
}

#[tokio::test]
async fn right_credentials_alone_are_no_login() -> TestResult {
    let shop = Shop::open().await?;
    let router = deferring(&shop);
    let answer = send(&router, get("/confirm/Ann/right")).await?;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(actions(&shop).await?.is_empty());
    // A wrong password is a failed login all the same.
    send(&router, get("/confirm/Ann/wrong")).await?;
    assert_eq!(actions(&shop).await?, ["LOGIN_FAILED"]);
    Ok(())
}

#[tokio::test]
async fn session_that_is_signed_in_is_a_login_with_the_name_that_was_typed() -> TestResult {
    let shop = Shop::open().await?;
    let router = deferring(&shop);
    let ann = cookie(&router).await?;
    assert!(is_signed_in(&router, &ann).await?);
    let attempts = attempts(&shop).await?;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].username.as_deref(), Some("Ann"));
    assert_eq!(
        (&*attempts[0].status, attempts[0].actor_id.as_deref()),
        ("SUCCESS", Some("7"))
    );
    // A signed-in user who confirms the password does not sign in.
    status(&router, "/in/Ann/right", &ann).await?;
    assert_eq!(actions(&shop).await?, ["LOGIN"]);
    status(&router, "/out/well", &ann).await?;
    assert_eq!(actions(&shop).await?, ["LOGIN", "LOGOUT"]);
    Ok(())
}

#[tokio::test]
async fn login_after_a_second_factor_is_recorded_with_that_request() -> TestResult {
    let shop = Shop::open().await?;
    let router = deferring(&shop);
    send(&router, get("/confirm/Ann/right")).await?;
    let answer = send(&router, get("/second")).await?;
    let id = answer.headers()["x-request-id"].to_str()?;
    let attempts = attempts(&shop).await?;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].username.as_deref(), Some("Ann"));
    assert_eq!(attempts[0].actor_id.as_deref(), Some("7"));
    assert_eq!(attempts[0].request_id.as_deref(), Some(id));
    Ok(())
}

#[tokio::test]
async fn unrecordable_login_is_refused() -> TestResult {
    let shop = Shop::open().await?;
    let router = deferring(&shop);
    let drop_table = "DROP TABLE audit_login_attempt";
    shop.db.execute_unprepared(drop_table).await?;
    let answer = send(&router, get("/in/Ann/right")).await?;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.headers().contains_key("set-cookie"));
    assert!(shop.log().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn at_whichever_moment_a_client_goes_no_login_is_half_recorded() -> TestResult {
    let shop = Shop::open().await?;
    let router = deferring(&shop);
    for moment in 0..60 {
        go_away_after(moment, &router, get("/in/Ann/right")).await;
    }
    let before = attempts(&shop).await?.len();
    cookie(&router).await?;
    let more = async || Ok((attempts(&shop).await?.len() > before).then_some(()));
    eventually(more).await?;
    let (attempts, log) = (attempts(&shop).await?, shop.log().await?);
    assert_eq!(attempts.len(), log.len());
    for (attempt, record) in attempts.iter().zip(&log) {
        assert_eq!(attempt.log_id, Some(record.id));
        assert_eq!(record.action, "LOGIN");
    }
    Ok(())
}

/// A clock that panics once when its flag is set.
#[derive(Debug)]
struct Trap(Arc<AtomicBool>);

impl Clock for Trap {
    fn now(&self) -> DateTimeUtc {
        assert!(!self.0.swap(false, Relaxed), "the clock broke");
        Utc::now()
    }
}

#[tokio::test]
async fn panic_while_a_login_is_recorded_refuses_it_and_is_reported_with_its_place() -> TestResult {
    let shop = Shop::open().await?;
    let router = deferring(&shop);
    let ann = cookie(&router).await?;
    status(&router, "/out/well", &ann).await?;
    let armed = Arc::new(AtomicBool::new(true));
    let config = AuditConfig::builder()
        .clock(Trap(Arc::clone(&armed)))
        .build()?;
    let answer = config.scope(send(&router, get("/in/Ann/right"))).await?;
    assert!(
        !armed.load(Relaxed),
        "it was the record that asked for the time"
    );
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(actions(&shop).await?, ["LOGIN", "LOGOUT"]);
    let events = shop.events().await?;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].title, "a handler panicked");
    let module = events[0].module.as_deref().unwrap_or_default();
    assert!(module.ends_with("deferred.rs"), "{module}");
    Ok(())
}
