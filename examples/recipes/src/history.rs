use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use sea_orm_audit::entity::audit_log;

pub async fn history(db: &impl ConnectionTrait, id: i32) -> Result<Vec<audit_log::Model>, DbErr> {
    audit_log::Entity::find()
        .filter(audit_log::Column::Model.eq("product"))
        .filter(audit_log::Column::ObjectId.eq(id.to_string()))
        .order_by_asc(audit_log::Column::Id)
        .all(db)
        .await
}

#[cfg(test)]
mod tests {
    use sea_orm::ActiveModelTrait;
    use sea_orm_audit::test::TestDatabase;

    use super::*;
    use crate::{product, service};

    #[tokio::test]
    async fn history_is_in_order() -> Result<(), DbErr> {
        let db = TestDatabase::new()
            .await?
            .with_table(product::Entity)
            .await?;
        let tea = product::new("Tea", 300).insert(&*db).await?;
        service::rename(&*db, tea, "Green tea").await?;
        let actions: Vec<String> = (history(&*db, 1).await?.into_iter())
            .map(|record| record.action)
            .collect();
        assert_eq!(actions, ["CREATE", "UPDATE"]);
        Ok(())
    }
}
