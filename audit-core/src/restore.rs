//! Undo: of one record, of a transaction, to a past state, and of a deletion.
//!
//! A plan says what would be written, and what conflicts with it. An undo makes the plan again in its own transaction,
//! with the rows locked, and writes only if nothing conflicts. Its writes are recorded like any others, with a reference
//! to what they undo, so that an undo can be undone.

mod apply;
mod compute;
mod goal;
mod net;
mod order;
mod plan;
mod references;
mod target;

pub use plan::{Conflict, ConflictKind, PlannedWrite, Resolution, UndoPlan, WriteKind};
pub use target::{AuditRestore, Undo, Undone};
