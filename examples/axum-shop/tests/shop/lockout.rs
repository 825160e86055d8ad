//! Too many failed logins.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};
use serde_json::json;

use crate::support::{Answer, PASSWORD, TestResult, TestShop};

on_every_database! {
    five_failures_lock_a_name_out_from_one_address_only,
    unknown_name_is_locked_out_as_well,
    success_ends_the_count,
    parallel_guesses_do_not_pass_the_threshold,
    names_that_look_alike_are_one,
    guesses_at_one_account_by_several_spellings_are_one_burst,
    logins_while_the_database_is_locked_do_not_wait_one_after_the_other,
}

fn seconds(answer: &Answer) -> TestResult<u64> {
    let header = answer.headers.get(RETRY_AFTER).ok_or("no Retry-After")?;
    Ok(header.to_str()?.parse()?)
}

async fn five_failures_lock_a_name_out_from_one_address_only(shop: &TestShop) -> TestResult {
    shop.signed_in("Ann").await?;
    let (attacker, victim) = (shop.client()?, shop.client()?);
    for _ in 0..5 {
        let answer = attacker.log_in_from("192.0.2.1", "Ann", "a guess").await?;
        answer.expect(StatusCode::UNAUTHORIZED);
    }
    // The right password does not help any more.
    let blocked = attacker.log_in_from("192.0.2.1", "Ann", PASSWORD).await?;
    blocked.expect(StatusCode::TOO_MANY_REQUESTS);
    let wait = seconds(&blocked)?;
    assert!((1..=15 * 60).contains(&wait), "{wait}");
    let let_in = victim.log_in_from("192.0.2.2", "Ann", PASSWORD).await?;
    let_in.expect(StatusCode::OK);

    let attempts = shop.attempts().await?;
    let recorded: Vec<_> =
        (attempts.iter().skip(1)) // Ann's first login
            .map(|attempt| (&*attempt.status, attempt.ip_address.as_deref()))
            .collect();
    let failed = ("FAILED", Some("192.0.2.1"));
    assert_eq!(
        recorded,
        [
            failed,
            failed,
            failed,
            failed,
            failed,
            ("BLOCKED", Some("192.0.2.1")),
            ("SUCCESS", Some("192.0.2.2")),
        ]
    );
    let record = shop.record_of(&blocked).await?;
    assert_eq!(
        (&*record.action, &*record.outcome),
        ("LOGIN_FAILED", "FAILURE")
    );
    assert_eq!(record.actor_type, "ANONYMOUS");
    let attempt = attempts.iter().find(|attempt| attempt.status == "BLOCKED");
    let attempt = attempt.ok_or("no blocked attempt")?;
    assert_eq!(attempt.log_id, Some(record.id));
    assert_eq!(attempt.username.as_deref(), Some("Ann"));
    assert_eq!(
        attempt.failure_reason.as_deref(),
        Some("too many failed attempts")
    );
    Ok(())
}

async fn unknown_name_is_locked_out_as_well(shop: &TestShop) -> TestResult {
    let client = shop.client()?;
    for _ in 0..5 {
        let answer = client.log_in_from("192.0.2.1", "Bob", "a guess").await?;
        answer.expect(StatusCode::UNAUTHORIZED);
    }
    let blocked = client.log_in_from("192.0.2.1", "Bob", "a guess").await?;
    blocked.expect(StatusCode::TOO_MANY_REQUESTS);
    // Another name has a separate count.
    let other = client.log_in_from("192.0.2.1", "Eve", "a guess").await?;
    other.expect(StatusCode::UNAUTHORIZED);
    Ok(())
}

async fn success_ends_the_count(shop: &TestShop) -> TestResult {
    let ann = shop.signed_in("Ann").await?;
    for _ in 0..2 {
        for _ in 0..4 {
            let answer = ann.log_in_from("192.0.2.1", "Ann", "a typo").await?;
            answer.expect(StatusCode::UNAUTHORIZED);
        }
        let answer = ann.log_in_from("192.0.2.1", "Ann", PASSWORD).await?;
        answer.expect(StatusCode::OK);
    }
    Ok(())
}

