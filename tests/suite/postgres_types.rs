//! Types that only PostgreSQL has.

use sea_orm::{ActiveModelTrait, ConnectionTrait, IntoActiveModel, Set};
use serde_json::json;

use crate::support::{TestDb, TestResult};

mod rare {
    use mac_address::MacAddress;
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(schema_name = "shop", table_name = "rare")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub words: Vec<String>,
        pub numbers: Option<Vec<i64>>,
        pub address: Option<IpNetwork>,
        #[sea_orm(column_type = "MacAddr")]
        pub card: Option<MacAddress>,
        pub mood: Mood,
        pub moods: Vec<Mood>,
    }

    #[derive(Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
    #[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "mood")]
    pub enum Mood {
        #[sea_orm(string_value = "Glad")]
        Glad,
        #[sea_orm(string_value = "sad")]
        Sad,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

#[tokio::test]
async fn arrays_enums_addresses_and_schemas_are_recorded() -> TestResult {
    let Some(db) = TestDb::postgres().await? else {
        return Ok(());
    };
    db.execute_unprepared("CREATE SCHEMA shop").await?;
    db.create(rare::Entity).await?;
    let new = rare::ActiveModel {
        words: Set(vec!["a".into(), "b,\"c".into()]),
        numbers: Set(Some(vec![1, i64::MAX])),
        address: Set(Some("10.0.0.1/8".parse()?)),
        card: Set(Some("00:1A:2B:3C:4D:5E".parse()?)),
        mood: Set(rare::Mood::Glad),
        moods: Set(vec![rare::Mood::Sad, rare::Mood::Glad]),
        ..Default::default()
    };
    let mut edit = new.insert(&db.conn).await?.into_active_model();
    edit.numbers = Set(None);
    edit.words = Set(vec!["a".into(), "b,\"c".into()]);
    edit.moods = Set(vec![]);
    edit.update(&db.conn).await?;
    let records = db.records().await?;
    assert_eq!(records[0].model.as_deref(), Some("shop.rare"));
    assert_eq!(
        records[0].changes,
        Some(json!({
            "id": {"new": 1},
            "words": {"new": ["a", "b,\"c"]},
            "numbers": {"new": [1, "9223372036854775807"]},
            "address": {"new": "10.0.0.1/8"},
            "card": {"new": "00:1a:2b:3c:4d:5e"},
            "mood": {"new": "Glad"},
            "moods": {"new": ["sad", "Glad"]},
        }))
    );
    assert_eq!(
        records[1].changes,
        Some(json!({
            "numbers": {"old": [1, "9223372036854775807"], "new": null},
            "moods": {"old": ["sad", "Glad"], "new": []},
        }))
    );
    db.remove().await
}
