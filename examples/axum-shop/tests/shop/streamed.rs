//! Work after the handler has returned.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{TestResult, TestShop};

on_every_database! {
    write_from_inside_a_body_has_the_context_of_its_request,
    export_of_many_pages_is_counted_to_its_end,
    export_of_nothing_has_a_head_and_counts_nothing,
    export_that_stalls_when_the_shop_stops_is_a_failure,
}

async fn write_from_inside_a_body_has_the_context_of_its_request(shop: &TestShop) -> TestResult {
    let ann = shop.signed_in("Ann").await?;
    let answer = ann.get("/demo/stream").await?;
    answer.expect(StatusCode::OK);
    assert_eq!(answer.body, "taking one off ..\ndone\n");
    let record = shop.record_of(&answer).await?;
    assert_eq!(
        (&*record.action, record.model.as_deref()),
        ("UPDATE", Some("product"))
    );
    assert_eq!(
        record.changes,
        Some(json!({ "stock": { "old": 100, "new": 99 } }))
    );
    assert_eq!(record.actor_name.as_deref(), Some("Ann"));
    assert_eq!(record.ip_address.as_deref(), Some("127.0.0.1"));
    assert!(record.session_key.is_some());
    Ok(())
}

async fn export_of_many_pages_is_counted_to_its_end(shop: &TestShop) -> TestResult {
    use axum_shop::entity::{customer_order, order_line};
    use sea_orm::{ActiveModelTrait, EntityTrait, Set};
    let order = customer_order::ActiveModel {
        user_id: Set(1),
        placed_at: Set(sea_orm::prelude::ChronoUtc::now()),
        ..Default::default()
    };
    let order = order.insert(&shop.db).await?;
    let line = order_line::ActiveModel {
        order_id: Set(order.id),
        product_id: Set(1),
        quantity: Set(1),
        price: Set(1.into()),
        ..Default::default()
    };
    order_line::Entity::insert_many(vec![line; 1234])
        .exec(&shop.db)
        .await?;
    let admin = shop.signed_in("admin").await?;
    let answer = admin.get("/export/orders.csv").await?;
    answer.expect(StatusCode::OK);
    assert_eq!(answer.body.lines().count(), 1235);
    for record in shop.log_of(&answer).await? {
        assert_eq!(record.actor_name.as_deref(), Some("admin"));
    }
    let exports = shop.exports().await?;
    assert_eq!(exports.len(), 1);
    assert_eq!(exports[0].record_count, Some(1234));
    assert_eq!(
        exports[0].file_size,
        Some(i64::try_from(answer.body.len())?)
    );
    assert_eq!(exports[0].request_id.as_deref(), Some(&*answer.request_id));
    Ok(())
}

async fn export_of_nothing_has_a_head_and_counts_nothing(shop: &TestShop) -> TestResult {
    let admin = shop.signed_in("admin").await?;
    let answer = admin.get("/export/orders.csv").await?;
    answer.expect(StatusCode::OK);
    assert_eq!(
        answer.body,
        "order_id,user_id,placed_at,product_id,quantity,price\n"
    );
    let exports = shop.exports().await?;
    assert_eq!(exports.len(), 1);
    assert_eq!(
        (&*exports[0].outcome, exports[0].record_count),
        ("SUCCESS", Some(0))
    );
    let outcomes: Vec<_> = (shop.log_of(&answer).await?.into_iter())
        .map(|record| record.outcome)
        .collect();
    assert_eq!(outcomes, ["OPEN", "SUCCESS"]);
    Ok(())
}

/// As `main` stops: with a deadline, followed by a flush.
async fn export_that_stalls_when_the_shop_stops_is_a_failure(shop: &TestShop) -> TestResult {
    use axum::Router;
    use axum::body::{Body, Bytes};
    use axum::routing::get;
    use futures_util::{StreamExt, stream};
    use sea_orm_audit::event::finish_recording;
    use sea_orm_audit::web::{AuditLayer, ExportRecorder};
    use tokio::net::TcpListener;
    use tokio::sync::oneshot;

    let db = shop.db.clone();
    let handler = async move || {
        let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from("1,tea\n"))]);
        let stalls = Body::from_stream(first.chain(stream::pending()));
        Body::new(ExportRecorder::new(db, "stalled").body(stalls))
    };
    let router = Router::new()
        .route("/", get(handler))
        .layer(AuditLayer::new());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (end, stopped) = oneshot::channel::<()>();
    let stopped = async {
        let _ = stopped.await;
    };
    let patience = std::time::Duration::from_millis(50);
    let serving = tokio::spawn(axum_shop::serve(listener, router, stopped, patience));
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut answer = client.get(format!("http://{address}/")).send().await?;
    assert_eq!(answer.chunk().await?.as_deref(), Some(&b"1,tea\n"[..]));
    let exports = shop.exports().await?;
    assert_eq!(exports.len(), 1);
    assert_eq!(exports[0].outcome, "OPEN");
    drop(end);
    serving.await?;
    finish_recording().await;
    let exports = shop.exports().await?;
    assert_eq!(exports.len(), 1);
    assert_eq!(
        (&*exports[0].outcome, exports[0].file_size),
        ("FAILURE", Some(6))
    );
    assert!(
        answer.chunk().await.is_err(),
        "the client sees that it is cut off"
    );
    Ok(())
}
