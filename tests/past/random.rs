//! Random workloads: the state of every moment equals the copy taken then.

use std::collections::BTreeMap;

use sea_orm::prelude::Decimal;
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use sea_orm_audit::query::{AsOf, AuditAsOf, Moment, PastConnection, PastObject};

use crate::shop::{Copy, Shop, Step, customer, line, order};
use crate::support::{TestDb, TestResult};

on_every_database! {
    tables_of_past_moments_equal_their_copies,
    objects_of_past_moments_equal_their_copies,
    tables_of_past_moments_equal_their_copies_with_triggers,
}

/// The moments of a step: by its record, and by its time if no later step has the same.
fn moments(steps: &[Step], at: usize) -> Vec<Moment> {
    let step = &steps[at];
    let mut moments = vec![Moment::after_record(step.record)];
    if steps.get(at + 1).is_none_or(|next| next.time > step.time) {
        moments.push(Moment::time(step.time));
    }
    moments
}

#[derive(Debug, PartialEq, FromQueryResult)]
struct Sum {
    customer_id: Option<i32>,
    orders: i64,
    total: Decimal,
}

/// Every row, a join and an aggregate.
async fn compare(past: &PastConnection, copy: &Copy) -> TestResult {
    assert_eq!(&Copy::of(past).await?, copy);
    let mut joined = order::Entity::find()
        .find_also_related(customer::Entity)
        .order_by_asc(order::Column::Id)
        .all(past)
        .await?;
    joined.sort_by_key(|(order, _)| order.id);
    let of = |id: Option<i32>| copy.customers.iter().find(|c| Some(c.id) == id).cloned();
    let expected: Vec<_> = (copy.orders.iter())
        .map(|order| (order.clone(), of(order.customer_id)))
        .collect();
    assert_eq!(joined, expected);
    let with_lines = order::Entity::find()
        .find_with_related(line::Entity)
        .all(past)
        .await?;
    let lines: usize = with_lines.iter().map(|(_, lines)| lines.len()).sum();
    assert_eq!(lines, copy.lines.len());
    let sums: Vec<Sum> = order::Entity::find()
        .select_only()
        .column(order::Column::CustomerId)
        .column_as(order::Column::Id.count(), "orders")
        .column_as(order::Column::Total.sum(), "total")
        .filter(order::Column::CustomerId.is_not_null())
        .group_by(order::Column::CustomerId)
        .order_by_asc(order::Column::CustomerId)
        .into_model()
        .all(past)
        .await?;
    let mut expected: BTreeMap<i32, (i64, Decimal)> = BTreeMap::new();
    for order in &copy.orders {
        if let Some(customer) = order.customer_id {
            let sum = expected.entry(customer).or_default();
            *sum = (sum.0 + 1, sum.1 + order.total);
        }
    }
    let sums: Vec<_> = (sums.iter())
        .map(|sum| {
            (
                sum.customer_id.unwrap(),
                (sum.orders, sum.total.round_dp(2)),
            )
        })
        .collect();
    let expected: Vec<_> = expected.into_iter().collect();
    assert_eq!(sums, expected);
    assert_eq!(
        customer::Entity::find().count(past).await?,
        copy.customers.len() as u64
    );
    Ok(())
}

async fn tables_of_past_moments_equal_their_copies(db: &TestDb) -> TestResult {
    compare_all(Shop::new(db).await?).await
}

async fn tables_of_past_moments_equal_their_copies_with_triggers(db: &TestDb) -> TestResult {
    let shop = Shop::with_triggers(db).await?;
    compare_all(shop).await?;
    let sources = db.records().await?.into_iter().map(|record| record.source);
    assert!(
        sources
            .into_iter()
            .all(|source| source == "TRIGGER" || source == "CASCADE")
    );
    Ok(())
}

async fn compare_all(mut shop: Shop<'_>) -> TestResult {
    shop.play(140).await?;
    let mut compared = 0;
    // Before every model has a record, its state is another test.
    let begin = shop
        .steps
        .iter()
        .position(|step| !step.copy.lines.is_empty())
        .unwrap();
    for at in (begin..shop.steps.len()).rev().step_by(5) {
        let moments = moments(&shop.steps, at);
        let count = if shop.by_trigger { 1 } else { moments.len() };
        for moment in moments.into_iter().take(count) {
            let step = &shop.steps[at];
            let past = AsOf::new(moment).open(&shop.audited).await?;
            if let Err(error) = compare(&past, &step.copy).await {
                panic!("{moment} ({}): {error}", step.what);
            }
            past.close().await?;
            compared += 1;
        }
    }
    assert!(compared > 15, "{compared}");
    Ok(())
}

async fn objects_of_past_moments_equal_their_copies(db: &TestDb) -> TestResult {
    let mut shop = Shop::new(db).await?;
    shop.play(140).await?;
    let mut present = 0;
    for at in (0..shop.steps.len()).rev().step_by(9) {
        let step = &shop.steps[at];
        for moment in moments(&shop.steps, at) {
            if step.record == 0 {
                continue;
            }
            for id in 1..7 {
                let past = customer::Entity::as_of(moment)
                    .one(id, &shop.audited)
                    .await?;
                let expected = step.copy.customers.iter().find(|c| c.id == id);
                assert_eq!(past.model().as_ref(), expected, "{moment} {id} {past:?}");
                let past = order::Entity::as_of(moment).one(id, &shop.audited).await?;
                let expected = step.copy.orders.iter().find(|o| o.id == id);
                assert_eq!(past.model().as_ref(), expected, "{moment} {id} {past:?}");
                for sku in ["sku-0", "sku-1", "sku-2", "moved"] {
                    let key = (id, sku.to_owned());
                    let past = line::Entity::as_of(moment).one(key, &shop.audited).await?;
                    let expected =
                        (step.copy.lines.iter()).find(|l| l.order_id == id && l.sku == sku);
                    assert_eq!(
                        past.model().as_ref(),
                        expected,
                        "{moment} {id} {sku} {past:?}"
                    );
                    present += usize::from(expected.is_some());
                    assert!(!matches!(past, PastObject::Unknown), "{moment} {id} {sku}");
                }
            }
        }
    }
    assert!(present > 5, "{present}");
    Ok(())
}
