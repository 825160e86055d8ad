//! The bulk builders, which record on every connection.

use sea_orm::sea_query::Expr;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, TransactionTrait,
};
use sea_orm_audit::{Auditable, AuditedEntity};

use crate::call::Call;
use crate::connection::Connection;
use crate::entities::with_entity;
use crate::model_op::{ModelOp, column, conflict, model};

/// Calls one and returns its answer: the same as that of SeaORM's own builder.
pub(crate) async fn run(db: &Connection<'_>, op: &ModelOp, key: &[&str]) -> Result<String, DbErr> {
    match db {
        Connection::Plain(db) => on(*db, op, key).await,
        Connection::Audited(db) => on(*db, op, key).await,
        Connection::PlainTransaction(db) => on(*db, op, key).await,
        Connection::AuditedTransaction(db) => on(*db, op, key).await,
    }
}

async fn on<C>(db: &C, op: &ModelOp, key: &[&str]) -> Result<String, DbErr>
where
    C: ConnectionTrait + TransactionTrait + 'static,
{
    with_entity!(op.entity, E => Box::pin(call::<E, C>(db, op, key)).await)
}

async fn call<E, C>(db: &C, op: &ModelOp, key: &[&str]) -> Result<String, DbErr>
where
    E: Auditable<ActiveModel: Send, Model: IntoActiveModel<E::ActiveModel>>,
    C: ConnectionTrait + TransactionTrait + 'static,
{
    let models = || op.rows.iter().map(model::<E>);
    let from = || {
        let (name, value) = &op.filter[0];
        column::<E>(name).into_expr().gte(value.clone())
    };
    Ok(match op.call {
        Call::BulkInsertMany => {
            let insert = E::audited_insert_many(models());
            format!("{:?}", insert.exec(db).await?.last_insert_id)
        }
        Call::BulkUpsert => {
            let insert = E::audited_insert_many(models()).on_conflict(conflict::<E>(op, key));
            format!("{:?}", insert.exec_without_returning(db).await?)
        }
        Call::BulkUpdateMany => {
            let mut update = E::audited_update_many();
            for (name, value) in &op.rows[0] {
                update = update.col_expr(column::<E>(name), Expr::val(value.clone()));
            }
            format!("{:?}", update.filter(from()).exec(db).await?.rows_affected)
        }
        Call::BulkDeleteMany => {
            let delete = E::audited_delete_many().filter(from());
            format!("{:?}", delete.exec(db).await?.rows_affected)
        }
        other => unreachable!("{other:?} is no bulk builder"),
    })
}
