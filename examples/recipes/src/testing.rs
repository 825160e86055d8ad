#[cfg(test)]
mod tests {
    use sea_orm::{ActiveModelTrait, DbErr, Set};
    use sea_orm_audit::test::{Log, TestDatabase};
    use sea_orm_audit::{Action, Actor, AuditContext};

    use crate::product;

    #[tokio::test]
    async fn new_product_is_recorded() -> Result<(), DbErr> {
        let db = TestDatabase::new()
            .await?
            .with_table(product::Entity)
            .await?;
        let tea = product::ActiveModel {
            name: Set("Tea".into()),
            price: Set(300),
            ..Default::default()
        };
        AuditContext::new()
            .actor(Actor::user(7))
            .scope(tea.insert(&*db))
            .await?;

        let audit = Log::read(&*db).await?;
        audit
            .only(Action::Create, "product", 1)
            .by(7)
            .began_with("name", "Tea");
        Ok(())
    }
}
