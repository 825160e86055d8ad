//! Versions of an object, compared with copies of its row that were taken after each change.

use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, Set};
use sea_orm_audit::query::{AuditHistory, FieldState, UnknownReason, Version};
use sea_orm_audit::{Actor, AuditContext};
use serde_json::json;

use crate::random::Random;
use crate::support::{TestDb, TestResult};

on_every_database! {
    versions_equal_copies_of_the_row,
    row_older_than_the_log_is_known_from_the_row_as_it_is,
    secret_and_skipped_fields_are_unknown,
    change_without_a_record_is_named,
    blame_names_who_set_each_field,
    deleted_object_has_its_history,
    unknown_object_has_no_history,
}

mod item {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "item")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
        #[sea_orm(column_type = "Decimal(Some((12, 2)))")]
        pub price: Decimal,
        pub stock: Option<i64>,
        pub data: Option<Json>,
        pub seen: Option<DateTimeUtc>,
        pub rating: f64,
        pub active: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod account {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "account")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
        pub password: String,
        #[audit(skip)]
        pub visits: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// A change of some fields.
fn change(random: &mut Random, id: i32) -> item::ActiveModel {
    use proptest::prelude::*;
    let mut pick = |n: u32| random.sample(&(0..n));
    let mut item = item::ActiveModel {
        id: Set(id),
        ..Default::default()
    };
    if pick(2) == 0 {
        item.name = Set(format!("item {}", pick(4)));
    }
    if pick(2) == 0 {
        item.price = Set(sea_orm::prelude::Decimal::new(i64::from(pick(500)), 2));
    }
    if pick(3) == 0 {
        item.stock = Set((pick(3) > 0).then(|| 9_007_199_254_740_990 + i64::from(pick(8))));
    }
    if pick(3) == 0 {
        item.data = Set([
            None,
            Some(json!({"a": [1, {"b": null}]})),
            Some(json!("text")),
        ][pick(3) as usize]
            .clone());
    }
    if pick(3) == 0 {
        let time = sea_orm::prelude::DateTimeUtc::from_timestamp_micros(
            1_780_000_000_123_456 + i64::from(pick(9)),
        );
        item.seen = Set(time.filter(|_| pick(4) > 0));
    }
    if pick(3) == 0 {
        item.rating = Set([0.1, 2.5, -7.0, 1e-9][pick(4) as usize]);
    }
    if pick(3) == 0 {
        item.active = Set(pick(2) == 0);
    }
    item
}

fn whole(mut item: item::ActiveModel) -> item::ActiveModel {
    let new = item::ActiveModel {
        id: item.id.clone(),
        name: Set("new".to_owned()),
        price: Set(sea_orm::prelude::Decimal::new(100, 2)),
        stock: Set(None),
        data: Set(None),
        seen: Set(None),
        rating: Set(1.5),
        active: Set(true),
    };
    for column in <item::Column as sea_orm::Iterable>::iter() {
        if item.get(column).is_not_set()
            && let Some(value) = new.get(column).into_value()
        {
            item.set(column, value);
        }
    }
    item
}

