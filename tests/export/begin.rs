//! What is recorded before the first byte.

use sea_orm_audit::export::{AuditExport, ExportError, ExportFormat};
use sea_orm_audit::query::AuditQuery;
use sea_orm_audit::{Action, Actor, AuditConfig, AuditContext};
use tokio::io::{AsyncReadExt, duplex};

use crate::sample::{fill, newest_first};
use crate::support::{TestDb, TestResult, refuse_rows};

on_every_database! {
    export_is_open_before_its_first_byte,
    export_has_no_record_of_itself,
    refused_beginning_writes_nothing,
    unrecorded_export_leaves_no_record,
    actor_of_the_context_is_recorded,
    skipped_action_is_not_recorded,
}

fn export() -> AuditExport {
    AuditExport::new(AuditQuery::new(), ExportFormat::JsonLines)
}

async fn export_is_open_before_its_first_byte(db: &TestDb) -> TestResult {
    fill(db, 100).await?;
    let (mut reader, writer) = duplex(1);
    let conn = db.conn.clone();
    let exporting =
        tokio::spawn(async move { export().path("/exports/1").write_to(&conn, writer).await });
    let mut first = [0];
    reader.read_exact(&mut first).await?;
    assert_eq!(&first, b"{");
    let exports = db.exports().await?;
    assert_eq!(exports.len(), 1);
    assert_eq!(
        (exports[0].outcome.as_str(), exports[0].record_count),
        ("OPEN", None)
    );
    assert_eq!(exports[0].file_path.as_deref(), Some("/exports/1"));
    let mut rest = String::new();
    reader.read_to_string(&mut rest).await?;
    assert_eq!(exporting.await??.records, 100);
    let exports = db.exports().await?;
    assert_eq!(
        (exports[0].outcome.as_str(), exports[0].record_count),
        ("SUCCESS", Some(100))
    );
    let outcomes: Vec<String> = newest_first(db)
        .await?
        .into_iter()
        .take(2)
        .map(|record| record.outcome)
        .collect();
    assert_eq!(outcomes, ["SUCCESS", "OPEN"]);
    Ok(())
}

async fn export_has_no_record_of_itself(db: &TestDb) -> TestResult {
    fill(db, 10).await?;
    // Each has the records of those before, and none of its own.
    for expected in [10, 12, 14] {
        let report = export().write_to(&db.conn, tokio::io::sink()).await?;
        assert_eq!(report.records, expected);
    }
    Ok(())
}

async fn refused_beginning_writes_nothing(db: &TestDb) -> TestResult {
    fill(db, 10).await?;
    refuse_rows(db, "audit_data_export", "export_type", "audit_log").await?;
    let mut bytes = Vec::new();
    let error = export().write_to(&db.conn, &mut bytes).await.unwrap_err();
    assert!(matches!(error, ExportError::NotBegun { .. }), "{error:?}");
    assert!(error.written().is_none());
    assert_eq!(bytes, b"");
    assert_eq!(newest_first(db).await?.len(), 10);
    Ok(())
}

async fn unrecorded_export_leaves_no_record(db: &TestDb) -> TestResult {
    fill(db, 10).await?;
    let report = export()
        .unrecorded()
        .write_to(&db.conn, tokio::io::sink())
        .await?;
    assert_eq!((report.records, report.export), (10, None));
    assert_eq!(db.exports().await?.len(), 0);
    assert_eq!(newest_first(db).await?.len(), 10);
    Ok(())
}

async fn actor_of_the_context_is_recorded(db: &TestDb) -> TestResult {
    let ann = AuditContext::new()
        .actor(Actor::user(7).named("Ann"))
        .reason("audit 2026");
    ann.scope(export().write_to(&db.conn, tokio::io::sink()))
        .await?;
    let bound = db
        .audited()
        .with_context(AuditContext::new().actor(Actor::user(8)));
    export().write_to(&bound, tokio::io::sink()).await?;
    let actors: Vec<Option<String>> = db
        .exports()
        .await?
        .into_iter()
        .map(|export| export.actor_id)
        .collect();
    assert_eq!(actors, [Some("7".to_owned()), Some("8".to_owned())]);
    let reasons: Vec<Option<String>> = db
        .records()
        .await?
        .into_iter()
        .map(|record| record.reason)
        .collect();
    assert_eq!(
        reasons[..2],
        [Some("audit 2026".to_owned()), Some("audit 2026".to_owned())]
    );
    Ok(())
}

async fn skipped_action_is_not_recorded(db: &TestDb) -> TestResult {
    fill(db, 10).await?;
    let config = AuditConfig::builder().skip_action(Action::Export).build()?;
    let report = config
        .scope(export().write_to(&db.conn, tokio::io::sink()))
        .await?;
    assert_eq!((report.records, report.export), (10, None));
    assert_eq!(db.exports().await?.len(), 0);
    Ok(())
}
