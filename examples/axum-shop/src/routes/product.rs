//! Products.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use sea_orm::prelude::Decimal;
use sea_orm::{ActiveModelTrait, EntityTrait, QueryOrder, Set};
use sea_orm_audit::value::clean_text;
use sea_orm_audit::web::{Audit, Viewed};
use serde::Deserialize;

use super::Shop;
use crate::auth::Admin;
use crate::entity::product;
use crate::error::Error;

/// The longest name, in characters.
const NAME_LIMIT: usize = 200;

/// The longest reason that is stored, in characters.
const REASON_LIMIT: usize = 500;

pub(super) async fn list(State(shop): State<Shop>) -> Result<Json<Vec<product::Model>>, Error> {
    let products = product::Entity::find().order_by_asc(product::Column::Id);
    Ok(Json(products.all(&shop.db).await?))
}

/// `Viewed` is JSON, and records a `VIEW`.
pub(super) async fn show(
    State(shop): State<Shop>,
    Path(id): Path<i32>,
) -> Result<Viewed<product::Model>, Error> {
    find(&shop, id).await.map(Viewed)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProduct {
    name: String,
    price: Decimal,
    stock: i32,
}

pub(super) async fn create(
    State(shop): State<Shop>,
    _: Admin,
    Json(new): Json<NewProduct>,
) -> Result<(StatusCode, Json<product::Model>), Error> {
    check(Some(&new.name), Some(new.price), Some(new.stock))?;
    let product = product::ActiveModel {
        name: Set(new.name),
        price: Set(new.price),
        stock: Set(new.stock),
        ..Default::default()
    };
    Ok((StatusCode::CREATED, Json(product.insert(&shop.db).await?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edit {
    name: Option<String>,
    price: Option<Decimal>,
    stock: Option<i32>,
    /// Recorded with the change.
    reason: Option<String>,
}

pub(super) async fn edit(
    State(shop): State<Shop>,
    _: Admin,
    audit: Audit,
    Path(id): Path<i32>,
    Json(edit): Json<Edit>,
) -> Result<Json<product::Model>, Error> {
    check(edit.name.as_deref(), edit.price, edit.stock)?;
    if let Some(reason) = edit.reason {
        // Client input, which the log stores as it is set here.
        audit.set_reason(clean_text(&reason, REASON_LIMIT));
    }
    let mut product: product::ActiveModel = find(&shop, id).await?.into();
    if let Some(name) = edit.name {
        product.name = Set(name);
    }
    if let Some(price) = edit.price {
        product.price = Set(price);
    }
    if let Some(stock) = edit.stock {
        product.stock = Set(stock);
    }
    Ok(Json(product.update(&shop.db).await?))
}

pub(super) async fn remove(
    State(shop): State<Shop>,
    _: Admin,
    Path(id): Path<i32>,
) -> Result<StatusCode, Error> {
    let deleted = product::Entity::delete_by_id(id).exec(&shop.db).await?;
    if deleted.rows_affected == 0 {
        return Err(Error::NotFound);
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn find(shop: &Shop, id: i32) -> Result<product::Model, Error> {
    let product = product::Entity::find_by_id(id).one(&shop.db).await?;
    product.ok_or(Error::NotFound)
}

fn check(name: Option<&str>, price: Option<Decimal>, stock: Option<i32>) -> Result<(), Error> {
    if name.is_some_and(|name| name.trim().is_empty() || name.chars().count() > NAME_LIMIT) {
        return Err(Error::Invalid("a name has 1 to 200 characters"));
    }
    if name.is_some_and(|name| name.contains('\0')) {
        // PostgreSQL cannot store such text.
        return Err(Error::Invalid("a name has no NUL"));
    }
    if price.is_some_and(|price| {
        price.is_sign_negative() || price.scale() > 2 || price >= Decimal::from(100_000_000)
    }) {
        return Err(Error::Invalid("a price has two decimal places"));
    }
    if stock.is_some_and(|stock| stock < 0) {
        return Err(Error::Invalid("a stock is not negative"));
    }
    Ok(())
}
