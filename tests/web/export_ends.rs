//! The ends of exports: with disconnecting clients, with a known length, and without a body.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::get as on_get;
use futures::{FutureExt, StreamExt, stream};
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt, Full};
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, QueryOrder, Statement, StreamTrait, TransactionTrait,
};
use sea_orm_audit::entity::audit_data_export;
use sea_orm_audit::event::finish_recording;
use sea_orm_audit::web::{AuditLayer, ExportBody, ExportRecorder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Shop, TestResult, eventually, get, send, serve, text};

async fn exports(shop: &Shop) -> TestResult<Vec<audit_data_export::Model>> {
    let exports = audit_data_export::Entity::find();
    let exports = exports.order_by_asc(audit_data_export::Column::Id);
    Ok(exports.all(&*shop.db).await?)
}

/// The exports, once this many have ended.
async fn some_exports(shop: &Shop, count: usize) -> TestResult<Vec<audit_data_export::Model>> {
    eventually(async || {
        let exports = exports(shop).await?;
        let ended = exports.iter().filter(|export| export.outcome != "OPEN");
        Ok((ended.count() >= count).then_some(exports))
    })
    .await
}

/// The outcomes of the exports. The beginning of each is recorded, too.
async fn outcomes(shop: &Shop) -> TestResult<Vec<String>> {
    let (exports, log) = (exports(shop).await?, shop.log().await?);
    assert!(log.iter().all(|record| record.action == "EXPORT"));
    let begun = log.iter().filter(|record| record.outcome == "OPEN");
    assert_eq!(begun.count(), exports.len());
    let of = |id| log.iter().find(|record| Some(record.id) == id);
    for export in &exports {
        let last = of(export.log_id).ok_or("an export without a record")?;
        assert_eq!(last.outcome, export.outcome);
    }
    let outcomes = log.into_iter().map(|record| record.outcome);
    Ok(outcomes.filter(|outcome| outcome != "OPEN").collect())
}

fn streamed() -> Body {
    Body::from_stream(stream::iter([Ok::<_, std::io::Error>("1,tea\n")]))
}

#[tokio::test]
async fn export_is_recorded_though_its_client_goes_away_while_that_is_done() -> TestResult {
    let shop = Shop::open().await?;
    let mut body = ExportRecorder::new(shop.conn(), "products").body(streamed());
    body.frame().await.ok_or("no frame")??;
    // Another client has the only connection: the record waits for it.
    let held = shop.db.begin().await?;
    assert!(body.frame().now_or_never().is_none());
    drop(body);
    held.rollback().await?;
    some_exports(&shop, 1).await?;
    assert_eq!(outcomes(&shop).await?, ["SUCCESS"]);
    Ok(())
}

