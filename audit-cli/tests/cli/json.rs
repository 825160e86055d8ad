//! `--json`: every line is JSON, and has what the tables have.

use sea_orm_audit::query::AuditQuery;
use serde_json::{Value, json};

use crate::program::{json, output, run, url};
use crate::sample::fill;
use crate::support::{TestDb, TestResult};

on_every_database! {
    every_command_writes_json_lines,
    log_has_the_records_of_the_query,
    cursor_continues_where_the_page_ended,
    event_is_resolved_once,
}

async fn every_command_writes_json_lines(db: &TestDb) -> TestResult {
    fill(db).await?;
    for (args, lines) in [
        (vec!["log"], 9),
        (vec!["log", "--all"], 9),
        (vec!["show", "3"], 1),
        (vec!["history", "product", "1"], 3),
        (vec!["diff", "product", "1", "v1", "v2"], 1),
        (vec!["blame", "product", "1"], 4),
        (vec!["as-of", "product", "1", "2026-03-03"], 1),
        (vec!["logins"], 2),
        (vec!["logins", "--failed", "--user", "ann"], 1),
        (vec!["events"], 1),
        (vec!["exports"], 1),
        (vec!["exports", "--open"], 0),
        (vec!["summary", "--days", "3650"], 1),
        (vec!["stats"], 1),
        (vec!["undo"], 1),
    ] {
        let found = json(&url(db), &args)?;
        assert_eq!(found.len(), lines, "{args:?}: {found:?}");
        assert!(found.iter().all(Value::is_object));
        // The tables are written, too.
        output(&url(db), &args)?;
    }
    let doctor = json(&url(db), &["doctor"])?;
    assert!(
        doctor.iter().all(|check| check["status"] != "problem"),
        "{doctor:?}"
    );
    let summary = json(&url(db), &["summary", "--days", "3650"])?;
    assert_eq!(
        summary[0]["by_model"][0],
        json!({ "name": "product", "count": 5 })
    );
    let stats = json(&url(db), &["stats"])?;
    assert_eq!(stats[0]["tables"][0]["rows"], 9);
    assert!(
        stats[0]["tables"][0]["bytes"].as_i64() > Some(0),
        "{stats:?}"
    );
    assert_eq!(stats[0]["oldest"], "2026-03-02T09:00:00.000000Z");
    Ok(())
}

async fn log_has_the_records_of_the_query(db: &TestDb) -> TestResult {
    fill(db).await?;
    for text in [
        "",
        "model:product",
        "model:product action:update field:price",
        "actor:7 -action:create",
        "\"ann lee\"",
        "created:2026-03-03..2026-03-04",
    ] {
        let query: AuditQuery = text.parse()?;
        let expected = query.pages().size(100).first(&db.conn).await?;
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let found = json(&url(db), &[&["log"], words.as_slice()].concat())?;
        let ids = |record: &Value| record["id"].as_i64();
        assert_eq!(
            found.iter().filter_map(ids).collect::<Vec<_>>(),
            expected
                .records
                .iter()
                .map(|record| record.id)
                .collect::<Vec<_>>(),
            "{text}"
        );
        assert!(!found.is_empty(), "{text}");
    }
    let excluded = json(&url(db), &["log", "--", "-tea", "model:product"])?;
    assert_eq!(excluded.len(), 2);
    Ok(())
}

async fn cursor_continues_where_the_page_ended(db: &TestDb) -> TestResult {
    fill(db).await?;
    let mut ids = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut args = vec!["log", "model:product", "-n", "2"];
        if let Some(cursor) = &cursor {
            args.extend(["--cursor", cursor]);
        }
        let page = output(&url(db), &args)?;
        cursor = None;
        for line in page.lines().skip(1) {
            match line.strip_prefix("older records: --cursor ") {
                Some(text) => cursor = Some(text.to_owned()),
                None => ids.push(line.split(' ').next().unwrap_or_default().to_owned()),
            }
        }
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(ids, ["5", "4", "3", "2", "1"]);
    Ok(())
}

async fn event_is_resolved_once(db: &TestDb) -> TestResult {
    fill(db).await?;
    let resolve = ["events", "resolve", "1", "--note", "restarted"];
    assert_eq!(output(&url(db), &resolve)?, "event 1 is resolved\n");
    let event = db.events().await?.remove(0);
    assert_eq!(
        (
            event.resolved,
            event.resolved_by.as_deref(),
            event.resolution_note.as_deref()
        ),
        (true, Some("ann"), Some("restarted"))
    );
    assert_eq!(output(&url(db), &["events"])?, "no events\n");
    assert_eq!(json(&url(db), &["events", "--resolved"])?.len(), 1);
    for (id, message) in [("1", "is resolved already"), ("99", "there is no event 99")] {
        let done = run(&url(db), &["events", "resolve", id, "--note", "x"])?;
        assert_eq!(done.code, Some(1));
        assert!(done.err.contains(message), "{done:?}");
    }
    Ok(())
}
