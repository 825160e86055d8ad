//! `history`, `diff`, `blame` and `as-of`: the states are those of the application's own history.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::query::AuditHistory;
use serde_json::{Value, json};

use crate::program::{json, output, run, url};
use crate::sample::{fill, product};
use crate::support::{TestDb, TestResult};

on_every_database! {
    history_equals_that_of_the_application,
    diff_names_versions_and_records,
    blame_equals_that_of_the_application,
    past_is_present_absent_or_unknown,
}

fn state_of(state: &sea_orm_audit::query::ObjectState) -> Value {
    let fields = state.iter().map(|(name, field)| {
        let field = match field.value() {
            Some(value) => json!({ "value": value }),
            None => json!({ "unknown": "redacted" }),
        };
        (name.to_owned(), field)
    });
    Value::Object(fields.collect())
}

async fn history_equals_that_of_the_application(db: &TestDb) -> TestResult {
    fill(db).await?;
    for id in [1, 2] {
        let expected = product::Entity::history(id).all(&db.conn).await?;
        let found = json(&url(db), &["history", "product", &id.to_string()])?;
        assert_eq!(found.len(), expected.len());
        for ((at, line), version) in found.iter().enumerate().zip(&expected) {
            assert_eq!(line["version"], at + 1);
            assert_eq!(line["record"]["id"], version.record.id);
            assert_eq!(line["record"]["changes"], json!(version.record.changes));
            let state = version.state.as_ref().map_or(Value::Null, state_of);
            assert_eq!(line["state"], state);
        }
    }
    let text = output(&url(db), &["history", "product", "1"])?;
    assert!(text.contains("v2  record 3  UPDATE  2026-03-03 09:01:00  user 8 (Bob)  \"new prices\"\n  - price: 450\n  + price: 490\n"), "{text}");
    assert!(text.contains("~ supplier_code: (redacted)"), "{text}");
    Ok(())
}

async fn diff_names_versions_and_records(db: &TestDb) -> TestResult {
    fill(db).await?;
    let by_version = json(&url(db), &["diff", "product", "1", "v1", "v3"])?;
    assert_eq!(
        by_version,
        json(&url(db), &["diff", "product", "1", "1", "4"])?
    );
    let expected = [
        json!({ "field": "name", "from": { "value": "Tea" }, "to": { "value": "Green tea" } }),
        json!({ "field": "price", "from": { "value": 450 }, "to": { "value": 490 } }),
    ];
    assert_eq!(by_version, expected);
    // Backwards, and to a deleted object.
    let back = json(&url(db), &["diff", "product", "1", "v3", "v1"])?;
    assert_eq!(
        back[1],
        json!({ "field": "price", "from": { "value": 490 }, "to": { "value": 450 } })
    );
    let deleted = output(&url(db), &["diff", "product", "2", "v1", "v2"])?;
    assert!(
        deleted.contains("deleted")
            && deleted.contains("- name: \"Mug\"")
            && !deleted.contains('+'),
        "{deleted}"
    );
    Ok(())
}

async fn blame_equals_that_of_the_application(db: &TestDb) -> TestResult {
    fill(db).await?;
    let expected = product::Entity::history(1).blame(&db.conn).await?;
    let found = json(&url(db), &["blame", "product", "1"])?;
    let records = |field: &str| {
        found
            .iter()
            .find(|line| line["field"] == field)
            .map(|line| line["record"]["id"].clone())
    };
    for blame in &expected {
        let record = blame.record.as_ref().map(|record| json!(record.id));
        assert_eq!(records(&blame.field), record, "{}", blame.field);
    }
    assert_eq!(found.len(), expected.len());
    let done = run(&url(db), &["blame", "product", "2"])?;
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("is deleted, by record 5"), "{done:?}");
    Ok(())
}

async fn past_is_present_absent_or_unknown(db: &TestDb) -> TestResult {
    fill(db).await?;
    let url = url(db);
    for (id, time, state, price) in [
        ("1", "2026-03-02", "absent", Value::Null),
        ("1", "2026-03-02T09:00:00", "present", json!(450)),
        ("1", "2026-03-03", "present", json!(450)),
        ("1", "2026-03-03T09:01", "present", json!(490)),
        ("1", "today", "present", json!(490)),
        ("2", "2026-03-04T09:01:04", "present", json!(900)),
        ("2", "2026-03-04T09:01:05", "absent", Value::Null),
    ] {
        let found = json(&url, &["as-of", "product", id, time])?;
        assert_eq!(found[0]["state"], state, "{id} {time}");
        assert_eq!(found[0]["fields"]["price"]["value"], price, "{id} {time}");
    }
    // The log begins with a change of a row that is older.
    audit_log::Entity::delete_many()
        .filter(audit_log::Column::Id.eq(1))
        .exec(&db.conn)
        .await?;
    let before = json(&url, &["as-of", "product", "1", "2026-03-03"])?;
    assert_eq!(before[0]["state"], "present");
    assert_eq!(before[0]["fields"]["price"], json!({ "value": 450 }));
    assert_eq!(before[0]["record"], Value::Null);
    audit_log::Entity::delete_many()
        .filter(audit_log::Column::Id.eq(2))
        .exec(&db.conn)
        .await?;
    let done = run(&url, &["as-of", "product", "1", "2026-03-03"])?;
    assert_eq!(done.code, Some(1));
    assert!(done.out.contains("is not known at"), "{done:?}");
    Ok(())
}
