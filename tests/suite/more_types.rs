//! The types that `values` omits: small and unsigned integers, characters, and the other types of chrono and the time
//! crate.

use sea_orm::prelude::*;
use sea_orm::{DbBackend, IntoActiveModel, Iterable, ModelTrait, Set};
use sea_orm_audit::value::encode;
use serde_json::json;

use crate::support::{TestDb, TestResult};

on_every_database! {
    the_rest_of_the_times_are_recorded_as_the_database_holds_them,
    the_rest_of_the_numbers_are_recorded_as_the_database_holds_them,
}

mod moment {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "moment")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub zoned: Option<DateTimeWithTimeZone>,
        pub local: Option<DateTimeLocal>,
        pub time_clock: Option<TimeTime>,
        pub time_naive: Option<TimeDateTime>,
        pub time_zoned: Option<TimeDateTimeWithTimeZone>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod number {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "number")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub tiny: Option<i8>,
        pub byte: Option<u8>,
        pub short: Option<u16>,
        pub medium: Option<u32>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod huge {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "huge")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub count: Option<u64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// Inserts, compares every recorded value with the row's, saves the same again, and deletes.
async fn recorded<A>(db: &TestDb, new: A) -> TestResult<serde_json::Value>
where
    A: ActiveModelTrait + ActiveModelBehavior + Send,
    A::Entity: EntityTrait<ActiveModel = A>,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
    db.create(A::Entity::default()).await?;
    new.insert(&db.conn).await?;
    let row = A::Entity::find().one(&db.conn).await?.unwrap();
    let changes = db.record().await?.changes.unwrap();
    for column in <A::Entity as EntityTrait>::Column::iter() {
        assert_eq!(
            changes[column.as_str()]["new"],
            encode(&row.get(column))?,
            "{column:?}"
        );
    }
    db.forget().await?;
    row.clone()
        .into_active_model()
        .reset_all()
        .update(&db.conn)
        .await?;
    assert_eq!(db.log().await?, [""; 0]);
    row.into_active_model().delete(&db.conn).await?;
    let deleted = db.record().await?.changed().unwrap();
    for (field, change) in &deleted {
        assert_eq!(change.old_value(), Some(&changes[field]["new"]), "{field}");
    }
    Ok(changes)
}

async fn the_rest_of_the_times_are_recorded_as_the_database_holds_them(db: &TestDb) -> TestResult {
    let day = TimeDate::from_ordinal_date(2026, 327)?;
    let clock = TimeTime::from_hms(4, 5, 6)?;
    let naive = TimeDateTime::new(day, clock);
    let zoned: DateTimeWithTimeZone = "2026-11-23T05:05:06+01:00".parse()?;
    let changes = recorded(
        db,
        moment::ActiveModel {
            zoned: Set(Some(zoned)),
            local: Set(Some(zoned.into())),
            time_clock: Set(Some(clock)),
            time_naive: Set(Some(naive)),
            time_zoned: Set(Some(naive.assume_utc())),
            ..Default::default()
        },
    )
    .await?;
    for (field, value) in [
        ("zoned", "2026-11-23T04:05:06.000000Z"),
        ("local", "2026-11-23T04:05:06.000000Z"),
        ("time_clock", "04:05:06.000000"),
        ("time_naive", "2026-11-23T04:05:06.000000"),
        ("time_zoned", "2026-11-23T04:05:06.000000Z"),
    ] {
        assert_eq!(changes[field]["new"], value, "{field}");
    }
    Ok(())
}

async fn the_rest_of_the_numbers_are_recorded_as_the_database_holds_them(
    db: &TestDb,
) -> TestResult {
    if db.backend() == DbBackend::Postgres {
        return Ok(()); // It has no such types, and SeaORM refuses them there.
    }
    let changes = recorded(
        db,
        number::ActiveModel {
            tiny: Set(Some(i8::MIN)),
            byte: Set(Some(u8::MAX)),
            short: Set(Some(u16::MAX)),
            medium: Set(Some(u32::MAX)),
            ..Default::default()
        },
    )
    .await?;
    for (field, value) in [
        ("tiny", json!(-128)),
        ("byte", json!(255)),
        ("short", json!(65535)),
        ("medium", json!(4_294_967_295_u32)),
    ] {
        assert_eq!(changes[field]["new"], value, "{field}");
    }
    if db.backend() == DbBackend::MySql {
        // sqlx has no u64 on SQLite.
        db.forget().await?;
        let huge = huge::ActiveModel {
            count: Set(Some(u64::MAX)),
            ..Default::default()
        };
        let changes = recorded(db, huge).await?;
        assert_eq!(changes["count"]["new"], "18446744073709551615");
    }
    Ok(())
}
