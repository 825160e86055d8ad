//! Triggers record a value of every type as hooks would.

use std::collections::BTreeMap;

use mac_address::MacAddress;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Nullable, Value};
use sea_orm::{ActiveModelTrait, ActiveValue, IdenStatic, IntoActiveModel, Iterable};
use sea_orm_audit::query::Change;
use sea_orm_audit::value::encode;
use serde_json::json;

use crate::client::create;
use crate::entity::wide::{self, Column, Level, Mood};
use crate::support::{TestDb, TestResult};

crate::on_postgres! {
    values_are_recorded_in_their_canonical_form,
    value_of_a_megabyte_is_recorded,
}

fn or_null<T: Into<Value> + Nullable>(values: impl IntoIterator<Item = T>) -> Vec<Value> {
    let mut all: Vec<Value> = values.into_iter().map(Into::into).collect();
    all.insert(0, T::null());
    all
}

fn parsed<T: std::str::FromStr>(texts: &[&str]) -> Vec<T> {
    let parse = |text: &&str| text.parse().unwrap_or_else(|_| panic!("{text}"));
    texts.iter().map(parse).collect()
}

const INSTANTS: [&str; 6] = [
    "2001-02-03T04:05:06Z",
    "2026-03-29T02:30:00.5+02:00",
    "2026-11-23T04:05:06.123456Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "1969-12-31T23:59:59.000001Z",
];
const NAIVE: [&str; 5] = [
    "2026-11-23T04:05:06",
    "2026-11-23T04:05:06.5",
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59.999999",
    "+10000-01-02T03:04:05.6",
];
const TEXTS: [&str; 8] = [
    "",
    "x",
    "X",
    "x ",
    "🦀 naïve e\u{301}",
    "it's \"\\ ?$1 %s %% {} $$",
    "\n\r\t\u{1}\u{7f}\u{85}",
    "null",
];

fn samples(column: Column) -> Vec<Value> {
    use Column as C;
    match column {
        C::Id => Vec::new(),
        C::Yes => or_null([true, false]),
        C::Small => or_null([0, i16::MIN, i16::MAX]),
        C::Medium => or_null([0, i32::MIN, i32::MAX]),
        C::Large => or_null([
            0,
            i64::MIN,
            i64::MAX,
            1 << 53,
            (1 << 53) - 1,
            (1 << 53) + 1,
            1 - (1 << 53),
            -1 << 53,
        ]),
        C::Single => or_null([
            0.0,
            -0.0,
            0.1,
            1.0,
            16_777_216.0,
            -1e-7,
            f32::MAX,
            f32::MIN_POSITIVE,
            1e-45,
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
        ]),
        C::Twofold => or_null([
            0.0,
            -0.0,
            0.1,
            0.1 + 0.2,
            5.0,
            1e300,
            1e15,
            1e16,
            1e21,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5e-324,
            123_456_789.123_456_79,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ]),
        C::Exact => or_null(parsed::<Decimal>(&[
            "0",
            "0.00",
            "12.5",
            "12.50",
            "-0.000001",
            "100",
        ])),
        C::BigExact => or_null(parsed::<BigDecimal>(&[
            "0",
            "0.000",
            "12.50",
            "-7",
            "1000000",
            "123456789012345678901234567890.1234567890123456789",
        ])),
        C::Short | C::Long => or_null(TEXTS.map(String::from)),
        C::Padded => or_null(["a", "a b", "🦀"].map(String::from)),
        C::Bytes => or_null([vec![], vec![0], vec![0, 255, 0x5c, 0x27], b"x".to_vec()]),
        C::Uuid => or_null([Uuid::nil(), Uuid::max()]),
        C::Json | C::Jsonb => or_null([
            json!(null),
            json!({}),
            json!({"a": 1, "b": [1.5, "x", {"c": null}], "ä\"\\\n": "🦀"}),
            json!("null"),
            json!([]),
            json!(7),
            json!(u64::MAX),
            json!({"n": i64::MIN, "t": true, "e": ""}),
        ]),
        C::Day => or_null(parsed::<Date>(&[
            "0001-01-01",
            "2024-02-29",
            "9999-12-31",
            "+12345-06-07",
            "-0043-03-15",
            "0000-01-01",
        ])),
        C::Clock => or_null(parsed::<Time>(&[
            "00:00:00",
            "23:59:59.999999",
            "04:05:06.5",
        ])),
        C::Naive => or_null(parsed::<DateTime>(&NAIVE)),
        C::Instant => or_null(parsed::<DateTimeUtc>(&INSTANTS)),
        C::Zoned => or_null(parsed::<DateTimeWithTimeZone>(&INSTANTS)),
        C::Local => {
            let zoned = parsed::<DateTimeWithTimeZone>(&INSTANTS);
            or_null(zoned.into_iter().map(DateTimeLocal::from))
        }
        C::TimeDay => or_null(time_days()),
        C::TimeClock => or_null(time_clocks()),
        C::TimeNaive => or_null(time_naives()),
        C::TimeZoned => or_null(time_naives().into_iter().map(TimeDateTime::assume_utc)),
        C::Mood => or_null([Mood::Glad, Mood::Sad]),
        C::Level => or_null([Level::Low, Level::High]),
        C::Address => or_null(parsed::<IpNetwork>(&[
            "10.0.0.1/8",
            "10.0.0.1/32",
            "::1/128",
            "2001:db8::ff00:42:8329/64",
            "2001:db8:0:1:1:1:1:1/128",
            "::ffff:10.0.0.1/128",
        ])),
        C::Card => or_null(parsed::<MacAddress>(&["00:1A:2B:3C:4D:5E"])),
        C::Words => or_null([vec![], TEXTS.map(String::from).to_vec()]),
        C::Numbers => or_null([vec![], vec![1, i32::MIN]]),
        C::Larges => or_null([vec![], vec![1, i64::MAX, -1 << 53]]),
        C::Singles => or_null([vec![0.1, -0.0, 3.0], vec![f32::NAN]]),
        C::Fractions => or_null([vec![0.0, -0.0], vec![0.5, f64::NAN, f64::INFINITY, 1e300]]),
        C::Decimals => or_null([vec![], parsed::<Decimal>(&["1.50", "0.00", "100"])]),
        C::Uuids => or_null([vec![], vec![Uuid::nil(), Uuid::max()]]),
        C::Instants => or_null([vec![], parsed::<DateTimeUtc>(&INSTANTS)]),
        C::Days => or_null([vec![], parsed::<Date>(&["0001-01-01", "-0043-03-15"])]),
        C::Moods => or_null([vec![], vec![Mood::Sad, Mood::Glad]]),
        C::Blobs => or_null([vec![], vec![vec![], vec![0, 255]]]),
        C::Documents => or_null([vec![], vec![json!({"a": [1]}), json!(null), json!("x\"")]]),
    }
}

