//! Reading the record.
//!
//! | item | use it |
//! |---|---|
//! | [`Changes`], [`Change`] | to read the old and new values of a record |
//! | [`Source`] | to see by which way a change was captured |
//! | [`AuditQuery`], [`Period`] | to say which records are searched for, by methods or as text |
//! | [`PageQuery`], [`Page`], [`Cursor`] | to read what a query finds, page by page |
//! | [`Estimate`] | to show about how many records there are |
//! | [`AuditLogSelect`] | to use a query in a `Select` of your own |
//! | [`FilterValue`], [`OneOrMore`] | what the methods of [`AuditQuery`] take |
//! | [`QueryError`] | to show what is wrong with the text of a query |
//! | [`Completion`] | to complete the text of a query while it is typed |
//! | [`Filter`], [`Condition`] | to read a query in a tool |
//! | [`Summary`], [`SummaryQuery`] | to count what happened in a period |
//! | [`Count`], [`ActorCount`], [`ObjectCount`], [`ExportCount`] | the counts of a summary |

pub use sea_orm_audit_core::{
    ActorCount, AuditLogSelect, AuditQuery, Change, Changes, Completion, Condition, Count, Cursor,
    Estimate, ExportCount, Filter, FilterValue, ObjectCount, OneOrMore, Page, PageQuery, Period,
    QueryError, Source, Summary, SummaryQuery,
};
