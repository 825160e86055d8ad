//! Histories from the records alone, compared with those that the entity has.

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, ModelTrait, QueryFilter, Set};
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::query::{
    AuditHistory, FieldState, RecordedHistory, RecordedPast, UnknownReason,
};
use serde_json::json;

use crate::support::{HandClock, TestDb, TestResult};

on_every_database! {
    recorded_history_equals_that_of_the_entity,
    fields_that_no_record_has_are_unknown,
    past_is_decided_by_the_order_of_the_records,
    object_before_its_first_record_is_derived_from_it,
    key_that_was_used_again_is_another_object,
    object_without_records_is_unknown,
}

mod parcel {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "parcel")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
        pub weight: Option<i32>,
        #[audit(redact)]
        pub code: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

const MODEL: &str = "parcel";

fn new(id: i32) -> parcel::ActiveModel {
    parcel::ActiveModel {
        id: Set(id),
        name: Set("box".to_owned()),
        weight: Set(None),
        code: Set("x".to_owned()),
    }
}

/// Changes an object once a minute, from this time on; the last change deletes it if that is said.
async fn work(db: &TestDb, clock: &HandClock, id: i32, deletes: bool) -> TestResult {
    let work = async {
        let row = new(id).insert(&db.conn).await?;
        for step in 1..4 {
            clock.forward(std::time::Duration::from_mins(1));
            let mut change = parcel::ActiveModel {
                id: Set(id),
                ..Default::default()
            };
            match step {
                1 => change.weight = Set(Some(5)),
                2 => change.code = Set("y".to_owned()),
                _ => change.name = Set("crate".to_owned()),
            }
            change.update(&db.conn).await?;
        }
        clock.forward(std::time::Duration::from_mins(1));
        if deletes {
            row.delete(&db.conn).await?;
        }
        TestResult::Ok(())
    };
    clock.config().build()?.scope(work).await
}

async fn recorded_history_equals_that_of_the_entity(db: &TestDb) -> TestResult {
    db.create(parcel::Entity).await?;
    let clock = HandClock::at("2026-03-05T10:00:00Z")?;
    work(db, &clock, 1, false).await?;
    work(db, &clock, 2, true).await?;
    for id in [1, 2] {
        let typed = parcel::Entity::history(id).all(&db.conn).await?;
        let recorded = RecordedHistory::of(MODEL, id).all(&db.conn).await?;
        assert_eq!(recorded.len(), typed.len());
        for (one, other) in recorded.iter().zip(&typed) {
            assert_eq!(one.record, other.record);
            assert_eq!(one.changes, other.changes);
            assert_eq!(one.state, other.state);
            assert_eq!(one.unrecorded, other.unrecorded);
        }
        let blame = RecordedHistory::of(MODEL, id).blame(&db.conn).await?;
        assert_eq!(blame, parcel::Entity::history(id).blame(&db.conn).await?);
        assert_eq!(blame.is_empty(), id == 2);
    }
    Ok(())
}

async fn fields_that_no_record_has_are_unknown(db: &TestDb) -> TestResult {
    db.create(parcel::Entity).await?;
    let clock = HandClock::at("2026-03-05T10:00:00Z")?;
    work(db, &clock, 1, false).await?;
    // The log begins with the change of the weight.
    let first = db.records().await?.remove(0);
    first.delete(&db.conn).await?;
    let versions = RecordedHistory::of(MODEL, 1).all(&db.conn).await?;
    let state = versions[0].state.clone().ok_or("deleted")?;
    assert_eq!(state.get("weight"), Some(&FieldState::Known(json!(5))));
    // From the old value of a later record.
    assert_eq!(state.get("name"), Some(&FieldState::Known(json!("box"))));
    let unknown: Vec<_> = state.unknown().collect();
    assert_eq!(unknown, [("code", UnknownReason::NotRecorded)]);
    assert_eq!(state.get("id"), None);
    let last = versions
        .last()
        .and_then(|version| version.state.clone())
        .ok_or("deleted")?;
    assert_eq!(
        last.get("code"),
        Some(&FieldState::Unknown(UnknownReason::Redacted))
    );
    Ok(())
}

