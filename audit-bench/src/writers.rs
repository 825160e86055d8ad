//! Many writers at once, on one pool: how much less is written in the same time than by bare SeaORM.

use std::sync::Arc;
use std::time::Instant;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, TransactionTrait};
use tokio::sync::{Barrier, Mutex};

use crate::BoxError;
use crate::batch::{Connections, spawn_on_path};
use crate::bulk_api::CapturePath;
use crate::database::Database;
use crate::operation::Operation;
use crate::path::{Kind, Path};
use crate::report::{aligned, grouped, ratio};
use crate::results::Ratio;
use crate::statistics::median;
use crate::write;

const WRITERS: usize = 64;
/// The operations of one writer in a round.
const EACH: usize = 10;
/// The connections of the pool.
const CONNECTIONS: u32 = 16;

const OPERATIONS: [Operation; 2] = [Operation::Insert, Operation::Update];
const PATHS: [Path; 7] = [
    Path::Bare,
    Path::Manual,
    Path::Hooks,
    Path::Connection,
    Path::Trigger,
    Path::TriggerContext,
    Path::TriggerPool,
];

/// The table of one database.
pub(crate) async fn measure(database: &Database, rounds: usize) -> Result<String, BoxError> {
    let pooled = database.context_pool(Some(CONNECTIONS)).await?;
    let connections = Connections::new(database.pool(CONNECTIONS).await?, pooled);
    let mut table = vec![
        ["operation", "path", "writes a second", "time, bare = 1"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for operation in OPERATIONS {
        eprintln!("  {}", operation.name());
        let paths = PATHS.into_iter().filter(|path| path.is_on(database.server));
        let mut all: Vec<_> = paths.map(|path| (path, Vec::new(), Vec::new())).collect();
        for _ in 0..rounds {
            database.clear().await?;
            let mut bare = f64::NAN;
            // Bare first: the others are compared with it.
            for (path, rates, ratios) in &mut all {
                let (seconds, recorded) = at_once(database, &connections, *path, operation).await?;
                let expected = WRITERS * EACH * usize::from(path.records());
                if recorded != u64::try_from(expected)? {
                    let name = path.name();
                    return Err(
                        format!("`{name}` left {recorded} audit rows, not {expected}").into(),
                    );
                }
                if *path == Path::Bare {
                    bare = seconds;
                }
                #[allow(clippy::cast_precision_loss)] // Some hundreds.
                rates.push((WRITERS * EACH) as f64 / seconds);
                ratios.push(seconds / bare);
            }
        }
        for (path, rates, ratios) in &all {
            table.push(vec![
                operation.name().to_owned(),
                path.name().to_owned(),
                grouped(median(rates)),
                ratio(Ratio::of(ratios)),
            ]);
        }
    }
    connections.close().await?;
    Ok(format!(
        "## {WRITERS} writers, {}\n\n{rounds} rounds of {EACH} operations each in autocommit, on a pool of {CONNECTIONS} \
         connections.\n\n{}",
        database.server.name(),
        aligned(&table)
    ))
}

/// Runs the writers of one path. Returns the seconds until the last one is done, and the number of audit rows.
async fn at_once(
    database: &Database,
    connections: &Connections,
    path: Path,
    operation: Operation,
) -> Result<(f64, u64), BoxError> {
    let ready = Arc::new(Barrier::new(WRITERS + 1));
    let turn = Arc::<Mutex<()>>::default();
    let mut tasks = Vec::with_capacity(WRITERS);
    for _ in 0..WRITERS {
        let rows = database.conn.clone();
        let (ready, turn) = (Arc::clone(&ready), Arc::clone(&turn));
        tasks.push(spawn_on_path!(
            path,
            connections,
            one(rows, operation, turn, ready)
        ));
    }
    ready.wait().await;
    // Triggers have recorded the preparation of the rows.
    let before = database.audit_rows().await?;
    ready.wait().await;
    let start = Instant::now();
    for task in tasks {
        task.await??;
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok((seconds, database.audit_rows().await? - before))
}

async fn one<R: CapturePath, C>(
    db: C,
    rows: DatabaseConnection,
    operation: Operation,
    turn: Arc<Mutex<()>>,
    ready: Arc<Barrier>,
) -> Result<(), DbErr>
where
    C: ConnectionTrait + TransactionTrait + 'static,
{
    // One after another: new rows are found as those after the last one.
    let own = turn.lock().await;
    let prepared = write::prepare::<R::EntityPair>(&rows, operation, EACH).await;
    drop(own);
    // The others wait for this one, whatever happened.
    ready.wait().await;
    ready.wait().await;
    for write in prepared? {
        write::run::<R, C>(&db, Kind::Autocommit, write).await?;
    }
    Ok(())
}
