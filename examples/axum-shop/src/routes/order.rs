//! Orders.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sea_orm::prelude::{DateTimeUtc, Decimal};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, EntityTrait, ModelTrait, QueryFilter, QueryOrder, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use sea_orm_audit::web::mark_viewed;
use sea_orm_audit::{AuditEvent, AuditedTransaction};
use serde::{Deserialize, Serialize};

use super::Shop;
use crate::auth::SignedIn;
use crate::entity::user::Role;
use crate::entity::{customer_order, order_line, product};
use crate::error::Error;

/// The most lines of an order.
const LINES_LIMIT: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrder {
    lines: Vec<NewLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLine {
    product_id: i32,
    quantity: u16,
}

#[derive(Serialize)]
pub(super) struct Order {
    id: i32,
    user_id: i32,
    placed_at: DateTimeUtc,
    total: Decimal,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    product_id: i32,
    quantity: i32,
    price: Decimal,
}

/// Order, lines and stock in one transaction: either all records with one `transaction_id`, or none.
pub(super) async fn place(
    State(shop): State<Shop>,
    SignedIn(user): SignedIn,
    Json(new): Json<NewOrder>,
) -> Result<(StatusCode, Json<Order>), Error> {
    // In the order of products, so that two orders never deadlock.
    let mut wanted = BTreeMap::new();
    for line in &new.lines {
        *wanted.entry(line.product_id).or_insert(0) += i32::from(line.quantity);
    }
    if wanted.is_empty() || wanted.len() > LINES_LIMIT || wanted.values().any(|&n| n == 0) {
        return Err(Error::Invalid(
            "an order has 1 to 100 lines, none of them of nothing",
        ));
    }
    let options = TransactionOptions {
        // SQLite refuses a transaction that reads first and then finds that another one has written.
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let tx = shop.db.begin_with_options(options).await?;
    let mut order = customer_order::ActiveModel::builder()
        .set_user_id(user.id)
        .set_placed_at(sea_orm::prelude::ChronoUtc::now());
    for (product_id, quantity) in wanted {
        let price = take_from_stock(&tx, product_id, quantity).await?;
        order = order.add_line(
            order_line::ActiveModel::builder()
                .set_product_id(product_id)
                .set_quantity(quantity)
                .set_price(price),
        );
    }
    let saved: customer_order::ModelEx = order.insert(&tx).await?;
    tx.commit().await?;
    let lines = saved.lines.iter().map(|line| Line {
        product_id: line.product_id,
        quantity: line.quantity,
        price: line.price,
    });
    let lines = lines.collect();
    Ok((
        StatusCode::CREATED,
        Json(Order::new(saved.id, saved.user_id, saved.placed_at, lines)),
    ))
}

/// Takes this many of a product, and returns the price of one. An error leaves the transaction to be dropped, which
/// rolls it back.
async fn take_from_stock(
    tx: &AuditedTransaction,
    product_id: i32,
    quantity: i32,
) -> Result<Decimal, Error> {
    // One statement, so that no other order takes the same ones.
    let left = Expr::col(product::Column::Stock).sub(quantity);
    let taken = product::Entity::update_many()
        .col_expr(product::Column::Stock, left)
        .filter(product::Column::Id.eq(product_id))
        .filter(product::Column::Stock.gte(quantity))
        .exec(tx)
        .await?;
    let product = product::Entity::find_by_id(product_id).one(tx).await?;
    let product = product.ok_or(Error::NotFound)?;
    if taken.rows_affected == 0 {
        return Err(Error::OutOfStock { product_id });
    }
    Ok(product.price)
}

/// For the customer, and for administrators. Views and refusals are recorded.
pub(super) async fn show(
    State(shop): State<Shop>,
    SignedIn(user): SignedIn,
    Path(id): Path<i32>,
) -> Result<Response, Error> {
    let order = customer_order::Entity::find_by_id(id).one(&shop.db).await?;
    let order = order.ok_or(Error::NotFound)?;
    if order.user_id != user.id && user.role != Role::Admin {
        let denied = AuditEvent::access_denied()
            .target(&order)
            .reason("another customer's order");
        denied.record(&shop.db).await?;
        return Err(Error::Denied);
    }
    let lines = order.find_related(order_line::Entity);
    let lines = lines.order_by_asc(order_line::Column::Id).all(&shop.db);
    let lines = lines.await?.into_iter().map(|line| Line {
        product_id: line.product_id,
        quantity: line.quantity,
        price: line.price,
    });
    let lines = lines.collect();
    let shown = Order::new(order.id, order.user_id, order.placed_at, lines);
    let mut response = Json(shown).into_response();
    // The same as `Viewed` for a response that is only the model.
    mark_viewed(response.extensions_mut(), &order);
    Ok(response)
}

impl Order {
    fn new(id: i32, user_id: i32, placed_at: DateTimeUtc, lines: Vec<Line>) -> Self {
        let prices = lines
            .iter()
            .map(|line| line.price * Decimal::from(line.quantity));
        Self {
            id,
            user_id,
            placed_at,
            total: prices.sum(),
            lines,
        }
    }
}
