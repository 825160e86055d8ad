//! Queries of all kinds on a past state, and what they leave alone.

use sea_orm::sea_query::{Query, QueryStatementBuilder};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult,
    IntoActiveModel, JoinType, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    RelationTrait, Set, Statement, TransactionTrait,
};
use sea_orm_audit::AuditError;
use sea_orm_audit::query::{AsOf, AuditAsOf, Moment};

use crate::shop::{Copy, Shop, customer, order};
use crate::support::{TestDb, TestResult};

on_every_database! {
    subqueries_self_joins_and_with_clauses_read_the_past,
    order_limit_and_pages_are_done_by_the_database,
    records_of_one_time_give_no_duplicate,
    transaction_is_a_moment,
    writes_are_refused,
    other_tables_are_refused_unless_they_are_named,
    missing_record_is_an_error,
    table_of_today_is_untouched,
    open_past_does_not_block_writers,
    many_changed_objects_are_read,
}

/// Customers 1 and 2 as Ann and Bob, then other names; customer 3 came later, and 2 is deleted.
async fn two_states(db: &TestDb) -> TestResult<Shop<'_>> {
    let shop = Shop::new(db).await?;
    for (id, name) in [(1, "Ann"), (2, "Bob")] {
        let model = customer::Model {
            id,
            name: name.to_owned(),
            city: None,
        };
        let model = model.into_active_model().reset_all();
        model.insert(&shop.audited).await?;
    }
    let moment = shop.clock.now();
    shop.clock.forward(std::time::Duration::from_secs(1));
    let sql = "UPDATE customer SET name = 'Anne' WHERE id = 1";
    shop.audited.execute_unprepared(sql).await?;
    customer::Entity::delete_by_id(2)
        .exec(&shop.audited)
        .await?;
    let sql = "INSERT INTO customer (id, name) VALUES (3, 'Cat')";
    shop.audited.execute_unprepared(sql).await?;
    assert!(moment < shop.clock.now());
    Ok(shop)
}

fn then(shop: &Shop<'_>) -> AsOf {
    AsOf::new(shop.clock.now() - chrono::TimeDelta::milliseconds(500))
}

async fn text<C: ConnectionTrait>(db: &C, sql: &str) -> TestResult<Vec<String>> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await?;
    Ok(rows
        .iter()
        .map(|row| row.try_get_by_index(0))
        .collect::<Result<_, _>>()?)
}

async fn subqueries_self_joins_and_with_clauses_read_the_past(db: &TestDb) -> TestResult {
    let shop = two_states(db).await?;
    let past = then(&shop).open(&shop.audited).await?;
    for sql in [
        "SELECT name FROM customer WHERE id IN (SELECT id FROM customer WHERE name = 'Ann') OR id = 2 ORDER BY name",
        "SELECT a.name FROM customer a JOIN customer AS b ON a.id = b.id ORDER BY a.id",
        "WITH c AS (SELECT id, name FROM customer) SELECT name FROM c ORDER BY name",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 2) \
         SELECT name FROM n JOIN customer ON customer.id = n.i ORDER BY i",
        "SELECT name FROM customer WHERE id = 1 UNION SELECT name FROM customer WHERE id > 1 ORDER BY 1",
        "SELECT name FROM (SELECT * FROM customer) AS c WHERE EXISTS (SELECT 1 FROM customer d WHERE d.id = c.id) \
         ORDER BY name",
    ] {
        assert_eq!(text(&past, sql).await?, ["Ann", "Bob"], "{sql}");
    }
    let by_builder = Query::select()
        .column(customer::Column::Name)
        .from(customer::Entity)
        .and_where(
            customer::Column::Id.in_subquery(
                Query::select()
                    .column(customer::Column::Id)
                    .from(customer::Entity)
                    .take(),
            ),
        )
        .order_by(customer::Column::Id, sea_orm::Order::Desc)
        .take();
    let rows = past.query_all(&by_builder).await?;
    let names: Vec<String> = rows
        .iter()
        .map(|row| row.try_get_by_index(0))
        .collect::<Result<_, _>>()?;
    assert_eq!(names, ["Bob", "Ann"]);
    past.close().await?;
    Ok(())
}

async fn order_limit_and_pages_are_done_by_the_database(db: &TestDb) -> TestResult {
    let shop = two_states(db).await?;
    let past = then(&shop).open(&shop.audited).await?;
    let one = customer::Entity::find()
        .order_by_desc(customer::Column::Name)
        .limit(1)
        .one(&past)
        .await?
        .ok_or("no row")?;
    assert_eq!(one.name, "Bob");
    let pages = customer::Entity::find()
        .order_by_asc(customer::Column::Id)
        .paginate(&past, 1);
    assert_eq!(pages.num_items().await?, 2);
    assert_eq!(pages.fetch_page(1).await?[0].name, "Bob");
    let filtered = customer::Entity::find().filter(customer::Column::Name.eq("Anne"));
    assert_eq!(filtered.one(&past).await?, None);
    assert!(customer::Entity::find_by_id(3).one(&past).await?.is_none());
    // A read of one key sends one statement once the table is known.
    let (found, statements) = db
        .statements_of(customer::Entity::find_by_id(2).one(&past))
        .await;
    assert_eq!(found?.map(|c| c.name).as_deref(), Some("Bob"));
    assert_eq!(statements.len(), 1, "{statements:?}");
    past.close().await?;
    Ok(())
}

