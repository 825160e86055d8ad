//! `summary`.

use sea_orm::DatabaseConnection;
use sea_orm_audit_core::{Count, Summary};
use serde_json::{Value, json};

use crate::error::{Result, reading};
use crate::output::Output;
use crate::progress;
use crate::record::{actor_of, table, write_table};
use crate::text::{clean, full_time, or_dash, seconds};

pub(super) async fn summary(
    db: &DatabaseConnection,
    output: &mut Output,
    days: u32,
    actor: Option<String>,
) -> Result {
    let mut query = Summary::last_days(days);
    if let Some(actor) = &actor {
        query = query.actor(actor);
    }
    let waiting = progress::waiting("counting");
    let summary = query.fetch(db).await.map_err(reading)?;
    waiting.finish_and_clear();
    if output.json {
        return output.json(&as_json(&summary));
    }
    let title = format!(
        "{} to {} UTC",
        seconds(summary.since),
        seconds(summary.until)
    );
    let title = output.paint.bold(title);
    output.line(title)?;
    for (name, counts) in [
        ("ACTION", &summary.by_action),
        ("MODEL", &summary.by_model),
        ("DAY", &summary.by_day),
        ("LOGINS", &summary.logins),
        ("OPEN EVENTS", &summary.open_events),
    ] {
        write_counts(output, name, counts)?;
    }
    if !summary.by_actor.is_empty() {
        let mut actors = table(output, ["ACTOR", "RECORDS"]);
        for one in &summary.by_actor {
            let actor = actor_of(
                &one.actor_type,
                one.actor_id.as_deref(),
                one.actor_name.as_deref(),
            );
            actors.add_row([actor, one.count.to_string()]);
        }
        output.line("")?;
        write_table(output, &actors)?;
    }
    if !summary.top_objects.is_empty() {
        let mut objects = table(output, ["OBJECT", "RECORDS"]);
        for one in &summary.top_objects {
            let object = format!("{} {}", clean(&one.model), clean(&one.object_id));
            objects.add_row([object, one.count.to_string()]);
        }
        output.line("")?;
        write_table(output, &objects)?;
    }
    let exports = summary.exports;
    output.line("")?;
    output.line(format!(
        "{} exports with {} records and {} bytes",
        exports.count, exports.records, exports.bytes
    ))
}

fn write_counts(output: &mut Output, name: &str, counts: &[Count]) -> Result {
    if counts.is_empty() {
        return Ok(());
    }
    let mut counted = table(output, [name, "COUNT"]);
    for one in counts {
        counted.add_row([or_dash(one.name.as_deref()), one.count.to_string()]);
    }
    output.line("")?;
    write_table(output, &counted)
}

fn as_json(summary: &Summary) -> Value {
    let counts = |counts: &[Count]| -> Vec<Value> {
        let counts = counts.iter();
        counts
            .map(|one| json!({ "name": one.name, "count": one.count }))
            .collect()
    };
    let actors = summary.by_actor.iter().map(|one| {
        json!({
            "actor_type": one.actor_type,
            "actor_id": one.actor_id,
            "actor_name": one.actor_name,
            "count": one.count,
        })
    });
    let objects = summary
        .top_objects
        .iter()
        .map(|one| json!({ "model": one.model, "object_id": one.object_id, "count": one.count }));
    json!({
        "since": full_time(summary.since),
        "until": full_time(summary.until),
        "by_action": counts(&summary.by_action),
        "by_model": counts(&summary.by_model),
        "by_day": counts(&summary.by_day),
        "by_actor": actors.collect::<Vec<_>>(),
        "top_objects": objects.collect::<Vec<_>>(),
        "logins": counts(&summary.logins),
        "exports": {
            "count": summary.exports.count,
            "records": summary.exports.records,
            "bytes": summary.exports.bytes,
        },
        "open_events": counts(&summary.open_events),
    })
}
