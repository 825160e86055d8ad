//! Triggers record the same as hooks, type by type.

use sea_orm::prelude::*;
use sea_orm::{IntoActiveModel, Iterable, ModelTrait, Set};
use sea_orm_audit::value::{ColumnKind, encode, normalize};
use serde_json::json;

use crate::client::{captured, changes, sqlite3};
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on!(sqlite: every_type_is_recorded_as_hooks_record_it);
}

mod sample {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "sample")]
    #[audit(
        capture = "trigger",
        display = "{yes}{double}{decimal}{big_decimal}{text}{bytes}{uuid}{json}{time}{naive}{instant}"
    )]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub yes: Option<bool>,
        pub tiny: Option<i8>,
        pub byte: Option<u8>,
        pub small: Option<i16>,
        pub short: Option<u16>,
        pub medium: Option<i32>,
        pub unsigned: Option<u32>,
        pub large: Option<i64>,
        pub single: Option<f32>,
        #[sea_orm(column_name = "double_")]
        pub double: Option<f64>,
        #[sea_orm(column_name = "decimal_")]
        pub decimal: Option<Decimal>,
        pub big_decimal: Option<BigDecimal>,
        pub text: Option<String>,
        pub bytes: Option<Vec<u8>>,
        pub uuid: Option<Uuid>,
        pub json: Option<Json>,
        #[sea_orm(column_name = "date_")]
        pub date: Option<Date>,
        #[sea_orm(column_name = "time_")]
        pub time: Option<Time>,
        pub naive: Option<DateTime>,
        pub instant: Option<DateTimeUtc>,
        pub local: Option<DateTimeLocal>,
        pub zoned: Option<DateTimeWithTimeZone>,
        pub time_date: Option<TimeDate>,
        pub time_clock: Option<TimeTime>,
        pub time_naive: Option<TimeDateTime>,
        pub time_zoned: Option<TimeDateTimeWithTimeZone>,
        pub level: Option<Level>,
        pub mood: Option<Mood>,
    }

    #[derive(Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
    #[sea_orm(rs_type = "i32", db_type = "Integer")]
    pub enum Level {
        Low = 1,
        High = 2,
    }

    #[derive(Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
    #[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "mood")]
    pub enum Mood {
        #[sea_orm(string_value = "Happy")]
        Happy,
        #[sea_orm(string_value = "it's \"sad\"")]
        Sad,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

use sample::ActiveModel as New;

/// Rows with the most error-prone values.
fn rows() -> TestResult<Vec<New>> {
    let mut rows = vec![
        New {
            ..Default::default()
        },
        New {
            yes: Set(Some(true)),
            tiny: Set(Some(i8::MIN)),
            byte: Set(Some(u8::MAX)),
            small: Set(Some(-3)),
            short: Set(Some(u16::MAX)),
            medium: Set(Some(4)),
            unsigned: Set(Some(u32::MAX)),
            large: Set(Some(5)),
            single: Set(Some(0.5)),
            double: Set(Some(1.0)),
            decimal: Set(Some("12.3400".parse()?)),
            big_decimal: Set(Some("0.250".parse()?)),
            text: Set(Some("short".into())),
            bytes: Set(Some(vec![0, 1, 0xFE, 0xFF])),
            uuid: Set(Some("018f0000-abcd-7000-8000-00000000000a".parse()?)),
            json: Set(Some(json!({"a": [1, 2.5, null, true, "x"]}))),
            level: Set(Some(sample::Level::High)),
            mood: Set(Some(sample::Mood::Sad)),
            ..Default::default()
        },
        New {
            yes: Set(Some(false)),
            bytes: Set(Some(vec![])),
            text: Set(Some(String::new())),
            json: Set(Some(json!(null))),
            mood: Set(Some(sample::Mood::Happy)),
            ..Default::default()
        },
    ];
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    for json in [
        json!("text \" \\ \n 🦀"),
        json!(7),
        json!(true),
        json!([]),
        json!({"a\"b.c[0]": {"": [{}, [], "", -0.5, 1e300, u64::MAX, i64::MIN]}}),
        deep,
        json!("{}"),
    ] {
        rows.push(New {
            json: Set(Some(json)),
            ..Default::default()
        });
    }
    for large in [
        i64::MAX,
        i64::MIN,
        (1 << 53) - 1,
        1 << 53,
        1 - (1 << 53),
        -(1 << 53),
        0,
    ] {
        rows.push(New {
            large: Set(Some(large)),
            ..Default::default()
        });
    }
    for single in [0.1, f32::MAX, f32::MIN_POSITIVE, -1.5e-42, f32::INFINITY] {
        rows.push(New {
            single: Set(Some(single)),
            ..Default::default()
        });
    }
    for double in [
        0.1,
        0.1 + 0.2,
        1e300,
        -1e300,
        1e15,
        1e16,
        123_456_789.123_456_79,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ] {
        rows.push(New {
            double: Set(Some(double)),
            ..Default::default()
        });
    }
    for decimal in [
        "0",
        "0.00",
        "-0.00",
        "1.10",
        "-12.50",
        "0.1",
        "0.0001",
        "0.00005",
        "0.0000000001",
        "100",
        "1000000",
        "123456789012345",
        "1234567890123456",
        "100000000000000000000",
        "12345678901.2345",
        "0.07",
        "0.30000000000000004",
        "99999999999999999999.99",
    ] {
        rows.push(New {
            decimal: Set(Some(decimal.parse()?)),
            big_decimal: Set(Some(decimal.parse()?)),
            ..Default::default()
        });
    }
    for text in [
        " leading and trailing ",
        "naïve 🦀 \u{10FFFF} \u{200B}",
        "quotes ' \" ` \\ \\' $1 ? :x {} %s \\u0000 \\\\u0000",
        "line\r\nline\ttab \u{1}\u{8}\u{c}\u{1b}[31m\u{7f}\u{85}",
        "a\0b\0",
        "null",
        "0.00",
        "\u{FFFD} \u{FFFE} \u{FFFF}",
        "🦀",
    ] {
        rows.push(New {
            text: Set(Some(text.into())),
            ..Default::default()
        });
    }
    for moment in [
        "2026-11-23T05:05:06.123456+01:00",
        "2026-11-23T05:05:06.1-01:30",
        "2026-11-23T05:05:06+05:45",
        "2026-11-23T05:05:06.123456789Z",
        "2026-11-23T05:05:06.123456780Z",
        "1969-12-31T23:59:59.999999+14:00",
        "0001-01-02T00:00:00Z",
        "9999-12-30T23:59:59.999999999-11:00",
        "2024-02-29T23:30:00-01:00",
        "2026-11-23T05:05:06+23:59",
    ] {
        let zoned: DateTimeWithTimeZone = moment.parse()?;
        let utc: DateTimeUtc = zoned.into();
        let nanos = i128::from(utc.timestamp_nanos_opt().unwrap_or_default());
        let time = TimeDateTimeWithTimeZone::from_unix_timestamp_nanos(nanos)?;
        rows.push(New {
            date: Set(Some(utc.date_naive())),
            time: Set(Some(utc.time())),
            naive: Set(Some(utc.naive_utc())),
            instant: Set(Some(utc)),
            local: Set(Some(utc.into())),
            zoned: Set(Some(zoned)),
            time_date: Set(Some(time.date())),
            time_clock: Set(Some(time.time())),
            time_naive: Set(Some(TimeDateTime::new(time.date(), time.time()))),
            time_zoned: Set(Some(time)),
            ..Default::default()
        });
    }
    Ok(rows)
}

/// Compares the record with the record of a hook for the row.
fn compare(recorded: &Json, word: &str, row: &sample::Model) -> Vec<String> {
    let mut wrong = Vec::new();
    for column in sample::Column::iter() {
        let shape = ColumnKind::of_column::<sample::Entity>(column);
        let name = column.as_str();
        let Some(change) = recorded.get(name) else {
            continue;
        };
        let expected = encode(&row.get(column)).unwrap();
        let stored = &change[word];
        if *stored != expected {
            // SQLite stores decimals as REAL: those stay numbers in the log.
            let real = ["decimal_", "big_decimal"].contains(&name) && stored.is_f64();
            let normal = normalize(stored.clone(), &shape);
            if normal != expected || !real {
                wrong.push(format!("{word} {name}: {stored}, {normal}, not {expected}"));
            }
        }
    }
    wrong
}

async fn every_type_is_recorded_as_hooks_record_it(db: &TestDb) -> TestResult {
    captured(db, sample::Entity).await?;
    // Older versions of SQLite have a smaller stack to parse the schema.
    assert_eq!(sqlite3(db, "SELECT count(*) FROM sample").await?, "0");
    let mut before: Option<sample::Model> = None;
    let mut wrong = Vec::new();
    for new in rows()? {
        let inserted = new.insert(&db.conn).await?;
        let row = sample::Entity::find_by_id(inserted.id)
            .one(&db.conn)
            .await?
            .unwrap();
        let created = changes(db).await?;
        assert_eq!(
            created.as_object().unwrap().len(),
            sample::Column::iter().count()
        );
        wrong.extend(compare(&created, "new", &row));
        // The old row becomes equal to this one.
        if let Some(before) = before {
            let mut update = row.clone().into_active_model().reset_all();
            update.id = Set(before.id);
            update.update(&db.conn).await?;
            let after = sample::Entity::find_by_id(before.id)
                .one(&db.conn)
                .await?
                .unwrap();
            let differ = sample::Column::iter().filter(|column| {
                encode(&before.get(*column)).unwrap() != encode(&after.get(*column)).unwrap()
            });
            let differ: Vec<_> = differ.map(|column| column.as_str().to_owned()).collect();
            let records = db.records().await?;
            if differ.is_empty() {
                assert!(records.is_empty(), "{records:?}");
            } else {
                let updated = changes(db).await?;
                wrong.extend(compare(&updated, "old", &before));
                wrong.extend(compare(&updated, "new", &after));
                let mut names: Vec<_> = updated.as_object().unwrap().keys().cloned().collect();
                names.sort_by_key(|name| differ.iter().position(|other| other == name));
                assert_eq!(names, differ);
            }
            after.delete(&db.conn).await?;
            let deleted = changes(db).await?;
            let row = sample::Model {
                id: before.id,
                ..row.clone()
            };
            wrong.extend(compare(&deleted, "old", &row));
        }
        before = Some(row);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
