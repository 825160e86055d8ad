//! The memory of a process that records a million writes: it must not grow with their number.

use sea_orm::{EntityTrait, TransactionTrait};

use crate::BoxError;
use crate::batch::{Connections, scope};
use crate::database::Database;
use crate::fixtures::{Audited, EntityPair};
use crate::operation::MANY;
use crate::report::aligned;

/// The writes between two measurements.
const STEP: usize = 100_000;
const STEPS: usize = 10;
/// How much more memory the last step may have than the second, in MiB. The first fills caches.
const MOST_GROWTH: f64 = 16.0;

/// The table of one database.
///
/// # Errors
/// Returns an error if the memory grows.
pub(crate) async fn measure(database: &Database) -> Result<String, BoxError> {
    let connections = Connections::new(database.conn.clone(), database.conn.clone());
    let mut table = vec![["writes", "MiB"].map(str::to_owned).to_vec()];
    let mut sizes = Vec::new();
    for step in 1..=STEPS {
        for _ in 0..STEP / MANY {
            let models: Vec<_> = (1..).map(Audited::fresh).take(MANY).collect();
            let work = async {
                let tx = connections.audited.begin().await?;
                <Audited as EntityPair>::Entity::insert_many(models)
                    .exec_without_returning(&tx)
                    .await?;
                tx.commit().await
            };
            scope().scope(work).await?;
        }
        // Its rows are none of the process's memory, but the disk is finite.
        database.clear().await?;
        let size = resident()?;
        table.push(vec![(step * STEP).to_string(), format!("{size:.1}")]);
        sizes.push(size);
    }
    let growth = sizes[STEPS - 1] - sizes[1];
    if growth > MOST_GROWTH {
        return Err(format!("the memory grew by {growth:.1} MiB:\n{}", aligned(&table)).into());
    }
    Ok(format!(
        "## Memory, {}\n\nThe process's resident memory while it inserts and records rows.\n\n{}",
        database.server.name(),
        aligned(&table)
    ))
}

/// The resident memory of this process in MiB, as Linux reports it.
fn resident() -> Result<f64, BoxError> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: f64 = kib.ok_or("the system does not tell the memory")?.parse()?;
    Ok(kib / 1024.0)
}
