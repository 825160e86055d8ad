use sea_orm::DbErr;
use sea_orm::prelude::Uuid;
use sea_orm_audit::undo::{AuditRestore, Resolution, Undo, Undone};
use sea_orm_audit::{AuditContext, AuditedConnection};

use crate::product;

/// What undoing a transaction would write, or what prevents it.
pub async fn preview(db: &AuditedConnection, transaction: Uuid) -> Result<Vec<String>, DbErr> {
    let plan = Undo::transaction(transaction).plan(db).await?;
    if !plan.conflicts.is_empty() {
        return Ok(plan.conflicts.iter().map(ToString::to_string).collect());
    }
    let lines = plan.writes.iter().map(|write| {
        let fields: Vec<&str> = write.changes.iter().map(|(field, _)| field).collect();
        format!(
            "{:?} {} {}: {}",
            write.kind,
            write.model,
            write.object_id,
            fields.join(", ")
        )
    });
    Ok(lines.collect())
}

/// Takes a wrong import back, with the reason in the log.
pub async fn undo_import(db: &AuditedConnection, transaction: Uuid) -> Result<Undone, DbErr> {
    let context = AuditContext::new().reason("the import had wrong prices");
    context
        .scope(Undo::transaction(transaction).apply(db))
        .await
}

/// Undoes one change, but leaves the price as it is now.
pub async fn undo_but_keep_price(db: &AuditedConnection, record: i64) -> Result<Undone, DbErr> {
    Undo::record(record)
        .resolve_all("product", "price", Resolution::Keep)
        .apply(db)
        .await
}

/// Brings a deleted product back, with the rows that were deleted along with it. The log has no terms of suppliers.
pub async fn restore(db: &AuditedConnection, id: i32) -> Result<Undone, DbErr> {
    product::Entity::restore(id)
        .resolve_all("product", "supplier_terms", Resolution::Keep)
        .apply(db)
        .await
}

#[cfg(test)]
mod tests {
    use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Set};
    use sea_orm_audit::entity::audit_log;
    use sea_orm_audit::test::TestDatabase;

    use super::*;

    #[tokio::test]
    async fn changes_are_undone() -> Result<(), Box<dyn std::error::Error>> {
        let test = TestDatabase::new()
            .await?
            .with_table(product::Entity)
            .await?;
        let db = &AuditedConnection::new((*test).clone());
        let tea = product::new("Tea", 300).insert(db).await?;
        let mut changed = tea.clone().into_active_model();
        changed.price = Set(320);
        changed.name = Set("Green tea".to_owned());
        changed.update(db).await?;
        let last = || async {
            let records = audit_log::Entity::find().all(db).await?;
            records.into_iter().last().ok_or(DbErr::RecordNotUpdated)
        };
        let now = || async { product::Entity::find_by_id(1).one(db).await };
        let record = last().await?;
        let transaction = record.transaction_id.ok_or("no transaction")?;
        assert_eq!(
            preview(db, transaction).await?,
            ["Update product 1: name, price"]
        );
        undo_import(db, transaction).await?;
        assert_eq!(now().await?.as_ref(), Some(&tea));
        assert_eq!(
            last().await?.reason.as_deref(),
            Some("the import had wrong prices")
        );
        undo_import(db, last().await?.transaction_id.ok_or("none")?).await?;
        undo_but_keep_price(db, record.id).await?;
        let kept = now().await?.ok_or("no row")?;
        assert_eq!((kept.name.as_str(), kept.price), ("Tea", 320));
        product::Entity::delete_by_id(1).exec(db).await?;
        restore(db, 1).await?;
        assert_eq!(now().await?, Some(kept));
        Ok(())
    }
}