/// Each password takes a while to be verified: all guesses arrive before the first one has failed.
async fn parallel_guesses_do_not_pass_the_threshold(shop: &TestShop) -> TestResult {
    shop.signed_in("Ann").await?;
    let client = shop.client()?;
    let guess = || client.log_in_from("192.0.2.1", "Ann", "a guess");
    let answers = futures_util::future::join_all((0..50).map(|_| guess())).await;
    let (mut looked_at, mut busy) = (0, 0);
    for answer in answers {
        let answer = answer?;
        if answer.status == StatusCode::UNAUTHORIZED {
            looked_at += 1;
        } else {
            // A short wait while other attempts, which may succeed, are in progress; a long one after five failures.
            let wait = seconds(answer.expect(StatusCode::TOO_MANY_REQUESTS))?;
            assert!(wait == 1 || wait > 600, "{wait}");
            busy += usize::from(wait == 1);
        }
    }
    assert_eq!(looked_at, 5);
    assert!(busy > 0);
    let attempts = shop.attempts().await?;
    let reason = Some("too many attempts at once");
    let at_once = attempts
        .iter()
        .filter(|it| it.failure_reason.as_deref() == reason);
    assert_eq!(at_once.count(), busy);
    let of = |status: &str| {
        attempts
            .iter()
            .filter(|attempt| attempt.status == status)
            .count()
    };
    assert_eq!([of("FAILED"), of("BLOCKED"), of("PENDING")], [5, 45, 0]);
    Ok(())
}

async fn names_that_look_alike_are_one(shop: &TestShop) -> TestResult {
    shop.signed_in("vic").await?;
    let client = shop.client()?;
    for name in [
        "VIC",
        " vic",
        "vic\u{a0}",
        "vic\u{3000}",
        "\u{ff56}\u{ff49}\u{ff43}",
    ] {
        let taken = json!({ "name": name, "password": PASSWORD });
        let answer = client.post("/signup", &taken).await?;
        answer.expect(StatusCode::CONFLICT);
    }
    // The capital sharp s has no upper case of its own.
    shop.signed_in("Straße").await?;
    for name in ["straße", "STRASSE", "STRA\u{1e9e}E"] {
        let taken = json!({ "name": name, "password": PASSWORD });
        let answer = client.post("/signup", &taken).await?;
        answer.expect(StatusCode::CONFLICT);
    }
    Ok(())
}

/// Each guess comes from another address, and no address is locked out.
async fn guesses_at_one_account_by_several_spellings_are_one_burst(shop: &TestShop) -> TestResult {
    shop.signed_in("vic").await?;
    let client = shop.client()?;
    let spellings = [
        "vic",
        "v\u{ff49}c",
        "vi\u{ff43}",
        "\u{ff56}ic",
        "\u{ff56}\u{ff49}c",
    ];
    for (number, name) in spellings.into_iter().enumerate() {
        let address = format!("192.0.2.{number}");
        let answer = client.log_in_from(&address, name, "a guess").await?;
        answer.expect(StatusCode::UNAUTHORIZED);
    }
    let rules: Vec<_> = (shop.events().await?.into_iter())
        .filter(|event| event.event_type == "SECURITY")
        .map(|event| event.metadata.unwrap_or_default()["rule"].to_string())
        .collect();
    assert_eq!(rules, ["\"burst-logins-of-user\""]);
    Ok(())
}

#[allow(clippy::disallowed_methods)] // the limit of the waiting is a time
async fn logins_while_the_database_is_locked_do_not_wait_one_after_the_other(
    shop: &TestShop,
) -> TestResult {
    shop.signed_in("Ann").await?;
    let client = shop.client()?;
    let held = shop.db.begin().await?;
    // Turns are those of the process: no other test has this address.
    let (address, lock) = match shop.db.get_database_backend() {
        DbBackend::Sqlite => ("203.0.113.1", "UPDATE audit_login_attempt SET id = id"),
        DbBackend::MySql => (
            "203.0.113.2",
            "SELECT id FROM audit_login_attempt FOR UPDATE",
        ),
        _ => ("203.0.113.3", "LOCK TABLE audit_login_attempt"),
    };
    held.execute_unprepared(lock).await?;
    let logins = (0..4).map(|_| client.log_in_from(address, "Ann", PASSWORD));
    let unlocked = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        held.rollback().await
    };
    let logins = futures_util::future::join_all(logins);
    let (answers, unlocked) = futures_util::future::join(logins, unlocked).await;
    unlocked?;
    let mut statuses = Vec::new();
    for answer in answers {
        let answer = answer?;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(seconds(&answer)?, 1);
        }
        statuses.push(answer.status);
    }
    statuses.sort();
    let busy = StatusCode::TOO_MANY_REQUESTS;
    assert_eq!(statuses, [StatusCode::OK, busy, busy, busy]);
    Ok(())
}
