use sea_orm::{ActiveModelTrait, DbErr, Set};
use sea_orm_audit::context::WithAuditContext;
use sea_orm_audit::{Actor, AuditContext, AuditedConnection};

use crate::product;

pub async fn new_price(db: &AuditedConnection, tea: product::Model) -> Result<(), DbErr> {
    let update = async {
        let mut tea: product::ActiveModel = tea.into();
        tea.price = Set(320);
        tea.update(db).await
    };
    AuditContext::new()
        .actor(Actor::user(7).named("Ann"))
        .reason("price list 2026")
        .scope(update)
        .await?;
    Ok(())
}

/// A spawned task is outside of the scope, unless it takes the context with it.
pub fn in_the_background(db: AuditedConnection, tea: product::ActiveModel) {
    tokio::spawn(async move { tea.save(&db).await }.with_audit_context());
}

#[cfg(test)]
mod tests {
    use sea_orm_audit::Action;
    use sea_orm_audit::test::{Log, TestDatabase};

    use super::*;

    #[tokio::test]
    async fn the_record_has_actor_and_reason() -> Result<(), DbErr> {
        let db = TestDatabase::new()
            .await?
            .with_table(product::Entity)
            .await?;
        let tea = product::new("Tea", 300).insert(&*db).await?;
        new_price(&AuditedConnection::new((*db).clone()), tea).await?;
        let log = Log::read(&*db).await?;
        log.has(Action::Update, "product", 1)
            .by(7)
            .because("price list 2026")
            .changed("price", 300, 320);
        Ok(())
    }
}
