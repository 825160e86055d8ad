use std::path::Path;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use sea_orm_audit::AuditedConnection;
use sea_orm_audit::export::{AuditExport, CutOff, ExportFormat, ExportReport};
use sea_orm_audit::query::AuditQuery;

/// What was done to accounts in March, as a file.
pub async fn to_file(
    db: &AuditedConnection,
    path: &Path,
) -> Result<ExportReport, Box<dyn std::error::Error>> {
    let query: AuditQuery = "model:account created:2026-03".parse()?;
    let file = tokio::fs::File::create_new(path).await?;
    let export = AuditExport::new(query, ExportFormat::Csv)
        .path(path.display().to_string())
        .limit(1_000_000);
    let report = export.write_to(db, file).await?;
    if report.cut_off == Some(CutOff::Limit) {
        // there are more records than the file has
    }
    Ok(report)
}

/// The whole log of a tenant, as the body of a response.
pub fn response(db: &AuditedConnection, tenant: &str, format: ExportFormat) -> impl IntoResponse {
    let query = AuditQuery::new().tenant(tenant);
    let body = Body::from_stream(AuditExport::new(query, format).stream(db));
    ([(CONTENT_TYPE, format.content_type())], body)
}

#[cfg(test)]
mod tests {
    use sea_orm::EntityTrait;
    use sea_orm_audit::entity::audit_data_export;
    use sea_orm_audit::event::AuditEvent;
    use sea_orm_audit::test::TestDatabase;
    use sea_orm_audit::{Action, AuditContext};

    use super::*;

    #[tokio::test]
    async fn file_and_response_are_recorded() -> Result<(), Box<dyn std::error::Error>> {
        let db = AuditedConnection::new((*TestDatabase::new().await?).clone());
        let north = AuditContext::new().tenant("north");
        let event = AuditEvent::new(Action::custom("APPROVE")?);
        Box::pin(north.scope(event.record(&db))).await?;
        let path = std::env::temp_dir().join(format!("log_export_{}.csv", std::process::id()));
        let report = to_file(&db, &path).await?;
        assert_eq!((report.records, report.cut_off), (0, None));
        assert!(std::fs::read_to_string(&path)?.starts_with("id,occurred_at"));
        assert!(to_file(&db, &path).await.is_err(), "the file exists");
        std::fs::remove_file(&path)?;
        for format in ExportFormat::ALL {
            let response = response(&db, "north", *format).into_response();
            assert_eq!(response.headers()[CONTENT_TYPE], format.content_type());
            let body = axum::body::to_bytes(response.into_body(), 100_000).await?;
            assert!(!body.is_empty());
        }
        let exports = audit_data_export::Entity::find().all(&db).await?;
        let counts: Vec<_> = exports.iter().map(|export| export.record_count).collect();
        assert_eq!(counts, [Some(0), Some(1), Some(1), Some(1)]);
        Ok(())
    }
}
