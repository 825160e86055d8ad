//! Unreadable rows in the bulk builders on a plain connection, and keys that the model cannot read.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, Set};
use sea_orm_audit::AuditedEntity;

use crate::entities::{item, items, odd};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, result_of};
use crate::support::{TestDb, TestResult};
use crate::unreadable::setup;

on_every_database! {
    keys_beyond_the_model_are_recorded,
    bulk_builders_on_an_unreadable_row_are_recorded,
    bulk_builder_keeps_what_it_cannot_answer,
}

async fn keys_beyond_the_model_are_recorded(db: &TestDb) -> TestResult {
    let int = match db.backend() {
        DbBackend::Sqlite => "INTEGER",
        _ => "BIGINT",
    };
    let setup = [
        format!("CREATE TABLE odd_key (id {int} PRIMARY KEY, note VARCHAR(20))"),
        "INSERT INTO odd_key (id, note) VALUES (1, 'a'), (5000000000, 'b'), (5000000001, 'c')"
            .to_owned(),
    ];
    let oracle = Oracle::new(db, &[Table::of("odd_key")], setup).await?;
    oracle.executes("UPDATE odd_key SET note = 'd'").await;
    oracle
        .executes("UPDATE odd_key SET note = 'e' WHERE id = 5000000000")
        .await;
    oracle
        .executes("INSERT INTO odd_key (id, note) VALUES (5000000002, 'f')")
        .await;
    oracle
        .executes("INSERT INTO odd_key (id, note) VALUES (2, 'g'), (5000000003, 'h')")
        .await;
    oracle
        .executes("DELETE FROM odd_key WHERE id = 5000000001")
        .await;
    oracle
        .in_transaction(&[
            (Call::Execute, "UPDATE odd_key SET note = 'i' WHERE id > 5"),
            (
                Call::Unprepared,
                "DELETE FROM odd_key WHERE id > 5000000001",
            ),
        ])
        .await?;
    oracle.recorded().await
}

async fn bulk_builders_on_an_unreadable_row_are_recorded(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[Table::of("odd")], setup(db.backend(), "odd")).await?;
    let (bare, conn) = (&oracle.bare.conn, &db.conn);
    let note = || (odd::Column::Note, Expr::value("all"));
    let plain = odd::Entity::update_many().col_expr(note().0, note().1);
    let bulk = odd::Entity::audited_update_many().col_expr(note().0, note().1);
    assert_eq!(
        plain.exec(bare).await?.rows_affected,
        bulk.exec(conn).await?.rows_affected
    );
    let heals = || (odd::Column::N, Expr::value(5));
    let plain = odd::Entity::update_many()
        .col_expr(heals().0, heals().1)
        .filter(odd::Column::Id.eq(2));
    let bulk = odd::Entity::audited_update_many()
        .col_expr(heals().0, heals().1)
        .filter(odd::Column::Id.eq(2));
    assert_eq!(
        plain.exec(bare).await?.rows_affected,
        bulk.exec(conn).await?.rows_affected
    );
    odd::Entity::delete_by_id(2).exec(bare).await?;
    odd::Entity::audited_delete_by_id(2).exec(conn).await?;
    odd::Entity::delete_many().exec(bare).await?;
    odd::Entity::audited_delete_many().exec(conn).await?;
    oracle.recorded().await
}

/// SeaORM's builder fails after its statement ran: it cannot decode a returned row, or the key of the last one.
async fn bulk_builder_keeps_what_it_cannot_answer(db: &TestDb) -> TestResult {
    let setup = [setup(db.backend(), "odd"), items(db.backend(), 1)].concat();
    let oracle = Oracle::new(db, &[Table::of("odd"), Table::of("item")], setup).await?;
    let (bare, conn) = (&oracle.bare.conn, &db.conn);
    let rows = || {
        [9, -1].map(|id| item::ActiveModel {
            id: Set(id),
            p: Set(1),
            ..Default::default()
        })
    };
    let plain = item::Entity::insert_many(rows()).exec(bare).await;
    let bulk = item::Entity::audited_insert_many(rows()).exec(conn).await;
    assert_eq!(
        result_of(plain.map(|done| done.last_insert_id)),
        result_of(bulk.map(|done| done.last_insert_id)),
    );
    let note = || (odd::Column::Note, Expr::value("all"));
    let plain = odd::Entity::update_many().col_expr(note().0, note().1);
    let plain = result_of(plain.exec_with_returning(bare).await.map(|_| ()));
    let bulk = odd::Entity::audited_update_many().col_expr(note().0, note().1);
    let bulk = result_of(bulk.exec_with_returning(conn).await.map(|_| ()));
    assert!(plain.is_err(), "{plain:?}");
    assert_eq!(plain, bulk);
    oracle.recorded().await
}
