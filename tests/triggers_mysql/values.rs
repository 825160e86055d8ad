//! Every type is recorded in the form in which the hooks record it.

use sea_orm::prelude::*;
use sea_orm::{IdenStatic, IntoActiveModel, Iterable, ModelTrait, Set};
use sea_orm_audit::value::encode;
use serde_json::json;

use crate::kinds::{self, Level, Mood};
use crate::support::{TestDb, TestResult};
use crate::{change, client, client_with, taken, watched};

mod mariadb {
    crate::support::tests_on! { mariadb:
    values_are_recorded_as_the_hooks_record_them,
    floats_of_all_magnitudes_are_recorded_exactly,
    session_in_another_zone_records_the_same_instant,
    documents_are_compared_by_structure,
    documents_too_deep_for_the_log_are_recorded_as_text,
    large_values_are_recorded,
    columns_with_other_character_sets_are_recorded_and_compared_exactly,
    }
}

/// The limits of each type, one in each row.
fn rows() -> Vec<kinds::ActiveModel> {
    let mut rows = vec![<kinds::ActiveModel as Default>::default(); 9];
    macro_rules! fill {
        ($($column:ident: [$($value:expr),* $(,)?]),* $(,)?) => {
            $({
                let values = [$($value),*];
                for (row, value) in rows.iter_mut().zip(values.into_iter().cycle()).skip(1) {
                    row.$column = Set(Some(value));
                }
            })*
        };
    }
    let text = |text: &str| text.to_owned();
    let long = text("a\"b\\c/d\n\r\t\u{8}\u{c}\u{1}\u{1f}\u{7f}\0é😀'`-- ;/*");
    let parse = |text: &str| text.parse::<DateTime>().unwrap();
    let instant = |text: &str| text.parse::<DateTimeUtc>().unwrap();
    let zoned = |text: &str| text.parse::<DateTimeWithTimeZone>().unwrap();
    let clock = |text: &str| text.parse::<Time>().unwrap();
    let day = |text: &str| text.parse::<Date>().unwrap();
    let exact = |text: &str| text.parse::<Decimal>().unwrap();
    let big = |text: &str| text.parse::<BigDecimal>().unwrap();
    let time_day = |year, day| TimeDate::from_ordinal_date(year, day).unwrap();
    let time_clock = |h, m, s| TimeTime::from_hms(h, m, s).unwrap();
    let noon = time_clock(12, 0, 0);
    let safe = 1_i64 << 53;
    fill! {
        yes: [true, false],
        tiny: [i8::MIN, i8::MAX, 0],
        small: [i16::MIN, i16::MAX, 0],
        int: [i32::MIN, i32::MAX, 0],
        large: [i64::MIN, i64::MAX, 0, safe, safe - 1, safe + 1, -safe, 1 - safe],
        byte: [u8::MAX, 0],
        word16: [u16::MAX, 0],
        word32: [u32::MAX, 0],
        word64: [u64::MAX, 0, 1 << 53, (1 << 53) - 1, 1 << 63],
        single: [0.1_f32, -0.0, 1.0, 16_777_216.0, 3.4e38, -1e-7, 1e15, 0.5],
        twofold: [0.1 + 0.2, -0.0, 1e300, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1e15, 123.0],
        exact: [exact("12.50"), exact("0.00"), exact("-0.000001"), exact("1200"),
                exact("9999999999999999999999.999999")],
        big_exact: [big("1200"), big("0"), big("-99999999999999999999")],
        short: [text(""), text("x"), text("X"), text("x "), text("😀 naïve"), text("null")],
        long: [long, text(""), text("plain"), text("{\"a\": 1}")],
        letter: [text("a"), text(""), text("ab")],
        bytes: [vec![], vec![0], vec![0, 255, 0], b"x'\\".to_vec()],
        four: [vec![0, 1, 2, 3], vec![0xCA, 0xFE, 0, 0]],
        blob: [vec![], (0..=255).collect::<Vec<u8>>()],
        uuid: [Uuid::nil(), Uuid::max(), Uuid::from_u128(0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF)],
        json: [json!({}), json!({"a": [1.5, "x\u{1}é😀\\\"", null, {"b": true}]}), json!([]),
               json!("text"), json!(7), json!(false), json!(null), json!({"b": 1e300, "a": -0.5})],
        day: [day("0001-01-01"), day("9999-12-31"), day("2024-02-29")],
        clock: [clock("00:00:00"), clock("23:59:59.999999"), clock("04:05:06.5")],
        naive: [parse("0001-01-01T00:00:00"), parse("9999-12-31T23:59:59"), parse("2026-11-23T04:05:06")],
        fine: [parse("2026-11-23T04:05:06.123456"), parse("2026-11-23T04:05:06"), parse("9999-12-31T23:59:59.999999")],
        utc: [instant("2026-10-25T00:30:00.000001Z"), instant("9999-12-31T00:00:00Z"), instant("0001-01-01T00:00:00Z")],
        instant: [instant("2026-10-25T00:30:00.123456Z"), instant("2038-01-19T03:14:07Z"), instant("1970-01-01T00:00:01.5Z")],
        zoned: [zoned("2026-03-29T02:30:00+02:00"), zoned("2001-02-03T04:05:06Z")],
        local: [zoned("2026-03-29T02:30:00+02:00").into(), zoned("2001-02-03T04:05:06Z").into()],
        time_day: [time_day(1, 1), time_day(2026, 327), time_day(9999, 365)],
        time_clock: [time_clock(0, 0, 0), time_clock(23, 59, 59)],
        time_naive: [TimeDateTime::new(time_day(2026, 327), noon), TimeDateTime::new(time_day(1000, 1), noon)],
        time_zoned: [TimeDateTime::new(time_day(2026, 327), noon).assume_utc(), TimeDateTime::new(time_day(2000, 60), noon).assume_utc()],
        level: [Level::Low, Level::High],
        mood: [Mood::Glad, Mood::Sad],
    }
    rows
}

