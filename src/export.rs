//! Exporting the log.
//!
//! | item | use it |
//! |---|---|
//! | [`AuditExport`], [`ExportFormat`] | to write what a query finds as CSV, JSON Lines or Parquet |
//! | [`ExportReport`], [`CutOff`] | to see how much was exported, and what cut it off |
//! | [`ExportStream`] | to send an export as the body of a response |
//! | [`ExportError`] | to see why an export failed, and what was written before |
//! | [`UnknownFormat`] | to report a word that is no format |

pub use sea_orm_audit_export::{
    AuditExport, CutOff, ExportError, ExportFormat, ExportReport, ExportStream, UnknownFormat,
};