async fn records_of_one_time_give_no_duplicate(db: &TestDb) -> TestResult {
    let mut shop = Shop::new(db).await?;
    let first = customer::ActiveModel {
        id: Set(1),
        name: Set("0".to_owned()),
        city: Set(None),
    };
    let mut model = first.insert(&shop.audited).await?;
    let mut records = Vec::new();
    let tx = shop.audited.begin().await?;
    for n in 1..1_000 {
        let mut active = model.into_active_model();
        active.name = Set(n.to_string());
        model = active.update(&tx).await?;
    }
    sea_orm::TransactionSession::commit(tx).await?;
    records.extend(db.records().await?.iter().map(|record| record.id));
    assert_eq!(records.len(), 1_000);
    let time = shop.clock.now();
    shop.clock.forward(std::time::Duration::from_secs(1));
    let sql = "UPDATE customer SET name = 'later'";
    shop.audited.execute_unprepared(sql).await?;
    let past = AsOf::new(time).open(&shop.audited).await?;
    let names: Vec<String> = customer::Entity::find()
        .all(&past)
        .await?
        .into_iter()
        .map(|c| c.name)
        .collect();
    assert_eq!(names, ["999"]);
    past.close().await?;
    // Within the same time, a record is a moment.
    for at in [0, 1, 500, 998] {
        let past = customer::Entity::as_of(Moment::after_record(records[at]))
            .one(1, &shop.audited)
            .await?;
        assert_eq!(past.model().map(|c| c.name), Some(at.to_string()));
        let past = AsOf::new(Moment::after_record(records[at]))
            .open(&shop.audited)
            .await?;
        let names: Vec<String> = customer::Entity::find()
            .all(&past)
            .await?
            .into_iter()
            .map(|c| c.name)
            .collect();
        assert_eq!(names, [at.to_string()]);
        past.close().await?;
    }
    shop.steps.clear();
    Ok(())
}

async fn transaction_is_a_moment(db: &TestDb) -> TestResult {
    let mut shop = Shop::new(db).await?;
    shop.play(30).await?;
    let before = Copy::of(&db.conn).await?;
    let tx = shop.audited.begin().await?;
    tx.execute_unprepared("UPDATE customer SET name = 'x'")
        .await?;
    customer::Entity::delete_by_id(before.customers[0].id)
        .exec(&tx)
        .await?;
    sea_orm::TransactionSession::commit(tx).await?;
    let transaction = db
        .records()
        .await?
        .last()
        .and_then(|r| r.transaction_id)
        .ok_or("no transaction")?;
    let after = Copy::of(&db.conn).await?;
    shop.play(20).await?;
    for (moment, expected) in [
        (Moment::before_transaction(transaction), before),
        (Moment::after_transaction(transaction), after),
    ] {
        let past = AsOf::new(moment).open(&shop.audited).await?;
        assert_eq!(Copy::of(&past).await?, expected, "{moment}");
        past.close().await?;
    }
    Ok(())
}

fn refusal(error: sea_orm::DbErr) -> String {
    match AuditError::of(&error) {
        Some(error @ (AuditError::AsOf { .. } | AuditError::PastUnknown { .. })) => {
            error.to_string()
        }
        _ => panic!("{error}"),
    }
}

async fn writes_are_refused(db: &TestDb) -> TestResult {
    let shop = two_states(db).await?;
    let before = Copy::of(&db.conn).await?;
    let past = then(&shop).open(&shop.audited).await?;
    let model = customer::Entity::find_by_id(1)
        .one(&past)
        .await?
        .ok_or("no row")?;
    let mut active = model.into_active_model();
    active.name = Set("new".to_owned());
    let error = active.update(&past).await.unwrap_err();
    assert!(refusal(error).contains("past"));
    let error = customer::Entity::delete_by_id(1)
        .exec(&past)
        .await
        .unwrap_err();
    assert!(refusal(error).contains("another connection"));
    let mut statements = vec![
        "UPDATE customer SET name = 'x'",
        "SELECT 1; DELETE FROM customer",
        "DELETE FROM customer",
    ];
    if db.backend() != DbBackend::MySql {
        statements.push("INSERT INTO customer (id, name) VALUES (9, 'x') RETURNING id");
    }
    if db.backend() == DbBackend::Postgres {
        statements.push("WITH d AS (DELETE FROM customer RETURNING id) SELECT id FROM d");
        statements.push("SELECT * FROM customer FOR UPDATE");
    }
    for sql in statements {
        let error = past.execute_unprepared(sql).await.unwrap_err();
        refusal(error);
        let statement = Statement::from_string(db.backend(), sql);
        refusal(past.query_all_raw(statement).await.unwrap_err());
    }
    past.close().await?;
    assert_eq!(Copy::of(&db.conn).await?, before);
    Ok(())
}

