//! Reading the record.
//!
//! | item | use it |
//! |---|---|
//! | [`Changes`], [`Change`] | to read the old and new values of a record |
//! | [`Source`] | to see by which way a change was captured |
//! | [`AuditQuery`], [`Period`] | to say which records are searched for, by methods or as text |
//! | [`FilterValue`], [`OneOrMore`] | what the methods of [`AuditQuery`] take |
//! | [`QueryError`] | to show what is wrong with the text of a query |
//! | [`Completion`] | to complete the text of a query while it is typed |
//! | [`Filter`], [`Condition`] | to read a query in a tool |
//! | [`Summary`], [`SummaryQuery`] | to count what happened in a period |
//! | [`Count`], [`ActorCount`], [`ObjectCount`], [`ExportCount`] | the counts of a summary |

pub use sea_orm_audit_core::{
    ActorCount, AuditQuery, Change, Changes, Completion, Condition, Count, ExportCount, Filter,
    FilterValue, ObjectCount, OneOrMore, Period, QueryError, Source, Summary, SummaryQuery,
};
