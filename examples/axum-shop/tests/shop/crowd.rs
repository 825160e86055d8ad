//! Many concurrent requests.

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{TestResult, TestShop};

on_every_database! {
    in_a_crowd_every_record_has_its_own_requests_actor_and_id,
}

const USERS: usize = 50;
const REQUESTS: usize = 500;
/// The number of concurrent logins: passwords are slow to hash on purpose.
const SIGNING_IN: usize = 64;

/// The kind of a request, and the number of its records.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Work {
    /// One `VIEW`.
    Look,
    /// Two products, an order, two lines.
    Order,
    /// One `ACCESS_DENIED`.
    Overreach,
}

impl Work {
    const fn records(self) -> usize {
        match self {
            Self::Look | Self::Overreach => 1,
            Self::Order => 5,
        }
    }
}

async fn in_a_crowd_every_record_has_its_own_requests_actor_and_id(shop: &TestShop) -> TestResult {
    let admin = shop.signed_in("admin").await?;
    for id in 1..=3 {
        let path = format!("/products/{id}");
        let much = json!({ "stock": 1_000_000 });
        admin.patch(&path, &much).await?.expect(StatusCode::OK);
    }
    let names = (0..USERS).map(|n| format!("user{n}"));
    let users: Vec<_> = stream::iter(names)
        .map(|name| async move { shop.signed_in(&name).await.map(|client| (name, client)) })
        .buffer_unordered(SIGNING_IN)
        .try_collect()
        .await?;
    let before = shop.log().await?.len();

    let requests = (0..REQUESTS).map(|n| {
        let (name, client) = users[n % USERS].clone();
        let work = [Work::Look, Work::Order, Work::Overreach][n / USERS % 3];
        async move {
            let answer = match work {
                Work::Look => {
                    let answer = client.get(&format!("/products/{}", n % 3 + 1)).await?;
                    answer.expect(StatusCode::OK);
                    answer
                }
                Work::Order => {
                    // Two of the three, in any order.
                    let (one, other) = (n % 3, (n + 1) % 3);
                    let order = json!({ "lines": [
                        { "product_id": one + 1, "quantity": 1 },
                        { "product_id": other + 1, "quantity": 2 },
                    ] });
                    let answer = client.post("/orders", &order).await?;
                    answer.expect(StatusCode::CREATED);
                    answer
                }
                Work::Overreach => {
                    let answer = client.get("/audit/user/1").await?;
                    answer.expect(StatusCode::FORBIDDEN);
                    answer
                }
            };
            TestResult::Ok((answer.request_id, (name, work)))
        }
    });
    let done: HashMap<String, (String, Work)> = stream::iter(requests)
        .buffer_unordered(REQUESTS)
        .try_collect()
        .await?;
    assert_eq!(done.len(), REQUESTS, "ids of requests are not unique");

    let log = shop.log().await?.split_off(before);
    let mut left: HashMap<&str, usize> = (done.iter())
        .map(|(id, (_, work))| (id.as_str(), work.records()))
        .collect();
    for record in &log {
        let id = record
            .request_id
            .as_deref()
            .ok_or("a record without request")?;
        let (name, _) = done.get(id).ok_or("a record of no request")?;
        assert_eq!(record.actor_type, "USER");
        assert_eq!(record.actor_name.as_ref(), Some(name), "{record:#?}");
        assert!(record.session_key.is_some());
        let left = left.get_mut(id).ok_or("a record of no request")?;
        *left = left.checked_sub(1).ok_or("a record too many")?;
    }
    left.retain(|_, left| *left > 0);
    assert!(
        left.is_empty(),
        "{} requests have too few records",
        left.len()
    );

    // Every user has one id and one session in all of their records.
    let mut sessions: HashMap<&str, (&str, &str)> = HashMap::new();
    for record in &log {
        let name = record.actor_name.as_deref().unwrap_or_default();
        let own = (
            record.actor_id.as_deref().unwrap_or_default(),
            record.session_key.as_deref().unwrap_or_default(),
        );
        assert_eq!(*sessions.entry(name).or_insert(own), own, "{record:#?}");
    }
    assert_eq!(sessions.len(), USERS);
    Ok(())
}
