//! How an export ends, and what its record says of it.

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, QueryOrder};
use sea_orm_audit::entity::{audit_data_export, audit_log};
use sea_orm_audit::event::finish_recording;
use sea_orm_audit::export::{AuditExport, CutOff, ExportError, ExportFormat};
use sea_orm_audit::query::AuditQuery;
use serde_json::Value;
use tokio::io::{AsyncReadExt, duplex};

use crate::sample::fill;
use crate::support::{TestDb, TestResult, poll_and_drop, refuse_rows};
use crate::writer::Failing;

on_every_database! {
    limit_that_cuts_off_is_recorded,
    failed_writer_is_recorded_with_what_it_took,
    failed_flush_counts_only_what_was_flushed_before,
    closed_reader_is_recorded_as_a_failure,
    dropped_export_is_recorded_as_cancelled,
    export_dropped_at_any_moment_does_not_stay_open,
    closed_database_leaves_the_export_open,
    refused_end_is_an_error,
}

mod unreadable {
    mod sqlite {
        sea_orm_audit_tests::tests_on!(sqlite: unreadable_record_ends_the_export_as_a_failure);
    }
    pub(super) use super::unreadable_record_ends_the_export_as_a_failure;
}

/// The outcome, the counts, and what cut it off.
async fn last(db: &TestDb) -> TestResult<(String, i64, i64, Value)> {
    let exports = db.exports().await?;
    let export = exports.last().ok_or("not recorded")?.clone();
    let records = db.records().await?;
    let record = records.last().ok_or("no record")?;
    assert_eq!(record.outcome, export.outcome);
    let metadata = record.metadata.clone().unwrap_or_default();
    assert_eq!(metadata["records"], Value::from(export.record_count));
    assert_eq!(metadata["bytes"], Value::from(export.file_size));
    Ok((
        export.outcome,
        export.record_count.unwrap_or(-1),
        export.file_size.unwrap_or(-1),
        metadata["cut_off"].clone(),
    ))
}

fn export(format: ExportFormat) -> AuditExport {
    let query: AuditQuery = AuditQuery::new().source(sea_orm_audit::query::Source::Manual);
    AuditExport::new(
        query.not(AuditQuery::new().action(sea_orm_audit::Action::Export)),
        format,
    )
}

async fn limit_that_cuts_off_is_recorded(db: &TestDb) -> TestResult {
    fill(db, 600).await?;
    for (limit, records, cut_off) in [
        (10, 10, true),
        (300, 300, true),
        (599, 599, true),
        (600, 600, false),
        (601, 600, false),
        (0, 0, true),
    ] {
        let mut bytes = Vec::new();
        let report = export(ExportFormat::JsonLines)
            .limit(limit)
            .write_to(&db.conn, &mut bytes)
            .await?;
        assert_eq!(report.records, records);
        assert_eq!(lines(&bytes).unsigned_abs(), records);
        assert_eq!(report.cut_off, cut_off.then_some(CutOff::Limit), "{limit}");
        let (outcome, count, _, word) = last(db).await?;
        assert_eq!(
            (outcome.as_str(), count.unsigned_abs()),
            ("SUCCESS", records)
        );
        assert_eq!(
            word,
            if cut_off {
                Value::from("limit")
            } else {
                Value::Null
            }
        );
    }
    Ok(())
}

/// How many lines of an export are complete.
fn lines(bytes: &[u8]) -> i64 {
    let lines = bytes.split(|byte| *byte == b'\n').count() - 1;
    i64::try_from(lines).unwrap()
}

