//! The log as the history of the tables: its result must equal the tables.

use std::collections::BTreeMap;

use sea_orm::prelude::Json;
use serde_json::Map;

use crate::client::value;
use crate::support::{TestDb, TestResult};

type Rows = BTreeMap<(String, String), Map<String, Json>>;

/// Applies all records to empty tables, whose key is `id`, and compares the result with the tables.
pub(crate) async fn replay(db: &TestDb, tables: &[&str]) -> TestResult {
    let mut rows = Rows::new();
    for record in db.records().await? {
        let model = record.model.clone().ok_or("no model")?;
        let id = record.object_id.clone().ok_or("no object id")?;
        let changes = record.changed().ok_or("no changes")?;
        let before = rows.remove(&(model.clone(), id));
        assert_eq!(before.is_some(), record.action != "CREATE", "{record:#?}");
        let mut row = before.unwrap_or_default();
        for (field, change) in &changes {
            assert_eq!(change.old_value(), row.get(field), "{record:#?}");
        }
        changes.apply(&mut row);
        if record.action == "DELETE" {
            assert!(row.is_empty(), "{record:#?}");
        } else {
            let id = row["id"].to_string();
            assert_eq!(rows.insert((model, id), row), None, "{record:#?}");
        }
        assert_eq!(record.source, "TRIGGER");
    }
    let mut there = Rows::new();
    for table in tables {
        let sql = format!("SELECT COALESCE(jsonb_agg(to_jsonb(t)), '[]') FROM {table} t");
        let held: Json = value(db, &sql).await?;
        for row in held.as_array().ok_or("no array")? {
            let row = row.as_object().ok_or("no object")?.clone();
            there.insert(((*table).to_owned(), row["id"].to_string()), row);
        }
    }
    assert_eq!(rows, there);
    Ok(())
}
