//! What the log does not say is unknown, never today's value.
//!
//! One file, because the cases share their rows.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult,
    QueryFilter, QueryOrder, QuerySelect, Set,
};
use sea_orm_audit::query::{
    AsOf, AuditAsOf, FieldState, Moment, PastObject, UnknownReason, UnknownValues,
};
use sea_orm_audit::{AuditConfig, AuditError};

use crate::shop::{Shop, customer};
use crate::support::{TestDb, TestResult};

on_every_database! {
    moment_before_the_log_is_unknown,
    moment_before_the_first_row_is_empty,
    redacted_value_is_known_until_it_changes,
    skipped_column_is_never_known,
    column_added_later_is_unknown,
    vanished_column_is_listed_under_its_name,
    actions_that_are_not_recorded_make_the_past_unknown,
    secret_inside_json_is_unknown_once_it_changed,
}

mod account {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "account")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
        pub password: Option<String>,
        #[audit(skip)]
        pub visits: Option<i32>,
        pub data: Option<Json>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod account_before {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "thing")]
    #[audit(name = "thing")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
        pub old: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod account_after {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "thing_after")]
    #[audit(name = "thing")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
        pub new: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

fn unknown(error: &sea_orm::DbErr) -> String {
    match AuditError::of(error) {
        Some(error @ AuditError::PastUnknown { .. }) => error.to_string(),
        _ => panic!("{error}"),
    }
}

async fn newest(db: &TestDb) -> TestResult<Moment> {
    let last = db.records().await?.last().map(|record| record.id);
    Ok(Moment::after_record(last.ok_or("no record")?))
}

async fn moment_before_the_log_is_unknown(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    let sql = "INSERT INTO customer (id, name) VALUES (1, 'old'), (2, 'old')";
    db.execute_unprepared(sql).await?;
    let time = shop.clock.now();
    shop.clock.forward(std::time::Duration::from_secs(1));
    let sql = "UPDATE customer SET name = 'new' WHERE id = 1";
    shop.audited.execute_unprepared(sql).await?;
    let past = AsOf::new(time).open(&shop.audited).await?;
    let error = customer::Entity::find().all(&past).await.unwrap_err();
    assert!(
        unknown(&error).contains("before the first record"),
        "{error}"
    );
    past.close().await?;
    for id in [1, 2] {
        let past = customer::Entity::as_of(time).one(id, &shop.audited).await?;
        assert!(matches!(past, PastObject::Unknown), "{past:?}");
    }
    let past = customer::Entity::as_of(time).one(3, &shop.audited).await?;
    assert!(matches!(past, PastObject::Absent), "{past:?}");
    // From the first record on, the old rows are known.
    let moment = newest(db).await?;
    shop.audited
        .execute_unprepared("UPDATE customer SET name = 'newer', city = 'x'")
        .await?;
    let past = AsOf::new(moment).open(&shop.audited).await?;
    let rows = customer::Entity::find()
        .order_by_asc(customer::Column::Id)
        .all(&past)
        .await?;
    let rows: Vec<_> = rows
        .iter()
        .map(|c| (c.id, c.name.as_str(), c.city.as_deref()))
        .collect();
    assert_eq!(rows, [(1, "new", None), (2, "old", None)]);
    past.close().await?;
    Ok(())
}

async fn moment_before_the_first_row_is_empty(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    let time = shop.clock.now();
    shop.clock.forward(std::time::Duration::from_secs(1));
    let sql = "INSERT INTO customer (id, name) VALUES (1, 'a'), (2, 'b')";
    shop.audited.execute_unprepared(sql).await?;
    shop.audited
        .execute_unprepared("UPDATE customer SET id = 3 WHERE id = 2")
        .await?;
    shop.audited
        .execute_unprepared("DELETE FROM customer WHERE id = 1")
        .await?;
    let past = AsOf::new(time).open(&shop.audited).await?;
    assert_eq!(customer::Entity::find().all(&past).await?, []);
    past.close().await?;
    for id in 1..4 {
        let past = customer::Entity::as_of(time).one(id, &shop.audited).await?;
        assert!(matches!(past, PastObject::Absent), "{id} {past:?}");
    }
    Ok(())
}

fn account(id: i32) -> account::ActiveModel {
    account::ActiveModel {
        id: Set(id),
        name: Set("Ann".to_owned()),
        password: Set(Some(format!("secret {id}"))),
        visits: Set(Some(1)),
        data: Set(None),
    }
}

