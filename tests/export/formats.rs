//! Each format, read back.

use chrono::SecondsFormat;
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::export::{AuditExport, ExportFormat};
use sea_orm_audit::query::AuditQuery;
use serde_json::{Value, json};

use crate::parquet_rows;
use crate::sample::{TEXTS, fill};
use crate::support::{TestDb, TestResult};

on_every_database! {
    csv_equals_the_table,
    json_lines_equal_the_table,
    parquet_equals_the_table,
    query_limits_what_is_exported,
    empty_log_gives_a_valid_file,
}

const COLUMNS: [&str; 23] = [
    "id",
    "occurred_at",
    "action",
    "outcome",
    "model",
    "object_id",
    "object_repr",
    "changes",
    "actor_type",
    "actor_id",
    "actor_name",
    "impersonator_id",
    "ip_address",
    "user_agent",
    "session_key",
    "request_id",
    "trace_id",
    "transaction_id",
    "tenant",
    "reason",
    "module",
    "source",
    "metadata",
];

async fn exported(db: &TestDb, query: &str, format: ExportFormat) -> TestResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let report = AuditExport::new(query.parse::<AuditQuery>()?, format)
        .write_to(&db.conn, &mut bytes)
        .await?;
    assert_eq!(report.bytes, bytes.len() as u64);
    assert_eq!(report.cut_off, None);
    let exports = db.exports().await?;
    let export = exports.last().ok_or("not recorded")?;
    assert_eq!(report.export, Some(export.id));
    assert_eq!(
        (export.outcome.as_str(), export.export_type.as_str()),
        ("SUCCESS", "audit_log")
    );
    assert_eq!(export.file_format.as_deref(), Some(format.as_str()));
    assert_eq!(export.record_count, Some(i64::try_from(report.records)?));
    assert_eq!(export.file_size, Some(i64::try_from(bytes.len())?));
    Ok(bytes)
}

/// The texts of a record, in the order of the columns.
fn texts(record: &audit_log::Model) -> Vec<Option<String>> {
    let json = |json: &Option<Value>| json.as_ref().map(Value::to_string);
    vec![
        Some(record.id.to_string()),
        Some(
            record
                .occurred_at
                .to_rfc3339_opts(SecondsFormat::Micros, true),
        ),
        Some(record.action.clone()),
        Some(record.outcome.clone()),
        record.model.clone(),
        record.object_id.clone(),
        record.object_repr.clone(),
        json(&record.changes),
        Some(record.actor_type.clone()),
        record.actor_id.clone(),
        record.actor_name.clone(),
        record.impersonator_id.clone(),
        record.ip_address.clone(),
        record.user_agent.clone(),
        record.session_key.clone(),
        record.request_id.clone(),
        record.trace_id.clone(),
        record.transaction_id.map(|id| id.to_string()),
        record.tenant.clone(),
        record.reason.clone(),
        record.module.clone(),
        Some(record.source.clone()),
        json(&record.metadata),
    ]
}

async fn csv_equals_the_table(db: &TestDb) -> TestResult {
    let records = fill(db, 1_300).await?;
    let bytes = exported(db, "", ExportFormat::Csv).await?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    assert_eq!(reader.headers()?.iter().collect::<Vec<_>>(), COLUMNS);
    let lines: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>()?;
    assert_eq!(lines.len(), records.len());
    let mut formulas = 0;
    for (line, record) in lines.iter().zip(&records) {
        let expected = texts(record).into_iter().map(|text| {
            let text = text.unwrap_or_default();
            if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝']) {
                formulas += 1;
                format!("'{text}")
            } else {
                text
            }
        });
        assert_eq!(
            line.iter().collect::<Vec<_>>(),
            expected.collect::<Vec<_>>()
        );
        // No cell can be a formula, but the texts say more.
        assert!(
            line.iter()
                .all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝']))
        );
    }
    assert!(formulas > TEXTS.len(), "{formulas}");
    // RFC 4180: lines end with CRLF.
    let text = String::from_utf8(bytes)?;
    assert!(
        text.starts_with("id,occurred_at,") && text.ends_with("\r\n"),
        "{text}"
    );
    Ok(())
}

async fn json_lines_equal_the_table(db: &TestDb) -> TestResult {
    let records = fill(db, 1_300).await?;
    let text = String::from_utf8(exported(db, "", ExportFormat::JsonLines).await?)?;
    let lines: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    assert_eq!(lines.len(), records.len());
    for (line, record) in lines.iter().zip(&records) {
        let mut expected: serde_json::Map<String, Value> = (COLUMNS.iter().zip(texts(record)))
            .map(|(name, text)| ((*name).to_owned(), json!(text)))
            .collect();
        expected.insert("id".to_owned(), json!(record.id));
        expected.insert("changes".to_owned(), json!(record.changes));
        expected.insert("metadata".to_owned(), json!(record.metadata));
        assert_eq!(line, &Value::Object(expected));
    }
    Ok(())
}

async fn parquet_equals_the_table(db: &TestDb) -> TestResult {
    let records = fill(db, 1_300).await?;
    let bytes = exported(db, "", ExportFormat::Parquet).await?;
    let rows = parquet_rows::read(bytes, &COLUMNS)?;
    assert_eq!(rows.len(), records.len());
    for (row, record) in rows.iter().zip(&records) {
        assert_eq!(row.id, record.id);
        assert_eq!(row.micros, record.occurred_at.timestamp_micros());
        assert_eq!(row.texts, texts(record)[2..]);
    }
    Ok(())
}

async fn query_limits_what_is_exported(db: &TestDb) -> TestResult {
    let records = fill(db, 200).await?;
    for format in ExportFormat::ALL {
        let query = "model:model1 -action:approve";
        exported(db, query, *format).await?;
        let expected = records
            .iter()
            .filter(|record| {
                record.model.as_deref() == Some("model1") && record.action != "APPROVE"
            })
            .count();
        assert!(expected > 10, "{expected}");
        let exports = db.exports().await?;
        let export = exports.last().ok_or("not recorded")?;
        assert_eq!(export.record_count, Some(i64::try_from(expected)?));
        let filters = export.filters_applied.clone().unwrap_or_default();
        assert_eq!(filters, json!({ "query": "model:model1 -action:approve" }));
    }
    Ok(())
}

async fn empty_log_gives_a_valid_file(db: &TestDb) -> TestResult {
    let query = "action:import";
    let csv = exported(db, query, ExportFormat::Csv).await?;
    assert_eq!(
        csv::Reader::from_reader(csv.as_slice()).records().count(),
        0
    );
    assert_eq!(exported(db, query, ExportFormat::JsonLines).await?, b"");
    let parquet = exported(db, query, ExportFormat::Parquet).await?;
    assert_eq!(parquet_rows::read(parquet, &COLUMNS)?.len(), 0);
    Ok(())
}
