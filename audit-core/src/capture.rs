//! Capture: from a write to its record.

mod before_image;
mod generated;
mod hook;
mod hook_context;
mod pending_record;
mod row_change;
#[cfg(feature = "statements")]
mod statement;

pub(crate) use before_image::store;
#[cfg(feature = "statements")]
pub(crate) use generated::generated_columns;
pub(crate) use hook::{after_delete, after_save, before_delete, before_save, deleted, saved};
#[cfg(feature = "statements")]
pub(crate) use row_change::RowChange;
#[cfg(feature = "statements")]
pub(crate) use statement::{
    Affected, CaptureError, CaptureTarget, Engine, ExecOutput, Gap, ServerInfo, result_of,
};
