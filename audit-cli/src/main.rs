//! `sea-orm-audit`: the command line of the audit log, on any audited database, without the application's types.

mod args;
mod catalog;
mod commands;
mod database;
mod error;
mod output;
mod progress;
mod record;
mod text;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::Args;
use database::Secret;

fn main() -> ExitCode {
    let args = Args::parse_from(args::marked(std::env::args_os()));
    let secret = Secret::of(&args.global);
    let done = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(error::CliError::from)
        .and_then(|runtime| runtime.block_on(commands::run(args)));
    let error = match done {
        Ok(code) => return ExitCode::from(code),
        Err(error) => error,
    };
    if !error.is_quiet() {
        let hide = |cause: &str| match &secret {
            Some(secret) => secret.hide(cause),
            None => cause.to_owned(),
        };
        let mut text = text::clean_lines(&error.text(hide));
        if let Some(advice) = error.advice() {
            text = format!("{text}\n  {advice}");
        }
        // There is no place to report that this failed.
        drop(writeln!(std::io::stderr(), "error: {text}"));
    }
    ExitCode::from(error.code())
}
