//! A table that accepts any value, as SQLite permits.

use serde_json::{Value, json};

use crate::client::{captured, changes, sqlite3, text, triggers};
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on!(sqlite:
        values_of_another_type_are_kept_as_they_are,
        documents_that_cannot_be_read_again_are_kept_as_text,
        every_column_can_be_renamed,
    );
}

mod anything {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "loose")]
    #[audit(capture = "trigger", tenant = "instant")]
    #[audit(
        display = "{yes}{number}{double}{decimal}{text}{bytes}{uuid}{json}{date}{time}{naive}{instant}"
    )]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub yes: Option<bool>,
        pub number: Option<i64>,
        pub double: Option<f64>,
        pub decimal: Option<Decimal>,
        pub text: Option<String>,
        pub bytes: Option<Vec<u8>>,
        pub uuid: Option<Uuid>,
        pub json: Option<Json>,
        pub date: Option<Date>,
        pub time: Option<Time>,
        pub naive: Option<DateTime>,
        pub instant: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// A table without types accepts any value.
async fn loose(db: &TestDb) -> TestResult {
    sqlite3(
        db,
        "CREATE TABLE loose (id INTEGER PRIMARY KEY, yes, number, double, decimal, text, bytes, uuid, \
         json, date, time, naive, instant)",
    )
    .await?;
    triggers::<anything::Entity>(db).await
}

async fn values_of_another_type_are_kept_as_they_are(db: &TestDb) -> TestResult {
    loose(db).await?;
    let columns = [
        "yes", "number", "double", "decimal", "text", "bytes", "uuid", "json", "date", "time",
        "naive", "instant",
    ];
    let hex = json!({"hex": "cafe"});
    for (sql, common, others) in [
        ("x'cafe'", &hex, &[("bytes", json!("cafe"))][..]),
        ("'soon'", &json!("soon"), &[("bytes", json!("736f6f6e"))]),
        (
            "7",
            &json!(7),
            &[
                ("decimal", json!("7")),
                ("double", json!(7.0)),
                ("text", json!("7")),
                ("date", json!("7")),
            ],
        ),
        ("1.5", &json!(1.5), &[("decimal", json!("1.5"))]),
        (
            "'caf' || CAST(x'e9' AS TEXT)",
            &json!({"hex": "636166e9"}),
            &[("bytes", json!("636166e9"))],
        ),
        ("1e999", &json!("Infinity"), &[]),
        ("NULL", &json!(null), &[]),
    ] {
        let row = vec![sql; columns.len()].join(", ");
        sqlite3(db, &format!("INSERT INTO loose VALUES (1, {row})")).await?;
        let created = changes(db).await?;
        for column in columns {
            let special = others.iter().find(|(name, _)| *name == column);
            let expected = special.map_or(common, |(_, value)| value);
            assert_eq!(created[column]["new"], *expected, "{sql} {column}");
        }
        sqlite3(db, "UPDATE loose SET text = 'x'; DELETE FROM loose").await?;
        db.forget().await?;
    }
    Ok(())
}

async fn documents_that_cannot_be_read_again_are_kept_as_text(db: &TestDb) -> TestResult {
    loose(db).await?;
    let digits = format!("[{}]", "9".repeat(400));
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let wide = format!("[{}1]", "[[1]],".repeat(300));
    for (document, is_text) in [
        ("{", true),
        ("[1,]", true),
        ("{a: 1}", true),
        ("", true),
        ("[1e999]", true),
        (&digits, true),
        (&deep, true),
        (r#"["\ud800"]"#, true),
        (r#"{"\udc00x": 1}"#, true),
        (r#"["\ud83e\udd80"]"#, false),
        (r#"["\\ud800"]"#, false),
        ("[1e99, -0.0, 12345678901234567890123]", false),
        (&wide, false),
        ("null", false),
    ] {
        sqlite3(
            db,
            &format!("INSERT INTO loose (id, json) VALUES (1, '{document}'); DELETE FROM loose"),
        )
        .await?;
        for record in db.records().await? {
            let changes = record.changes.ok_or("no changes")?;
            let word = if record.action == "CREATE" {
                "new"
            } else {
                "old"
            };
            let expected: Value = if is_text {
                json!(document)
            } else {
                serde_json::from_str(document)?
            };
            assert_eq!(changes["json"][word], expected, "{document}");
        }
        db.forget().await?;
    }
    Ok(())
}

/// SQLite searches almost every part of a trigger for a renamed column.
async fn every_column_can_be_renamed(db: &TestDb) -> TestResult {
    captured(db, anything::Entity).await?;
    let columns = "SELECT group_concat(name) AS text FROM pragma_table_info('loose')";
    let columns = text(db, columns).await?.ok_or("no columns")?;
    for column in columns.split(',') {
        sqlite3(
            db,
            &format!("ALTER TABLE loose RENAME COLUMN \"{column}\" TO \"{column}_2\""),
        )
        .await?;
    }
    sqlite3(db, "INSERT INTO loose (id_2, text_2) VALUES (7, 'a')").await?;
    let record = db.record().await?;
    assert_eq!(record.object_id.as_deref(), Some("7"));
    assert_eq!(
        record.changes.ok_or("no changes")?["text"],
        json!({"new": "a"})
    );
    Ok(())
}
