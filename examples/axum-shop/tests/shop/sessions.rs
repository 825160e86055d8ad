//! A session that another client knows never becomes the session of an account.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{PASSWORD, TestResult, TestShop};

on_every_database!(
    login_gives_the_session_another_id,
    planted_session_is_not_signed_in,
);

async fn login_gives_the_session_another_id(shop: &TestShop) -> TestResult {
    let ann = shop.signed_in("Ann").await?;
    let log_in = || ann.log_in_from("192.0.2.1", "Ann", PASSWORD);
    let before = log_in().await?.cookie()?;
    let after = log_in().await?.cookie()?;
    assert_ne!(before, after);
    Ok(())
}

/// The attacker's own session, or one that was never issued, is in the victim's browser when the victim signs in.
async fn planted_session_is_not_signed_in(shop: &TestShop) -> TestResult {
    let order = json!({ "lines": [{ "product_id": 1, "quantity": 1 }] });
    shop.signed_in("Ann").await?;
    let mallory = shop.signed_in("Mallory").await?;
    let own = mallory.log_in_from("192.0.2.66", "Mallory", PASSWORD);
    let own = own.await?.cookie()?;
    for planted in [own.as_str(), "AAAAAAAAAAAAAAAAAAAAAA"] {
        let cookie = format!("id={planted}");
        let with_planted = [("cookie", cookie.as_str())];
        let credentials = json!({ "name": "Ann", "password": PASSWORD });
        let victim = shop.client()?;
        let answer = victim
            .send(Method::POST, "/login", Some(&credentials), &with_planted)
            .await?;
        answer.expect(StatusCode::OK);
        assert_ne!(answer.cookie()?, planted);
        // The victim continues with the new id; the planted one is not signed in.
        let placed = victim.post("/orders", &order).await?;
        placed.expect(StatusCode::CREATED);
        let attacker = shop.client()?;
        let refused = attacker
            .send(Method::POST, "/orders", Some(&order), &with_planted)
            .await?;
        refused.expect(StatusCode::UNAUTHORIZED);
    }
    Ok(())
}
