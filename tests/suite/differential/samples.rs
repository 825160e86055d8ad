//! Values for columns: easily confused ones, and ones at the limits.

use mac_address::MacAddress;
use sea_orm::DbBackend;
use sea_orm::prelude::*;
use sea_orm::sea_query::{Nullable, Value};
use serde_json::json;

use super::entity::{listed::Mood, wide::Level, wide::Word};

/// A value of a column, one of a few that `pick` chooses from.
pub(super) fn sample(backend: DbBackend, column: &str, pick: usize) -> Value {
    if column == "code" {
        return i32::try_from(pick).unwrap().into();
    }
    let mut pool = pool(backend, column);
    let at = pick % pool.len();
    pool.swap_remove(at)
}

fn all<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> Vec<Value> {
    values.into_iter().map(Into::into).collect()
}

/// NULL, and the values.
fn or_null<T: Into<Value> + Nullable>(values: impl IntoIterator<Item = T>) -> Vec<Value> {
    let mut all = all(values);
    all.insert(0, T::null());
    all
}

fn parsed<T: std::str::FromStr>(texts: &[&str]) -> Vec<T> {
    let parse = |text: &&str| text.parse().unwrap_or_else(|_| panic!("{text}"));
    texts.iter().map(parse).collect()
}

const INSTANTS: [&str; 4] = [
    "2001-02-03T04:05:06Z",
    "2001-02-03T05:05:06+01:00",
    "2026-03-29T02:30:00.5+02:00",
    "2026-11-23T04:05:06.123456789Z",
];

fn pool(backend: DbBackend, column: &str) -> Vec<Value> {
    match column {
        "name" => all(["a", "A", "b", "b ", "é", "e", "ß", "🦀", "", "c\"'\\"]),
        "left_half" => all([1, -1, 2]),
        "right_half" => all([Uuid::nil(), Uuid::from_u128(1), Uuid::max()]),
        "score" => all([0, 1, -1, 5]),
        "note" => or_null([0, 1, 2]),
        "yes" => or_null([true, false]),
        "small" => or_null([0, i16::MIN, i16::MAX]),
        "large" => or_null([0, i64::MIN, i64::MAX, 1 << 53, (1 << 53) - 1]),
        "single" => or_null([0.0_f32, -0.0, 0.1, 16_777_216.0, -1e-7]),
        "twofold" => {
            let mut values = or_null([0.0, -0.0, 0.1 + 0.2, f64::MAX, f64::MIN_POSITIVE]);
            if backend != DbBackend::MySql {
                values.extend(all([f64::NAN, f64::INFINITY])); // MariaDB refuses them.
            }
            values
        }
        "exact" => or_null(parsed::<Decimal>(&[
            "0",
            "0.00",
            "12.5",
            "12.50",
            "-0.000001",
        ])),
        "big_exact" => or_null(parsed::<BigDecimal>(&["0", "0.00", "12.5", "12.50", "-7"])),
        "short" | "long" => {
            or_null(["", "x", "X", "x ", "🦀 naïve", "it's \"\\ ?$1"].map(String::from))
        }
        "bytes" => or_null([vec![], vec![0], vec![0, 255, 0], b"x".to_vec()]),
        "uuid" => or_null([Uuid::nil(), Uuid::max()]),
        "json" => or_null([
            json!(null),
            json!({}),
            json!({"a": 1, "b": [1.5, "x"]}),
            json!({"b": [1.5, "x"], "a": 1}),
            json!("null"),
            json!([]),
        ]),
        "day" => or_null(parsed::<Date>(&["1000-01-01", "2024-02-29", "9999-12-31"])),
        "clock" => or_null(parsed::<Time>(&["00:00:00", "23:59:59", "04:05:06.5"])),
        "naive" => or_null(parsed::<DateTime>(&[
            "1000-01-01T00:00:00",
            "2026-11-23T04:05:06",
            "2026-11-23T04:05:06.5",
        ])),
        "instant" => or_null(parsed::<DateTimeUtc>(&INSTANTS)),
        "zoned" => or_null(parsed::<DateTimeWithTimeZone>(&INSTANTS)),
        "local" => {
            let zoned = parsed::<DateTimeWithTimeZone>(&INSTANTS);
            or_null(zoned.into_iter().map(DateTimeLocal::from))
        }
        "time_day" => or_null(time_days()),
        "time_clock" => or_null(time_clocks()),
        "time_naive" => or_null(
            (time_days().into_iter().zip(time_clocks()))
                .map(|(day, clock)| TimeDateTime::new(day, clock)),
        ),
        "time_zoned" => or_null(
            (time_days().into_iter().zip(time_clocks()))
                .map(|(day, clock)| TimeDateTime::new(day, clock).assume_utc()),
        ),
        "level" => or_null([Level::Low, Level::High]),
        "word" => or_null([Word::Yes, Word::No]),
        "tiny" => or_null([0, i8::MIN, i8::MAX]),
        "byte" => or_null([0, u8::MAX]),
        "word16" => or_null([0, u16::MAX]),
        "word32" => or_null([0, u32::MAX]),
        "count" => or_null([0, u64::MAX, 1 << 53]),
        "words" => or_null([
            vec![],
            vec!["a".to_owned()],
            vec!["b,\"c".into(), String::new()],
        ]),
        "numbers" => or_null([vec![], vec![1], vec![1, i64::MAX]]),
        "fractions" => or_null([vec![0.0], vec![-0.0], vec![0.5, f64::NAN]]),
        "uuids" => or_null([vec![], vec![Uuid::nil()]]),
        "mood" => or_null([Mood::Glad, Mood::Sad]),
        "moods" => or_null([vec![], vec![Mood::Sad, Mood::Glad]]),
        "address" => or_null(parsed::<IpNetwork>(&["10.0.0.1/8", "::1/128"])),
        "adapter" => or_null(parsed::<MacAddress>(&["00:1A:2B:3C:4D:5E"])),
        other => panic!("no values for the column {other}"),
    }
}

fn time_days() -> Vec<TimeDate> {
    [(2026, 327), (2024, 60)]
        .map(|(year, day)| TimeDate::from_ordinal_date(year, day).unwrap())
        .to_vec()
}

fn time_clocks() -> Vec<TimeTime> {
    let half = TimeTime::from_hms_milli(4, 5, 6, 500).unwrap();
    vec![TimeTime::from_hms(23, 59, 59).unwrap(), half]
}
