//! Output of the databases, by example.

use serde_json::json;

use super::*;

fn check(kind: &ArrayType, examples: Vec<(Json, Json)>) {
    let shape = ColumnKind::One(kind.clone());
    for (stored, canonical) in examples {
        let normal = normalize(stored.clone(), &shape);
        assert_eq!(
            normal.to_string(),
            canonical.to_string(),
            "{stored} as {kind:?}"
        );
        assert_eq!(
            normalize(normal.clone(), &shape),
            normal,
            "{stored} as {kind:?}"
        );
    }
}

#[test]
fn numbers_are_read_however_they_are_written() {
    check(
        &ArrayType::Bool,
        vec![
            (json!(0), json!(false)),
            (json!(1), json!(true)),
            (json!("t"), json!(true)),
            (json!("False"), json!(false)),
            (json!("maybe"), json!("maybe")),
            (json!(null), json!(null)),
        ],
    );
    check(
        &ArrayType::BigInt,
        vec![
            (json!("7"), json!(7)),
            (json!("-0"), json!(0)),
            (json!(7.0), json!(7)),
            (json!("9007199254740993"), json!("9007199254740993")),
            (json!(9_007_199_254_740_993_i64), json!("9007199254740993")),
            (json!("18446744073709551615"), json!("18446744073709551615")),
            (json!(1.5), json!(1.5)),
            (json!("seven"), json!("seven")),
            (json!({"hex": "ca"}), json!({"hex": "ca"})),
        ],
    );
    check(
        &ArrayType::Float,
        vec![
            (json!(0.1), json!(0.100_000_001_490_116_12)),
            (json!("1e3"), json!(1000.0)),
            (json!(1), json!(1.0)),
            (json!("-inf"), json!("-Infinity")),
        ],
    );
    check(
        &ArrayType::Double,
        vec![
            (json!("nan"), json!("NaN")),
            (json!("infinity"), json!("Infinity")),
            (json!("0.10"), json!(0.1)),
            (json!(-0.0), json!(0.0)),
        ],
    );
}

#[cfg(all(feature = "with-rust_decimal", feature = "with-bigdecimal"))]
#[test]
fn decimals_are_plain_and_without_zeros() {
    for kind in [ArrayType::Decimal, ArrayType::BigDecimal] {
        check(
            &kind,
            vec![
                (json!("12.3400"), json!("12.34")),
                (json!("-0.00"), json!("0")),
                (json!("1.5e3"), json!("1500")),
                (json!("1E-7"), json!("0.0000001")),
                (json!(7), json!("7")),
                (json!(0.25), json!("0.25")),
                (json!("007.50"), json!("7.5")),
                (json!("NaN"), json!("NaN")),
                (json!("1e99999999"), json!("1e99999999")),
            ],
        );
    }
    // As SeaORM reads a REAL.
    check(&ArrayType::Decimal, vec![(json!(0.1), json!("0.1"))]);
    let exact = "0.1000000000000000055511151231257827021181583404541015625";
    check(&ArrayType::BigDecimal, vec![(json!(0.1), json!(exact))]);
}

#[test]
fn times_are_read_in_every_databases_manner() {
    let utc = json!("2026-11-23T04:05:06.123456Z");
    check(
        &ArrayType::ChronoDateTimeUtc,
        vec![
            (json!("2026-11-23T05:05:06.123456+01:00"), utc.clone()),
            (json!("2026-11-23 05:05:06.123456+01"), utc.clone()),
            (json!("2026-11-23 04:05:06.123456"), utc.clone()),
            (json!("2026-11-22T22:35:06.123456-0530"), utc.clone()),
            (json!("2026-11-23t04:05:06.123456000z"), utc),
            (
                json!("2026-11-23 04:05"),
                json!("2026-11-23T04:05:00.000000Z"),
            ),
            (json!(86_400), json!("1970-01-02T00:00:00.000000Z")),
            (json!("infinity"), json!("infinity")),
            (
                json!("9999-12-31T23:30:00-01:00"),
                json!("+10000-01-01T00:30:00.000000Z"),
            ),
        ],
    );
    check(
        &ArrayType::ChronoDateTime,
        vec![
            (
                json!("2026-11-23 04:05:06.1"),
                json!("2026-11-23T04:05:06.100000"),
            ),
            (
                json!("2026-11-23 04:05:06.123456789"),
                json!("2026-11-23T04:05:06.123456789"),
            ),
            (json!("2026-02-30 04:05:06"), json!("2026-02-30 04:05:06")),
        ],
    );
    check(
        &ArrayType::ChronoDate,
        vec![
            (json!("2026-11-23 00:00:00"), json!("2026-11-23")),
            (json!("2026-11-23 00:00:01"), json!("2026-11-23 00:00:01")),
        ],
    );
    check(
        &ArrayType::ChronoTime,
        vec![
            (json!("04:05:06"), json!("04:05:06.000000")),
            (json!("-838:59:59"), json!("-838:59:59")),
        ],
    );
}

#[test]
fn letters_are_small_where_case_does_not_count() {
    let uuid = json!("018f0000-abcd-7000-8000-0000000000ff");
    check(
        &ArrayType::Uuid,
        vec![
            (json!("018F0000-ABCD-7000-8000-0000000000FF"), uuid.clone()),
            (json!("018f0000abcd700080000000000000ff"), uuid),
        ],
    );
    check(
        &ArrayType::Bytes,
        vec![
            (json!("CAFE"), json!("cafe")),
            (json!("\\xCAFE"), json!("cafe")),
            (json!("0xCAFE"), json!("cafe")),
            (json!("caf"), json!("caf")),
        ],
    );
    check(
        &ArrayType::String,
        vec![(json!("CAFE"), json!("CAFE")), (json!(7), json!("7"))],
    );
    check(&ArrayType::Json, vec![(json!("7"), json!("7"))]);
}

#[test]
fn arrays_are_read_item_by_item() {
    let stored = json!(["7", null, 9_007_199_254_740_993_i64]);
    let shape = ColumnKind::Many(ArrayType::BigInt);
    assert_eq!(
        normalize(stored, &shape),
        json!([7, null, "9007199254740993"])
    );
    assert_eq!(normalize(json!("{7}"), &shape), json!("{7}"));
    assert_eq!(
        normalize(json!([0.5, 1]), &ColumnKind::Vector),
        json!([0.5, 1.0])
    );
}