async fn redacted_value_is_known_until_it_changes(db: &TestDb) -> TestResult {
    db.create(account::Entity).await?;
    let audited = db.audited();
    for id in [1, 2] {
        account(id).insert(&audited).await?;
    }
    let moment = newest(db).await?;
    audited
        .execute_unprepared("UPDATE account SET name = 'Bob'")
        .await?;
    audited
        .execute_unprepared("UPDATE account SET password = 'other' WHERE id = 2")
        .await?;
    let query = || {
        account::Entity::find()
            .select_only()
            .columns([
                account::Column::Id,
                account::Column::Name,
                account::Column::Password,
            ])
            .order_by_asc(account::Column::Id)
    };
    let past = AsOf::new(moment).open(&audited).await?;
    let error = query()
        .into_tuple::<(i32, String, Option<String>)>()
        .all(&past)
        .await
        .unwrap_err();
    let text = unknown(&error);
    assert!(
        text.contains("`password` of the object 2 is redacted"),
        "{text}"
    );
    let names: Vec<(i32, String)> = account::Entity::find()
        .select_only()
        .columns([account::Column::Id, account::Column::Name])
        .order_by_asc(account::Column::Id)
        .into_tuple()
        .all(&past)
        .await?;
    assert_eq!(names, [(1, "Ann".to_owned()), (2, "Ann".to_owned())]);
    past.close().await?;
    for (values, second) in [
        (UnknownValues::Null, None),
        (UnknownValues::Current, Some("other")),
    ] {
        let past = AsOf::new(moment)
            .unknown_values(values)
            .open(&audited)
            .await?;
        let rows: Vec<(i32, String, Option<String>)> = query().into_tuple().all(&past).await?;
        let passwords: Vec<_> = rows.iter().map(|row| row.2.as_deref()).collect();
        assert_eq!(passwords, [Some("secret 1"), second]);
        let unknown = past.unknown_columns().await;
        let unknown: Vec<_> = unknown
            .iter()
            .map(|c| (c.column.as_str(), c.reason, c.object_id.as_deref()))
            .collect();
        let expected = [
            ("password", UnknownReason::Redacted, Some("2")),
            ("visits", UnknownReason::NotRecorded, None),
        ];
        assert_eq!(unknown, expected);
        past.close().await?;
    }
    let past = account::Entity::as_of(moment).one(2, &audited).await?;
    let state = past.state().ok_or("absent")?;
    assert_eq!(
        state.get("password"),
        Some(&FieldState::Unknown(UnknownReason::Redacted))
    );
    // What the log keeps out of it is not shown either where it is known.
    let past = account::Entity::as_of(moment).one(1, &audited).await?;
    let state = past.state().ok_or("absent")?;
    assert_eq!(
        state.get("password"),
        Some(&FieldState::Unknown(UnknownReason::Redacted))
    );
    assert_eq!(state.get("name"), Some(&FieldState::Known("Ann".into())));
    Ok(())
}

async fn skipped_column_is_never_known(db: &TestDb) -> TestResult {
    db.create(account::Entity).await?;
    let audited = db.audited();
    account(1).insert(&audited).await?;
    let moment = newest(db).await?;
    let past = AsOf::new(moment).open(&audited).await?;
    let error = account::Entity::find().all(&past).await.unwrap_err();
    assert!(
        unknown(&error).contains("`visits` is not recorded"),
        "{error}"
    );
    past.close().await?;
    let past = AsOf::new(moment)
        .unknown_values(UnknownValues::Null)
        .open(&audited)
        .await?;
    let row = account::Entity::find().one(&past).await?.ok_or("no row")?;
    assert_eq!((row.visits, row.name.as_str()), (None, "Ann"));
    past.close().await?;
    let past = AsOf::new(moment)
        .unknown_values(UnknownValues::Current)
        .open(&audited)
        .await?;
    let row = account::Entity::find().one(&past).await?.ok_or("no row")?;
    assert_eq!(row.visits, Some(1));
    past.close().await?;
    assert_eq!(
        account::Entity::as_of(moment)
            .one(1, &audited)
            .await?
            .model(),
        None
    );
    Ok(())
}

