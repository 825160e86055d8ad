//! Values that the driver reads as others: what changes from one to another is recorded, as the database writes it.

use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::{Value as Json, json};

use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, run, same};
use crate::support::{TestDb, TestResult};

on_every_database! {
    values_that_the_driver_rounds_are_recorded,
    numbers_of_json_that_the_driver_reads_as_they_are_stay_json,
}

mod postgres_lists {
    crate::support::tests_on!(postgres: elements_that_the_driver_rounds_are_recorded);
}

const NINES: &str = "9999999999999999999999999999999999999999";

/// Columns with values in SQL, each of which the driver reads as the one before it or not at all; and as they are
/// recorded.
fn rounded(backend: DbBackend) -> Vec<(&'static str, Vec<(String, Json)>)> {
    let text = |text: &str| (format!("'{text}'"), json!(text));
    let number = |number: &str| (number.to_owned(), json!(number));
    let big = r#"{"a": [123456789012345678901, 0.1]}"#;
    let bigger = r#"{"a": [123456789012345678902, 0.1]}"#;
    let plain = (r#"'{"a": [1]}'"#.to_owned(), json!({"a": [1]}));
    let mut all = vec![("doc", vec![text(big), text(bigger), plain, text(big)])];
    let nine = NINES.to_owned();
    let nine_less = NINES.replacen('9', "8", 1);
    match backend {
        DbBackend::Sqlite => {}
        DbBackend::Postgres => all.extend([
            (
                "price",
                vec![
                    number(&nine),
                    number(&format!("{nine}.5")),
                    number(&format!(
                        "-{nine_less}.000000000000000000000000000000000000001"
                    )),
                    number("2.5"),
                    text("NaN"),
                ],
            ),
            (
                "day",
                vec![text("infinity"), text("2020-02-02"), text("-infinity")],
            ),
            (
                "time",
                vec![
                    text("00:00:00.000000"),
                    text("24:00:00.000000"),
                    text("23:59:59.999999"),
                ],
            ),
            (
                "moment",
                vec![
                    text("-infinity"),
                    text("infinity"),
                    text("2020-02-02T00:00:00.000000"),
                ],
            ),
        ]),
        _ => all.extend([
            (
                "price",
                vec![number(&nine), number(&nine_less), number("2.5")],
            ),
            (
                "day",
                vec![
                    ("NULL".to_owned(), json!(null)),
                    text("0000-00-00"),
                    text("2020-00-00"),
                    text("2020-02-02"),
                ],
            ),
            (
                "time",
                vec![
                    text("01:00:00.000000"),
                    text("-01:00:00"),
                    text("25:00:00"),
                    text("838:59:58"),
                ],
            ),
            (
                "moment",
                vec![
                    ("NULL".to_owned(), json!(null)),
                    text("0000-00-00 00:00:00"),
                    text("2020-02-00 01:02:03"),
                    text("2020-02-02T00:00:00.000000"),
                ],
            ),
        ]),
    }
    all
}

async fn tables(db: &TestDb) -> TestResult<Oracle<'_>> {
    let columns = match db.backend() {
        DbBackend::Sqlite => "price TEXT, doc JSON, day DATE, time TIME, moment DATETIME",
        DbBackend::MySql => "price DECIMAL(65, 20), doc JSON, day DATE, time TIME, moment DATETIME",
        _ => "price NUMERIC, doc JSONB, day DATE, time TIME, moment TIMESTAMP",
    };
    let setup = [
        format!("CREATE TABLE precise (id INTEGER PRIMARY KEY, {columns}, note VARCHAR(9))"),
        "INSERT INTO precise (id) VALUES (1)".to_owned(),
    ];
    Oracle::new(db, &[Table::of("precise")], setup).await
}

