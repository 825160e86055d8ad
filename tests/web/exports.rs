//! Exports that are recorded while they are sent.

use std::io::Write;

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use futures::{TryStreamExt, stream};
use http_body_util::BodyExt;
use sea_orm::{DatabaseConnection, EntityTrait};
use sea_orm_audit::entity::audit_data_export;
use sea_orm_audit::web::{AuditLayer, ExportRecorder};
use sea_orm_audit::{Actor, AuditContext};
use serde_json::json;

use crate::support::{Shop, TestResult, call, get, send, text};

type Chunk = Result<&'static str, std::io::Error>;

/// A router whose `/csv` exports these chunks, one record each.
fn router(db: DatabaseConnection, chunks: fn() -> Vec<Chunk>) -> Router {
    let handler = async move || {
        AuditContext::set_actor(Actor::user(7));
        let export = ExportRecorder::new(db, "products")
            .format("CSV")
            .filter("q", "tea");
        let records = export.records();
        let chunks = stream::iter(chunks()).inspect_ok(move |_| records.add(1));
        Body::new(export.body(Body::from_stream(chunks)))
    };
    Router::new()
        .route("/csv", on_get(handler))
        .layer(AuditLayer::new())
}

async fn exports(shop: &Shop) -> TestResult<Vec<audit_data_export::Model>> {
    Ok(audit_data_export::Entity::find().all(&*shop.db).await?)
}

/// The exports, once one has ended: a task of its own records one that was cut off.
async fn some_exports(shop: &Shop) -> TestResult<Vec<audit_data_export::Model>> {
    loop {
        let exports = exports(shop).await?;
        if exports.iter().any(|export| export.outcome != "OPEN") {
            return Ok(exports);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn export_is_recorded_when_its_end_is_sent() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(shop.conn(), || vec![Ok("1,tea\n"), Ok("2,coffee\n")]);
    let response = call(&router, get("/csv")).await?;
    assert!(exports(&shop).await?.is_empty(), "nothing is sent yet");
    assert_eq!(text(response).await?, "1,tea\n2,coffee\n");
    let export = &exports(&shop).await?[0];
    assert_eq!((export.record_count, export.file_size), (Some(2), Some(15)));
    assert_eq!(export.actor_id.as_deref(), Some("7"));
    assert_eq!(export.export_type, "products");
    assert_eq!(export.file_format.as_deref(), Some("CSV"));
    assert_eq!(export.filters_applied, Some(json!({"q": "tea"})));
    assert_eq!(export.outcome, "SUCCESS");
    let log = shop.log().await?;
    let logged: Vec<_> = (log.iter())
        .map(|record| (record.action.as_str(), record.outcome.as_str()))
        .collect();
    assert_eq!(logged, [("EXPORT", "OPEN"), ("EXPORT", "SUCCESS")]);
    assert_eq!(Some(log[1].id), export.log_id);
    assert!(log.iter().all(|it| it.request_id == export.request_id));
    assert!(export.request_id.is_some());
    let metadata = log[1].metadata.clone().unwrap_or_default();
    assert!(metadata["milliseconds"].is_u64(), "{metadata}");
    assert_eq!(metadata["completed"], true);
    Ok(())
}

#[tokio::test]
async fn export_whose_client_went_away_says_how_far_it_came() -> TestResult {
    let shop = Shop::open().await?;
    let router = router(shop.conn(), || vec![Ok("1,tea\n"), Ok("2,coffee\n")]);
    // A server might send both chunks before the client disconnects.
    let mut body = call(&router, get("/csv")).await?.into_body();
    body.frame().await.ok_or("no frame")??;
    drop(body);
    let export = &some_exports(&shop).await?[0];
    assert_eq!((export.record_count, export.file_size), (Some(1), Some(6)));
    let log = shop.log().await?;
    assert_eq!(log[1].outcome, "FAILURE");
    assert!(log.iter().all(|it| it.actor_id.as_deref() == Some("7")));
    Ok(())
}

#[tokio::test]
async fn export_that_fails_is_recorded_once_as_a_failure() -> TestResult {
    let shop = Shop::open().await?;
    let fails = || {
        vec![
            Ok("1,tea\n"),
            Err(std::io::Error::other("the disk is gone")),
        ]
    };
    let response = send(&router(shop.conn(), fails), get("/csv")).await?;
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(some_exports(&shop).await?.len(), 1);
    assert_eq!(shop.log().await?.len(), 2);
    assert_eq!(shop.log().await?[1].outcome, "FAILURE");
    Ok(())
}

#[tokio::test]
async fn export_that_cannot_be_recorded_is_cut_off() -> TestResult {
    use sea_orm::ConnectionTrait;
    let shop = Shop::open().await?;
    shop.db
        .execute_unprepared("DROP TABLE audit_data_export")
        .await?;
    let router = router(shop.conn(), || vec![Ok("1,tea\n")]);
    let response = send(&router, get("/csv")).await?;
    assert!(response.into_body().collect().await.is_err());
    assert!(shop.log().await?.is_empty(), "neither or both");
    Ok(())
}

#[tokio::test]
async fn body_that_says_it_is_whole_needs_not_be_asked_for_more() -> TestResult {
    let shop = Shop::open().await?;
    let export = ExportRecorder::new(shop.conn(), "products");
    let mut body = export.body(Body::from("all of it"));
    // As a server that knows the length does.
    body.frame().await.ok_or("no frame")??;
    drop(body);
    some_exports(&shop).await?;
    assert_eq!(shop.log().await?[1].outcome, "SUCCESS");
    Ok(())
}

#[tokio::test]
async fn writer_is_recorded_when_it_is_finished_or_dropped() -> TestResult {
    let shop = Shop::open().await?;
    let export = ExportRecorder::new(shop.conn(), "products").path("exports/1.csv");
    export.records().add(3);
    let mut writer = export.writer(Vec::new());
    writer.write_all(b"a,b,c")?;
    let (file, id) = writer.finish().await?;
    assert_eq!(file, b"a,b,c");
    let export = &exports(&shop).await?[0];
    assert_eq!(
        (export.id, export.file_size, export.record_count),
        (id, Some(5), Some(3))
    );
    assert_eq!(export.file_path.as_deref(), Some("exports/1.csv"));

    let mut cut = ExportRecorder::new(shop.conn(), "products").writer(Vec::new());
    cut.write_all(b"a")?;
    drop(cut);
    let ended = async || {
        let exports = exports(&shop).await?;
        let ended = exports.iter().filter(|export| export.outcome != "OPEN");
        TestResult::Ok(ended.count())
    };
    while ended().await? < 2 {
        tokio::task::yield_now().await;
    }
    let outcomes: Vec<_> = (shop.log().await?.into_iter())
        .map(|record| record.outcome)
        .collect();
    assert_eq!(outcomes, ["OPEN", "SUCCESS", "OPEN", "FAILURE"]);
    Ok(())
}
