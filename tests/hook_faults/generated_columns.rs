//! Columns that the database computes change with a hook's write, and are in its record.

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, Set, TransactionTrait};
use serde_json::json;

use crate::support::{TestDb, TestResult};

on_every_database! {
    update_on_a_pool_records_generated_columns,
    update_after_a_failed_one_in_a_transaction_records_generated_columns,
    update_of_an_unrelated_column_records_no_generated_column,
}

mod offer {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "offer")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub price: i32,
        pub pieces: i32,
        pub total: Option<i32>,
        #[sea_orm(unique)]
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

async fn two_offers(db: &TestDb) -> TestResult {
    let id = match db.backend() {
        DbBackend::Postgres => "SERIAL",
        DbBackend::Sqlite => "INTEGER",
        _ => "INT AUTO_INCREMENT",
    };
    for sql in [
        format!(
            "CREATE TABLE offer (id {id} PRIMARY KEY, price INT NOT NULL, pieces INT NOT NULL, \
             total INT GENERATED ALWAYS AS (price * pieces) STORED, name VARCHAR(40) NOT NULL UNIQUE)"
        ),
        "INSERT INTO offer (price, pieces, name) VALUES (2, 3, 'a'), (5, 7, 'b')".to_owned(),
    ] {
        db.execute_unprepared(&sql).await?;
    }
    Ok(())
}

fn priced(price: i32) -> offer::ActiveModel {
    offer::ActiveModel {
        id: Set(1),
        price: Set(price),
        ..Default::default()
    }
}

async fn recorded(db: &TestDb) -> TestResult<Vec<sea_orm::prelude::Json>> {
    let records = db.records().await?.into_iter();
    Ok(records.filter_map(|record| record.changes).collect())
}

async fn update_on_a_pool_records_generated_columns(db: &TestDb) -> TestResult {
    two_offers(db).await?;
    priced(4).update(&db.conn).await?;
    assert_eq!(
        recorded(db).await?,
        [json!({"price": {"old": 2, "new": 4}, "total": {"old": 6, "new": 12}})]
    );
    Ok(())
}

async fn update_after_a_failed_one_in_a_transaction_records_generated_columns(
    db: &TestDb,
) -> TestResult {
    two_offers(db).await?;
    let tx = db.conn.begin().await?;
    let inner = tx.begin().await?;
    let taken = offer::ActiveModel {
        name: Set("b".to_owned()),
        ..priced(3)
    };
    // Its before-image stays.
    taken.update(&inner).await.unwrap_err();
    inner.rollback().await?;
    priced(4).update(&tx).await?;
    tx.commit().await?;
    assert_eq!(
        recorded(db).await?,
        [json!({"price": {"old": 2, "new": 4}, "total": {"old": 6, "new": 12}})]
    );
    Ok(())
}

async fn update_of_an_unrelated_column_records_no_generated_column(db: &TestDb) -> TestResult {
    two_offers(db).await?;
    let renamed = offer::ActiveModel {
        id: Set(1),
        name: Set("c".to_owned()),
        ..Default::default()
    };
    renamed.update(&db.conn).await?;
    assert_eq!(
        recorded(db).await?,
        [json!({"name": {"old": "a", "new": "c"}})]
    );
    Ok(())
}
