//! The cost of the audit log: bare SeaORM, manual hooks, and each path of sea-orm-audit, on every database.
//!
//! `cargo run -p audit-bench --release -- [writes] [--db sqlite,postgres,mariadb] [--quick]`; `--help` lists the others.
// The tables are its output; its progress goes to the terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod batch;
mod bulk_api;
mod chart;
mod database;
mod fixtures;
mod grown;
mod manual_hooks;
mod measure;
mod memory;
mod operation;
mod past;
mod path;
mod read;
mod report;
mod results;
mod rows;
mod saved_run;
mod servers;
mod statistics;
mod web;
mod write;
mod writers;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, What};
use database::Database;
use results::{DatabaseRun, Run};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("audit-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<ExitCode, BoxError> {
    if let (What::Page, Some(from), Some(chart)) = (args.what, &args.from, &args.chart) {
        println!("{}", saved_run::make(from, chart)?);
        return Ok(ExitCode::SUCCESS);
    }
    if cfg!(debug_assertions) {
        eprintln!("audit-bench: not a release build, so the numbers mean nothing");
    }
    if args.what == What::Web {
        println!("{}", web::measure(args.rounds()).await?);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(code) = servers::run_with_servers(&args.db)? {
        return Ok(code);
    }
    let mut run = Run::default();
    for &server in &args.db {
        eprintln!("{}", server.name());
        let database = Database::create(server).await?;
        if args.what == What::Tables {
            println!("{}", database.keep().await?);
            continue;
        }
        let report = report_of(&database, args, &mut run).await;
        let removed = database.remove().await;
        match report {
            Ok(report) => println!("{report}"),
            Err(error) => return Err(format!("{}: {error}", server.name()).into()),
        }
        removed?;
    }
    if let (What::Writes, Some(file)) = (args.what, &args.json) {
        std::fs::write(file, serde_json::to_string_pretty(&run)?)
            .map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn report_of(database: &Database, args: &Args, run: &mut Run) -> Result<String, BoxError> {
    match args.what {
        What::Read => {
            let report = read::measure(database, args.rows).await?;
            if report.scans.is_empty() {
                return Ok(report.text);
            }
            println!("{}", report.text);
            let scans = report.scans.join("\n");
            Err(format!("plans that read the whole log:\n{scans}").into())
        }
        What::Writers => writers::measure(database, args.rounds()).await,
        What::Grown => grown::measure(database, args.rounds(), args.rows).await,
        What::Memory => memory::measure(database).await,
        What::Past => past::measure(database, args.rows.min(1_000_000)).await,
        What::Writes | What::Web | What::Page | What::Tables => {
            let results = measure::measure(database, args.rounds(), &args.only).await?;
            let measured = DatabaseRun {
                name: database.server.name().to_owned(),
                rounds: args.rounds(),
                durability: database.durability().await?,
                bytes_per_row: measure::bytes_per_row(database).await?,
                cells: results::cells(&results),
            };
            let text = report::section(&measured);
            run.databases.push(measured);
            Ok(text)
        }
    }
}
