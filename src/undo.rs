//! Undoing changes.
//!
//! | item | use it |
//! |---|---|
//! | [`Undo`] | to undo the change of a record, or all changes of a transaction |
//! | [`AuditRestore`] | to insert a deleted row again, or to bring a row to a past state |
//! | [`UndoPlan`], [`PlannedWrite`], [`WriteKind`] | to show what would be written |
//! | [`Conflict`], [`ConflictKind`] | to show what prevents it |
//! | [`Resolution`] | to decide a conflict of one field |
//! | [`Undone`] | what was written, and the transaction by which it can be undone itself |

pub use sea_orm_audit_core::{
    AuditRestore, Conflict, ConflictKind, PlannedWrite, Resolution, Undo, UndoPlan, Undone,
    WriteKind,
};