fn logged(model: &kinds::Model, column: kinds::Column) -> TestResult<Json> {
    Ok(encode(&model.get(column))?)
}

async fn values_are_recorded_as_the_hooks_record_them(db: &TestDb) -> TestResult {
    watched(db, kinds::Entity).await?;
    let mut stored = Vec::new();
    for row in rows() {
        let id = row.insert(&db.conn).await?.id;
        let model = kinds::Entity::find_by_id(id).one(&db.conn).await?.unwrap();
        let record = db.record().await?;
        assert_eq!(
            (record.action.as_str(), record.source.as_str()),
            ("CREATE", "TRIGGER")
        );
        assert_eq!(record.object_id, Some(id.to_string()));
        assert_eq!(record.object_repr, Some(format!("kinds #{id}")));
        for column in kinds::Column::iter() {
            let name = column.as_str();
            assert_eq!(
                change(&record, name, "new"),
                Some(logged(&model, column)?),
                "{name}"
            );
            assert_eq!(change(&record, name, "old"), None);
        }
        db.forget().await?;
        stored.push(model);
    }
    let mut current = stored[0].clone();
    for next in stored.iter().skip(1).chain(&stored) {
        let mut row = next.clone().into_active_model().reset_all();
        row.id = sea_orm::Unchanged(current.id);
        row.update(&db.conn).await?;
        let model = kinds::Entity::find_by_id(current.id)
            .one(&db.conn)
            .await?
            .unwrap();
        let log = db.records().await?;
        assert!(log.len() <= 1, "{log:#?}");
        for column in kinds::Column::iter() {
            let name = column.as_str();
            let (old, new) = (logged(&current, column)?, logged(&model, column)?);
            let differs =
                !sea_orm_audit::value::canonical_eq(&current.get(column), &model.get(column));
            let change = |word| log.first().and_then(|record| change(record, name, word));
            let expected = differs.then_some((old, new)).unzip();
            assert_eq!((change("old"), change("new")), expected, "{name}");
        }
        db.forget().await?;
        current = model;
    }
    for model in stored {
        let model = if model.id == current.id {
            current.clone()
        } else {
            model
        };
        kinds::Entity::delete_by_id(model.id).exec(&db.conn).await?;
        let record = db.record().await?;
        assert_eq!(record.action, "DELETE");
        for column in kinds::Column::iter() {
            let name = column.as_str();
            assert_eq!(
                change(&record, name, "old"),
                Some(logged(&model, column)?),
                "{name}"
            );
        }
        db.forget().await?;
    }
    Ok(())
}

async fn floats_of_all_magnitudes_are_recorded_exactly(db: &TestDb) -> TestResult {
    watched(db, kinds::Entity).await?;
    let mut bits = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..300 {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (double, single) = (f64::from_bits(bits), f32::from_bits((bits >> 32) as u32));
        let row = kinds::ActiveModel {
            twofold: Set(double.is_finite().then_some(double)),
            single: Set((single.is_normal()).then_some(single)),
            ..Default::default()
        };
        row.insert(&db.conn).await?;
    }
    let models = crate::all::<kinds::Entity>(db).await?;
    for (record, model) in db.records().await?.iter().zip(models) {
        for column in [kinds::Column::Twofold, kinds::Column::Single] {
            assert_eq!(
                change(record, column.as_str(), "new"),
                Some(logged(&model, column)?)
            );
        }
    }
    Ok(())
}

async fn session_in_another_zone_records_the_same_instant(db: &TestDb) -> TestResult {
    watched(db, kinds::Entity).await?;
    client(
        db,
        "SET time_zone = '+05:45'; \
         INSERT INTO kinds (instant, utc, naive) VALUES ('2026-11-23 05:45:00.5', '2026-11-23 00:00:00', '2026-11-23 01:00:00')",
    )
    .await?;
    let record = db.record().await?;
    assert_eq!(
        change(&record, "instant", "new"),
        Some(json!("2026-11-23T00:00:00.500000Z"))
    );
    assert_eq!(
        change(&record, "utc", "new"),
        Some(json!("2026-11-23T00:00:00.000000Z"))
    );
    assert_eq!(
        change(&record, "naive", "new"),
        Some(json!("2026-11-23T01:00:00.000000"))
    );
    let apart = chrono::Utc::now() - record.occurred_at;
    assert!(apart.num_seconds().abs() < 60, "{apart}");
    Ok(())
}

