//! Records as text.

use comfy_table::{ContentArrangement, Table, presets};
use sea_orm::prelude::Json;
use sea_orm_audit_core::entity::audit_log;
use sea_orm_audit_core::{Change, Changes, FieldState};

use crate::error::Result;
use crate::output::{Output, Paint};
use crate::text::{clean, full_time, or_dash, value};

/// A table without lines, as wide as the terminal.
pub(crate) fn table<T: ToString>(output: &Output, header: impl IntoIterator<Item = T>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    if let Some(width) = output.width {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    }
    table
}

/// Writes a table without spaces at the ends of lines.
pub(crate) fn write_table(output: &mut Output, table: &Table) -> Result {
    for (at, line) in table.lines().enumerate() {
        let line = line.trim_end();
        let line = line.strip_prefix(' ').unwrap_or(line);
        if at == 0 {
            let header = output.paint.bold(line);
            output.line(header)?;
        } else {
            output.line(line)?;
        }
    }
    Ok(())
}

/// Who did it.
pub(crate) fn actor(record: &audit_log::Model) -> String {
    actor_of(
        &record.actor_type,
        record.actor_id.as_deref(),
        record.actor_name.as_deref(),
    )
}

pub(crate) fn actor_of(kind: &str, id: Option<&str>, name: Option<&str>) -> String {
    let kind = clean(&kind.to_lowercase());
    match (id, name) {
        (Some(id), Some(name)) => format!("{kind} {} ({})", clean(id), clean(name)),
        (Some(one), None) | (None, Some(one)) => format!("{kind} {}", clean(one)),
        (None, None) => kind,
    }
}

/// What was done, and the outcome if it is none of the usual.
pub(crate) fn action(record: &audit_log::Model) -> String {
    match record.outcome.as_str() {
        "SUCCESS" => clean(&record.action),
        other => format!("{} ({})", clean(&record.action), clean(other)),
    }
}

/// The object: id and label.
pub(crate) fn object(record: &audit_log::Model) -> String {
    match (record.object_id.as_deref(), record.object_repr.as_deref()) {
        (Some(id), Some(label)) if label != id => format!("{} ({})", clean(id), clean(label)),
        (id, label) => or_dash(id.or(label)),
    }
}

/// The names of the fields that changed, or the reason.
pub(crate) fn outline(record: &audit_log::Model) -> String {
    let fields: Vec<String> = match record.changed() {
        Some(changes) => changes.iter().map(|(field, _)| clean(field)).collect(),
        None => Vec::new(),
    };
    match (&record.reason, fields.is_empty()) {
        (Some(reason), true) => clean(reason),
        _ => fields.join(", "),
    }
}

/// The lines of a record in full.
pub(crate) fn write_record(output: &mut Output, record: &audit_log::Model) -> Result {
    let paint = output.paint;
    let title = match &record.model {
        Some(model) => format!("{} of {} {}", action(record), clean(model), object(record)),
        None => action(record),
    };
    output.line(paint.bold(format!("record {}: {title}", record.id)))?;
    let impersonator = record.impersonator_id.as_ref();
    let transaction = record.transaction_id.map(|id| id.to_string());
    for (name, text) in [
        ("time", Some(full_time(record.occurred_at))),
        ("actor", Some(actor(record))),
        ("impersonator", impersonator.map(|id| clean(id))),
        ("address", record.ip_address.as_deref().map(clean)),
        ("agent", record.user_agent.as_deref().map(clean)),
        ("session", record.session_key.as_deref().map(clean)),
        ("request", record.request_id.as_deref().map(clean)),
        ("trace", record.trace_id.as_deref().map(clean)),
        ("transaction", transaction),
        ("tenant", record.tenant.as_deref().map(clean)),
        ("reason", record.reason.as_deref().map(clean)),
        ("module", record.module.as_deref().map(clean)),
        ("source", Some(clean(&record.source))),
        ("metadata", record.metadata.as_ref().map(value)),
    ] {
        if let Some(text) = text {
            output.line(format!("  {name:<13}{text}"))?;
        }
    }
    match (record.changed(), &record.changes) {
        (Some(changes), _) => write_changes(output, &changes),
        (None, Some(other)) => output.line(format!("  changes      {}", value(other))),
        (None, None) => Ok(()),
    }
}

/// The changed fields as a diff.
pub(crate) fn write_changes(output: &mut Output, changes: &Changes) -> Result {
    for (field, change) in changes {
        for line in change_lines(output.paint, field, change) {
            output.line(line)?;
        }
    }
    Ok(())
}

fn change_lines(paint: Paint, field: &str, change: &Change) -> Vec<String> {
    let field = clean(field);
    if change.is_redacted() {
        return vec![paint.warning(format!("  ~ {field}: (redacted)"))];
    }
    let mut lines = Vec::new();
    match change.old_value() {
        Some(old) => lines.push(paint.removed(format!("  - {field}: {}", value(old)))),
        None if change.is_old_unknown() => {
            lines.push(paint.removed(format!("  - {field}: (not known)")));
        }
        None => {}
    }
    if let Some(new) = change.new_value() {
        lines.push(paint.added(format!("  + {field}: {}", value(new))));
    }
    lines
}

/// A field's value, or why it is not known.
pub(crate) fn state(field: &FieldState) -> String {
    match field {
        FieldState::Known(json) => value(json),
        FieldState::Unknown(reason) => format!("({reason})"),
    }
}

/// A field's value for JSON: `{"value": ..}` or `{"unknown": why}`.
pub(crate) fn state_json(field: &FieldState) -> Json {
    match field {
        FieldState::Known(json) => serde_json::json!({ "value": json }),
        FieldState::Unknown(reason) => serde_json::json!({ "unknown": reason.to_string() }),
    }
}
