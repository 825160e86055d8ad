use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, QueryFilter};
use sea_orm_audit::AuditedEntity;

use crate::product;

pub async fn raise_prices(db: &DatabaseConnection) -> Result<u64, DbErr> {
    let raised = product::Entity::audited_update_many()
        .col_expr(
            product::Column::Price,
            Expr::col(product::Column::Price).add(20),
        )
        .filter(product::Column::Price.lt(500))
        .exec(db)
        .await?; // one record for each row, with its old and its new price
    Ok(raised.rows_affected)
}

#[cfg(test)]
mod tests {
    use sea_orm::ActiveModelTrait;
    use sea_orm_audit::Action;
    use sea_orm_audit::test::{Log, TestDatabase};

    use super::*;

    #[tokio::test]
    async fn each_row_has_its_record() -> Result<(), DbErr> {
        let db = TestDatabase::new()
            .await?
            .with_table(product::Entity)
            .await?;
        product::new("Tea", 300).insert(&*db).await?;
        product::new("Coffee", 600).insert(&*db).await?;
        assert_eq!(raise_prices(&db).await?, 1);
        let log = Log::read(&*db).await?;
        log.has(Action::Update, "product", 1)
            .changed("price", 300, 320);
        Ok(())
    }
}
