//! Successful and failed logins.

use http::StatusCode;

use crate::people::{KEY, actions, attempts, backend, go_away_after, router};
use crate::support::{Shop, TestResult, eventually, get, send};

#[tokio::test]
async fn right_credentials_are_a_login_whatever_is_done_with_them() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(&shop, backend(&shop), [KEY; 2]);
    send(&router, get("/confirm/Ann/right")).await?;
    assert_eq!(actions(&shop).await?, ["LOGIN"]);
    Ok(())
}

#[tokio::test]
async fn at_whichever_moment_a_client_goes_no_attempt_is_half_recorded() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(&shop, backend(&shop), [KEY; 2]);
    for (path, status, action) in [
        ("/in/Ann/right", "SUCCESS", "LOGIN"),
        ("/in/Ann/wrong", "FAILED", "LOGIN_FAILED"),
    ] {
        for moment in 0..40 {
            go_away_after(moment, &router, get(path)).await;
        }
        // One more request, which ends after all the others.
        let before = attempts(&shop).await?.len();
        send(&router, get(path)).await?;
        let more = async || Ok((attempts(&shop).await?.len() > before).then_some(()));
        eventually(more).await?;
        let (attempts, log) = (attempts(&shop).await?, shop.log().await?);
        assert_eq!(attempts.len(), log.len());
        for (attempt, record) in attempts.iter().zip(&log) {
            assert_eq!(attempt.log_id, Some(record.id));
            assert_eq!(attempt.request_id, record.request_id);
        }
        let of_this = attempts.iter().filter(|attempt| attempt.status == status);
        let recorded = log.iter().filter(|record| record.action == action);
        assert_eq!(of_this.count(), recorded.clone().count());
        let actor = (status == "SUCCESS").then_some("7");
        assert!(
            recorded
                .clone()
                .all(|record| record.actor_id.as_deref() == actor)
        );
    }
    Ok(())
}

#[tokio::test]
async fn wrong_password_is_recorded_though_its_client_disconnected() -> TestResult {
    use futures::FutureExt;
    use sea_orm::TransactionTrait;
    use tower::ServiceExt;
    let shop = Shop::open().await?;
    let router = router(&shop, backend(&shop), [KEY; 2]);
    // Another client has the only connection: the record waits for it.
    let held = shop.db.begin().await?;
    let mut answer = Box::pin(router.oneshot(get("/in/Ann/wrong")));
    assert!((&mut answer).now_or_never().is_none());
    drop(answer);
    held.rollback().await?;
    eventually(async || Ok(attempts(&shop).await?.pop())).await?;
    assert_eq!(actions(&shop).await?, ["LOGIN_FAILED"]);
    Ok(())
}

/// The owner of an account whose name differs only in case signs in between guesses.
#[tokio::test]
async fn success_of_another_account_does_not_let_guesses_go_on() -> TestResult {
    use std::net::SocketAddr;
    use std::time::Duration;

    use axum::extract::ConnectInfo;
    use sea_orm_audit::event::Lockout;

    let shop = Shop::open().await?;
    let lockout = Lockout::per_user_and_address(5, Duration::from_mins(15));
    let router = router(&shop, backend(&shop).lockout(lockout), [KEY; 2]);
    let from: SocketAddr = "192.0.2.1:1".parse()?;
    let sign_in = async |path: &str| {
        let mut request = get(path);
        request.extensions_mut().insert(ConnectInfo(from));
        TestResult::Ok(send(&router, request).await?.status())
    };
    let mut guesses = Vec::new();
    for _ in 0..5 {
        for _ in 0..4 {
            guesses.push(sign_in("/in/Ann/wrong").await?);
        }
        assert_eq!(sign_in("/in/ANN/mine").await?, StatusCode::OK);
    }
    let looked_at = guesses
        .iter()
        .filter(|status| **status == StatusCode::UNAUTHORIZED);
    assert_eq!(looked_at.count(), 5, "{guesses:?}");
    assert_eq!(
        sign_in("/in/Ann/right").await?,
        StatusCode::TOO_MANY_REQUESTS
    );
    Ok(())
}

