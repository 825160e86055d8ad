//! The command line.

use clap::{Parser, ValueEnum};

/// Measures the cost of the audit log, compared with bare SeaORM and manual hooks.
#[derive(Debug, Parser)]
pub(crate) struct Args {
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

    /// How long queries take on a log of `--rows` rows, compared with a hundredth of them.
    #[arg(long)]
    pub(crate) read: bool,

    /// The size of the log for `--read`. A past day is 33,333 rows: of less than a million rows that is so large a share
    /// that a database may read them all.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) rows: u64,

    /// The web layers instead of the databases; build with `--profile production`.
    #[arg(long)]
    pub(crate) web: bool,
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
