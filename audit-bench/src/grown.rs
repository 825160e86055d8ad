//! What a write costs when the log is large, compared with an empty one.

use std::time::Instant;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, TransactionTrait};

use crate::BoxError;
use crate::batch::{Connections, spawn_on_path};
use crate::bulk_api::CapturePath;
use crate::database::Database;
use crate::operation::Operation;
use crate::path::{Kind, Path};
use crate::read::fill::fill;
use crate::report::{aligned, grouped};
use crate::statistics::median;
use crate::write;

/// The operations of a path in a round.
const TIMES: usize = 50;
const OPERATIONS: [Operation; 3] = [Operation::Insert, Operation::Update, Operation::Delete];
const PATHS: [Path; 4] = [Path::Bare, Path::Hooks, Path::Connection, Path::Trigger];

/// The table of one database.
pub(crate) async fn measure(
    database: &Database,
    rounds: usize,
    rows: u64,
) -> Result<String, BoxError> {
    let connections = Connections::new(database.conn.clone(), database.conn.clone());
    eprintln!("  an empty log");
    let empty = micros(database, &connections, rounds).await?;
    eprintln!("  {rows} rows");
    database.clear().await?;
    fill(database, 0, rows).await?;
    let full = micros(database, &connections, rounds).await?;
    let mut table = vec![
        ["operation", "path", "µs, empty", "µs, large", "ratio"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for ((operation, path, empty), (_, _, full)) in empty.iter().zip(&full) {
        table.push(vec![
            operation.name().to_owned(),
            path.name().to_owned(),
            grouped(*empty),
            grouped(*full),
            format!("{:.2}", full / empty),
        ]);
    }
    #[allow(clippy::cast_precision_loss)] // There are never that many rows.
    let shown = grouped(rows as f64);
    Ok(format!(
        "## A log of {shown} rows, {}\n\n{rounds} rounds of {TIMES} transactions.\n\n{}",
        database.server.name(),
        aligned(&table)
    ))
}

/// The median microseconds of each operation and path.
async fn micros(
    database: &Database,
    connections: &Connections,
    rounds: usize,
) -> Result<Vec<(Operation, Path, f64)>, BoxError> {
    let mut medians = Vec::new();
    for operation in OPERATIONS {
        let mut all = PATHS.map(|path| (path, Vec::new()));
        // The first round warms up.
        for round in 0..=rounds {
            for (path, micros) in &mut all {
                let took =
                    spawn_on_path!(*path, connections, run(database.conn.clone(), operation))
                        .await??;
                if round > 0 {
                    micros.extend(took);
                }
            }
        }
        medians.extend(all.map(|(path, micros)| (operation, path, median(&micros))));
    }
    Ok(medians)
}

async fn run<R: CapturePath, C>(
    db: C,
    rows: DatabaseConnection,
    operation: Operation,
) -> Result<Vec<f64>, DbErr>
where
    C: ConnectionTrait + TransactionTrait + 'static,
{
    let mut micros = Vec::with_capacity(TIMES);
    for write in write::prepare::<R::EntityPair>(&rows, operation, TIMES).await? {
        let start = Instant::now();
        write::run::<R, C>(&db, Kind::Transaction, write).await?;
        micros.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(micros)
}
