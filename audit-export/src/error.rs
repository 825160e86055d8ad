//! Why an export failed: [`ExportError`].

use std::io;

use sea_orm::DbErr;
use sea_orm_audit_core::AuditError;

use crate::export::ExportReport;

/// Why an export failed.
///
/// An export that was begun is recorded with the outcome FAILURE and with what was written. Where that cannot be
/// recorded either, an error is logged, and the row of the export stays OPEN.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The log could not be read. If this happens before the export is begun, nothing is written, and nothing recorded.
    #[error("the log could not be read after {} records were exported", .written.records)]
    Read {
        /// What was written before.
        written: ExportReport,
        /// The database's error.
        source: DbErr,
    },
    /// The beginning of the export could not be recorded. Nothing was written.
    #[error("nothing was exported, as the export could not be recorded")]
    NotBegun {
        /// Why there is no record.
        source: Box<AuditError>,
    },
    /// The writer refused bytes. What was written is incomplete.
    #[error("the export could not be written and is incomplete, with {} records", .written.records)]
    Write {
        /// What was written before, at least.
        written: ExportReport,
        /// The writer's error.
        source: io::Error,
    },
    /// A record could not be encoded. What was written is incomplete.
    #[error("the export is incomplete, with {} records, as the next one could not be encoded", .written.records)]
    Encode {
        /// What was written before.
        written: ExportReport,
        /// The encoder's error.
        source: io::Error,
    },
    /// All was written, but the end of the export could not be recorded: its row stays OPEN.
    #[error("all {} records were exported, but the end of the export could not be recorded", .written.records)]
    NotEnded {
        /// What was written.
        written: ExportReport,
        /// Why there is no record.
        source: Box<AuditError>,
    },
    /// The runtime stopped the task of the export.
    #[error("the export was stopped, as the runtime ends")]
    Stopped,
}

impl ExportError {
    /// What was written before the failure.
    #[must_use]
    pub fn written(&self) -> Option<&ExportReport> {
        match self {
            Self::NotBegun { .. } | Self::Stopped => None,
            Self::Read { written, .. }
            | Self::Write { written, .. }
            | Self::Encode { written, .. }
            | Self::NotEnded { written, .. } => Some(written),
        }
    }

    /// Whether the reader of the export closed its end, as a pipe to `head` does.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Write { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}
