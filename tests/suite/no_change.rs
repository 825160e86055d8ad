//! A save that changes nothing records nothing, whatever the form of the equal values.

use sea_orm::{ActiveModelTrait, IntoActiveModel, Set, TransactionTrait};
use serde_json::json;

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    save_of_the_same_values_records_nothing,
    save_of_nothing_records_nothing,
    the_same_value_in_another_form_is_no_change,
    real_change_beside_them_is_recorded_alone,
}

mod reading {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "reading")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(column_type = "Decimal(Some((12, 4)))")]
        pub amount: Decimal,
        pub taken_at: DateTimeWithTimeZone,
        pub details: Json,
        pub level: f64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

async fn save_of_the_same_values_records_nothing(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let post = post::new("a").insert(&db.conn).await?;
    db.forget().await?;
    post.clone()
        .into_active_model()
        .reset_all()
        .update(&db.conn)
        .await?;
    let tx = db.begin().await?;
    post.into_active_model().reset_all().update(&tx).await?;
    tx.commit().await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn save_of_nothing_records_nothing(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let post = post::new("a").insert(&db.conn).await?;
    db.forget().await?;
    post.clone().into_active_model().update(&db.conn).await?;
    post.into_active_model().save(&db.conn).await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

fn first() -> reading::ActiveModel {
    reading::ActiveModel {
        amount: Set("0".parse().unwrap()),
        taken_at: Set("2026-11-23T04:05:06+00:00".parse().unwrap()),
        details: Set(json!({"a": 1, "b": [1, {"x": 1, "y": 2}]})),
        level: Set(0.0),
        ..Default::default()
    }
}

/// The same values as [`first`], in other forms.
fn again(id: i32) -> reading::ActiveModel {
    reading::ActiveModel {
        id: Set(id),
        amount: Set("0.00".parse().unwrap()),
        taken_at: Set("2026-11-23T06:05:06+02:00".parse().unwrap()),
        details: Set(serde_json::from_str(r#"{"b": [1, {"y": 2, "x": 1}], "a": 1}"#).unwrap()),
        level: Set(-0.0),
    }
}

async fn the_same_value_in_another_form_is_no_change(db: &TestDb) -> TestResult {
    db.create(reading::Entity).await?;
    let id = first().insert(&db.conn).await?.id;
    db.forget().await?;
    again(id).update(&db.conn).await?;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn real_change_beside_them_is_recorded_alone(db: &TestDb) -> TestResult {
    db.create(reading::Entity).await?;
    let id = first().insert(&db.conn).await?.id;
    db.forget().await?;
    let mut edit = again(id);
    edit.amount = Set("0.01".parse().unwrap());
    edit.update(&db.conn).await?;
    assert_eq!(
        db.record().await?.changes,
        Some(json!({"amount": {"old": "0", "new": "0.01"}}))
    );
    Ok(())
}
