use sea_orm::ConnectionTrait;
use sea_orm_audit::event::record_view;
use sea_orm_audit::{Action, AuditError, AuditEvent};

use crate::product;

pub async fn approve(
    db: &impl ConnectionTrait,
    limit: i32,
) -> Result<(), Box<dyn std::error::Error>> {
    AuditEvent::new(Action::custom("APPROVE")?)
        .target_named("invoice", "2026-17") // or .target(&model)
        .reason("within budget")
        .change("state", "open", "approved")
        .metadata("limit", limit)
        .record(db)
        .await?;
    Ok(())
}

pub async fn show(db: &impl ConnectionTrait, tea: &product::Model) -> Result<(), AuditError> {
    record_view(db, tea).await
}

#[cfg(test)]
mod tests {
    use sea_orm::ActiveModelTrait;
    use sea_orm_audit::test::{Log, TestDatabase};

    use super::*;

    #[tokio::test]
    async fn approval_and_view_are_recorded() -> Result<(), Box<dyn std::error::Error>> {
        let db = TestDatabase::new()
            .await?
            .with_table(product::Entity)
            .await?;
        let tea = product::new("Tea", 300).insert(&*db).await?;
        Log::clear(&*db).await?;
        approve(&*db, 5000).await?;
        show(&*db, &tea).await?;
        let log = Log::read(&*db).await?;
        log.has(Action::custom("APPROVE")?, "invoice", "2026-17")
            .because("within budget");
        let _ = log.has(Action::View, "product", tea.id);
        Ok(())
    }
}
