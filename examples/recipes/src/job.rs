use sea_orm::sea_query::Expr;
use sea_orm::{DbErr, EntityTrait};
use sea_orm_audit::{Actor, AuditContext, AuditedConnection};

use crate::product;

/// The job of a scheduler or a queue. It has no request, so it sets its own actor.
pub async fn end_of_sale(db: AuditedConnection, sale: String) -> Result<(), DbErr> {
    let reset = product::Entity::update_many().col_expr(product::Column::Price, Expr::value(300));
    AuditContext::new()
        .actor(Actor::service("end-of-sale"))
        .reason(sale)
        .scope(reset.exec(&db))
        .await?;
    Ok(())
}