async fn past_is_decided_by_the_order_of_the_records(db: &TestDb) -> TestResult {
    db.create(parcel::Entity).await?;
    let clock = HandClock::at("2026-03-05T10:00:00Z")?;
    work(db, &clock, 2, true).await?;
    let at = |minute: u32, second: u32| -> TestResult<DateTimeUtc> {
        Ok(format!("2026-03-05T10:{minute:02}:{second:02}Z").parse()?)
    };
    let past = async |time| RecordedHistory::of(MODEL, 2).as_of(time, &db.conn).await;
    assert!(matches!(
        past("2026-03-05T09:59:59.999999Z".parse()?).await?,
        RecordedPast::Absent { record: None }
    ));
    let versions = RecordedHistory::of(MODEL, 2).all(&db.conn).await?;
    for (minute, version) in (0..4).zip(&versions) {
        for second in [0, 59] {
            let RecordedPast::Present { state, record } = past(at(minute, second)?).await? else {
                return Err("not present".into());
            };
            assert_eq!(Some(state), version.state, "{minute}:{second}");
            assert_eq!(record.as_deref(), Some(&version.record));
        }
    }
    let RecordedPast::Absent {
        record: Some(record),
    } = past(at(4, 0)?).await?
    else {
        return Err("not absent".into());
    };
    assert_eq!(record.action, "DELETE");
    Ok(())
}

async fn object_before_its_first_record_is_derived_from_it(db: &TestDb) -> TestResult {
    db.create(parcel::Entity).await?;
    let clock = HandClock::at("2026-03-05T10:00:00Z")?;
    work(db, &clock, 1, false).await?;
    clock.forward(std::time::Duration::from_hours(1));
    work(db, &clock, 2, true).await?;
    // The second object is older than its first record, which is its deletion; the log has others of the model by then.
    let of_second = sea_orm::Condition::all()
        .add(audit_log::Column::ObjectId.eq("2"))
        .add(audit_log::Column::Action.ne("DELETE"));
    audit_log::Entity::delete_many()
        .filter(of_second)
        .exec(&db.conn)
        .await?;
    let then: DateTimeUtc = "2026-03-05T10:30:00Z".parse()?;
    let past = RecordedHistory::of(MODEL, 2).as_of(then, &db.conn).await?;
    let RecordedPast::Present {
        state,
        record: None,
    } = past
    else {
        return Err(format!("{past:?}").into());
    };
    assert_eq!(state.get("name"), Some(&FieldState::Known(json!("crate"))));
    assert_eq!(state.get("weight"), Some(&FieldState::Known(json!(5))));
    assert_eq!(
        state.get("code"),
        Some(&FieldState::Unknown(UnknownReason::Redacted))
    );
    // Before the log had a record of the model, nothing is known.
    let before: DateTimeUtc = "2026-03-05T09:00:00Z".parse()?;
    assert!(matches!(
        RecordedHistory::of(MODEL, 2)
            .as_of(before, &db.conn)
            .await?,
        RecordedPast::Unknown
    ));
    Ok(())
}

async fn key_that_was_used_again_is_another_object(db: &TestDb) -> TestResult {
    db.create(parcel::Entity).await?;
    let clock = HandClock::at("2026-03-05T10:00:00Z")?;
    work(db, &clock, 1, true).await?;
    clock
        .config()
        .build()?
        .scope(new(1).insert(&db.conn))
        .await?;
    let blame = RecordedHistory::of(MODEL, 1).blame(&db.conn).await?;
    let newest = db.records().await?.pop().ok_or("no record")?;
    assert_eq!(blame.len(), 4);
    assert!(
        blame
            .iter()
            .all(|blame| blame.record.as_ref() == Some(&newest)),
        "{blame:?}"
    );
    Ok(())
}

async fn object_without_records_is_unknown(db: &TestDb) -> TestResult {
    assert!(
        RecordedHistory::of(MODEL, 1)
            .all(&db.conn)
            .await?
            .is_empty()
    );
    assert!(
        RecordedHistory::of(MODEL, 1)
            .blame(&db.conn)
            .await?
            .is_empty()
    );
    let past = RecordedHistory::of(MODEL, 1)
        .as_of(DateTimeUtc::UNIX_EPOCH, &db.conn)
        .await?;
    assert!(matches!(past, RecordedPast::Unknown));
    Ok(())
}
