//! `export`.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal};
use std::path::Path;

use sea_orm::DatabaseConnection;
use sea_orm_audit_core::{Actor, AuditContext, finish_recording};
use sea_orm_audit_export::{AuditExport, CutOff, ExportError, ExportFormat, ExportReport};
use serde_json::json;
use tokio::fs::File;

use super::{os_user, query};
use crate::args::{Export, Global};
use crate::error::{CliError, Result, reading};
use crate::output::{Output, stdout_file};
use crate::progress;
use crate::text::clean;

pub(super) async fn run(db: &DatabaseConnection, global: &Global, args: Export) -> Result<u8> {
    let query = query(&args.query)?;
    let format = format(&args)?;
    let path = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    if path.is_none() && io::stdout().is_terminal() {
        let message = "an export is not for a terminal: name a file with `--output`, or use a pipe; `log` shows records";
        return Err(CliError::Usage(message.to_owned()));
    }
    let estimate = query.estimate(db).await.map_err(reading)?;
    let file = open(path, args.force)?;
    let bar = progress::records(Some(estimate.count.min(args.limit.unwrap_or(u64::MAX))));
    let shown = bar.clone();
    let mut export = AuditExport::new(query, format)
        .on_progress(move |report| shown.set_position(report.records));
    if let Some(limit) = args.limit {
        export = export.limit(limit);
    }
    if let Some(path) = path {
        export = export.path(path.display().to_string());
    }
    if args.unrecorded {
        export = export.unrecorded();
    }
    let done = tokio::select! {
        done = context(&args).scope(export.write_to(db, file)) => done.map_err(|error| CliError::Export(Box::new(error))),
        stopped = stop() => stopped.and(Err(CliError::Stopped)),
    };
    // The record of a stopped export is written by a task.
    finish_recording().await;
    bar.finish_and_clear();
    let report = done.inspect_err(|error| explain(path, error))?;
    write_report(global, path, &report)?;
    Ok(0)
}

/// Who exports, as far as the operating system says it.
fn context(args: &Export) -> AuditContext {
    let mut actor = Actor::service("sea-orm-audit");
    if let Some(user) = os_user() {
        actor = actor.named(user);
    }
    let context = AuditContext::new().actor(actor).module("command line");
    match &args.reason {
        Some(reason) => context.reason(reason),
        None => context,
    }
}

fn format(args: &Export) -> Result<ExportFormat> {
    if let Some(format) = args.format {
        return Ok(format);
    }
    let ending = args.output.as_deref().and_then(Path::extension);
    let format = ending.and_then(|ending| ending.to_str()?.parse().ok());
    format.ok_or_else(|| {
        let known: Vec<&str> = ExportFormat::ALL
            .iter()
            .map(|format| format.extension())
            .collect();
        CliError::Usage(format!(
            "name the format: `--format` with one of {}",
            known.join(", ")
        ))
    })
}

fn open(path: Option<&Path>, force: bool) -> Result<File> {
    let Some(path) = path else {
        return Ok(File::from_std(stdout_file()?));
    };
    // A device or a pipe is written to as it is.
    let is_special = path
        .metadata()
        .is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
    let mut options = OpenOptions::new();
    options.write(true);
    if force || is_special {
        options.create(true).truncate(!is_special);
    } else {
        options.create_new(true);
    }
    let file = options.open(path).map_err(|source| {
        let advice = match source.kind() {
            io::ErrorKind::AlreadyExists => ": it exists already, `--force` replaces it",
            _ => "",
        };
        CliError::File {
            what: format!(
                "{} cannot be created{advice}",
                clean(&path.display().to_string())
            ),
            source,
        }
    })?;
    Ok(File::from_std(file))
}

/// Waits for a signal that ends the program.
async fn stop() -> Result {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            stopped = tokio::signal::ctrl_c() => stopped?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// Names the file that is incomplete.
fn explain(path: Option<&Path>, error: &CliError) {
    let is_written = match error {
        CliError::Export(error) => {
            !matches!(**error, ExportError::NotBegun { .. }) && !error.is_closed_pipe()
        }
        _ => true,
    };
    if let (Some(path), true) = (path, is_written) {
        let path = clean(&path.display().to_string());
        note(&format!("{path} is incomplete"));
    }
}

/// A line for people, beside the data.
fn note(line: &str) {
    use std::io::Write;
    // There is no place to report that this failed.
    drop(writeln!(io::stderr(), "{line}"));
}

fn write_report(global: &Global, path: Option<&Path>, report: &ExportReport) -> Result {
    if let (true, Some(path)) = (global.json, path) {
        let mut output = Output::new(global, false);
        output.json(&json!({
            "file": path.display().to_string(),
            "records": report.records,
            "bytes": report.bytes,
            "export": report.export,
            "cut_off": report.cut_off.map(CutOff::as_str),
        }))?;
        return output.finish();
    }
    let recorded = match report.export {
        Some(id) => format!("recorded as export {id}"),
        None => "not recorded".to_owned(),
    };
    let cut_off = match report.cut_off {
        Some(CutOff::Limit) => "; the limit cut it off, there are more records",
        _ => "",
    };
    note(&format!(
        "{} {}, {} bytes, {recorded}{cut_off}",
        report.records,
        if report.records == 1 {
            "record"
        } else {
            "records"
        },
        report.bytes
    ));
    Ok(())
}
