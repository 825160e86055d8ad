//! Reading the record.
//!
//! | item | use it |
//! |---|---|
//! | [`Changes`], [`Change`] | to read the old and new values of a record |
//! | [`Source`] | to see by which way a change was captured |
//! | [`Summary`], [`SummaryQuery`] | to count what happened in a period |
//! | [`Count`], [`ActorCount`], [`ObjectCount`], [`ExportCount`] | the counts of a summary |

pub use sea_orm_audit_core::{
    ActorCount, Change, Changes, Count, ExportCount, ObjectCount, Source, Summary, SummaryQuery,
};
