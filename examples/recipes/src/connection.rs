use sea_orm::{DatabaseConnection, EntityTrait, TransactionTrait};
use sea_orm_audit::{Actor, AuditConfig, AuditContext, AuditedConnection};

use crate::product;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

pub async fn handles(connection: DatabaseConnection) -> Result {
    let db = AuditedConnection::new(connection);
    let import = db.as_actor(Actor::service("import")); // writes of this handle have this actor
    let nightly = import.with_context(AuditContext::new().reason("nightly"));
    let strict = nightly.with_config(AuditConfig::strict().build()?);

    let tx = strict.begin().await?;
    product::Entity::delete_by_id(1).exec(&tx).await?;
    tx.commit().await?; // fails, and everything is rolled back, if a record failed

    let plain: &DatabaseConnection = db.unaudited(); // for statements that must not be captured
    product::Entity::delete_by_id(2).exec(plain).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sea_orm::ActiveModelTrait;
    use sea_orm_audit::Action;
    use sea_orm_audit::test::{Log, TestDatabase};

    use super::*;

    #[tokio::test]
    async fn the_handle_sets_actor_and_reason() -> Result {
        let db = TestDatabase::new()
            .await?
            .with_table(product::Entity)
            .await?;
        product::new("Tea", 300).insert(&*db).await?;
        product::new("Coffee", 600).insert(&*db).await?;
        Log::clear(&*db).await?;
        handles((*db).clone()).await?;
        let log = Log::read(&*db).await?;
        log.only(Action::Delete, "product", 1)
            .by("import")
            .because("nightly");
        Ok(())
    }
}
