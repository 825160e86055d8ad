//! Undesirable events: slowness, panics, errors; and a body that writes while it is sent.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::IntoResponse;
use futures_util::stream;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use sea_orm_audit::web::BodyError;

use super::Shop;
use crate::entity::product;
use crate::error::Error;

/// Takes longer than a request should.
#[expect(
    clippy::disallowed_methods,
    reason = "time that passes is what it shows"
)]
pub(super) async fn slow(State(shop): State<Shop>) -> &'static str {
    tokio::time::sleep(shop.slow).await;
    "at last\n"
}

pub(super) async fn panic() -> &'static str {
    panic!("this handler always panics")
}

/// The database's error is for the server's log, not for clients.
pub(super) async fn error() -> Error {
    Error::Database(DbErr::Custom("the table `secret` is on fire".to_owned()))
}

/// Reduces the stock of the first product after the handler has returned: the record still has the request's context.
pub(super) async fn stream(State(shop): State<Shop>) -> impl IntoResponse {
    let begin = stream::iter([Ok::<_, BodyError>(Bytes::from_static(
        b"taking one off ..\n",
    ))]);
    let write = stream::once(async move {
        product::Entity::update_many()
            .col_expr(
                product::Column::Stock,
                Expr::col(product::Column::Stock).sub(1),
            )
            .filter(product::Column::Id.eq(1))
            .exec(&shop.db)
            .await?;
        Ok(Bytes::from_static(b"done\n"))
    });
    Body::from_stream(futures_util::StreamExt::chain(begin, write))
}
