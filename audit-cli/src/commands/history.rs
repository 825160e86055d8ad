//! `history`, `diff`, `blame` and `as-of`: the versions of an object, from its records alone.

use std::collections::BTreeMap;

use sea_orm::DatabaseConnection;
use sea_orm::prelude::{DateTimeUtc, Json};
use sea_orm_audit_core::{
    AuditConfig, FieldState, ObjectState, Period, QueryError, RecordedHistory, RecordedPast,
    RecordedVersion, UnknownReason,
};
use sea_orm_audit_export::as_json;
use serde_json::json;

use crate::args::Object;
use crate::database::unknown_model;
use crate::error::{CliError, NOT_FOUND, Result, reading};
use crate::output::Output;
use crate::record::{action, actor, state, state_json, table, write_changes, write_table};
use crate::text::{clean, full_time, or_dash, seconds};

/// The versions, at least one.
async fn versions(db: &DatabaseConnection, object: &Object) -> Result<Vec<RecordedVersion>> {
    let versions = RecordedHistory::of(&object.model, &object.id).all(db).await;
    let versions = versions.map_err(reading)?;
    if versions.is_empty() {
        return Err(no_record(db, object).await?);
    }
    Ok(versions)
}

async fn no_record(db: &DatabaseConnection, object: &Object) -> Result<CliError> {
    if let Some(error) = unknown_model(db, &object.model).await? {
        return Ok(error);
    }
    let (model, id) = (clean(&object.model), clean(&object.id));
    Ok(CliError::NotFound(format!(
        "the log has no change of {model} {id}: `sea-orm-audit log model:{model}` lists those that it has"
    )))
}

pub(super) async fn history(
    db: &DatabaseConnection,
    output: &mut Output,
    object: &Object,
) -> Result {
    let paint = output.paint;
    for (at, version) in versions(db, object).await?.iter().enumerate() {
        let (number, record) = (at + 1, &version.record);
        if output.json {
            output.json(&json!({
                "version": number,
                "record": json_of(record)?,
                "state": version.state.as_ref().map(fields),
                "unrecorded": version.unrecorded,
            }))?;
            continue;
        }
        let title = format!("v{number}  record {}  {}", record.id, action(record));
        let mut line = format!(
            "{}  {}  {}",
            paint.bold(title),
            seconds(record.occurred_at),
            actor(record)
        );
        if let Some(reason) = &record.reason {
            line = format!("{line}  {}", paint.dim(format!("\"{}\"", clean(reason))));
        }
        output.line(line)?;
        if !version.unrecorded.is_empty() {
            let names: Vec<String> = version.unrecorded.iter().map(|name| clean(name)).collect();
            let line = format!(
                "  ! changed before that without a record: {}",
                names.join(", ")
            );
            output.line(paint.warning(line))?;
        }
        write_changes(output, &version.changes)?;
    }
    Ok(())
}

fn json_of(record: &sea_orm_audit_core::entity::audit_log::Model) -> Result<Json> {
    let json = serde_json::to_value(as_json(record));
    Ok(json.map_err(std::io::Error::from)?)
}

fn fields(state: &ObjectState) -> BTreeMap<&str, Json> {
    let fields = state.iter();
    fields
        .map(|(name, field)| (name, state_json(field)))
        .collect()
}

/// A version by its number (`v2`), or by the number of its record.
fn find<'a>(versions: &'a [RecordedVersion], text: &str) -> Result<(usize, &'a RecordedVersion)> {
    let count = versions.len();
    let at = if let Some(number) = text.strip_prefix(['v', 'V']) {
        number
            .parse::<usize>()
            .ok()
            .and_then(|number| number.checked_sub(1))
    } else {
        let id: Option<i64> = text.parse().ok();
        versions
            .iter()
            .position(|version| Some(version.record.id) == id)
    };
    let found = at.and_then(|at| versions.get(at).map(|version| (at, version)));
    found.map(|(at, version)| (at + 1, version)).ok_or_else(|| {
        CliError::Usage(format!(
            "`{}` is no version of this object: name one of v1 to v{count}, or the number of one of its records, as \
             `sea-orm-audit history` shows them",
            clean(text)
        ))
    })
}

pub(super) async fn diff(
    db: &DatabaseConnection,
    output: &mut Output,
    object: &Object,
    [from, to]: [&str; 2],
) -> Result {
    let versions = versions(db, object).await?;
    let (one, other) = (find(&versions, from)?, find(&versions, to)?);
    let nothing = ObjectState::default();
    let state_of =
        |version: &'_ RecordedVersion| version.state.clone().unwrap_or_else(|| nothing.clone());
    let (before, after) = (state_of(one.1), state_of(other.1));
    let paint = output.paint;
    if !output.json {
        let title = |(number, version): (usize, &RecordedVersion)| {
            let deleted = if version.state.is_none() {
                ", deleted"
            } else {
                ""
            };
            format!(
                "v{number} (record {}, {}{deleted})",
                version.record.id,
                seconds(version.record.occurred_at)
            )
        };
        let line = format!(
            "{} {}: {} .. {}",
            clean(&object.model),
            clean(&object.id),
            title(one),
            title(other)
        );
        output.line(paint.bold(line))?;
    }
    let mut differ = false;
    for (field, before, after) in before.differences(&after) {
        differ = true;
        if output.json {
            output.json(
                &json!({ "field": field, "from": state_json(before), "to": state_json(after) }),
            )?;
            continue;
        }
        let field = clean(field);
        // A field of a deleted object has no value.
        if one.1.state.is_some() {
            output.line(paint.removed(format!("  - {field}: {}", state(before))))?;
        }
        if other.1.state.is_some() {
            output.line(paint.added(format!("  + {field}: {}", state(after))))?;
        }
    }
    if !differ && !output.json {
        output.line("  no difference is known")?;
    }
    Ok(())
}

