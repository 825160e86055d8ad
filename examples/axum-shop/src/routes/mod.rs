//! The routes of the shop.

mod account;
mod demo;
mod export;
mod history;
mod order;
mod product;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use sea_orm_audit::AuditedConnection;

use crate::auth::Hasher;
use crate::error::Error;

/// The longest body that is accepted, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// The state of all handlers.
#[derive(Debug, Clone)]
pub struct Shop {
    /// The database, which records every write.
    pub db: AuditedConnection,
    /// Hashes passwords.
    pub hasher: Hasher,
    /// How long `GET /demo/slow` takes.
    pub slow: Duration,
}

/// All routes; those for demonstration only if `demo` is set.
pub(crate) fn routes(demo: bool) -> Router<Shop> {
    let routes = Router::new()
        .route("/signup", post(account::sign_up))
        .route("/login", post(account::log_in))
        .route("/logout", post(account::log_out))
        .route("/products", get(product::list).post(product::create))
        .route(
            "/products/{id}",
            get(product::show)
                .patch(product::edit)
                .delete(product::remove),
        )
        .route("/orders", post(order::place))
        .route("/orders/{id}", get(order::show))
        .route("/export/orders.csv", get(export::orders))
        .route("/audit/{model}/{id}", get(history::of_object));
    let routes = if demo {
        routes
            .route("/demo/slow", get(demo::slow))
            .route("/demo/panic", get(demo::panic))
            .route("/demo/error", get(demo::error))
            .route("/demo/stream", get(demo::stream))
    } else {
        routes
    };
    routes
        .fallback(async || Error::NotFound)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}
