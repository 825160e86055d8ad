//! Unreadable rows through the bulk builders on a plain connection, and keys that the model does not read.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter};
use sea_orm_audit::Auditable;

use crate::entities::odd;
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::Call;
use crate::support::{TestDb, TestResult};
use crate::unreadable::setup;

on_every_database! {
    keys_beyond_the_model_are_recorded,
    bulk_builders_on_an_unreadable_row_are_recorded,
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
