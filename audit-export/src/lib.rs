//! Exports of the audit log: CSV, JSON Lines and Parquet, from any [`AuditQuery`](sea_orm_audit_core::AuditQuery), in
//! constant memory.
//!
//! An export is itself recorded: a row of `audit_data_export` and an `EXPORT` in `audit_log`, with the outcome OPEN,
//! before its first byte, and a second record with the counts when it ends or is cut off. If the process ends before
//! that, the OPEN row remains.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod chunk;
mod csv_cell;
mod encoder;
mod error;
mod export;
mod format;
mod line;
mod pages;
#[cfg(feature = "parquet")]
mod parquet_file;
mod recording;
mod stream;

pub use error::ExportError;
pub use export::{AuditExport, CutOff, ExportReport};
pub use format::{ExportFormat, UnknownFormat};
#[doc(hidden)]
pub use line::as_json;
pub use stream::ExportStream;
