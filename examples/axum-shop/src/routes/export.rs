//! Exports.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use futures_util::stream;
use sea_orm::prelude::{DateTimeUtc, Decimal};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use sea_orm_audit::AuditedConnection;
use sea_orm_audit::web::{BodyError, ExportRecorder, RecordCount};
use serde::Serialize;

use super::Shop;
use crate::auth::Admin;
use crate::entity::{customer_order, order_line};
use crate::error::Error;

/// How many lines are read at a time.
const PAGE: u64 = 500;

/// The head of the file.
const COLUMNS: [&str; 6] = [
    "order_id",
    "user_id",
    "placed_at",
    "product_id",
    "quantity",
    "price",
];

/// A line of the file.
#[derive(Serialize)]
struct Row {
    order_id: i32,
    user_id: i32,
    placed_at: DateTimeUtc,
    product_id: i32,
    quantity: i32,
    price: Decimal,
}

/// Sends all orders while they are read. `ExportRecorder` records the beginning, counts what is sent, and records the
/// end when the last byte is sent, or when the client disconnects.
pub(super) async fn orders(State(shop): State<Shop>, _: Admin) -> Result<impl IntoResponse, Error> {
    let export = ExportRecorder::new(shop.db.clone(), "orders").format("CSV");
    // Before anything is read: an open query would hold the connection that this call needs. If it cannot be
    // recorded, the response is 500, and no incomplete file.
    let export = export.begin().await?;
    let pages = Pages {
        db: shop.db,
        records: export.records(),
        after: 0,
        header: true,
    };
    let body = Body::from_stream(stream::try_unfold(pages, Pages::next));
    Ok((
        [
            (CONTENT_TYPE, "text/csv; charset=utf-8"),
            (CONTENT_DISPOSITION, "attachment; filename=\"orders.csv\""),
        ],
        Body::new(export.body(body)),
    ))
}

/// Reads by key: the pages stay correct while orders are added.
struct Pages {
    db: AuditedConnection,
    records: RecordCount,
    after: i32,
    header: bool,
}

impl Pages {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, BodyError> {
        let lines = order_line::Entity::find()
            .filter(order_line::Column::Id.gt(self.after))
            .order_by_asc(order_line::Column::Id)
            .limit(PAGE)
            .find_also_related(customer_order::Entity)
            .all(&self.db)
            .await?;
        if lines.is_empty() && !self.header {
            return Ok(None);
        }
        let mut csv = csv::WriterBuilder::new()
            .has_headers(false)
            .from_writer(Vec::new());
        if std::mem::take(&mut self.header) {
            // Also if no line follows.
            csv.write_record(COLUMNS)?;
            self.records.add(0);
        }
        for (line, order) in lines {
            self.after = line.id;
            let Some(order) = order else { continue };
            csv.serialize(Row {
                order_id: order.id,
                user_id: order.user_id,
                placed_at: order.placed_at,
                product_id: line.product_id,
                quantity: line.quantity,
                price: line.price,
            })?;
            self.records.add(1);
        }
        Ok(Some((csv.into_inner()?.into(), self)))
    }
}
