//! Text of the log that would control a terminal.

use sea_orm::{EntityTrait, NotSet, Set};
use sea_orm_audit::entity::{
    audit_data_export, audit_log, audit_login_attempt, audit_system_event,
};
use serde_json::json;

use crate::program::{json, run, url};
use crate::sample::insert;
use crate::support::{TestDb, TestResult};

on_every_database! {
    hostile_text_does_not_reach_the_terminal,
}

/// Clears the screen, sets the title, hides a link, turns the text around, forges a line.
const HOSTILE: &str =
    "x\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\u{202e}cod\u{2066}\r\nERROR forged\u{2028}\u{7f}\u{8}";

async fn fill(db: &TestDb) -> TestResult<i64> {
    let text = || Some(HOSTILE.to_owned());
    // Words of bounded columns are as hostile as they can be.
    let word = || "A\u{1b}[31m\u{202e}".to_owned();
    let now: sea_orm::prelude::DateTimeUtc = "2026-03-05T10:30:15Z".parse()?;
    let number = insert(
        db,
        audit_log::ActiveModel {
            id: NotSet,
            occurred_at: Set(now),
            action: Set("UPDATE".to_owned()),
            outcome: Set(word()),
            model: Set(text()),
            object_id: Set(text()),
            object_repr: Set(Some(format!("label {HOSTILE}"))),
            changes: Set(Some(
                json!({ HOSTILE: { "old": HOSTILE, "new": { HOSTILE: [HOSTILE] } } }),
            )),
            actor_type: Set(word()),
            actor_id: Set(text()),
            actor_name: Set(text()),
            impersonator_id: Set(text()),
            ip_address: Set(Some(word())),
            user_agent: Set(text()),
            session_key: Set(Some(word())),
            request_id: Set(text()),
            trace_id: Set(text()),
            transaction_id: Set(None),
            tenant: Set(text()),
            reason: Set(text()),
            module: Set(text()),
            source: Set(word()),
            metadata: Set(Some(json!({ HOSTILE: HOSTILE }))),
        },
    )
    .await?;
    audit_login_attempt::Entity::insert(audit_login_attempt::ActiveModel {
        occurred_at: Set(now),
        username: Set(text()),
        status: Set(word()),
        failure_reason: Set(text()),
        actor_type: Set(word()),
        actor_name: Set(text()),
        country: Set(text()),
        city: Set(text()),
        ..Default::default()
    })
    .exec(&db.conn)
    .await?;
    audit_system_event::Entity::insert(audit_system_event::ActiveModel {
        occurred_at: Set(now),
        event_type: Set(word()),
        title: Set(HOSTILE.to_owned()),
        description: Set(text()),
        module: Set(text()),
        actor_type: Set(word()),
        occurrences: Set(1),
        resolved: Set(false),
        metadata: Set(Some(json!({ HOSTILE: HOSTILE }))),
        ..Default::default()
    })
    .exec(&db.conn)
    .await?;
    audit_data_export::Entity::insert(audit_data_export::ActiveModel {
        occurred_at: Set(now),
        outcome: Set("OPEN".to_owned()),
        actor_type: Set(word()),
        actor_name: Set(text()),
        export_type: Set(HOSTILE.to_owned()),
        file_format: Set(Some(word())),
        file_path: Set(text()),
        filters_applied: Set(Some(json!({ HOSTILE: HOSTILE }))),
        download_count: Set(0),
        ..Default::default()
    })
    .exec(&db.conn)
    .await?;
    Ok(number)
}

fn is_hostile(char: char) -> bool {
    matches!(char, '\0'..='\u{9}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{61c}'
        | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

async fn hostile_text_does_not_reach_the_terminal(db: &TestDb) -> TestResult {
    let number = fill(db).await?.to_string();
    let commands: &[&[&str]] = &[
        &["log"],
        &["show", &number],
        &["history", HOSTILE, HOSTILE],
        &["diff", HOSTILE, HOSTILE, "v1", "v1"],
        &["blame", HOSTILE, HOSTILE],
        &["as-of", HOSTILE, HOSTILE, "today"],
        &["logins"],
        &["events", "--resolved"],
        &["exports"],
        &["summary", "--days", "3650"],
        &["stats"],
        &["doctor"],
        // Messages of errors.
        &["history", "banana", "1"],
        &["history", HOSTILE, "1"],
        &["log", HOSTILE],
        &["log", "model:banana"],
        &["diff", HOSTILE, HOSTILE, HOSTILE, "v1"],
        &["as-of", HOSTILE, HOSTILE, HOSTILE],
        &["export", "-f", "csv", "-o", "/nowhere\u{1b}[2J/x"],
    ];
    let mut shown = 0;
    for args in commands {
        for extra in [&[] as &[&str], &["--json"]] {
            let done = run(&url(db), &[*args, extra].concat())?;
            let text = format!("{}{}", done.out, done.err);
            assert!(!text.contains(is_hostile), "{args:?} {extra:?}: {text:?}");
            assert!(
                !text.contains("\nERROR forged"),
                "{args:?} {extra:?}: {text:?}"
            );
            shown += usize::from(text.contains('␛') || text.contains("\\u001b"));
        }
    }
    assert!(shown > 20, "{shown}");
    // Scripts get the exact text.
    let record = json(&url(db), &["show", &number])?;
    assert_eq!(record[0]["reason"], HOSTILE);
    assert_eq!(record[0]["metadata"][HOSTILE], HOSTILE);
    Ok(())
}