#[tokio::test]
async fn at_whichever_moment_a_client_goes_an_export_is_recorded_whole_and_once() -> TestResult {
    let shop = Shop::open().await?;
    for moment in 1..40 {
        let mut body = ExportRecorder::new(shop.conn(), "products").body(streamed());
        body.frame().await.ok_or("no frame")??;
        for _ in 0..moment {
            if body.frame().now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(body);
        let exports = some_exports(&shop, moment).await?;
        let log = shop.log().await?;
        assert_eq!((exports.len(), log.len()), (moment, 2 * moment));
        let export = &exports[moment - 1];
        let [begun, ended] = &log[2 * moment - 2..] else {
            return Err("two records".into());
        };
        assert_eq!((&*begun.outcome, &*ended.outcome), ("OPEN", "SUCCESS"));
        assert_eq!(export.log_id, Some(ended.id));
        assert_eq!((&*export.outcome, export.file_size), ("SUCCESS", Some(6)));
    }
    Ok(())
}

/// The bytes wait for the record of the beginning. That record stays if nothing follows: the process may end here.
#[tokio::test]
async fn stalled_export_is_recorded_as_begun() -> TestResult {
    let shop = Shop::open().await?;
    let db = shop.conn();
    let handler = async move || {
        let export = ExportRecorder::new(db, "products").format("CSV");
        let first = stream::iter([Ok::<_, std::io::Error>("1,tea\n")]);
        let stalls = Body::from_stream(first.chain(stream::pending()));
        Body::new(export.body(stalls))
    };
    let router = Router::new()
        .route("/", on_get(handler))
        .layer(AuditLayer::new());
    let address = serve(router).await?;
    let mut socket = TcpStream::connect(address).await?;
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"1,tea\n\r\n") {
        let read = socket.read_buf(&mut answer);
        assert_ne!(
            tokio::time::timeout(Duration::from_secs(20), read).await??,
            0
        );
    }
    let begun = exports(&shop).await?;
    assert_eq!(begun.len(), 1);
    assert_eq!((&*begun[0].outcome, begun[0].file_size), ("OPEN", None));
    assert_eq!(outcomes(&shop).await?, [""; 0]);
    // The client disconnects.
    drop(socket);
    let ended = some_exports(&shop, 1).await?;
    assert_eq!((ended[0].id, &*ended[0].outcome), (begun[0].id, "FAILURE"));
    assert_eq!(outcomes(&shop).await?, ["FAILURE"]);
    let end = shop.log().await?.pop().ok_or("no record")?;
    assert_eq!(end.metadata.unwrap_or_default()["export"], begun[0].id);
    Ok(())
}

