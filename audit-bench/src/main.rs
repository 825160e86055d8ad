//! The cost of the audit log: bare SeaORM, manual hooks, and each path of sea-orm-audit, on every database.
//!
//! `cargo run -p audit-bench --release -- [--db sqlite,postgres,mariadb] [--quick]`, or `--read` for the queries
// The tables are its output; its progress goes to the terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod batch;
mod bulk_api;
mod database;
mod fixtures;
mod manual_hooks;
mod measure;
mod operation;
mod path;
mod read;
mod report;
mod rows;
mod servers;
mod statistics;
mod web;
mod write;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Server};
use database::Database;

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
    if cfg!(debug_assertions) {
        eprintln!("audit-bench: not a release build, so the numbers mean nothing");
    }
    if args.web {
        println!("{}", web::measure(args.rounds()).await?);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(code) = servers::run_with_servers(&args.db)? {
        return Ok(code);
    }
    for &server in &args.db {
        eprintln!("{}", server.name());
        let database = Database::create(server).await?;
        let report = report_of(server, &database, args).await;
        let removed = database.remove().await;
        match report {
            Ok(report) => println!("{report}"),
            Err(error) => return Err(format!("{}: {error}", server.name()).into()),
        }
        removed?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn report_of(server: Server, database: &Database, args: &Args) -> Result<String, BoxError> {
    if args.read {
        let report = read::measure(database, args.rows).await?;
        if report.scans.is_empty() {
            return Ok(report.text);
        }
        println!("{}", report.text);
        return Err(format!(
            "plans that read the whole log:\n{}",
            report.scans.join("\n")
        )
        .into());
    }
    let results = measure::measure(database, args.rounds(), &args.only).await?;
    let bytes = measure::bytes_per_row(database).await?;
    Ok(format!(
        "## {}\n\n{} rounds; {}; {bytes:.0} bytes per audit row with its indexes.\n\
         Cells: median µs of one operation (ratio to bare, 10th–90th percentile of it; statements).\n\n{}",
        server.name(),
        args.rounds(),
        database.durability().await?,
        report::table(&results)
    ))
}