/// The table of `account_before`, then that of `account_after`.
async fn migrated(db: &TestDb) -> TestResult<Moment> {
    db.create(account_before::Entity).await?;
    let audited = db.audited();
    for id in [1, 2] {
        let model = account_before::ActiveModel {
            id: Set(id),
            name: Set("a".to_owned()),
            old: Set("was".to_owned()),
        };
        model.insert(&audited).await?;
    }
    audited
        .execute_unprepared("UPDATE thing SET old = 'changed' WHERE id = 1")
        .await?;
    let moment = Moment::before_record(db.records().await?.last().ok_or("no record")?.id);
    let text = if db.backend() == DbBackend::MySql {
        "VARCHAR(255)"
    } else {
        "TEXT"
    };
    db.execute_unprepared("ALTER TABLE thing DROP COLUMN old")
        .await?;
    db.execute_unprepared(&format!(
        "ALTER TABLE thing ADD COLUMN new {text} DEFAULT 'default'"
    ))
    .await?;
    db.execute_unprepared("ALTER TABLE thing RENAME TO thing_after")
        .await?;
    Ok(moment)
}

async fn column_added_later_is_unknown(db: &TestDb) -> TestResult {
    let moment = migrated(db).await?;
    let audited = db.audited();
    audited
        .execute_unprepared("UPDATE thing_after SET new = 'set', name = 'b' WHERE id = 1")
        .await?;
    let past = AsOf::new(moment).open(&audited).await?;
    let error = account_after::Entity::find().all(&past).await.unwrap_err();
    assert!(unknown(&error).contains("`new` is added later"), "{error}");
    past.close().await?;
    let past = AsOf::new(moment)
        .unknown_values(UnknownValues::Null)
        .open(&audited)
        .await?;
    let rows = account_after::Entity::find()
        .order_by_asc(account_after::Column::Id)
        .all(&past)
        .await?;
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.id, row.name.as_str(), row.new.as_deref()))
        .collect();
    assert_eq!(rows, [(1, "a", None), (2, "a", None)]);
    past.close().await?;
    Ok(())
}

async fn vanished_column_is_listed_under_its_name(db: &TestDb) -> TestResult {
    let moment = migrated(db).await?;
    let past = account_after::Entity::as_of(moment)
        .one(1, &db.audited())
        .await?;
    let state = past.state().ok_or("absent")?;
    assert_eq!(state.get("old"), Some(&FieldState::Known("was".into())));
    Ok(())
}

async fn actions_that_are_not_recorded_make_the_past_unknown(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    let sql = "INSERT INTO customer (id, name) VALUES (1, 'a')";
    shop.audited.execute_unprepared(sql).await?;
    let moment = newest(db).await?;
    let config = AuditConfig::builder()
        .skip_action(sea_orm_audit::Action::Update)
        .build()?;
    let audited = shop.audited.with_config(config);
    audited
        .execute_unprepared("UPDATE customer SET name = 'b'")
        .await?;
    let past = AsOf::new(moment).open(&audited).await?;
    let error = customer::Entity::find().all(&past).await.unwrap_err();
    assert!(
        unknown(&error).contains("UPDATE actions are not recorded"),
        "{error}"
    );
    past.close().await?;
    let error = customer::Entity::as_of(moment)
        .one(1, &audited)
        .await
        .unwrap_err();
    unknown(&error);
    Ok(())
}

async fn secret_inside_json_is_unknown_once_it_changed(db: &TestDb) -> TestResult {
    db.create(account::Entity).await?;
    let audited = db.audited();
    for id in [1, 2] {
        let mut account = account(id);
        account.data = Set(Some(serde_json::json!({"n": 1, "api_key": "x"})));
        account.insert(&audited).await?;
    }
    let moment = newest(db).await?;
    let mut changed = account(2);
    changed.data = Set(Some(serde_json::json!({"n": 2, "api_key": "x"})));
    changed.update(&audited).await?;
    let past = AsOf::new(moment)
        .unknown_values(UnknownValues::Null)
        .open(&audited)
        .await?;
    let rows: Vec<(i32, Option<sea_orm::prelude::Json>)> = account::Entity::find()
        .select_only()
        .columns([account::Column::Id, account::Column::Data])
        .order_by_asc(account::Column::Id)
        .into_tuple()
        .all(&past)
        .await?;
    let expected = serde_json::json!({"n": 1, "api_key": "x"});
    assert_eq!(rows, [(1, Some(expected)), (2, None)]);
    past.close().await?;
    Ok(())
}
