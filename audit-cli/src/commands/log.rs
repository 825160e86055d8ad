//! `log` and `show`.

use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr, EntityTrait};
use sea_orm_audit_core::entity::audit_log;
use sea_orm_audit_core::{AuditError, AuditQuery, Condition, Cursor, Page};
use sea_orm_audit_export::as_json;
use tokio::time::MissedTickBehavior;

use super::query;
use crate::args::Log;
use crate::database::unknown_model;
use crate::error::{CliError, Result, reading};
use crate::output::Output;
use crate::record::{action, actor, object, outline, table, write_record, write_table};
use crate::text::{or_dash, seconds};

/// The records that are read at once.
const PAGE: u64 = 500;

pub(super) async fn search(db: &DatabaseConnection, output: &mut Output, log: &Log) -> Result {
    let query = query(&log.query)?;
    let mut left = log.limit.count();
    let mut next = log.cursor.as_deref().map(cursor).transpose()?;
    let mut found = false;
    while left > 0 {
        let pages = query.clone().pages().size(left.min(PAGE));
        let page = match &next {
            Some(cursor) => pages.at(db, cursor).await,
            None => pages.first(db).await,
        };
        let page = page.map_err(of_page)?;
        found |= page.found() > 0;
        left = left.saturating_sub(page.found() as u64);
        write_page(output, &page)?;
        next = page.older;
        if next.is_none() {
            break;
        }
    }
    match next {
        _ if !found && log.cursor.is_none() && log.limit.count() > 0 => {
            explain_nothing(db, output, &query).await
        }
        Some(cursor) if !output.json => {
            let line = output
                .paint
                .dim(format!("older records: --cursor {cursor}"));
            output.line(line)
        }
        _ => Ok(()),
    }
}

fn cursor(text: &str) -> Result<Cursor> {
    let read = text.trim().parse();
    read.map_err(|error: AuditError| CliError::Usage(error.to_string()))
}

/// A cursor of another query is a mistake of the command line.
fn of_page(error: DbErr) -> CliError {
    match AuditError::of(&error) {
        Some(AuditError::Cursor { .. }) => {
            let text = AuditError::of(&error).map_or_else(String::new, ToString::to_string);
            CliError::Usage(text)
        }
        _ => reading(error),
    }
}

/// A search that found nothing: a wrong name of a model is an error.
async fn explain_nothing(
    db: &DatabaseConnection,
    output: &mut Output,
    query: &AuditQuery,
) -> Result {
    for filter in query.filters().iter().filter(|filter| !filter.is_negated()) {
        if let Condition::Model(names) = filter.condition() {
            for name in names {
                if let Some(error) = unknown_model(db, name).await? {
                    return Err(error);
                }
            }
        }
    }
    if !output.json {
        output.line("no records")?;
    }
    Ok(())
}

fn write_page(output: &mut Output, page: &Page) -> Result {
    if output.json {
        for record in &page.records {
            output.json(&as_json(record))?;
        }
        return Ok(());
    }
    if page.records.is_empty() {
        return Ok(());
    }
    let header = [
        "RECORD",
        "TIME (UTC)",
        "ACTION",
        "MODEL",
        "OBJECT",
        "ACTOR",
        "FIELDS OR REASON",
    ];
    let mut table = table(output, header);
    for record in &page.records {
        table.add_row([
            record.id.to_string(),
            seconds(record.occurred_at),
            action(record),
            or_dash(record.model.as_deref()),
            object(record),
            actor(record),
            outline(record),
        ]);
    }
    write_table(output, &table)
}

/// Shows new records until the process ends.
pub(super) async fn follow(db: &DatabaseConnection, output: &mut Output, log: &Log) -> Result {
    let query = query(&log.query)?;
    let interval = Duration::try_from_secs_f64(log.interval)
        .ok()
        .filter(|interval| !interval.is_zero())
        .ok_or_else(|| CliError::Usage("`--interval` is a number of seconds above 0".to_owned()))?;
    let pages = query.pages();
    // One record shows where the log ends.
    let last = log.limit.count();
    let mut page = pages.clone().size(last).first(db).await.map_err(reading)?;
    if last > 0 {
        write_lines(output, &page.records)?;
    }
    let mut tail = page.tail;
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        output.flush()?;
        ticks.tick().await;
        page = pages.at(db, &tail).await.map_err(reading)?;
        write_lines(output, &page.records)?;
        tail = page.newer.unwrap_or(page.tail);
        if page.newer.is_some() {
            // There are more already.
            ticks.reset_immediately();
        }
    }
}

/// The oldest first, as lines of a log.
fn write_lines(output: &mut Output, records: &[audit_log::Model]) -> Result {
    for record in records.iter().rev() {
        if output.json {
            output.json(&as_json(record))?;
            continue;
        }
        let model = or_dash(record.model.as_deref());
        output.line(format_args!(
            "{:>8}  {}  {:<14}  {model} {}  {}  {}",
            record.id,
            seconds(record.occurred_at),
            action(record),
            object(record),
            actor(record),
            outline(record),
        ))?;
    }
    Ok(())
}

pub(super) async fn show(db: &DatabaseConnection, output: &mut Output, id: i64) -> Result {
    let record = audit_log::Entity::find_by_id(id).one(db).await;
    let Some(record) = record.map_err(reading)? else {
        let message = format!("the log has no record {id}: `sea-orm-audit log` lists them");
        return Err(CliError::NotFound(message));
    };
    if output.json {
        output.json(&as_json(&record))
    } else {
        write_record(output, &record)
    }
}
