//! An export as a stream.

use futures::StreamExt;
use sea_orm::ConnectionTrait;
use sea_orm_audit::event::finish_recording;
use sea_orm_audit::export::{AuditExport, ExportError, ExportFormat, ExportStream};
use sea_orm_audit::query::AuditQuery;
use sea_orm_audit::{Actor, AuditContext};

use crate::sample::fill;
use crate::support::{TestDb, TestResult};

on_every_database! {
    stream_has_the_bytes_of_the_export,
    stream_that_is_never_read_is_no_export,
    dropped_stream_is_recorded_as_a_failure,
    failure_is_an_item_of_the_stream,
}

fn export() -> AuditExport {
    let query = "-action:export".parse::<AuditQuery>().unwrap();
    AuditExport::new(query, ExportFormat::Csv)
}

async fn all(mut stream: ExportStream) -> (Vec<u8>, Option<ExportError>) {
    let mut bytes = Vec::new();
    while let Some(item) = stream.next().await {
        match item {
            Ok(part) => bytes.extend(part),
            Err(error) => return (bytes, Some(error)),
        }
    }
    assert!(stream.next().await.is_none());
    (bytes, None)
}

async fn stream_has_the_bytes_of_the_export(db: &TestDb) -> TestResult {
    fill(db, 1_500).await?;
    let mut expected = Vec::new();
    export().write_to(&db.conn, &mut expected).await?;
    let ann = AuditContext::new().actor(Actor::user(7));
    let stream = ann.scope(async { export().stream(&db.conn) }).await;
    // Another task, without the context, reads it.
    let (bytes, error) = tokio::spawn(all(stream)).await?;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(bytes, expected);
    let exports = db.exports().await?;
    assert_eq!(
        (exports[1].outcome.as_str(), exports[1].actor_id.as_deref()),
        ("SUCCESS", Some("7"))
    );
    Ok(())
}

async fn stream_that_is_never_read_is_no_export(db: &TestDb) -> TestResult {
    drop(export().stream(&db.conn));
    finish_recording().await;
    assert_eq!(db.exports().await?.len(), 0);
    Ok(())
}

async fn dropped_stream_is_recorded_as_a_failure(db: &TestDb) -> TestResult {
    fill(db, 1_500).await?;
    let mut stream = export().stream(&db.conn);
    let first = stream.next().await.ok_or("nothing")??;
    assert!(!first.is_empty());
    drop(stream);
    finish_recording().await;
    let export = db.exports().await?.remove(0);
    assert_eq!(export.outcome, "FAILURE");
    assert!(export.record_count < Some(1_500), "{export:?}");
    Ok(())
}

async fn failure_is_an_item_of_the_stream(db: &TestDb) -> TestResult {
    let audit_log = "audit_log";
    db.execute_unprepared(&format!("ALTER TABLE {audit_log} RENAME TO elsewhere"))
        .await?;
    let (bytes, error) = all(export().stream(&db.conn)).await;
    assert_eq!(bytes, b"");
    assert!(matches!(error, Some(ExportError::Read { .. })), "{error:?}");
    Ok(())
}
