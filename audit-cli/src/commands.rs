//! The commands.

mod doctor;
mod events;
mod export;
mod generate;
mod history;
mod log;
mod stats;
mod summary;
mod undo;

use sea_orm_audit_core::{AuditConfig, AuditQuery};

use crate::args::{Args, Command, Global, query_text};
use crate::database::{check_log, connect};
use crate::error::{CliError, Result};
use crate::output::Output;

/// Runs a command, and returns its exit code.
pub(crate) async fn run(args: Args) -> Result<u8> {
    let Args { global, command } = args;
    match &command {
        Command::Completions { shell } => return generate::completions(&global, *shell),
        Command::Man { folder } => return generate::man(&global, folder.as_deref()),
        Command::Undo { .. } => return undo::explain(&global),
        _ => {}
    }
    configure(&global)?;
    let db = connect(&global).await?;
    if matches!(command, Command::Doctor) {
        return doctor::check(&db, Output::new(&global, true)).await;
    }
    check_log(&db).await?;
    let follows = matches!(&command, Command::Log(log) if log.follow);
    if let Command::Export(export) = command {
        return Box::pin(export::run(&db, &global, export)).await;
    }
    let mut output = Output::new(&global, !follows);
    match command {
        Command::Log(log) if log.follow => log::follow(&db, &mut output, &log).await?,
        Command::Log(log) => log::search(&db, &mut output, &log).await?,
        Command::Show { record } => log::show(&db, &mut output, record).await?,
        Command::History(object) => history::history(&db, &mut output, &object).await?,
        Command::Diff { object, from, to } => {
            history::diff(&db, &mut output, &object, [&from, &to]).await?;
        }
        Command::Blame(object) => history::blame(&db, &mut output, &object).await?,
        Command::AsOf { object, time } => {
            let code = history::as_of(&db, &mut output, &object, &time).await?;
            output.finish()?;
            return Ok(code);
        }
        Command::Logins {
            user,
            failed,
            limit,
        } => events::logins(&db, &mut output, user.as_deref(), failed, &limit).await?,
        Command::Events {
            command: Some(command),
            ..
        } => events::resolve(&db, &mut output, command).await?,
        Command::Events {
            resolved, limit, ..
        } => events::events(&db, &mut output, resolved, &limit).await?,
        Command::Exports { open, limit } => events::exports(&db, &mut output, open, &limit).await?,
        Command::Summary { days, actor } => summary::summary(&db, &mut output, days, actor).await?,
        Command::Stats => stats::stats(&db, &mut output).await?,
        Command::Doctor
        | Command::Export(_)
        | Command::Undo { .. }
        | Command::Completions { .. }
        | Command::Man { .. } => {}
    }
    output.finish()?;
    Ok(0)
}

/// The names of the tables, for all that follows.
fn configure(global: &Global) -> Result {
    let mut config = AuditConfig::builder().table_prefix(&global.table_prefix);
    if let Some(schema) = &global.schema {
        config = config.table_schema(schema);
    }
    let installed = config.build().and_then(AuditConfig::install);
    installed.map_err(|error| CliError::Usage(error.to_string()))
}

/// The search of a command line.
fn query(words: &[String]) -> Result<AuditQuery> {
    let text = query_text(words);
    text.parse()
        .map_err(|error: sea_orm_audit_core::QueryError| {
            CliError::Usage(format!("the query is wrong\n{}", error.marked(&text)))
        })
}

/// The operating system's name of who calls.
fn os_user() -> Option<String> {
    let names = ["USER", "LOGNAME", "USERNAME"].map(std::env::var);
    let name = names.into_iter().flatten().find(|name| !name.is_empty());
    name.map(|name| crate::text::clean(&name))
}