#[tokio::test]
async fn login_and_a_logout_have_the_place_of_their_address() -> TestResult {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;
    use sea_orm_audit::web::geoip::GeoIp;

    use crate::mmdb::{Data, database};
    use crate::people::{cookie, with_cookie};

    let country = ("country", Data::Map(vec![("iso_code", Data::Text("GB"))]));
    let names = Data::Map(vec![("en", Data::Text("London"))]);
    let city = ("city", Data::Map(vec![("names", names)]));
    let london = Data::Map(vec![country, city]);
    let folder = std::env::temp_dir();
    let path = folder.join(format!("sea-orm-audit-web-{}.mmdb", std::process::id()));
    std::fs::write(
        &path,
        database("GeoLite2-City", 6, &[("192.0.2.0/24".parse()?, london)]),
    )?;
    let places = GeoIp::open(&path);
    std::fs::remove_file(&path)?;

    let shop = Shop::open().await?;
    let router = router(&shop, backend(&shop).places(places?), [KEY; 2]);
    for (path, address) in [
        ("/in/Ann/right", "192.0.2.60:1"),
        ("/in/Ann/wrong", "192.0.2.61:1"),
        ("/in/Ann/wrong", "198.51.100.1:1"),
    ] {
        let mut request = get(path);
        let from: SocketAddr = address.parse()?;
        request.extensions_mut().insert(ConnectInfo(from));
        send(&router, request).await?;
    }
    let ann = cookie(&router).await?;
    let mut out = with_cookie("/out/well", &ann)?;
    let from: SocketAddr = "192.0.2.62:1".parse()?;
    out.extensions_mut().insert(ConnectInfo(from));
    send(&router, out).await?;
    let attempts = attempts(&shop).await?;
    let places: Vec<_> = (attempts.iter())
        .map(|attempt| (attempt.country.as_deref(), attempt.city.as_deref()))
        .collect();
    let london = (Some("GB"), Some("London"));
    let nowhere = (None, None);
    assert_eq!(places, [london, london, nowhere, nowhere, london]);
    assert_eq!(attempts[4].status, "LOGOUT");
    Ok(())
}

#[tokio::test]
async fn burst_of_failed_logins_says_whose_and_never_an_unknown_name() -> TestResult {
    use sea_orm_audit::web::security::{Burst, SecurityMonitor, SecurityRules};
    let shop = Shop::open().await?;
    let window = std::time::Duration::from_hours(1);
    let rules = SecurityRules::builder().burst(Burst::LoginsOfUser, 2, window);
    let monitor = SecurityMonitor::new(rules.build()?).events(shop.events.clone());
    let router = router(&shop, backend(&shop).monitor(monitor), [KEY; 2]);
    for name in ["Ann", "hunter2", "Bob"] {
        for _ in 0..2 {
            let answer = send(&router, get(&format!("/in/{name}/wrong"))).await?;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        }
    }
    let events = shop.events().await?;
    assert_eq!(events.len(), 3, "one for each name: {events:?}");
    let logged: Vec<_> = (events.iter())
        .map(|event| event.metadata.clone().unwrap_or_default())
        .collect();
    assert_eq!(logged[0]["account"], "7");
    let attempts = attempts(&shop).await?;
    for (event, attempt) in [(1, 2), (2, 4)] {
        let stored = attempts[attempt].username.as_deref().unwrap_or_default();
        assert!(stored.starts_with("hmac-sha256:"), "{stored}");
        assert_eq!(logged[event]["username"], stored);
    }
    assert!(!format!("{events:?}").contains("hunter2"));
    Ok(())
}

#[tokio::test]
async fn panic_while_an_attempt_is_recorded_is_one_of_the_request() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(&shop, backend(&shop), [KEY; 2]);
    let answer = send(&router, get("/in/Anonymous/wrong")).await?;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let events = shop.events().await?;
    assert_eq!(events.len(), 1, "{events:?}");
    let event = &events[0];
    assert_eq!(event.title, "a handler panicked");
    let file = event.module.as_deref().unwrap_or_default();
    assert!(file.ends_with("people.rs") && event.line_number.is_some());
    let trace = event.stack_trace.as_deref().unwrap_or_default();
    assert!(trace.contains("people"), "{trace}");
    // The panic is reported also when the client has disconnected.
    shop.events.install();
    go_away_after(1, &router, get("/in/Anonymous/wrong")).await;
    let logged = async || {
        let events = shop.events().await?;
        Ok((events.iter().map(|it| it.occurrences).sum::<i64>() == 2).then_some(()))
    };
    eventually(logged).await
}

/// The tighter a lockout is, the fewer attempts fail: blocked attempts count.
#[tokio::test]
async fn guesses_while_blocked_are_a_burst() -> TestResult {
    use std::time::Duration;

    use sea_orm_audit::event::Lockout;
    use sea_orm_audit::web::security::SecurityMonitor;

    let shop = Shop::open().await?;
    let monitor = SecurityMonitor::default().events(shop.events.clone());
    let lockout = Lockout::per_user_and_address(2, Duration::from_mins(15));
    let backend = backend(&shop).lockout(lockout).monitor(monitor);
    let router = router(&shop, backend, [KEY; 2]);
    for number in 0..6 {
        let mut guess = get("/in/Ann/wrong");
        let from: std::net::SocketAddr = "192.0.2.1:5".parse()?;
        guess
            .extensions_mut()
            .insert(axum::extract::ConnectInfo(from));
        let status = send(&router, guess).await?.status();
        let blocked = status == StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(blocked, number >= 2, "{status}");
    }
    let events = shop.events().await?;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].title, "authn_login_fail_max");
    Ok(())
}
