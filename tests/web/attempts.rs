//! Sign-in attempts whose password takes time to verify.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum_login::AuthnBackend;
use futures::FutureExt;
use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};
use sea_orm_audit::event::{Lockout, LoginStatus};
use sea_orm_audit::web::login::{AuditLogin, AuditedBackend, LoginError};
use sea_orm_audit::web::security::{Burst, SecurityMonitor, SecurityRules};
use sea_orm_audit::{Actor, AuditConfig, AuditContext};
use tokio::sync::Semaphore;

use crate::people::{User, attempts};
use crate::support::{Shop, TestResult, eventually};

/// Verifies a password when it gets a permit. Knows Ann, whose password is `right`; `fails` is an error.
#[derive(Clone)]
struct Slow(Arc<Semaphore>);

impl AuthnBackend for Slow {
    type User = User;
    type Credentials = &'static str;
    type Error = std::io::Error;

    async fn authenticate(&self, password: &'static str) -> Result<Option<User>, Self::Error> {
        let permit = self.0.acquire().await.map_err(std::io::Error::other)?;
        permit.forget();
        match password {
            "right" => Ok(Some(User(7))),
            "fails" => Err(std::io::Error::other("it cannot be verified")),
            _ => Ok(None),
        }
    }

    async fn get_user(&self, _: &i32) -> Result<Option<User>, Self::Error> {
        Ok(None)
    }
}

impl AuditLogin for Slow {
    fn username(_: &&'static str) -> String {
        "Ann".to_owned()
    }

    async fn account(&self, _: &str) -> Option<Actor> {
        Some(Actor::user(7))
    }
}

type Auth = AuditedBackend<Slow, DatabaseConnection>;

/// Ann's backend with a lockout after this many failures, and the semaphore that permits verification.
fn slow(shop: &Shop, failures: u32) -> (Auth, Arc<Semaphore>) {
    let verify = Arc::new(Semaphore::new(0));
    let lockout = Lockout::per_user_and_address(failures, Duration::from_mins(15));
    let backend = AuditedBackend::new(Slow(Arc::clone(&verify)), shop.conn()).lockout(lockout);
    (backend, verify)
}

/// An attempt from an address.
async fn attempt(
    backend: &Auth,
    password: &'static str,
) -> Result<Option<User>, LoginError<std::io::Error>> {
    let here = IpAddr::from([192, 0, 2, 1]);
    let context = AuditContext::new().ip_address(here);
    context
        .scope(Box::pin(backend.authenticate(password)))
        .await
}

async fn statuses(shop: &Shop) -> TestResult<Vec<String>> {
    let attempts = attempts(shop).await?;
    Ok(attempts.into_iter().map(|attempt| attempt.status).collect())
}

/// Waits until this many attempts are under way.
async fn have_begun(shop: &Shop, count: usize) -> TestResult {
    let pending = LoginStatus::Pending.as_str();
    eventually(async || {
        let statuses = statuses(shop).await?;
        let begun = statuses.iter().filter(|status| *status == pending);
        Ok((begun.count() == count).then_some(()))
    })
    .await
}

