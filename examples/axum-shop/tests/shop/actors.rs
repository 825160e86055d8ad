//! Actors that are no user.

use axum_shop::entity::product;
use axum_shop::jobs::restock;
use reqwest::{Method, StatusCode};
use sea_orm::{ActiveModelTrait, Set};
use sea_orm_audit::AuditedConnection;

use crate::support::{TestResult, TestShop};

on_every_database! {
    clients_without_account_have_the_right_kind,
}

async fn clients_without_account_have_the_right_kind(shop: &TestShop) -> TestResult {
    // The application itself, when it started.
    let log = shop.log().await?;
    assert_eq!(log.len(), 1, "{log:#?}");
    assert_eq!(log[0].actor_type, "SYSTEM");

    // A request without a session, and one with an unknown session.
    let client = shop.client()?;
    let answer = client.get("/products/1").await?;
    answer.expect(StatusCode::OK);
    assert_eq!(shop.record_of(&answer).await?.actor_type, "ANONYMOUS");
    let forged = [("cookie", "id=AAAAAAAAAAAAAAAAAAAAAA")];
    let answer = client
        .send(Method::GET, "/products/1", None, &forged)
        .await?;
    answer.expect(StatusCode::OK);
    let record = shop.record_of(&answer).await?;
    assert_eq!(
        (&*record.actor_type, &record.actor_id),
        ("ANONYMOUS", &None)
    );
    assert!(!format!("{record:?}").contains("AAAAAAAA"), "{record:#?}");
    assert_eq!(record.session_key, None, "there is no such session");
    let nonsense = [("cookie", "id=../../etc/passwd; id=\"")];
    let answer = client
        .send(Method::GET, "/products/1", None, &nonsense)
        .await?;
    answer.expect(StatusCode::OK);
    assert_eq!(shop.record_of(&answer).await?.actor_type, "ANONYMOUS");

    // A program that sets no actor.
    let db = AuditedConnection::new(shop.db.clone());
    let few = product::ActiveModel {
        id: Set(3),
        stock: Set(2),
        ..Default::default()
    };
    few.update(&db).await?;
    // A job that sets one.
    assert_eq!(restock(&db).await?, 1);
    let log = shop.log().await?;
    let [.., cli, job] = &log[..] else {
        return Err("too few records".into());
    };
    assert_eq!((&*cli.actor_type, &cli.actor_id), ("UNKNOWN", &None));
    assert_eq!(cli.request_id, None);
    assert_eq!(
        (&*job.actor_type, job.actor_id.as_deref()),
        ("SERVICE", Some("restock"))
    );
    assert_eq!((&job.request_id, &job.ip_address), (&None, &None));
    assert_eq!(job.reason.as_deref(), Some("fewer than ten left"));
    Ok(())
}
