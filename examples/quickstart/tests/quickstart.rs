//! The log of the quickstart is correct: it equals the difference between the files, which is computed here
//! again, without an ORM and without the example's code.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub
)]

#[path = "../src/edition.rs"]
mod edition;
#[path = "../src/entity.rs"]
mod entity;
#[path = "../src/past.rs"]
mod past;
#[path = "../src/report.rs"]
mod report;
#[path = "../src/sync.rs"]
mod sync;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use indicatif::ProgressBar;
use sea_orm::prelude::Json;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, EntityTrait, QueryOrder};
use sea_orm_audit::AuditedConnection;
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::migration::{Migrator, MigratorTrait};
use serde_json::{Map, json};

use edition::{EDITIONS, Edition};

/// Column → value.
type Row = Map<String, Json>;
/// Key → row.
type File = BTreeMap<String, Row>;
/// (edition, model, key) → (action, changes).
type Log = BTreeMap<(String, String, String), (String, Json)>;

const MODELS: [&str; 3] = ["countries", "subdivisions", "languages"];

/// (edition, model) → created, updated, deleted rows, as counted by a third program in another language.
const COUNTS: [(&str, &str, [usize; 3]); 9] = [
    ("2018", "countries", [249, 0, 0]),
    ("2018", "subdivisions", [4836, 0, 0]),
    ("2018", "languages", [7847, 0, 0]),
    ("2024", "countries", [0, 9, 0]),
    ("2024", "subdivisions", [744, 1198, 534]),
    ("2024", "languages", [127, 139, 64]),
    ("2026", "countries", [0, 0, 0]),
    ("2026", "subdivisions", [0, 121, 0]),
    ("2026", "languages", [29, 147, 16]),
];

/// The content of a file, all columns as text; the first is the key.
fn read(edition: &str, model: &str) -> File {
    let file = format!("../data/iso/{edition}/{model}.csv");
    let mut reader =
        csv::Reader::from_path(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let columns = reader.headers().unwrap().clone();
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        let mut row: Row = (columns.iter().zip(&record))
            .map(|(column, value)| {
                let value = if value.is_empty() {
                    Json::Null
                } else {
                    json!(value)
                };
                (column.to_owned(), value)
            })
            .collect();
        // The only column that the table has and the file has not.
        if model == "subdivisions" {
            row.insert("country_code".to_owned(), json!(&record[0][..2]));
        }
        (record[0].to_owned(), row)
    });
    rows.collect()
}

/// The expected records of the step from one file to the next.
fn difference(edition: &str, model: &str, old: &File, new: &File) -> Log {
    let mut log = Log::new();
    let mut add = |key: &str, action: &str, changes: Row| {
        let at = (
            format!("edition {edition}"),
            model.to_owned(),
            key.to_owned(),
        );
        log.insert(at, (action.to_owned(), Json::Object(changes)));
    };
    let all = |row: &Row, side: &str| -> Row {
        row.iter()
            .map(|(column, value)| (column.clone(), json!({ side: value })))
            .collect()
    };
    for (key, row) in new {
        match old.get(key) {
            None => add(key, "CREATE", all(row, "new")),
            Some(before) if before != row => {
                let changed = row
                    .iter()
                    .filter(|(column, value)| before[*column] != **value)
                    .map(|(column, value)| {
                        (column.clone(), json!({"old": before[column], "new": value}))
                    });
                add(key, "UPDATE", changed.collect());
            }
            Some(_) => {}
        }
    }
    for (key, row) in old {
        if !new.contains_key(key) {
            add(key, "DELETE", all(row, "old"));
        }
    }
    log
}

/// A database after all editions.
async fn synchronised() -> Result<DatabaseConnection, Box<dyn Error>> {
    let db = Database::connect("sqlite::memory:").await?;
    Migrator::up(&db, None).await?;
    entity::create_tables(&db).await?;
    let audited = AuditedConnection::new(db.clone());
    for name in EDITIONS {
        sync::synchronise(&audited, Edition::read(name)?, &ProgressBar::hidden()).await?;
    }
    Ok(db)
}

#[tokio::test]
async fn the_log_is_the_difference_between_the_files() -> Result<(), Box<dyn Error>> {
    let db = synchronised().await?;
    let records = audit_log::Entity::find()
        .order_by_asc(audit_log::Column::Id)
        .all(&db)
        .await?;

    every_record_says_who_and_why(&records);
    every_record_is_expected_and_none_is_missing(&records);
    replaying_the_records_gives_the_last_files(&records);
    the_tables_hold_the_last_files(&db).await?;
    foreign_keys_are_real_and_hold(&db).await?;
    Ok(())
}

fn every_record_says_who_and_why(records: &[audit_log::Model]) {
    for record in records {
        assert_eq!(record.actor_type, "SERVICE");
        assert_eq!(record.actor_id.as_deref(), Some("iso-sync"));
        assert_eq!(record.outcome, "SUCCESS");
        let changes = record.changes.as_ref().unwrap();
        // A created or updated object is shown with its new name, a deleted one with its last.
        let name = &changes["name"];
        let name = name.get("new").or_else(|| name.get("old"));
        if let Some(name) = name {
            let shown = format!(
                "{} ({})",
                name.as_str().unwrap(),
                record.object_id.as_deref().unwrap()
            );
            assert_eq!(record.object_repr, Some(shown));
        }
    }
}

