use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryOrder};
use sea_orm_audit::AuditError;
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::query::{AuditLogSelect, AuditQuery, Page};

/// What a URL such as `/audit?q=model:product+created:7d&page=..` shows.
pub async fn page(
    db: &impl ConnectionTrait,
    text: &str,
    cursor: Option<&str>,
) -> Result<Page, Box<dyn std::error::Error>> {
    let query: AuditQuery = text.parse()?;
    let pages = query.pages().size(20);
    Ok(match cursor {
        None => pages.first(db).await?,
        Some(cursor) => pages.at(db, &cursor.parse()?).await?,
    })
}

/// The same tenant's records only, whatever the text asks for.
pub fn of_tenant(tenant: &str, text: &str) -> Result<AuditQuery, sea_orm_audit::query::QueryError> {
    Ok(AuditQuery::new().tenant(tenant).and(text.parse()?))
}

/// "about 12,000", at a bounded cost.
pub async fn about(db: &impl ConnectionTrait, query: &AuditQuery) -> Result<String, DbErr> {
    let estimate = query.estimate(db).await?;
    let about = if estimate.is_exact { "" } else { "about " };
    Ok(format!("{about}{}", estimate.count))
}

/// The first record that a query finds, by a SELECT of the application.
pub async fn first(
    db: &impl ConnectionTrait,
    query: &AuditQuery,
) -> Result<Option<audit_log::Model>, DbErr> {
    let select = audit_log::Entity::find()
        .matching(query, db.get_database_backend())
        .map_err(|error: AuditError| DbErr::from(error))?;
    select.order_by_asc(audit_log::Column::Id).one(db).await
}

#[cfg(test)]
mod tests {
    use sea_orm::ActiveModelTrait;
    use sea_orm_audit::test::TestDatabase;

    use super::*;
    use crate::product;

    #[tokio::test]
    async fn text_finds_records_page_by_page() -> Result<(), Box<dyn std::error::Error>> {
        let db = TestDatabase::new()
            .await?
            .with_table(product::Entity)
            .await?;
        for price in 1..=25 {
            product::new("Tea", price).insert(&*db).await?;
        }
        let text = "model:product action:create to:name=Tea created:7d";
        let newest = page(&*db, text, None).await?;
        assert_eq!((newest.found(), newest.complete), (20, true));
        let older = newest.older.ok_or("one page only")?.to_string();
        let oldest = page(&*db, text, Some(&older)).await?;
        assert_eq!((oldest.found(), oldest.older), (5, None));
        assert!(page(&*db, "model:other", Some(&older)).await.is_err());
        assert!(page(&*db, "modle:product", None).await.is_err());

        let query: AuditQuery = "to:price=7".parse()?;
        assert_eq!(about(&*db, &query).await?, "1");
        let found = first(&*db, &query).await?.ok_or("not found")?;
        assert_eq!(found.object_id.as_deref(), Some("7"));
        assert_eq!(
            about(&*db, &of_tenant("north", "model:product")?).await?,
            "0"
        );
        Ok(())
    }
}
