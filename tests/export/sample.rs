//! Records of all kinds, with text that is hard to write.

use sea_orm::prelude::{DateTimeUtc, Json};
use sea_orm::{EntityTrait, NotSet, QueryOrder, Set};
use sea_orm_audit::entity::audit_log::{self, Column, Entity};
use serde_json::json;

use crate::support::{TestDb, TestResult};

/// Texts that formats and spreadsheets treat in their own way.
pub(crate) const TEXTS: [&str; 20] = [
    "",
    "Tea",
    "=1+1",
    "+49 30 1234",
    "-5",
    "@SUM(A1:A9)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "=HYPERLINK(\"http://x\",\"y\")",
    "a,b;c",
    "say \"no\"",
    "two\r\nlines",
    "'=1",
    " =1",
    "Zoë 山田 👩‍⚕️",
    "\u{202e}nna\u{1b}[2J",
    "null",
    "5",
];

fn values() -> [Option<Json>; 6] {
    [
        None,
        Some(json!({})),
        Some(json!({ "price": { "old": 1, "new": 9_007_199_254_740_993_i64 } })),
        Some(
            json!({ "name": { "old": "=1+1", "new": "say \"no\"\r\n" }, "note": { "redacted": true } }),
        ),
        Some(json!({ "tags": { "new": ["a", { "b": null }, 1.5, true] } })),
        Some(json!({ "text": { "old": null, "new": "Zoë 👩‍⚕️ \u{202e}" } })),
    ]
}

fn record(number: usize) -> audit_log::ActiveModel {
    // Each column goes through the texts at a pace of its own.
    let text = |pace: usize| -> Option<String> {
        let at = number / 3 * pace + pace;
        (!at.is_multiple_of(7)).then(|| TEXTS[at % TEXTS.len()].to_owned())
    };
    let time: DateTimeUtc = "2026-03-05T10:30:15.123456Z".parse().unwrap();
    let time = time + chrono::TimeDelta::microseconds(i64::try_from(number).unwrap() * 1_000_001);
    audit_log::ActiveModel {
        id: NotSet,
        occurred_at: Set(time),
        action: Set(["CREATE", "UPDATE", "DELETE", "APPROVE"][number % 4].to_owned()),
        outcome: Set(["SUCCESS", "FAILURE"][number % 2].to_owned()),
        model: Set((!number.is_multiple_of(5)).then(|| format!("model{}", number % 3))),
        object_id: Set(text(1)),
        object_repr: Set(text(2)),
        changes: Set(values()[number % 6].clone()),
        actor_type: Set("USER".to_owned()),
        actor_id: Set(text(3)),
        actor_name: Set(text(4)),
        impersonator_id: Set(text(5)),
        ip_address: Set(number.is_multiple_of(2).then(|| "192.0.2.7".to_owned())),
        user_agent: Set(text(6)),
        session_key: Set(number.is_multiple_of(3).then(|| "5f".repeat(8))),
        request_id: Set(text(8)),
        trace_id: Set(text(9)),
        transaction_id: Set(number
            .is_multiple_of(2)
            .then(|| sea_orm::prelude::Uuid::from_u128(number as u128))),
        tenant: Set(text(11)),
        reason: Set(text(12)),
        module: Set(text(13)),
        source: Set("MANUAL".to_owned()),
        metadata: Set(values()[(number + 3) % 6].clone()),
    }
}

/// Fills the log, and returns its records, the newest first.
pub(crate) async fn fill(db: &TestDb, count: usize) -> TestResult<Vec<audit_log::Model>> {
    let records: Vec<audit_log::ActiveModel> = (0..count).map(record).collect();
    for chunk in records.chunks(100) {
        Entity::insert_many(chunk.to_vec()).exec(&db.conn).await?;
    }
    newest_first(db).await
}

pub(crate) async fn newest_first(db: &TestDb) -> TestResult<Vec<audit_log::Model>> {
    Ok(Entity::find()
        .order_by_desc(Column::Id)
        .all(&db.conn)
        .await?)
}
