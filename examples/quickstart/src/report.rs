//! Queries on `audit_log`, an entity like any other.

use std::collections::BTreeMap;
use std::path::Path;

use sea_orm::prelude::Json;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use sea_orm_audit::AuditedConnection;
use sea_orm_audit::entity::audit_log::{Column, Entity as AuditLog, Model as Record};
use sea_orm_audit::query::Change;

/// Objects with an interesting history: renamed, unchanged since the first edition, abolished, corrected twice, and
/// deleted after a correction.
const OBJECTS: [(&str, &str); 7] = [
    ("countries", "MKD"),
    ("countries", "SWZ"),
    ("countries", "TUR"),
    ("countries", "CZE"),
    ("subdivisions", "IT-23"),
    ("subdivisions", "NO-01"),
    ("languages", "slq"),
];

/// Prints a title.
pub fn title(text: &str) {
    println!("\n{text}\n{}", "─".repeat(text.chars().count()));
}

/// Counts the records by edition, model and action.
pub async fn summary(db: &AuditedConnection, seconds: f64) -> Result<(), DbErr> {
    let counted: Vec<(String, String, String, i64)> = AuditLog::find()
        .select_only()
        .columns([Column::Reason, Column::Model, Column::Action])
        .column_as(Column::Id.count(), "records")
        .group_by(Column::Reason)
        .group_by(Column::Model)
        .group_by(Column::Action)
        .into_tuple()
        .all(db)
        .await?;
    let all: i64 = counted.iter().map(|(.., records)| records).sum();
    let mut table: BTreeMap<(String, String), BTreeMap<String, i64>> = BTreeMap::new();
    for (reason, model, action, records) in counted {
        let actions = table.entry((reason, model)).or_default();
        actions.insert(action, records);
    }

    title(&format!("{all} changes recorded, {seconds:.1} s for all"));
    println!(
        "{:14}{:14}{:>8}{:>8}{:>8}",
        "reason", "model", "CREATE", "UPDATE", "DELETE"
    );
    let mut shown = String::new();
    for ((reason, model), actions) in table {
        let count = |action: &str| actions.get(action).map_or("-".to_owned(), i64::to_string);
        println!(
            "{:14}{model:14}{:>8}{:>8}{:>8}",
            if reason == shown { "" } else { &reason },
            count("CREATE"),
            count("UPDATE"),
            count("DELETE"),
        );
        shown = reason;
    }
    Ok(())
}

/// Lists the countries whose name or official name changed.
pub async fn renamed_countries(db: &AuditedConnection) -> Result<(), DbErr> {
    title("Countries renamed");
    let updates = AuditLog::find()
        .filter(Column::Model.eq("countries"))
        .filter(Column::Action.eq("UPDATE"))
        .order_by_asc(Column::ObjectId)
        .order_by_asc(Column::Id)
        .all(db)
        .await?;
    for record in &updates {
        for (field, change) in record.changed().iter().flat_map(|changes| changes.iter()) {
            if field == "name" || field == "official_name" {
                println!("{:5}{field:15}{}", object_id(record), as_text(change));
            }
        }
    }
    Ok(())
}

/// Prints the whole history of a few objects.
pub async fn histories(db: &AuditedConnection) -> Result<(), DbErr> {
    title("Full history of a few objects");
    for (model, id) in OBJECTS {
        let history = AuditLog::find()
            .filter(Column::Model.eq(model))
            .filter(Column::ObjectId.eq(id))
            .order_by_asc(Column::Id)
            .all(db)
            .await?;
        let shown = history.last().and_then(|last| last.object_repr.as_deref());
        println!("{model} {id}: {}", shown.unwrap_or_default());
        for record in &history {
            println!(
                "  {}  {}  {} by {}",
                record.occurred_at.format("%Y-%m-%d %H:%M:%S UTC"),
                record.action,
                record.reason.as_deref().unwrap_or_default(),
                record.actor_id.as_deref().unwrap_or_default(),
            );
            print_changes(record);
        }
    }
    Ok(())
}

/// An update field by field; the values of a created or deleted row on one line.
fn print_changes(record: &Record) {
    let changes = record.changed().unwrap_or_default();
    if record.action == "UPDATE" {
        for (field, change) in &changes {
            println!("      {field}: {}", as_text(change));
        }
    } else {
        let values: Vec<String> = (changes.iter())
            .filter(|(_, change)| {
                !(change.old_value().or(change.new_value())).is_some_and(Json::is_null)
            })
            .map(|(field, change)| format!("{field} {}", as_text(change)))
            .collect();
        println!("      {}", values.join(", "));
    }
}

fn object_id(record: &Record) -> &str {
    record.object_id.as_deref().unwrap_or_default()
}

/// `old → new`; a created or deleted row has only one of them.
fn as_text(change: &Change) -> String {
    match (change.old_value(), change.new_value()) {
        (Some(old), Some(new)) => format!("{old} → {new}"),
        (Some(value), None) | (None, Some(value)) => value.to_string(),
        (None, None) => "redacted".to_owned(),
    }
}

/// Prints how to query the database manually.
pub fn where_to_look(file: &Path) {
    title("The database");
    let file = file.display();
    println!(
        "{file}\nAny SQLite tool opens it. What changed in the list of countries, for instance:\n"
    );
    println!(
        "sqlite3 -box '{file}' \"SELECT reason, object_id, changes FROM audit_log \
         WHERE model = 'countries' AND action = 'UPDATE'\""
    );
    println!(
        "\nNext: `examples/quickstart/src/entity.rs` has the derives, `sync.rs` the context, `report.rs` these queries,\n\
         `past.rs` past states and undo.\n\
         `docs/getting-started.md` adds auditing to an application; `examples/axum-shop` is a whole one."
    );
}