async fn failed_writer_is_recorded_with_what_it_took(db: &TestDb) -> TestResult {
    fill(db, 1_500).await?;
    for limit in [1, 1_000, 300_000, 400_001] {
        let mut writer = Failing {
            limit,
            ..Failing::default()
        };
        let error = export(ExportFormat::JsonLines)
            .write_to(&db.conn, &mut writer)
            .await
            .unwrap_err();
        let ExportError::Write { written, source } = &error else {
            return Err(error.into());
        };
        assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
        assert_eq!(
            (written.bytes, written.cut_off),
            (limit as u64, Some(CutOff::Writer))
        );
        let expected = (
            "FAILURE".to_owned(),
            lines(&writer.taken),
            i64::try_from(limit)?,
            Value::from("writer"),
        );
        assert_eq!(last(db).await?, expected, "{limit}");
        assert!(error.to_string().contains("incomplete"), "{error}");
    }
    // What is written of a Parquet file without its end has complete groups of rows only: none here.
    let mut writer = Failing {
        limit: 10,
        ..Failing::default()
    };
    export(ExportFormat::Parquet)
        .write_to(&db.conn, &mut writer)
        .await
        .unwrap_err();
    assert_eq!(
        last(db).await?,
        ("FAILURE".to_owned(), 0, 10, Value::from("writer"))
    );
    Ok(())
}

async fn failed_flush_counts_only_what_was_flushed_before(db: &TestDb) -> TestResult {
    fill(db, 2_000).await?;
    let mut writer = Failing {
        limit: 500_000,
        when_flushed: true,
        ..Failing::default()
    };
    export(ExportFormat::JsonLines)
        .write_to(&db.conn, &mut writer)
        .await
        .unwrap_err();
    assert!(writer.flushed > 100_000, "{}", writer.flushed);
    assert!(writer.flushed < writer.taken.len());
    let records = lines(&writer.taken[..writer.flushed]);
    let expected = (
        "FAILURE".to_owned(),
        records,
        i64::try_from(writer.flushed)?,
        Value::from("writer"),
    );
    assert_eq!(last(db).await?, expected);
    Ok(())
}

async fn closed_reader_is_recorded_as_a_failure(db: &TestDb) -> TestResult {
    fill(db, 500).await?;
    let (mut reader, writer) = duplex(1_000);
    let conn = db.conn.clone();
    let exporting =
        tokio::spawn(async move { export(ExportFormat::Csv).write_to(&conn, writer).await });
    let mut begin = vec![0; 5_000];
    reader.read_exact(&mut begin).await?;
    drop(reader);
    let error = exporting.await?.unwrap_err();
    assert!(error.is_closed_pipe(), "{error:?}");
    let (outcome, records, bytes, cut_off) = last(db).await?;
    assert_eq!(
        (outcome.as_str(), cut_off),
        ("FAILURE", Value::from("writer"))
    );
    assert!(
        (5_000..=6_000).contains(&bytes) && records > 0,
        "{bytes} {records}"
    );
    Ok(())
}

async fn dropped_export_is_recorded_as_cancelled(db: &TestDb) -> TestResult {
    fill(db, 300).await?;
    let (mut reader, writer) = duplex(1_000);
    let conn = db.conn.clone();
    let exporting = tokio::spawn(async move {
        export(ExportFormat::JsonLines)
            .write_to(&conn, writer)
            .await
    });
    let mut bytes = vec![0; 20_000];
    reader.read_exact(&mut bytes).await?;
    exporting.abort();
    assert!(exporting.await.unwrap_err().is_cancelled());
    finish_recording().await;
    reader.read_to_end(&mut bytes).await?;
    let (outcome, records, size, cut_off) = last(db).await?;
    assert_eq!(
        (outcome.as_str(), cut_off),
        ("FAILURE", Value::from("cancelled"))
    );
    // The part that was being written is not counted.
    assert!(
        records <= lines(&bytes) && size <= i64::try_from(bytes.len())?,
        "{records} {size}"
    );
    Ok(())
}

