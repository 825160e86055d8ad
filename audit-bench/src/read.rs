//! How the cost of reading depends on the size of the log: each query at a hundredth of the rows, and at all of them.

pub(crate) mod fill;
mod plan;
mod query;

use std::time::Instant;

use crate::BoxError;
use crate::database::Database;
use crate::report::{aligned, grouped};
use crate::statistics::median;
use query::Query;

/// How much less the first size is.
const FACTOR: u64 = 100;
/// How often each query runs; the first time, which reads from the disk, is not counted.
const TIMES: usize = 11;

/// The table of one database, and the plans that read the whole log.
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) scans: Vec<String>,
}

struct Read {
    millis: f64,
    rows: usize,
    plans: Vec<String>,
}

/// Fills the log, and reads it at both sizes.
pub(crate) async fn measure(database: &Database, rows: u64) -> Result<Report, BoxError> {
    let few = (rows / FACTOR).max(1);
    let small = measure_at(database, 0, few).await?;
    let large = measure_at(database, few, rows).await?;
    let bytes = database.audit_bytes().await? / i64::try_from(rows)?;
    let mut table = vec![
        ["query", "rows", "ms, small", "ms, large", "ratio", "plan"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut scans = Vec::new();
    for ((query, small), large) in Query::ALL.into_iter().zip(&small).zip(&large) {
        for plan in &large.plans {
            if plan::reads_all(database.server, plan) {
                scans.push(format!("{}: {plan}", query.name()));
            }
        }
        table.push(vec![
            query.name().to_owned(),
            large.rows.to_string(),
            format!("{:.2}", small.millis),
            format!("{:.2}", large.millis),
            format!("{:.2}", large.millis / small.millis),
            large
                .plans
                .first()
                .map(|plan| plan::line(plan))
                .unwrap_or_default(),
        ]);
    }
    #[allow(clippy::cast_precision_loss)] // There are never that many rows.
    let (from, to) = (grouped(few as f64), grouped(rows as f64));
    Ok(Report {
        text: format!(
            "## Reading, {}\n\nSmall: {from} rows; large: {to}; {bytes} bytes a row with its indexes. Median of {}.\n\n{}",
            database.server.name(),
            TIMES - 1,
            aligned(&table)
        ),
        scans,
    })
}

async fn measure_at(database: &Database, from: u64, to: u64) -> Result<Vec<Read>, BoxError> {
    eprintln!("  {to} rows");
    fill::fill(database, from, to).await?;
    let mut all = Vec::new();
    for query in Query::ALL {
        let mut millis = Vec::new();
        let mut rows = 0;
        for _ in 0..TIMES {
            let begin = Instant::now();
            rows = query.run(&database.conn, to).await?;
            millis.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        millis.remove(0);
        all.push(Read {
            millis: median(&millis),
            rows,
            plans: plan::plans(database, query, to).await?,
        });
    }
    Ok(all)
}