pub(super) async fn blame(db: &DatabaseConnection, output: &mut Output, object: &Object) -> Result {
    let blame = RecordedHistory::of(&object.model, &object.id)
        .blame(db)
        .await;
    let blame = blame.map_err(reading)?;
    if blame.is_empty() {
        // Reports an object without records.
        let last = versions(db, object).await?.pop();
        let message = match last {
            Some(last) if last.state.is_none() => format!(
                "{} {} is deleted, by record {}: `sea-orm-audit history` has its versions",
                clean(&object.model),
                clean(&object.id),
                last.record.id
            ),
            _ => "the records of this object name no field".to_owned(),
        };
        return Err(CliError::NotFound(message));
    }
    if output.json {
        for blame in &blame {
            let record = blame.record.as_ref().map(json_of).transpose()?;
            output.json(&json!({ "field": blame.field, "state": state_json(&blame.state), "record": record }))?;
        }
        return Ok(());
    }
    let mut table = table(
        output,
        ["FIELD", "VALUE", "RECORD", "TIME (UTC)", "ACTOR", "REQUEST"],
    );
    for blame in &blame {
        let record = blame.record.as_ref();
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        table.add_row([
            clean(&blame.field),
            state(&blame.state),
            or_unknown(record.map(|record| record.id.to_string())),
            or_unknown(record.map(|record| seconds(record.occurred_at))),
            or_unknown(record.map(actor)),
            or_dash(record.and_then(|record| record.request_id.as_deref())),
        ]);
    }
    write_table(output, &table)
}

/// The begin of the period that a text names.
fn moment(text: &str) -> Result<DateTimeUtc> {
    let period: Period = text.parse().map_err(|error: QueryError| {
        CliError::Usage(format!("the time is wrong\n{}", error.marked(text)))
    })?;
    let (begin, _) = period.bounds(AuditConfig::current().now());
    begin.ok_or_else(|| {
        let text = clean(text);
        CliError::Usage(format!(
            "`{text}` has no begin: name a moment, such as `2026-03-05T10:30`"
        ))
    })
}

pub(super) async fn as_of(
    db: &DatabaseConnection,
    output: &mut Output,
    object: &Object,
    time: &str,
) -> Result<u8> {
    let time = moment(time)?;
    let past = RecordedHistory::of(&object.model, &object.id)
        .as_of(time, db)
        .await;
    let past = past.map_err(reading)?;
    if matches!(past, RecordedPast::Unknown) {
        // Reports an object without records.
        drop(versions(db, object).await?);
    }
    let name = format!("{} {}", clean(&object.model), clean(&object.id));
    let when = full_time(time);
    let (word, fields, record, line) = match &past {
        RecordedPast::Present { state, record } => {
            let set = match record {
                Some(record) => format!("set by record {}", record.id),
                None => "before its first record".to_owned(),
            };
            (
                "present",
                Some(state),
                record.as_ref(),
                format!("{name} at {when}, {set}"),
            )
        }
        RecordedPast::Absent {
            record: Some(record),
        } => {
            let line = format!(
                "{name} did not exist at {when}: record {} had deleted it",
                record.id
            );
            ("absent", None, Some(record), line)
        }
        RecordedPast::Absent { record: None } => (
            "absent",
            None,
            None,
            format!("{name} did not exist at {when}: it was created later"),
        ),
        _ => {
            let line = format!(
                "{name} is not known at {when}: the log has no record of the model by then, and the object is older than \
                 its first record"
            );
            ("unknown", None, None, line)
        }
    };
    let code = if word == "unknown" { NOT_FOUND } else { 0 };
    if output.json {
        output.json(&json!({
            "model": object.model,
            "object_id": object.id,
            "time": when,
            "state": word,
            "record": record.map(|record| record.id),
            "fields": fields.map(self::fields),
        }))?;
        return Ok(code);
    }
    let title = output.paint.bold(line);
    output.line(title)?;
    let Some(fields) = fields else {
        return Ok(code);
    };
    let width = fields
        .iter()
        .map(|(name, _)| clean(name).chars().count())
        .max()
        .unwrap_or(0);
    for (name, field) in fields.iter() {
        let text = match field {
            FieldState::Known(_) => state(field),
            FieldState::Unknown(_) => output.paint.warning(state(field)),
        };
        output.line(format!("  {:<width$}  {text}", clean(name)))?;
    }
    if fields
        .unknown()
        .any(|(_, reason)| reason == UnknownReason::NotRecorded)
    {
        let hint = "not recorded: no record before or after says the value; the application's `as_of` reads the row, too";
        let hint = output.paint.dim(hint);
        output.line(hint)?;
    }
    Ok(code)
}