async fn documents_are_compared_by_structure(db: &TestDb) -> TestResult {
    watched(db, kinds::Entity).await?;
    client(
        db,
        r#"INSERT INTO kinds (id, json) VALUES (1, '{"a":1,"b":[1,2]}')"#,
    )
    .await?;
    db.forget().await?;
    let set = async |json: &str| -> TestResult<usize> {
        client(db, &format!("UPDATE kinds SET json = {json}")).await?;
        Ok(taken(db).await?.len())
    };
    assert_eq!(set(r#"'{"b": [1, 2], "a": 1}'"#).await?, 0);
    assert_eq!(set(r#"'{"b": [2, 1], "a": 1}'"#).await?, 1);
    assert_eq!(set(r#"'{"b": [2, 1], "a": 1.0}'"#).await?, 1);
    assert_eq!(set("'9007199254740993'").await?, 1);
    assert_eq!(set("'9007199254740992'").await?, 1);
    assert_eq!(set("'null'").await?, 1);
    assert_eq!(set("NULL").await?, 0);
    assert_eq!(set("'null'").await?, 0);
    Ok(())
}

async fn documents_too_deep_for_the_log_are_recorded_as_text(db: &TestDb) -> TestResult {
    watched(db, kinds::Entity).await?;
    for (depth, is_text) in [(28, false), (29, true), (30, true)] {
        let document = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        client(
            db,
            &format!("INSERT INTO kinds (json) VALUES ('{document}')"),
        )
        .await?;
        let json = change(&db.record().await?, "json", "new").unwrap();
        assert_eq!(json.is_string(), is_text, "{depth}");
        if is_text {
            assert_eq!(json, json!(document));
        }
        db.forget().await?;
    }
    Ok(())
}

async fn large_values_are_recorded(db: &TestDb) -> TestResult {
    watched(db, kinds::Entity).await?;
    db.execute_unprepared("ALTER TABLE kinds MODIFY `long` LONGTEXT, MODIFY `blob` LONGBLOB")
        .await?;
    client(
        db,
        "SET SESSION group_concat_max_len = 4; \
         INSERT INTO kinds (id, `long`, `blob`, json) VALUES \
         (1, REPEAT('\"\\n', 524288), REPEAT('b', 1048576), CONCAT('[\"', REPEAT('x', 1048576), '\"]')); \
         UPDATE kinds SET `long` = REPEAT('y', 1048576)",
    )
    .await?;
    let model = crate::all::<kinds::Entity>(db).await?.remove(0);
    let log = db.records().await?;
    assert_eq!(
        change(&log[0], "long", "new"),
        Some(json!("\"\n".repeat(524_288)))
    );
    assert_eq!(
        change(&log[0], "blob", "new"),
        Some(logged(&model, kinds::Column::Blob)?)
    );
    assert_eq!(
        change(&log[0], "json", "new"),
        Some(logged(&model, kinds::Column::Json)?)
    );
    assert_eq!(
        change(&log[1], "long", "new"),
        Some(logged(&model, kinds::Column::Long)?)
    );
    // A record that the server cannot build does not stop the write.
    client_with(
        db,
        &["--max-allowed-packet=16M"],
        "UPDATE kinds SET `long` = REPEAT('\"', 15000000), short = 'seen'",
    )
    .await?;
    let log = db.records().await?;
    assert_eq!(change(&log[2], "long", "old_unknown"), Some(json!(true)));
    assert_eq!(change(&log[2], "short", "new"), Some(json!("seen")));
    assert_eq!(log[2].metadata, Some(json!({"changes_too_long": true})));
    Ok(())
}

async fn columns_with_other_character_sets_are_recorded_and_compared_exactly(
    db: &TestDb,
) -> TestResult {
    watched(db, kinds::Entity).await?;
    db.execute_unprepared(
        "ALTER TABLE kinds MODIFY short VARCHAR(255) CHARACTER SET latin1 COLLATE latin1_swedish_ci, \
         MODIFY `long` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    )
    .await?;
    let sql = |short: &str| {
        format!(
            "SET NAMES utf8mb4; INSERT INTO kinds (id, short, `long`) VALUES (1, '{short}', '{short}') \
                 ON DUPLICATE KEY UPDATE short = VALUES(short), `long` = VALUES(`long`)"
        )
    };
    let mut old = None;
    for new in ["é", "e", "E", "E ", "ß", "ss"] {
        client(db, &sql(new)).await?;
        let record = db.record().await?;
        for column in ["short", "long"] {
            assert_eq!(change(&record, column, "new"), Some(json!(new)), "{column}");
            assert_eq!(
                change(&record, column, "old"),
                old.map(|old: &str| json!(old))
            );
        }
        db.forget().await?;
        client(db, &sql(new)).await?;
        assert_eq!(db.log().await?, [""; 0], "{new}");
        old = Some(new);
    }
    Ok(())
}
