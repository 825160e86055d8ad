use axum::body::Body;
use sea_orm_audit::event::DataExport;
use sea_orm_audit::web::ExportRecorder;
use sea_orm_audit::{AuditError, AuditedConnection};

/// A body that is sent while it is read: its beginning is recorded before its first byte, and its end after its last.
pub async fn download(db: &AuditedConnection, csv: Body) -> Result<Body, AuditError> {
    let export = ExportRecorder::new(db.clone(), "products")
        .format("CSV")
        .begin()
        .await?;
    Ok(Body::new(export.body(csv)))
}

/// An export that is complete already.
pub async fn sent(db: &AuditedConnection, lines: u64) -> Result<i64, AuditError> {
    DataExport::new("products")
        .format("CSV")
        .records(lines)
        .record(db)
        .await
}

#[cfg(test)]
mod tests {
    use sea_orm::EntityTrait;
    use sea_orm_audit::entity::audit_data_export;
    use sea_orm_audit::test::TestDatabase;

    use super::*;

    #[tokio::test]
    async fn exports_are_recorded_with_their_sizes() -> Result<(), Box<dyn std::error::Error>> {
        let db = AuditedConnection::new((*TestDatabase::new().await?).clone());
        let body = download(&db, Body::from("id,name\n1,Tea\n")).await?;
        axum::body::to_bytes(body, 1000).await?;
        sent(&db, 1).await?;
        let exports = audit_data_export::Entity::find().all(&db).await?;
        assert_eq!(exports[0].file_size, Some(14));
        assert_eq!(exports[1].record_count, Some(1));
        Ok(())
    }
}