fn time_days() -> Vec<TimeDate> {
    [(2026, 327), (2024, 60), (1, 1), (9999, 365)]
        .map(|(year, day)| TimeDate::from_ordinal_date(year, day).unwrap())
        .to_vec()
}

fn time_clocks() -> Vec<TimeTime> {
    let half = TimeTime::from_hms_milli(4, 5, 6, 500).unwrap();
    let last = TimeTime::from_hms_micro(23, 59, 59, 999_999).unwrap();
    vec![TimeTime::from_hms(0, 0, 0).unwrap(), half, half, last]
}

fn time_naives() -> Vec<TimeDateTime> {
    let both = |(day, clock)| TimeDateTime::new(day, clock);
    time_days()
        .into_iter()
        .zip(time_clocks())
        .map(both)
        .collect()
}

/// A row whose columns hold the sample with this number.
fn row(pick: usize) -> wide::ActiveModel {
    let mut row = <wide::ActiveModel as ActiveModelTrait>::default();
    for column in Column::iter() {
        let samples = samples(column);
        if !samples.is_empty() {
            row.set(column, samples[pick % samples.len()].clone());
        }
    }
    row
}

fn canonical(model: &wide::Model) -> TestResult<BTreeMap<&'static str, Json>> {
    let mut row = BTreeMap::new();
    for column in Column::iter() {
        row.insert(column.as_str(), encode(&model.get(column))?);
    }
    Ok(row)
}

async fn values_are_recorded_in_their_canonical_form(db: &TestDb) -> TestResult {
    create(db, wide::Entity).await?;
    let most = Column::iter().map(|column| samples(column).len()).max();
    for pick in 0..most.unwrap() {
        db.forget().await?;
        let before = row(pick).insert(&db.conn).await?;
        let mut edit = row(pick + 1);
        edit.id = ActiveValue::Unchanged(before.id);
        let after = edit.update(&db.conn).await?;
        after.clone().delete(&db.conn).await?;
        let records = db.records().await?;
        assert_eq!(records.len(), 3, "{records:#?}");
        let (old, new) = (canonical(&before)?, canonical(&after)?);
        for (record, word, row) in [(&records[0], "new", &old), (&records[2], "old", &new)] {
            let changes = record.changes.as_ref().unwrap();
            for (name, value) in row {
                assert_eq!(changes[name], json!({word: value}), "{name}");
            }
            assert_eq!(changes.as_object().unwrap().len(), row.len());
        }
        let mut differences = serde_json::Map::new();
        for (name, value) in &old {
            if *value != new[name] {
                differences.insert((*name).into(), json!({"old": value, "new": new[name]}));
            }
        }
        assert_eq!(records[1].changes, Some(Json::Object(differences)));
    }
    Ok(())
}

async fn value_of_a_megabyte_is_recorded(db: &TestDb) -> TestResult {
    create(db, wide::Entity).await?;
    let text = "ä\"🦀".repeat(150_000);
    let mut row = row(0);
    row.long = ActiveValue::Set(Some(text.clone()));
    row.bytes = ActiveValue::Set(Some(vec![0xab; 1 << 20]));
    row.json = ActiveValue::Set(Some(json!({"text": text})));
    let model = row.insert(&db.conn).await?;
    let changes = db.record().await?.changes.unwrap();
    assert_eq!(changes["long"]["new"], json!(text));
    assert_eq!(changes["bytes"]["new"], json!("ab".repeat(1 << 20)));
    assert_eq!(changes["json"]["new"]["text"], json!(text));
    db.forget().await?;
    let mut edit = model.into_active_model();
    edit.yes = ActiveValue::Set(Some(true));
    edit.update(&db.conn).await?;
    assert_eq!(
        db.record().await?.changes,
        Some(json!({"yes": {"old": null, "new": true}}))
    );
    Ok(())
}
