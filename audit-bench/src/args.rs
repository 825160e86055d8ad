//! The command line.

use clap::{Parser, ValueEnum};

/// Measures what the audit log costs, beside bare SeaORM and hooks written by hand.
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

    /// Few rounds: to see that it works, not how fast.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Only the operations whose name has this in it, such as `bulk insert`.
    #[arg(long, default_value = "")]
    pub(crate) only: String,

    /// The web layers, in place of the databases; build with `--profile production`.
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

    /// The environment variable that says where it is; SQLite is a file.
    pub(crate) const fn variable(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("TEST_POSTGRES_URL"),
            Self::Mariadb => Some("TEST_MYSQL_URL"),
        }
    }
}

impl Args {
    /// How often everything is measured.
    pub(crate) const fn rounds(&self) -> usize {
        if self.quick { 5 } else { 30 }
    }
}