/// Parallel sign-ins of one browser are no guesses, and wait for no lease.
#[tokio::test]
async fn attempt_while_all_places_are_under_way_is_busy_and_no_failure() -> TestResult {
    let shop = Shop::open().await?;
    let rules = SecurityRules::builder()
        .burst(Burst::LoginsOfUser, 2, Duration::from_hours(1))
        .build()?;
    let monitor = SecurityMonitor::new(rules).events(shop.events.clone());
    let (backend, verify) = slow(&shop, 2);
    let backend = backend.monitor(monitor);
    let first = tokio::spawn({
        let backend = backend.clone();
        async move { attempt(&backend, "right").await.map(|user| user.is_some()) }
    });
    let second = tokio::spawn({
        let backend = backend.clone();
        async move { attempt(&backend, "right").await.map(|user| user.is_some()) }
    });
    have_begun(&shop, 2).await?;
    for _ in 0..3 {
        match attempt(&backend, "right").await {
            Err(LoginError::Blocked { retry_after }) => {
                assert_eq!(retry_after, Duration::from_secs(1));
            }
            other => return Err(format!("not blocked: {:?}", other.is_ok()).into()),
        }
    }
    let busy: Vec<_> = (attempts(&shop).await?.into_iter())
        .filter(|attempt| attempt.status == "BLOCKED")
        .filter_map(|attempt| attempt.failure_reason)
        .collect();
    assert_eq!(busy, ["too many attempts at once"; 3]);
    assert!(shop.events().await?.is_empty(), "none of them has failed");
    verify.add_permits(2);
    assert!(first.await?? && second.await??);
    // The failed ones are a burst, and block.
    verify.add_permits(2);
    for _ in 0..2 {
        assert!(attempt(&backend, "wrong").await?.is_none());
    }
    let Err(LoginError::Blocked { retry_after }) = attempt(&backend, "right").await else {
        return Err("not blocked".into());
    };
    assert!(retry_after > Duration::from_mins(10), "{retry_after:?}");
    let last = attempts(&shop)
        .await?
        .pop()
        .and_then(|it| it.failure_reason);
    assert_eq!(last.as_deref(), Some("too many failed attempts"));
    assert_eq!(shop.events().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn attempt_without_an_outcome_is_released_though_its_client_goes_away() -> TestResult {
    let shop = Shop::open().await?;
    let (backend, verify) = slow(&shop, 1);
    let mut answer = Box::pin(attempt(&backend, "fails"));
    tokio::select! {
        _ = &mut answer => return Err("it was verified".into()),
        begun = have_begun(&shop, 1) => begun?,
    }
    // The only connection is another client's: the release waits for it.
    let held = shop.db.begin().await?;
    verify.add_permits(1);
    assert!((&mut answer).now_or_never().is_none());
    assert_eq!(verify.available_permits(), 0, "it was verified");
    drop(answer);
    held.rollback().await?;
    eventually(async || Ok(statuses(&shop).await?.is_empty().then_some(()))).await
}

#[tokio::test]
async fn attempt_whose_client_goes_away_while_it_is_verified_counts_until_its_lease_ends()
-> TestResult {
    let shop = Shop::open().await?;
    let time: DateTimeUtc = "2026-11-30T12:00:00Z".parse()?;
    let time = Arc::new(Mutex::new(time));
    let forward = |by: Duration| *time.lock().unwrap() += by;
    let clock = Arc::clone(&time);
    let config = AuditConfig::builder()
        .clock(move || *clock.lock().unwrap())
        .build()?;
    let (backend, verify) = slow(&shop, 1);
    let away = tokio::spawn(config.scope({
        let backend = backend.clone();
        async move { attempt(&backend, "right").await.map(|user| user.is_some()) }
    }));
    have_begun(&shop, 1).await?;
    away.abort();
    assert!(away.await.is_err_and(|error| error.is_cancelled()));
    verify.add_permits(1);
    for seconds in [0, 30, 29] {
        forward(Duration::from_secs(seconds));
        let answer = config.scope(attempt(&backend, "right")).await;
        assert!(matches!(answer, Err(LoginError::Blocked { .. })));
    }
    forward(Duration::from_secs(1));
    let user = config.scope(attempt(&backend, "right")).await?;
    assert!(user.is_some());
    let statuses = statuses(&shop).await?;
    let blocked = ["BLOCKED"; 3].as_slice();
    assert_eq!(statuses, [&["PENDING"], blocked, &["SUCCESS"]].concat());
    Ok(())
}

/// Its password was right: its owner must not be locked out.
#[tokio::test]
async fn success_that_cannot_be_recorded_is_refused_and_does_not_count() -> TestResult {
    let shop = Shop::open().await?;
    let (backend, verify) = slow(&shop, 2);
    verify.add_permits(20);
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON audit_log \
                  WHEN NEW.action LIKE 'LOGIN%' BEGIN SELECT RAISE(FAIL, 'refused'); END";
    shop.db.execute_unprepared(refuse).await?;
    for _ in 0..3 {
        let answer = attempt(&backend, "right").await;
        assert!(matches!(answer, Err(LoginError::NotRecorded(_))));
        eventually(async || Ok(statuses(&shop).await?.is_empty().then_some(()))).await?;
    }
    // A guess that cannot be recorded counts: otherwise a full disk would permit any number of them.
    for _ in 0..2 {
        let answer = attempt(&backend, "wrong").await;
        assert!(matches!(answer, Err(LoginError::NotRecorded(_))));
    }
    assert_eq!(statuses(&shop).await?, ["PENDING"; 2]);
    shop.db.execute_unprepared("DROP TRIGGER refuse").await?;
    let answer = attempt(&backend, "right").await;
    assert!(matches!(answer, Err(LoginError::Blocked { .. })));
    Ok(())
}
