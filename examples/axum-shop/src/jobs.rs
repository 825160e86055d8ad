//! Work outside of requests.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use sea_orm_audit::{Actor, AuditContext, AuditedConnection};

use crate::entity::product;

/// The stock below which a product is bought.
const LEAST: i32 = 10;
/// The stock up to which it is bought.
const FULL: i32 = 100;

/// Fills the shelves. Outside of a request there is no actor, so the job sets one; returns how many products were
/// bought.
///
/// # Errors
/// Returns the database's error; nothing was bought then.
pub async fn restock(db: &AuditedConnection) -> Result<u64, DbErr> {
    let restock = product::Entity::update_many()
        .col_expr(product::Column::Stock, Expr::value(FULL))
        .filter(product::Column::Stock.lt(LEAST));
    let done = AuditContext::new()
        .actor(Actor::service("restock"))
        .reason("fewer than ten left")
        .scope(restock.exec(db))
        .await?;
    Ok(done.rows_affected)
}

/// Fills the shelves every hour.
pub async fn restock_every_hour(db: AuditedConnection) {
    let mut hours = tokio::time::interval(Duration::from_hours(1));
    loop {
        hours.tick().await;
        if let Err(error) = restock(&db).await {
            tracing::error!(%error, "the shelves could not be filled");
        }
    }
}