async fn values_that_the_driver_rounds_are_recorded(db: &TestDb) -> TestResult {
    let oracle = tables(db).await?;
    for (column, values) in rounded(db.backend()) {
        let mut old = None;
        for (sql, new) in values {
            for statement in [
                format!("UPDATE precise SET {column} = {sql}, note = 'n' WHERE id = 1"),
                "UPDATE precise SET note = 'm'".to_owned(),
            ] {
                // Rows are not read here: sqlx panics at infinite dates.
                let expected = run(&oracle.bare.conn, Call::Execute, &statement, &[]).await;
                let got = run(&oracle.audited, Call::Execute, &statement, &[]).await;
                same(&statement, &expected, &got);
                assert!(!got.is_failure(), "{got:?}");
            }
            let log = db.records().await?;
            let [.., set, noted] = log.as_slice() else {
                return Err("two records".into());
            };
            let changes = set.changes.clone().unwrap_or_default();
            assert_eq!(changes[column]["new"], new, "{column} {sql}");
            if let Some(old) = old {
                assert_eq!(changes[column]["old"], old, "{column} {sql}");
            }
            let changes = noted.changes.clone().unwrap_or_default();
            assert_eq!(
                changes,
                json!({"note": {"old": "n", "new": "m"}}),
                "{column} {sql}"
            );
            old = Some(new);
        }
    }
    assert!(crate::oracle::reports(db).await?.is_empty());
    oracle.executes("DELETE FROM precise").await;
    let log = db.records().await?;
    let last = log.last().and_then(|record| record.changes.clone());
    let doc = last.unwrap_or_default()["doc"]["old"].clone();
    assert_eq!(doc, json!(r#"{"a": [123456789012345678901, 0.1]}"#));
    Ok(())
}

async fn elements_that_the_driver_rounds_are_recorded(db: &TestDb) -> TestResult {
    let setup = [
        "CREATE TABLE precise_list (id INTEGER PRIMARY KEY, docs JSONB[], times TIME[], doc JSONB)",
        "INSERT INTO precise_list (id) VALUES (1)",
    ];
    let oracle = Oracle::new(db, &[Table::of("precise_list")], setup).await?;
    let big = |last: u8| format!("[12345678901234567890{last}]");
    for (column, sql, new) in [
        (
            "docs",
            format!("ARRAY['{}', '1', NULL]::jsonb[]", big(1)),
            json!([big(1), 1, null]),
        ),
        (
            "docs",
            format!("ARRAY['{}', '1', NULL]::jsonb[]", big(2)),
            json!([big(2), 1, null]),
        ),
        ("docs", "ARRAY['[0.5]']::jsonb[]".to_owned(), json!([[0.5]])),
        ("docs", "ARRAY[]::jsonb[]".to_owned(), json!([])),
        (
            "times",
            "ARRAY['00:00', '01:02:03.5']::time[]".to_owned(),
            json!(["00:00:00.000000", "01:02:03.500000"]),
        ),
        (
            "times",
            "ARRAY['24:00', '01:02:03.5']::time[]".to_owned(),
            json!(["24:00:00.000000", "01:02:03.500000"]),
        ),
        ("doc", format!("'{}'", big(1)), json!(big(1))),
        ("doc", format!("'{}'", big(2)), json!(big(2))),
    ] {
        let update = format!("UPDATE precise_list SET {column} = {sql}");
        let expected = run(&oracle.bare.conn, Call::Execute, &update, &[]).await;
        let got = run(&oracle.audited, Call::Execute, &update, &[]).await;
        same(&update, &expected, &got);
        let log = db.records().await?;
        let changes = log.last().and_then(|record| record.changes.clone());
        assert_eq!(changes.unwrap_or_default()[column]["new"], new, "{update}");
    }
    assert_eq!(db.records().await?.len(), 8);
    assert!(crate::oracle::reports(db).await?.is_empty());
    Ok(())
}

async fn numbers_of_json_that_the_driver_reads_as_they_are_stay_json(db: &TestDb) -> TestResult {
    let oracle = tables(db).await?;
    let doc =
        r#"{"a": 18446744073709551615, "b": 0.30000000000000004, "c": "123456789012345678901"}"#;
    oracle
        .executes(&format!("UPDATE precise SET doc = '{doc}'"))
        .await;
    let log = db.records().await?;
    let changes = log[0].changes.clone().unwrap_or_default();
    assert_eq!(changes["doc"]["new"], serde_json::from_str::<Json>(doc)?);
    assert_eq!(changes["doc"]["old"], Json::Null);
    Ok(())
}
