//! `logins`, `events` and `exports`.

use sea_orm::{
    ColumnTrait, DatabaseConnection, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
};
use sea_orm_audit_core::entity::{audit_data_export, audit_login_attempt, audit_system_event};
use sea_orm_audit_core::{LoginStatus, Outcome, SystemEvent};
use serde_json::json;

use super::os_user;
use crate::args::{EventCommand, Limit};
use crate::error::{CliError, Result, reading};
use crate::output::Output;
use crate::record::{actor_of, table, write_table};
use crate::text::{clean, full_time, or_dash, seconds, value};

/// SQLite has no larger limit.
fn limit(limit: &Limit) -> u64 {
    Ord::min(limit.count(), i64::MAX.unsigned_abs())
}

pub(super) async fn logins(
    db: &DatabaseConnection,
    output: &mut Output,
    user: Option<&str>,
    only_failed: bool,
    count: &Limit,
) -> Result {
    use audit_login_attempt::Column as C;
    let mut found = audit_login_attempt::Entity::find().order_by_desc(C::Id);
    if let Some(user) = user {
        found = found.filter(C::Username.eq(user).or(C::ActorName.eq(user)));
    }
    if only_failed {
        let failed = [LoginStatus::Failed, LoginStatus::Blocked];
        found = found.filter(C::Status.is_in(failed.map(LoginStatus::as_str)));
    }
    let found = found.limit(limit(count)).all(db).await.map_err(reading)?;
    if output.json {
        for login in &found {
            output.json(&json!({
                "id": login.id,
                "occurred_at": full_time(login.occurred_at),
                "status": login.status,
                "username": login.username,
                "failure_reason": login.failure_reason,
                "actor_type": login.actor_type,
                "actor_id": login.actor_id,
                "actor_name": login.actor_name,
                "ip_address": login.ip_address,
                "user_agent": login.user_agent,
                "country": login.country,
                "city": login.city,
                "request_id": login.request_id,
                "log_id": login.log_id,
            }))?;
        }
        return Ok(());
    }
    if found.is_empty() {
        return output.line("no logins");
    }
    let mut table = table(
        output,
        [
            "ID",
            "TIME (UTC)",
            "STATUS",
            "NAME",
            "ACTOR",
            "ADDRESS",
            "PLACE",
            "REASON",
        ],
    );
    for login in &found {
        let place: Vec<String> = [&login.city, &login.country]
            .into_iter()
            .flatten()
            .map(|it| clean(it))
            .collect();
        table.add_row([
            login.id.to_string(),
            seconds(login.occurred_at),
            clean(&login.status),
            or_dash(login.username.as_deref()),
            actor_of(
                &login.actor_type,
                login.actor_id.as_deref(),
                login.actor_name.as_deref(),
            ),
            or_dash(login.ip_address.as_deref()),
            place.join(", "),
            login
                .failure_reason
                .as_deref()
                .map(clean)
                .unwrap_or_default(),
        ]);
    }
    write_table(output, &table)
}

pub(super) async fn events(
    db: &DatabaseConnection,
    output: &mut Output,
    with_resolved: bool,
    count: &Limit,
) -> Result {
    use audit_system_event::Column as C;
    let mut found = audit_system_event::Entity::find().order_by_desc(C::Id);
    if !with_resolved {
        found = found.filter(C::Resolved.eq(false));
    }
    let found = found.limit(limit(count)).all(db).await.map_err(reading)?;
    if output.json {
        for event in &found {
            output.json(&json!({
                "id": event.id,
                "occurred_at": full_time(event.occurred_at),
                "event_type": event.event_type,
                "title": event.title,
                "description": event.description,
                "module": event.module,
                "function_name": event.function_name,
                "line_number": event.line_number,
                "error_code": event.error_code,
                "stack_trace": event.stack_trace,
                "actor_type": event.actor_type,
                "actor_id": event.actor_id,
                "actor_name": event.actor_name,
                "ip_address": event.ip_address,
                "request_id": event.request_id,
                "occurrences": event.occurrences,
                "resolved": event.resolved,
                "resolved_at": event.resolved_at.map(full_time),
                "resolved_by": event.resolved_by,
                "resolution_note": event.resolution_note,
                "metadata": event.metadata,
            }))?;
        }
        return Ok(());
    }
    if found.is_empty() {
        return output.line("no events");
    }
    let mut table = table(
        output,
        [
            "EVENT",
            "FIRST (UTC)",
            "TYPE",
            "TIMES",
            "TITLE",
            "MODULE",
            "RESOLVED",
        ],
    );
    for event in &found {
        let resolved = match (&event.resolved_by, &event.resolution_note) {
            _ if !event.resolved => String::new(),
            (Some(by), Some(note)) => format!("{}: {}", clean(by), clean(note)),
            (by, _) => by.as_deref().map_or_else(|| "yes".to_owned(), clean),
        };
        table.add_row([
            event.id.to_string(),
            seconds(event.occurred_at),
            clean(&event.event_type),
            event.occurrences.to_string(),
            clean(&event.title),
            or_dash(event.module.as_deref()),
            resolved,
        ]);
    }
    write_table(output, &table)
}