fn every_record_is_expected_and_none_is_missing(records: &[audit_log::Model]) {
    let mut expected = Log::new();
    for model in MODELS {
        let mut old = File::new();
        for edition in EDITIONS {
            let new = read(edition, model);
            expected.append(&mut difference(edition, model, &old, &new));
            old = new;
        }
    }

    let mut found = Log::new();
    let mut counts: BTreeMap<(String, String), [usize; 3]> = BTreeMap::new();
    for record in records.iter().cloned() {
        let (reason, model) = (record.reason.unwrap(), record.model.unwrap());
        let at = ["CREATE", "UPDATE", "DELETE"]
            .iter()
            .position(|action| *action == record.action)
            .unwrap();
        counts.entry((reason.clone(), model.clone())).or_default()[at] += 1;
        let key = (reason, model, record.object_id.unwrap());
        let twice = found.insert(key, (record.action, record.changes.unwrap()));
        assert_eq!(twice, None, "two records of one change");
    }

    for (edition, model, expected) in COUNTS {
        let key = (format!("edition {edition}"), model.to_owned());
        let counted = counts.remove(&key).unwrap_or_default();
        assert_eq!(counted, expected, "{model} in edition {edition}");
    }
    assert!(counts.is_empty(), "records of something else: {counts:?}");

    // No `assert_eq` of both: its message would have megabytes.
    for (key, expected) in &expected {
        assert_eq!(found.remove(key).as_ref(), Some(expected), "{key:?}");
    }
    assert!(found.is_empty(), "records of nothing: {found:?}");
}

fn replaying_the_records_gives_the_last_files(records: &[audit_log::Model]) {
    let mut state: BTreeMap<String, File> = BTreeMap::new();
    for record in records {
        let file = state.entry(record.model.clone().unwrap()).or_default();
        let row = file.entry(record.object_id.clone().unwrap()).or_default();
        for (column, change) in record.changes.as_ref().unwrap().as_object().unwrap() {
            assert_eq!(row.get(column), change.get("old"), "{record:?}");
            match change.get("new") {
                Some(new) => row.insert(column.clone(), new.clone()),
                None => row.remove(column),
            };
        }
        if record.action == "DELETE" {
            assert!(row.is_empty(), "left after its deletion: {row:?}");
            file.remove(record.object_id.as_ref().unwrap());
        }
    }
    for model in MODELS {
        assert!(state[model] == read("2026", model), "{model}");
    }
}

async fn the_tables_hold_the_last_files(db: &DatabaseConnection) -> Result<(), Box<dyn Error>> {
    for model in MODELS {
        assert!(table(db, model).await? == read("2026", model), "{model}");
    }
    Ok(())
}

/// The content of a table, in the form of a file.
async fn table(db: &DatabaseConnection, model: &str) -> Result<File, Box<dyn Error>> {
    let sql = format!("SELECT * FROM {model}");
    let statement = sea_orm::Statement::from_string(db.get_database_backend(), sql);
    let mut rows = File::new();
    for row in db.query_all_raw(statement).await? {
        let row = row
            .column_names()
            .into_iter()
            .map(|column| {
                let value: Option<String> = row.try_get("", &column)?;
                Ok((column, json!(value)))
            })
            .collect::<Result<Row, sea_orm::DbErr>>()?;
        let key = row.get("code").or_else(|| row.get("alpha_3"));
        let key = key.and_then(Json::as_str).unwrap().to_owned();
        assert!(rows.insert(key, row).is_none(), "{model} has a key twice");
    }
    Ok(rows)
}

async fn foreign_keys_are_real_and_hold(db: &DatabaseConnection) -> Result<(), Box<dyn Error>> {
    let ask = async |sql: &str| {
        let sql = sea_orm::Statement::from_string(db.get_database_backend(), sql);
        db.query_all_raw(sql).await.map(|rows| rows.len())
    };
    assert_eq!(ask("PRAGMA foreign_key_list(subdivisions)").await?, 2);
    assert_eq!(ask("PRAGMA foreign_key_check").await?, 0);
    let orphan = "INSERT INTO subdivisions VALUES ('XX-1', 'a', 'b', NULL, 'XX')";
    let refused = db.execute_unprepared(orphan).await.unwrap_err();
    assert!(refused.to_string().contains("FOREIGN KEY"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn past_editions_are_read_and_written_back() -> Result<(), Box<dyn Error>> {
    let db = AuditedConnection::new(synchronised().await?);
    // The first file has 19 counties, the last one 15 others, of which some have the same names.
    let file = read("2018", "subdivisions");
    let expected: Vec<String> = (file.iter())
        .filter(|(code, _)| code.starts_with("NO-"))
        .map(|(_, row)| row["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(expected.len() > 15);
    assert_eq!(past::counties_of_then(&db).await?, expected);
    for (edition, before) in [("2026", "2024"), ("2024", "2018")] {
        past::undo(&db, edition).await?;
        for model in MODELS {
            let rows = table(db.unaudited(), model).await?;
            assert!(rows == read(before, model), "{model} before {edition}");
        }
        assert!(past::is_edition(&db, before).await?);
        assert!(!past::is_edition(&db, edition).await?);
    }
    Ok(())
}