async fn versions_equal_copies_of_the_row(db: &TestDb) -> TestResult {
    db.create(item::Entity).await?;
    let audited = db.audited();
    let mut random = Random::new();
    let mut copies: Vec<(i32, Option<item::Model>)> = Vec::new();
    for step in 0..150 {
        let id = random.sample(&(1..4));
        let was = item::Entity::find_by_id(id).one(&db.conn).await?;
        match (&was, step % 10) {
            (None, _) => {
                whole(change(&mut random, id)).insert(&audited).await?;
            }
            (Some(_), 7) => {
                item::Entity::delete_by_id(id).exec(&audited).await?;
            }
            (Some(_), 3 | 5) => {
                let sql = format!("UPDATE item SET stock = 5, name = 'raw {step}' WHERE id = {id}");
                audited.execute_unprepared(&sql).await?;
            }
            (Some(_), _) => {
                change(&mut random, id).update(&audited).await?;
            }
        }
        let is = item::Entity::find_by_id(id).one(&db.conn).await?;
        if is != was {
            copies.push((id, is));
        }
    }
    let mut compared = 0;
    for id in 1..4 {
        let versions = item::Entity::history(id).all(&db.conn).await?;
        let expected: Vec<_> = copies
            .iter()
            .filter(|(of, _)| *of == id)
            .map(|(_, copy)| copy)
            .collect();
        assert_eq!(versions.len(), expected.len());
        for (version, expected) in versions.iter().zip(expected) {
            assert_eq!(version.model().as_ref(), expected.as_ref(), "{version:?}");
            assert_eq!(version.state.is_none(), expected.is_none());
            assert_eq!(version.unrecorded, [""; 0]);
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
    Ok(())
}

async fn row_older_than_the_log_is_known_from_the_row_as_it_is(db: &TestDb) -> TestResult {
    db.create(item::Entity).await?;
    let first = whole(item::ActiveModel {
        id: Set(1),
        ..Default::default()
    });
    let first = first.insert(db.audited().unaudited()).await?;
    db.forget().await?;
    for name in ["a", "b"] {
        let sql = format!("UPDATE item SET name = '{name}' WHERE id = 1");
        db.audited().execute_unprepared(&sql).await?;
    }
    let versions = item::Entity::history(1).all(&db.conn).await?;
    let named = |name: &str| item::Model {
        name: name.to_owned(),
        ..first.clone()
    };
    let models: Vec<_> = versions.iter().map(Version::model).collect();
    assert_eq!(models, [Some(named("a")), Some(named("b"))]);
    // Of a deleted row, its last record says the same.
    item::Entity::delete_by_id(1).exec(&db.audited()).await?;
    let versions = item::Entity::history(1).all(&db.conn).await?;
    let models: Vec<_> = versions.iter().map(Version::model).collect();
    assert_eq!(models, [Some(named("a")), Some(named("b")), None]);
    Ok(())
}

async fn secret_and_skipped_fields_are_unknown(db: &TestDb) -> TestResult {
    db.create(account::Entity).await?;
    let account = account::ActiveModel {
        name: Set("Ann".to_owned()),
        password: Set("secret".to_owned()),
        visits: Set(5),
        ..Default::default()
    };
    let account = account.insert(&db.audited()).await?;
    let versions = account::Entity::history(account.id).all(&db.conn).await?;
    let state = versions[0].state.as_ref().ok_or("no state")?;
    assert_eq!(state.get("name"), Some(&FieldState::Known(json!("Ann"))));
    let unknown: Vec<_> = state.unknown().collect();
    assert_eq!(
        unknown,
        [
            ("password", UnknownReason::Redacted),
            ("visits", UnknownReason::NotRecorded)
        ]
    );
    assert_eq!(versions[0].model(), None);
    Ok(())
}

async fn change_without_a_record_is_named(db: &TestDb) -> TestResult {
    db.create(item::Entity).await?;
    let audited = db.audited();
    whole(change(&mut Random::new(), 1))
        .insert(&audited)
        .await?;
    db.conn
        .execute_unprepared("UPDATE item SET name = 'unseen' WHERE id = 1")
        .await?;
    audited
        .execute_unprepared("UPDATE item SET name = 'seen', rating = 3.5 WHERE id = 1")
        .await?;
    let versions = item::Entity::history(1).all(&db.conn).await?;
    assert_eq!(versions[0].unrecorded, [""; 0]);
    assert_eq!(versions[1].unrecorded, ["name"]);
    Ok(())
}

async fn blame_names_who_set_each_field(db: &TestDb) -> TestResult {
    db.create(item::Entity).await?;
    let audited = db.audited();
    let by = |id: i32| AuditContext::new().actor(Actor::user(id));
    by(1)
        .scope(whole(change(&mut Random::new(), 1)).insert(&audited))
        .await?;
    by(2)
        .scope(audited.execute_unprepared("UPDATE item SET name = 'x' WHERE id = 1"))
        .await?;
    by(3)
        .scope(audited.execute_unprepared("UPDATE item SET name = 'y', stock = 6 WHERE id = 1"))
        .await?;
    let blame = item::Entity::history(1).blame(&db.conn).await?;
    let actor = |field: &str| {
        let blame = blame.iter().find(|blame| blame.field == field);
        blame.and_then(|blame| blame.record.as_ref()?.actor_id.clone())
    };
    assert_eq!(blame.len(), 8);
    assert_eq!(actor("name").as_deref(), Some("3"));
    assert_eq!(actor("stock").as_deref(), Some("3"));
    assert_eq!(actor("active").as_deref(), Some("1"));
    let first = &item::Entity::history(1).all(&db.conn).await?;
    let (a, b) = (
        first[1].state.as_ref().ok_or("a")?,
        first[2].state.as_ref().ok_or("b")?,
    );
    let fields: Vec<_> = a.differences(b).map(|(field, ..)| field).collect();
    assert_eq!(fields, ["name", "stock"]);
    Ok(())
}

async fn deleted_object_has_its_history(db: &TestDb) -> TestResult {
    db.create(item::Entity).await?;
    let audited = db.audited();
    let first = whole(change(&mut Random::new(), 1))
        .insert(&audited)
        .await?;
    item::Entity::delete_by_id(1).exec(&audited).await?;
    let versions = item::Entity::history(1).all(&db.conn).await?;
    let models: Vec<_> = versions.iter().map(Version::model).collect();
    assert_eq!(models, [Some(first), None]);
    assert_eq!(item::Entity::history(1).blame(&db.conn).await?.len(), 0);
    Ok(())
}

async fn unknown_object_has_no_history(db: &TestDb) -> TestResult {
    db.create(item::Entity).await?;
    assert_eq!(item::Entity::history(99).all(&db.conn).await?.len(), 0);
    Ok(())
}
