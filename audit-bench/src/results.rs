//! The results of a run, in a form that a later program can read.

use serde::{Deserialize, Serialize};

use crate::measure::Results;
use crate::operation::Operation;
use crate::path::{Kind, Path};
use crate::statistics::{median, percentile};

/// A run on one or more databases.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) databases: Vec<DatabaseRun>,
}

/// A run on one database.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DatabaseRun {
    pub(crate) name: String,
    pub(crate) rounds: usize,
    /// The settings that show whether a commit waits for the disk.
    pub(crate) durability: String,
    /// The bytes of an audit row with its indexes.
    pub(crate) bytes_per_row: f64,
    pub(crate) cells: Vec<Cell>,
}

/// An operation on one path.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) operation: String,
    pub(crate) kind: String,
    pub(crate) path: String,
    /// The median of one operation.
    pub(crate) micros: f64,
    pub(crate) ratio: Ratio,
    /// The statements of one operation, without transaction control.
    pub(crate) statements: usize,
}

/// The ratio to bare SeaORM of the same kind and round: the median, and the 10th and 90th percentile.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Ratio {
    pub(crate) fn of(ratios: &[f64]) -> Self {
        Self {
            median: median(ratios),
            low: percentile(ratios, 0.1),
            high: percentile(ratios, 0.9),
        }
    }
}

/// The cells in the order of a table.
pub(crate) fn cells(results: &Results) -> Vec<Cell> {
    let mut cells = Vec::new();
    for operation in Operation::ALL {
        for kind in Kind::ALL {
            for path in Path::ALL {
                if let Some(measured) = results.get(&(operation, kind, path)) {
                    cells.push(Cell {
                        operation: operation.name().to_owned(),
                        kind: kind.name().to_owned(),
                        path: path.name().to_owned(),
                        micros: median(&measured.micros),
                        ratio: Ratio::of(&measured.ratios),
                        statements: measured.statements,
                    });
                }
            }
        }
    }
    cells
}

impl DatabaseRun {
    pub(crate) fn cell(&self, operation: &str, kind: &str, path: &str) -> Option<&Cell> {
        self.cells
            .iter()
            .find(|cell| cell.operation == operation && cell.kind == kind && cell.path == path)
    }
}