#[tokio::test]
async fn nothing_is_sent_of_an_export_whose_beginning_cannot_be_recorded() -> TestResult {
    let shop = Shop::open().await?;
    let drop_table = "DROP TABLE audit_data_export";
    shop.db.execute_unprepared(drop_table).await?;
    let mut body = ExportRecorder::new(shop.conn(), "products").body(streamed());
    assert!(body.frame().await.ok_or("no frame")?.is_err());
    assert!(body.frame().await.is_none());
    drop(body);
    finish_recording().await;
    assert!(shop.log().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn finished_file_is_recorded_though_no_caller_waits() -> TestResult {
    let shop = Shop::open().await?;
    let mut writer = ExportRecorder::new(shop.conn(), "products").writer(Vec::new());
    std::io::Write::write_all(&mut writer, b"a,b,c")?;
    let held = shop.db.begin().await?;
    let mut finish = Box::pin(writer.finish());
    assert!((&mut finish).now_or_never().is_none());
    drop(finish);
    held.rollback().await?;
    some_exports(&shop, 1).await?;
    assert_eq!(outcomes(&shop).await?, ["SUCCESS"]);
    Ok(())
}

#[tokio::test]
async fn number_of_records_is_unknown_until_counted() -> TestResult {
    let shop = Shop::open().await?;
    let uncounted = ExportRecorder::new(shop.conn(), "products");
    assert_eq!(uncounted.records().get(), 0);
    uncounted.writer(Vec::<u8>::new()).finish().await?;
    let none = ExportRecorder::new(shop.conn(), "products");
    none.records().add(0);
    none.writer(Vec::<u8>::new()).finish().await?;
    let counts: Vec<_> = (exports(&shop).await?.into_iter())
        .map(|export| export.record_count)
        .collect();
    assert_eq!(counts, [None, Some(0)]);
    Ok(())
}

/// A request over a connection of its own, read to its end.
async fn raw(address: std::net::SocketAddr, method: &str) -> TestResult<String> {
    let mut socket = TcpStream::connect(address).await?;
    let request = format!("{method} / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    let read = socket.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read).await??;
    Ok(answer)
}

/// A body of six bytes whose handler sets the length.
fn with_length<B>(body: ExportBody<B, sea_orm::DatabaseConnection>) -> impl IntoResponse
where
    B: http_body::Body<Data = bytes::Bytes, Error: Into<sea_orm_audit::web::BodyError>>
        + Send
        + 'static,
{
    ([(CONTENT_LENGTH, "6")], Body::new(body))
}

#[tokio::test]
async fn download_whose_length_is_said_is_complete_when_all_of_it_was_sent() -> TestResult {
    let shop = Shop::open().await?;
    let db = shop.conn();
    // One sets the length; the other's body knows it.
    let said = async move || {
        let export = ExportRecorder::new(db, "said").expected_bytes(6);
        with_length(export.body(streamed()))
    };
    let db = shop.conn();
    let known =
        async move || with_length(ExportRecorder::new(db, "known").body(Full::from("1,tea\n")));
    for router in [
        Router::new().route("/", on_get(said)),
        Router::new().route("/", on_get(known)),
    ] {
        let address = serve(router.layer(AuditLayer::new())).await?;
        let answer = raw(address, "GET").await?;
        assert!(answer.ends_with("\r\n\r\n1,tea\n"), "{answer}");
    }
    let exports = exports(&shop).await?;
    let kinds: Vec<_> = exports.iter().map(|export| &*export.export_type).collect();
    assert_eq!(kinds, ["said", "known"], "recorded before the last bytes");
    assert!(exports.iter().all(|export| export.file_size == Some(6)));
    assert_eq!(outcomes(&shop).await?, ["SUCCESS", "SUCCESS"]);
    Ok(())
}

#[tokio::test]
async fn the_answer_to_head_is_no_export() -> TestResult {
    let shop = Shop::open().await?;
    let db = shop.conn();
    let handler = async move || {
        let export = ExportRecorder::new(db, "products").expected_bytes(6);
        with_length(export.body(streamed()))
    };
    let router = Router::new()
        .route("/", on_get(handler))
        .layer(AuditLayer::new());
    let address = serve(router).await?;
    let answer = raw(address, "HEAD").await?;
    assert!(answer.contains("content-length: 6") && answer.ends_with("\r\n\r\n"));
    raw(address, "GET").await?;
    assert_eq!(outcomes(&shop).await?, ["SUCCESS"], "that of GET");
    Ok(())
}

#[tokio::test]
async fn download_whose_length_is_said_and_that_cannot_be_recorded_is_not_whole() -> TestResult {
    let shop = Shop::open().await?;
    let drop_table = "DROP TABLE audit_data_export";
    shop.db.execute_unprepared(drop_table).await?;
    let export = ExportRecorder::new(shop.conn(), "products").expected_bytes(6);
    let mut body = export.body(streamed());
    let frame = body.frame().await.ok_or("no frame")?;
    assert!(frame.is_err(), "the last bytes are not sent");
    assert!(body.frame().await.is_none());
    Ok(())
}

#[tokio::test]
async fn body_of_another_length_than_was_said_is_none_that_is_complete() -> TestResult {
    let shop = Shop::open().await?;
    let short = ExportRecorder::new(shop.conn(), "short").expected_bytes(7);
    assert!(short.body(streamed()).collect().await.is_err());
    finish_recording().await;
    let long = ExportRecorder::new(shop.conn(), "long").expected_bytes(3);
    let two = stream::iter([Ok::<_, std::io::Error>("1,t"), Ok("ea\n")]);
    assert!(long.body(Body::from_stream(two)).collect().await.is_err());
    finish_recording().await;
    let exports = exports(&shop).await?;
    let sizes: Vec<_> = exports.iter().map(|export| export.file_size).collect();
    // The long one sent nothing: its first bytes were the last expected ones.
    assert_eq!(sizes, [Some(6), Some(0)]);
    assert_eq!(outcomes(&shop).await?, ["FAILURE", "FAILURE"]);
    Ok(())
}

#[tokio::test]
async fn export_of_unknown_length_is_sent_in_chunks() -> TestResult {
    let shop = Shop::open().await?;
    let db = shop.conn();
    let handler = async move || Body::new(ExportRecorder::new(db, "products").body(streamed()));
    let router = Router::new()
        .route("/", on_get(handler))
        .layer(AuditLayer::new());
    let response = send(&router, get("/")).await?;
    assert!(!response.headers().contains_key(CONTENT_LENGTH));
    assert_eq!(text(response).await?, "1,tea\n");
    assert_eq!(outcomes(&shop).await?, ["SUCCESS"]);
    Ok(())
}

#[tokio::test]
async fn trailers_are_sent_when_the_record_is_there() -> TestResult {
    use bytes::Bytes;
    use http::HeaderMap;
    use http_body::Frame;
    use http_body_util::StreamBody;

    let shop = Shop::open().await?;
    let with_trailers = || {
        let frames = [
            Frame::data(Bytes::from("1,tea\n")),
            Frame::trailers(HeaderMap::from_iter([(CONTENT_LENGTH, "6".parse()?)])),
        ];
        TestResult::Ok(StreamBody::new(stream::iter(
            frames.map(Ok::<_, std::io::Error>),
        )))
    };
    for export in [
        ExportRecorder::new(shop.conn(), "unknown"),
        ExportRecorder::new(shop.conn(), "known").expected_bytes(6),
    ] {
        let before = exports(&shop).await?.len();
        let mut body = export.body(with_trailers()?);
        let data = body.frame().await.ok_or("no data")??;
        assert!(data.is_data());
        let trailers = body.frame().await.ok_or("no trailers")??;
        assert!(trailers.is_trailers());
        // A server does not poll again.
        assert_eq!(exports(&shop).await?.len(), before + 1);
        assert!(body.frame().await.is_none());
    }
    let short = ExportRecorder::new(shop.conn(), "short").expected_bytes(7);
    assert!(short.body(with_trailers()?).collect().await.is_err());
    finish_recording().await;
    assert_eq!(outcomes(&shop).await?, ["SUCCESS", "SUCCESS", "FAILURE"]);
    Ok(())
}

/// A pool of one connection, SeaORM's default for SQLite. The query that the body reads from holds the connection.
#[tokio::test]
async fn export_of_an_open_query_is_recorded_on_a_pool_of_one_connection() -> TestResult {
    let shop = Shop::open().await?;
    let export = async |fails: bool| {
        let export = ExportRecorder::new(shop.conn(), "numbers").begin().await?;
        let records = export.records();
        let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n";
        let numbers = Statement::from_string(shop.db.get_database_backend(), numbers);
        let rows = shop.conn().stream_raw(numbers).await?.map(move |row| {
            let number: i64 = row?.try_get_by_index(0)?;
            if fails && number == 3 {
                return Err(DbErr::Custom("the third is lost".to_owned()));
            }
            records.add(1);
            Ok(format!("{number}\n"))
        });
        TestResult::Ok(export.body(Body::from_stream(rows)))
    };
    let all = async {
        let whole = export(false).await?.collect().await?;
        assert_eq!(whole.to_bytes(), "1\n2\n3\n");
        assert!(export(true).await?.collect().await.is_err());
        finish_recording().await;
        // The client disconnects.
        let mut body = export(false).await?;
        body.frame().await.ok_or("no frame")??;
        drop(body);
        finish_recording().await;
        // The code after the beginning fails.
        drop(ExportRecorder::new(shop.conn(), "numbers").begin().await?);
        finish_recording().await;
        TestResult::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(20), all).await??;
    let logged: Vec<_> = (exports(&shop).await?.into_iter())
        .map(|export| (export.outcome, export.record_count, export.file_size))
        .collect();
    let failed = |records, bytes| ("FAILURE".to_owned(), records, bytes);
    assert_eq!(
        logged,
        [
            ("SUCCESS".to_owned(), Some(3), Some(6)),
            failed(Some(2), Some(4)),
            failed(Some(1), Some(2)),
            failed(None, Some(0)),
        ]
    );
    assert_eq!(
        outcomes(&shop).await?,
        ["SUCCESS", "FAILURE", "FAILURE", "FAILURE"]
    );
    Ok(())
}