pub(super) async fn resolve(
    db: &DatabaseConnection,
    output: &mut Output,
    command: EventCommand,
) -> Result {
    let EventCommand::Resolve { event, note, by } = command;
    let Some(by) = by.or_else(os_user) else {
        let message = "the operating system does not say who calls: use `--by NAME`";
        return Err(CliError::Usage(message.to_owned()));
    };
    let resolved = SystemEvent::resolve(db, event, by, note).await;
    let resolved = resolved.map_err(|error| CliError::Database {
        what: "the event could not be resolved",
        source: error.into(),
    })?;
    if resolved {
        return if output.json {
            output.json(&json!({ "event": event, "resolved": true }))
        } else {
            output.line(format!("event {event} is resolved"))
        };
    }
    let found = audit_system_event::Entity::find_by_id(event)
        .one(db)
        .await
        .map_err(reading)?;
    Err(CliError::NotFound(match found {
        Some(_) => format!("event {event} is resolved already"),
        None => format!("there is no event {event}: `sea-orm-audit events` lists them"),
    }))
}

pub(super) async fn exports(
    db: &DatabaseConnection,
    output: &mut Output,
    only_open: bool,
    count: &Limit,
) -> Result {
    use audit_data_export::Column as C;
    let mut found = audit_data_export::Entity::find().order_by_desc(C::Id);
    if only_open {
        found = found.filter(C::Outcome.eq(Outcome::Open.as_str()));
    }
    let found = found.limit(limit(count)).all(db).await.map_err(reading)?;
    if output.json {
        for export in &found {
            output.json(&json!({
                "id": export.id,
                "occurred_at": full_time(export.occurred_at),
                "outcome": export.outcome,
                "export_type": export.export_type,
                "file_format": export.file_format,
                "record_count": export.record_count,
                "file_size": export.file_size,
                "filters_applied": export.filters_applied,
                "file_path": export.file_path,
                "download_count": export.download_count,
                "last_downloaded_at": export.last_downloaded_at.map(full_time),
                "actor_type": export.actor_type,
                "actor_id": export.actor_id,
                "actor_name": export.actor_name,
                "ip_address": export.ip_address,
                "request_id": export.request_id,
                "log_id": export.log_id,
            }))?;
        }
        return Ok(());
    }
    if found.is_empty() {
        return output.line("no exports");
    }
    let header = [
        "EXPORT",
        "TIME (UTC)",
        "OUTCOME",
        "DATA",
        "FORMAT",
        "RECORDS",
        "BYTES",
        "ACTOR",
        "FILTERS",
    ];
    let mut table = table(output, header);
    for export in &found {
        let number = |number: Option<i64>| {
            number.map_or_else(|| "-".to_owned(), |number| number.to_string())
        };
        table.add_row([
            export.id.to_string(),
            seconds(export.occurred_at),
            clean(&export.outcome),
            clean(&export.export_type),
            or_dash(export.file_format.as_deref()),
            number(export.record_count),
            number(export.file_size),
            actor_of(
                &export.actor_type,
                export.actor_id.as_deref(),
                export.actor_name.as_deref(),
            ),
            export
                .filters_applied
                .as_ref()
                .map(value)
                .unwrap_or_default(),
        ]);
    }
    write_table(output, &table)
}
