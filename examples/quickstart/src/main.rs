//! Syncs three audited tables with three editions of ISO's code lists, then queries the log: `cargo run -p quickstart`.
//!
//! It needs no server and no set-up: the database is embedded, one file, new with every run. The data is in
//! `examples/data/iso`. Start with `entity.rs`, which has the derive, `sync.rs`, which has the context, `report.rs`,
//! which has the queries, and `past.rs`, which reads the past and undoes changes.
// SeaORM's macros need `pub` models.
#![allow(clippy::print_stdout, unreachable_pub)]

mod edition;
mod entity;
mod past;
mod report;
mod sync;

use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use sea_orm::Database;
use sea_orm_audit::AuditedConnection;
use sea_orm_audit::migration::{Migrator, MigratorTrait};

use crate::edition::{EDITIONS, Edition};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let file = fresh_file()?;
    let db = Database::connect(format!("sqlite:{}?mode=rwc", file.display())).await?;
    Migrator::up(&db, None).await?;
    entity::create_tables(&db).await?;
    let db = AuditedConnection::new(db);

    println!("Synchronising countries, subdivisions and languages, one transaction per edition …");
    let style = ProgressStyle::with_template("  {msg}  {bar:32}  {pos:>5} of {len} rows")?;
    for name in EDITIONS {
        let progress = ProgressBar::new(0)
            .with_style(style.clone())
            .with_message(format!("edition {name}"));
        sync::synchronise(&db, Edition::read(name)?, &progress).await?;
        progress.finish();
    }
    let seconds = started.elapsed().as_secs_f64();

    report::summary(&db, seconds).await?;
    report::renamed_countries(&db).await?;
    report::histories(&db).await?;
    past::history_and_blame(&db).await?;
    past::counties(&db).await?;
    past::undo_last_edition(&db).await?;
    report::where_to_look(&file);
    db.close().await?;
    Ok(())
}

/// The path of the database: in `target`, in place of the one of an earlier run.
fn fresh_file() -> std::io::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    std::fs::create_dir_all(&folder)?;
    // A run that was killed leaves a journal, which must not be applied to the new file.
    for leftover in ["quickstart.sqlite-journal", "quickstart.sqlite"] {
        match std::fs::remove_file(folder.join(leftover)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(folder.join("quickstart.sqlite"))
}
