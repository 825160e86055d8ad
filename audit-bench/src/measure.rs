//! Rounds: every path does the same in each, in random order, and is compared with bare SeaORM in the same round, so
//! that a slow moment of the machine affects all paths.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sea_orm::DatabaseConnection;

use crate::BoxError;
use crate::args::Server;
use crate::batch::{self, Block, Connections};
use crate::database::Database;
use crate::operation::Operation;
use crate::path::{Kind, Path};
use crate::statistics::median;

/// The minimum duration of a round of single operations, on the bare path.
const ROUND_MICROS: f64 = 20_000.0;
const FEWEST_TIMES: usize = 20;
const MOST_TIMES: usize = 200;

/// The measurements of one path: a value for each round.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// The round's median, per operation.
    pub(crate) micros: Vec<f64>,
    /// The ratio to bare SeaORM of the same kind and round.
    pub(crate) ratios: Vec<f64>,
    /// The statements of one operation, without transaction control.
    pub(crate) statements: usize,
}

pub(crate) type Results = BTreeMap<(Operation, Kind, Path), Measured>;

/// Measures everything on one database.
pub(crate) async fn measure(
    database: &Database,
    rounds: usize,
    only: &str,
) -> Result<Results, BoxError> {
    let pooled = database.context_pool(None).await?;
    let connections = Connections::new(database.conn.clone(), pooled);
    let counter = Counter::on(database).await?;
    let mut results = Results::new();
    let wanted = |operation: &Operation| operation.name().contains(only);
    for operation in Operation::ALL.into_iter().filter(wanted) {
        eprintln!("  {}", operation.name());
        for (kind, path) in ways(operation, database.server) {
            let measured = results.entry((operation, kind, path)).or_default();
            measured.statements = counter.statements(database, operation, kind, path).await?;
        }
        let mut times = if operation.rows() == 1 {
            FEWEST_TIMES
        } else {
            1
        };
        let warm = round(database, &connections, operation, times).await?;
        if operation.rows() == 1 {
            times = times_for(&warm);
        }
        for _ in 0..rounds {
            let medians = round(database, &connections, operation, times).await?;
            for (&(kind, path), &micros) in &medians {
                let measured = results.entry((operation, kind, path)).or_default();
                measured.micros.push(micros);
                let bare = medians.get(&(kind, Path::Bare));
                measured.ratios.extend(bare.map(|bare| micros / bare));
            }
        }
    }
    counter.connections.close().await?;
    connections.pooled.close().await?;
    Ok(results)
}

/// The bytes of an audit row, with its share of the indexes, when creates, updates and deletes are
/// equally many.
pub(crate) async fn bytes_per_row(database: &Database) -> Result<f64, BoxError> {
    const TIMES: usize = 4;
    let connections = Connections::new(database.conn.clone(), database.conn.clone());
    database.clear().await?;
    for operation in [
        Operation::InsertMany,
        Operation::UpdateMany,
        Operation::DeleteMany,
    ] {
        let block = Block {
            operation,
            kind: Kind::Autocommit,
            path: Path::Bulk,
            times: TIMES,
        };
        batch::run(database, &connections, block).await?;
    }
    let (bytes, rows) = (database.audit_bytes().await?, database.audit_rows().await?);
    #[allow(clippy::cast_precision_loss)] // Some megabytes, for display.
    Ok(bytes as f64 / rows as f64)
}

/// The kinds and paths that support an operation.
fn ways(operation: Operation, server: Server) -> Vec<(Kind, Path)> {
    let all = Kind::ALL
        .into_iter()
        .flat_map(|kind| Path::ALL.map(|path| (kind, path)));
    all.filter(|(kind, path)| operation.is_on(*path, *kind) && path.is_on(server))
        .collect()
}

/// One round: the median of each path.
async fn round(
    database: &Database,
    connections: &Connections,
    operation: Operation,
    times: usize,
) -> Result<BTreeMap<(Kind, Path), f64>, BoxError> {
    database.clear().await?;
    let mut ways = ways(operation, database.server);
    fastrand::shuffle(&mut ways);
    let mut medians = BTreeMap::new();
    for (kind, path) in ways {
        let block = Block {
            operation,
            kind,
            path,
            times,
        };
        let micros = batch::run(database, connections, block).await?;
        medians.insert((kind, path), median(&micros));
    }
    Ok(medians)
}

/// How often an operation runs in a round, given its speed.
fn times_for(medians: &BTreeMap<(Kind, Path), f64>) -> usize {
    let fastest = medians.values().copied().fold(f64::INFINITY, f64::min);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Clamped in any case.
    let times = (ROUND_MICROS / fastest) as usize;
    times.clamp(FEWEST_TIMES, MOST_TIMES)
}

/// Counts statements, on a separate pool so that counting is not timed.
struct Counter {
    connections: Connections,
    seen: Arc<AtomicUsize>,
}

impl Counter {
    async fn on(database: &Database) -> Result<Self, BoxError> {
        let seen = Arc::<AtomicUsize>::default();
        let counted = |mut connection: DatabaseConnection| {
            let count = Arc::clone(&seen);
            connection.set_metric_callback(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            });
            connection
        };
        let plain = counted(database.another().await?);
        let pooled = counted(database.context_pool(None).await?);
        Ok(Self {
            connections: Connections::new(plain, pooled),
            seen,
        })
    }

    /// The statements of one operation. The first one may ask the server for its version, and is not counted.
    async fn statements(
        &self,
        database: &Database,
        operation: Operation,
        kind: Kind,
        path: Path,
    ) -> Result<usize, BoxError> {
        let block = Block {
            operation,
            kind,
            path,
            times: 1,
        };
        batch::run(database, &self.connections, block).await?;
        self.seen.store(0, Ordering::Relaxed);
        batch::run(database, &self.connections, block).await?;
        Ok(self.seen.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_can_be_compared_with_bare() {
        for operation in Operation::ALL {
            let ways = ways(operation, Server::Postgres);
            assert!(
                ways.iter()
                    .all(|(kind, _)| ways.contains(&(*kind, Path::Bare)))
            );
        }
    }

    #[test]
    fn fast_operations_are_done_more_often() {
        let took = |micros| BTreeMap::from([((Kind::Autocommit, Path::Bare), micros)]);
        assert_eq!(times_for(&took(1.0)), MOST_TIMES);
        assert_eq!(times_for(&took(500.0)), 40);
        assert_eq!(times_for(&took(1e6)), FEWEST_TIMES);
    }
}
