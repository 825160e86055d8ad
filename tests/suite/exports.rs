//! Exports of data and downloads of their files.

use futures::future::try_join_all;
use sea_orm::TransactionTrait;
use sea_orm_audit::event::DataExport;
use sea_orm_audit::{Actor, AuditContext, AuditError};
use serde_json::json;

use crate::support::{TestDb, TestResult, refuse_rows};

on_every_database! {
    export_is_a_row_and_a_record,
    secrets_among_the_filters_are_redacted,
    numbers_beyond_64_bits_are_as_large_as_can_be,
    text_that_is_too_long_or_holds_nul_is_recorded,
    export_that_failed_says_so,
    export_that_cannot_be_written_leaves_neither_row,
    export_rolls_back_with_its_transaction,
    download_counts_and_is_a_record,
    download_of_nothing_leaves_no_record,
    downloads_at_once_count_exactly,
}

async fn export_is_a_row_and_a_record(db: &TestDb) -> TestResult {
    let export = DataExport::new("customers")
        .format("CSV")
        .filter("active", true)
        .records(100)
        .bytes(1024)
        .path("/exports/1.csv")
        .reason("the auditor asked")
        .metadata("ticket", 42)
        .record(&db.conn);
    let id = AuditContext::new()
        .actor(Actor::user(7).named("Ann"))
        .ip_address("192.0.2.7".parse()?)
        .request_id("request")
        .scope(export)
        .await?;
    let record = db.record().await?;
    assert_eq!((&*record.action, &*record.outcome), ("EXPORT", "SUCCESS"));
    assert_eq!(record.actor_id.as_deref(), Some("7"));
    assert_eq!(record.reason.as_deref(), Some("the auditor asked"));
    assert_eq!(
        record.metadata,
        Some(json!({
            "export_type": "customers", "records": 100, "bytes": 1024, "ticket": 42,
        }))
    );
    let export = db.exports().await?.remove(0);
    assert_eq!((export.id, export.log_id), (id, Some(record.id)));
    assert_eq!(export.export_type, "customers");
    assert_eq!(export.file_format.as_deref(), Some("CSV"));
    assert_eq!(export.filters_applied, Some(json!({"active": true})));
    assert_eq!(
        (export.record_count, export.file_size),
        (Some(100), Some(1024))
    );
    assert_eq!(export.file_path.as_deref(), Some("/exports/1.csv"));
    assert_eq!(
        (export.download_count, export.last_downloaded_at),
        (0, None)
    );
    assert_eq!(export.actor_id.as_deref(), Some("7"));
    assert_eq!(export.actor_name.as_deref(), Some("Ann"));
    assert_eq!(export.ip_address.as_deref(), Some("192.0.2.7"));
    assert_eq!(export.request_id.as_deref(), Some("request"));
    Ok(())
}

async fn secrets_among_the_filters_are_redacted(db: &TestDb) -> TestResult {
    let export = DataExport::new("customers")
        .filter("api_key", "s3cret-1")
        .filter("login", json!([{"password": "s3cret-2", "name": "Ann"}]))
        .metadata("token", "s3cret-3");
    assert!(!format!("{export:?}").contains("s3cret"));
    export.record(&db.conn).await?;
    assert_eq!(
        db.exports().await?[0].filters_applied,
        Some(json!({
            "api_key": "[redacted]",
            "login": [{"password": "[redacted]", "name": "Ann"}],
        }))
    );
    assert!(!db.dump().await?.contains("s3cret"));
    Ok(())
}

async fn numbers_beyond_64_bits_are_as_large_as_can_be(db: &TestDb) -> TestResult {
    DataExport::new("a")
        .records(u64::MAX)
        .bytes(i64::MAX.unsigned_abs())
        .record(&db.conn)
        .await?;
    let export = db.exports().await?.remove(0);
    assert_eq!(export.record_count, Some(i64::MAX));
    assert_eq!(export.file_size, Some(i64::MAX));
    Ok(())
}