async fn other_tables_are_refused_unless_they_are_named(db: &TestDb) -> TestResult {
    const JOIN: &str = "SELECT country.name FROM country JOIN customer ON customer.id = country.id";
    let shop = two_states(db).await?;
    db.execute_unprepared("CREATE TABLE country (id INT, name VARCHAR(20))")
        .await?;
    db.execute_unprepared("INSERT INTO country VALUES (1, 'France')")
        .await?;
    db.execute_unprepared("CREATE VIEW names AS SELECT name FROM customer")
        .await?;
    let past = then(&shop).open(&shop.audited).await?;
    for sql in [JOIN, "SELECT name FROM names"] {
        let error = text(&past, sql).await.unwrap_err().to_string();
        assert!(
            error.contains("is not the table of an audited entity"),
            "{error}"
        );
    }
    // A table that does not exist is the database's own error.
    let error = text(&past, "SELECT name FROM missing").await.unwrap_err();
    assert!(!error.to_string().contains("audited"), "{error}");
    past.close().await?;
    let past = then(&shop)
        .current_table("country")
        .open(&shop.audited)
        .await?;
    assert_eq!(text(&past, JOIN).await?, ["France"]);
    past.close().await?;
    Ok(())
}

async fn missing_record_is_an_error(db: &TestDb) -> TestResult {
    let shop = two_states(db).await?;
    for moment in [
        Moment::before_record(999_999),
        Moment::after_transaction(sea_orm::prelude::Uuid::from_u128(5)),
    ] {
        let error = AsOf::new(moment).open(&shop.audited).await.unwrap_err();
        assert!(refusal(error).contains("the log has no record"));
        let error = customer::Entity::as_of(moment)
            .one(1, &shop.audited)
            .await
            .unwrap_err();
        assert!(refusal(error).contains("the log has no record"));
    }
    Ok(())
}

async fn table_of_today_is_untouched(db: &TestDb) -> TestResult {
    let shop = two_states(db).await?;
    let before = Copy::of(&db.conn).await?;
    let tables = db.dump().await?;
    // One connection, which the next user gets from the pool.
    let single = db.another().await?;
    for close in [true, false] {
        for moment in 0..3 {
            let time = shop.clock.now() - chrono::TimeDelta::milliseconds(500 * moment);
            let past = AsOf::new(time).open(&single).await?;
            customer::Entity::find().all(&past).await?;
            if close {
                past.close().await?;
            } else {
                drop(past);
            }
            assert_eq!(Copy::of(&single).await?, before);
        }
    }
    single.close().await?;
    assert_eq!(db.dump().await?, tables);
    Ok(())
}

async fn open_past_does_not_block_writers(db: &TestDb) -> TestResult {
    let shop = two_states(db).await?;
    let past = then(&shop).open(&shop.audited).await?;
    assert_eq!(customer::Entity::find().count(&past).await?, 2);
    let sql = "UPDATE customer SET name = 'meanwhile'";
    let write = shop.audited.execute_unprepared(sql);
    tokio::time::timeout(std::time::Duration::from_secs(10), write).await??;
    let sql = "INSERT INTO customer (id, name) VALUES (7, 'new')";
    let write = shop.audited.execute_unprepared(sql);
    tokio::time::timeout(std::time::Duration::from_secs(10), write).await??;
    // The reads see the moment still, also of a table that is read later.
    let names: Vec<String> = customer::Entity::find()
        .order_by_asc(customer::Column::Id)
        .all(&past)
        .await?
        .into_iter()
        .map(|c| c.name)
        .collect();
    assert_eq!(names, ["Ann", "Bob"]);
    assert_eq!(order::Entity::find().count(&past).await?, 0);
    past.close().await?;
    Ok(())
}

async fn many_changed_objects_are_read(db: &TestDb) -> TestResult {
    const COUNT: i32 = 7_000;
    let shop = Shop::new(db).await?;
    for chunk in 0..COUNT / 1_000 {
        let rows = (chunk * 1_000..(chunk + 1) * 1_000).map(|id| customer::ActiveModel {
            id: Set(id),
            name: Set(format!("name {id}")),
            city: Set(None),
        });
        customer::Entity::insert_many(rows)
            .exec(&shop.audited)
            .await?;
    }
    let before = Copy::of(&db.conn).await?;
    let time = shop.clock.now();
    shop.clock.forward(std::time::Duration::from_secs(1));
    for sql in [
        "UPDATE customer SET name = 'first' WHERE id % 2 = 0",
        "UPDATE customer SET city = 'x', name = 'second' WHERE id % 3 = 0",
        "DELETE FROM customer WHERE id % 5 = 0",
        "INSERT INTO customer (id, name) VALUES (5, 'again'), (10, 'again'), (90000, 'later')",
    ] {
        shop.audited.execute_unprepared(sql).await?;
    }
    let past = AsOf::new(time).open(&shop.audited).await?;
    assert_eq!(Copy::of(&past).await?, before);
    past.close().await?;
    Ok(())
}
