//! What can go wrong, and the exit codes.

use std::error::Error;
use std::io;

use sea_orm::DbErr;
use sea_orm_audit_export::ExportError;

/// The exit codes, as the help lists them.
pub(crate) const NOT_FOUND: u8 = 1;
const USAGE: u8 = 2;
const DATABASE: u8 = 3;
const OUTPUT: u8 = 4;

pub(crate) type Result<T = ()> = std::result::Result<T, CliError>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    NoLog(String),
    #[error("{what}")]
    Database { what: &'static str, source: DbErr },
    #[error("the output could not be written")]
    Output(#[from] io::Error),
    #[error("{what}")]
    File { what: String, source: io::Error },
    #[error(transparent)]
    Export(Box<ExportError>),
    #[error(
        "the export was stopped by a signal and is incomplete; the log records it as cancelled"
    )]
    Stopped,
}

impl CliError {
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::NotFound(_) => NOT_FOUND,
            Self::Usage(_) => USAGE,
            Self::NoLog(_) | Self::Database { .. } => DATABASE,
            Self::Output(error) if is_closed(error) => 0,
            Self::Output(_) | Self::File { .. } | Self::Stopped => OUTPUT,
            Self::Export(error) => match **error {
                ExportError::Write { .. } | ExportError::Encode { .. } => OUTPUT,
                _ => DATABASE,
            },
        }
    }

    /// Whether the reader of the output has ended, as `head` does: no error to report.
    pub(crate) fn is_quiet(&self) -> bool {
        match self {
            Self::Output(error) => is_closed(error),
            Self::Export(error) => error.is_closed_pipe(),
            _ => false,
        }
    }

    /// What to do then, where the message does not say it.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Export(error) if matches!(**error, ExportError::NotBegun { .. }) => Some(
                "use a user who may write the audit tables, or `--unrecorded` where that is permitted",
            ),
            _ => None,
        }
    }

    /// The message with its causes, in one line. Only a cause can have the database's password.
    pub(crate) fn text(&self, hide: impl Fn(&str) -> String) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            let cause = hide(&error.to_string());
            // Some errors repeat their source.
            if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
            source = error.source();
        }
        text
    }
}

pub(crate) fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// The error of a read.
pub(crate) fn reading(source: DbErr) -> CliError {
    CliError::Database {
        what: "the log could not be read",
        source,
    }
}