async fn text_that_is_too_long_or_holds_nul_is_recorded(db: &TestDb) -> TestResult {
    let long = "\0ö😀".repeat(4_000);
    let export = DataExport::new(&*long)
        .format(&*long)
        .path(&*long)
        .reason(&*long)
        .filter(&*long, &*long)
        .actor(Actor::user(&long).named(&*long));
    AuditContext::new()
        .ip_address_as(&*long)
        .scope(export.record(&db.conn))
        .await?;
    let export = db.exports().await?.remove(0);
    assert_eq!(export.export_type.chars().count(), 255);
    assert_eq!(export.file_format.unwrap_or_default().chars().count(), 32);
    assert_eq!(export.file_path, Some("\u{FFFD}ö😀".repeat(4_000)));
    Ok(())
}

async fn export_that_failed_says_so(db: &TestDb) -> TestResult {
    DataExport::new("customers")
        .failed()
        .record(&db.conn)
        .await?;
    let record = db.record().await?;
    assert_eq!((&*record.action, &*record.outcome), ("EXPORT", "FAILURE"));
    let export = db.exports().await?.remove(0);
    assert_eq!((export.record_count, export.file_size), (None, None));
    Ok(())
}

async fn export_that_cannot_be_written_leaves_neither_row(db: &TestDb) -> TestResult {
    refuse_rows(db, "audit_data_export", "export_type", "secret").await?;
    let export = DataExport::new("secret plans").record(&db.conn);
    let error = export.await.unwrap_err();
    assert!(matches!(error, AuditError::NotRecorded { .. }), "{error:?}");
    refuse_rows(db, "audit_log", "action", "EXPORT").await?;
    assert!(DataExport::new("customers").record(&db.conn).await.is_err());
    assert_eq!(
        (db.records().await?.len(), db.exports().await?.len()),
        (0, 0)
    );
    Ok(())
}

async fn export_rolls_back_with_its_transaction(db: &TestDb) -> TestResult {
    let tx = db.audited().begin().await?;
    let id = DataExport::new("customers").record(&tx).await?;
    DataExport::record_download(&tx, id).await?;
    tx.rollback().await?;
    assert_eq!(
        (db.records().await?.len(), db.exports().await?.len()),
        (0, 0)
    );
    Ok(())
}

async fn download_counts_and_is_a_record(db: &TestDb) -> TestResult {
    let id = DataExport::new("customers").record(&db.conn).await?;
    let another = DataExport::new("customers").record(&db.conn).await?;
    db.forget().await?;
    AuditContext::new()
        .actor(Actor::user(8))
        .scope(DataExport::record_download(&db.conn, id))
        .await?;
    let record = db.record().await?;
    assert_eq!((&*record.action, &*record.outcome), ("EXPORT", "SUCCESS"));
    assert_eq!(record.actor_id.as_deref(), Some("8"));
    assert_eq!(record.metadata, Some(json!({"download_of": id})));
    let exports = db.exports().await?;
    assert_eq!(exports[0].download_count, 1);
    assert!(exports[0].last_downloaded_at.is_some());
    assert_eq!((exports[1].id, exports[1].download_count), (another, 0));
    Ok(())
}

async fn download_of_nothing_leaves_no_record(db: &TestDb) -> TestResult {
    let error = DataExport::record_download(&db.conn, 42).await.unwrap_err();
    assert!(matches!(error, AuditError::NotRecorded { .. }), "{error:?}");
    assert!(format!("{error:?}").contains("42"), "{error:?}");
    let tx = db.begin().await?;
    assert!(DataExport::record_download(&tx, 42).await.is_err());
    tx.commit().await?;
    assert_eq!(db.records().await?.len(), 0);
    Ok(())
}

async fn downloads_at_once_count_exactly(db: &TestDb) -> TestResult {
    let id = DataExport::new("customers").record(&db.conn).await?;
    let downloads = (0..40).map(|_| {
        let conn = db.conn.clone();
        tokio::spawn(async move { DataExport::record_download(&conn, id).await })
    });
    for download in try_join_all(downloads).await? {
        download?;
    }
    assert_eq!(db.exports().await?[0].download_count, 40);
    assert_eq!(db.records().await?.len(), 41);
    Ok(())
}
