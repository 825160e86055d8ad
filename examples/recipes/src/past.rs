use sea_orm::prelude::DateTimeUtc;
use sea_orm::{DbErr, EntityTrait, PaginatorTrait, QueryOrder};
use sea_orm_audit::AuditedConnection;
use sea_orm_audit::query::{AsOf, AuditAsOf, PastObject};

use crate::product;

/// The price of a product at a past time; `None` if it did not exist.
pub async fn price_at(
    db: &AuditedConnection,
    id: i32,
    time: DateTimeUtc,
) -> Result<Option<i32>, Box<dyn std::error::Error>> {
    match product::Entity::as_of(time).one(id, db).await? {
        PastObject::Absent => Ok(None),
        PastObject::Unknown => Err("the log does not reach back so far".into()),
        past => Ok(Some(past.model().ok_or("a field is not known")?.price)),
    }
}

/// The price list of a past time, page by page.
pub async fn price_list_at(
    db: &AuditedConnection,
    time: DateTimeUtc,
    page: u64,
) -> Result<Vec<product::Model>, DbErr> {
    let past = AsOf::new(time).open(db).await?;
    let products = product::Entity::find()
        .order_by_asc(product::Column::Name)
        .paginate(&past, 20)
        .fetch_page(page)
        .await;
    past.close().await?;
    products
}

#[cfg(test)]
mod tests {
    use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};
    use sea_orm_audit::query::Moment;
    use sea_orm_audit::test::TestDatabase;

    use super::*;

    #[tokio::test]
    async fn prices_of_then_are_read() -> Result<(), Box<dyn std::error::Error>> {
        let test = TestDatabase::new()
            .await?
            .with_table(product::Entity)
            .await?;
        let db = &AuditedConnection::new((*test).clone());
        let mut tea = product::new("Tea", 300)
            .insert(db)
            .await?
            .into_active_model();
        let records = sea_orm_audit::entity::audit_log::Entity::find()
            .all(db)
            .await?;
        let time = records[0].occurred_at;
        tea.price = Set(320);
        tea.update(db).await?;
        assert_eq!(price_at(db, 1, time).await?, Some(300));
        assert_eq!(price_at(db, 2, time).await?, None);
        let list = price_list_at(db, time, 0).await?;
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].price, 300);
        let past = product::Entity::as_of(Moment::before_record(records[0].id))
            .one(1, db)
            .await?;
        assert!(matches!(past, PastObject::Absent));
        Ok(())
    }
}