async fn export_dropped_at_any_moment_does_not_stay_open(db: &TestDb) -> TestResult {
    fill(db, 300).await?;
    for polls in 1..60 {
        let before = db.exports().await?.len();
        let (mut reader, writer) = duplex(10_000);
        let read = tokio::spawn(async move {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).await.map(|_| bytes)
        });
        let done = poll_and_drop(
            export(ExportFormat::JsonLines).write_to(&db.conn, writer),
            polls,
        )
        .await;
        finish_recording().await;
        let bytes = read.await??;
        let exports = db.exports().await?;
        if exports.len() == before {
            assert_eq!(bytes, b"");
            continue;
        }
        let (outcome, records, size, cut_off) = last(db).await?;
        if done.is_some() {
            assert_eq!((outcome.as_str(), cut_off), ("SUCCESS", Value::Null));
            continue;
        }
        // A record of its end that was begun is completed.
        let is_complete = cut_off.is_null();
        assert_eq!(outcome, if is_complete { "SUCCESS" } else { "FAILURE" });
        assert!(is_complete || cut_off == "cancelled", "{cut_off}");
        assert!(
            records <= lines(&bytes) && size <= i64::try_from(bytes.len())?,
            "{records} {size}"
        );
    }
    Ok(())
}

async fn closed_database_leaves_the_export_open(db: &TestDb) -> TestResult {
    fill(db, 3_000).await?;
    let other = db.another().await?;
    let (mut reader, writer) = duplex(1_000);
    let pool = sea_orm::Database::connect(db.connect_options()).await?;
    let conn = pool.clone();
    let exporting = tokio::spawn(async move {
        export(ExportFormat::JsonLines)
            .write_to(&conn, writer)
            .await
    });
    let mut begin = vec![0; 5_000];
    reader.read_exact(&mut begin).await?;
    pool.close().await?;
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).await?;
    let error = exporting.await?.unwrap_err();
    let ExportError::Read { written, .. } = &error else {
        return Err(error.into());
    };
    assert_eq!(written.cut_off, Some(CutOff::Database));
    begin.extend(rest);
    assert_eq!(
        (written.records, written.bytes),
        (lines(&begin).unsigned_abs(), begin.len() as u64)
    );
    let exports = audit_data_export::Entity::find().all(&other).await?;
    assert_eq!(exports[0].outcome, "OPEN");
    other.close().await?;
    Ok(())
}

async fn refused_end_is_an_error(db: &TestDb) -> TestResult {
    fill(db, 10).await?;
    refuse_rows(db, "audit_log", "outcome", "SUCCESS").await?;
    let mut bytes = Vec::new();
    let error = export(ExportFormat::JsonLines)
        .write_to(&db.conn, &mut bytes)
        .await
        .unwrap_err();
    assert!(matches!(error, ExportError::NotEnded { .. }), "{error:?}");
    assert_eq!(error.written().map(|written| written.records), Some(10));
    assert_eq!(lines(&bytes), 10);
    assert_eq!(db.exports().await?[0].outcome, "OPEN");
    Ok(())
}

/// Only SQLite stores JSON that is none.
async fn unreadable_record_ends_the_export_as_a_failure(db: &TestDb) -> TestResult {
    assert_eq!(db.backend(), DbBackend::Sqlite);
    let records = fill(db, 1_000).await?;
    let oldest = records.last().ok_or("no record")?.id;
    db.execute_unprepared(&format!(
        "UPDATE audit_log SET changes = 'no json' WHERE id = {oldest}"
    ))
    .await?;
    let mut bytes = Vec::new();
    let error = export(ExportFormat::JsonLines)
        .write_to(&db.conn, &mut bytes)
        .await
        .unwrap_err();
    assert!(matches!(error, ExportError::Read { .. }), "{error:?}");
    let export = db.exports().await?.remove(0);
    assert_eq!(export.outcome, "FAILURE");
    assert_eq!(export.record_count, Some(lines(&bytes)));
    assert!(lines(&bytes) > 100);
    let end = audit_log::Entity::find()
        .order_by_desc(audit_log::Column::Id)
        .one(&db.conn)
        .await?;
    let metadata = end.and_then(|end| end.metadata).unwrap_or_default();
    assert_eq!(metadata["cut_off"], "database");
    Ok(())
}
