//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures the cost of the audit log, compared with bare SeaORM and manual hooks.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// What to measure.
    #[arg(value_enum, default_value = "writes")]
    pub(crate) what: What,

    /// The databases to measure on.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "sqlite,postgres,mariadb"
    )]
    pub(crate) db: Vec<Server>,

    /// Few rounds: a check that it works, not a measurement.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Only the operations whose name contains this, such as `bulk insert`.
    #[arg(long, default_value = "")]
    pub(crate) only: String,

    /// The size of the log for `read` and `grown`. A past day is 33,333 rows: of less than a million rows that is so
    /// large a share that a database may read them all.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) rows: u64,

    /// Also writes the results of `writes` to this file, as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,

    /// For `page`: the file that `--json` has written.
    #[arg(long, required_if_eq("what", "page"))]
    pub(crate) from: Option<PathBuf>,

    /// For `page`: the chart to draw, in SVG.
    #[arg(long, required_if_eq("what", "page"))]
    pub(crate) chart: Option<PathBuf>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// What each way of capture costs a write, compared with bare SeaORM.
    Writes,
    /// The same with 64 writers at once.
    Writers,
    /// What a write costs with a log of `--rows` rows, compared with an empty one.
    Grown,
    /// The memory of a process that records a million writes.
    Memory,
    /// How long queries take on a log of `--rows` rows, compared with a hundredth of them.
    Read,
    /// What a past state costs, of a table of up to a million rows, or `--rows` if that is less.
    Past,
    /// The web layers, without a database; build with `--profile production`.
    Web,
    /// Nothing: makes the tables and the chart of an earlier run.
    Page,
    /// Nothing: leaves a database with the tables of `writes` and their triggers, and prints its name.
    Tables,
}

/// A database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Server {
    Sqlite,
    Postgres,
    Mariadb,
}

impl Server {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::Mariadb => "MariaDB",
        }
    }

    /// The environment variable with its URL; SQLite is a file.
    pub(crate) const fn variable(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("TEST_POSTGRES_URL"),
            Self::Mariadb => Some("TEST_MYSQL_URL"),
        }
    }
}

impl Args {
    /// How often each measurement is repeated.
    pub(crate) const fn rounds(&self) -> usize {
        if self.quick { 5 } else { 30 }
    }
}
