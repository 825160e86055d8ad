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
//! | [`AuditHistory`], [`HistoryQuery`], [`Version`], [`ObjectState`] | to read the versions of an object |
//! | [`RecordedHistory`], [`RecordedVersion`], [`RecordedPast`] | to read a history in a tool that does not have the entity |
//! | [`Blame`] | to see who set each field of an object last |
//! | [`FieldState`], [`UnknownReason`] | to see a field's value at one moment, or why it is not known |
//! | [`Timeline`], [`TimelineEntry`], [`TimelineRelation`], [`ReferenceLabel`] | to show what happened around an object |
//! | [`AuditAsOf`], [`AsOfObject`], [`PastObject`], [`Snapshot`] | to read an object as it was at a [`Moment`] |
//! | [`AsOf`], [`PastConnection`], [`PastSource`] | to run any `Select` on the state of a moment |
//! | [`UnknownValues`], [`UnknownColumn`] | to say what a query gets for a value that the log does not have |
//! | [`FilterValue`], [`OneOrMore`] | what the methods of [`AuditQuery`] take |
//! | [`QueryError`] | to show what is wrong with the text of a query |
//! | [`Completion`] | to complete the text of a query while it is typed |
//! | [`Filter`], [`Condition`] | to read a query in a tool |
//! | [`Summary`], [`SummaryQuery`] | to count what happened in a period |
//! | [`Count`], [`ActorCount`], [`ObjectCount`], [`ExportCount`] | the counts of a summary |

pub use sea_orm_audit_core::{
    ActorCount, AuditHistory, AuditLogSelect, AuditQuery, Blame, Change, Changes, Completion,
    Condition, Count, Cursor, Estimate, ExportCount, FieldState, Filter, FilterValue, HistoryQuery,
    ObjectCount, ObjectState, OneOrMore, Page, PageQuery, Period, QueryError, RecordedHistory,
    RecordedPast, RecordedVersion, Source, Summary, SummaryQuery, UnknownReason, Version,
};
#[cfg(feature = "statements")]
pub use sea_orm_audit_core::{
    AsOf, AsOfObject, AuditAsOf, Moment, PastConnection, PastObject, PastSource, ReferenceLabel,
    Snapshot, Timeline, TimelineEntry, TimelineRelation, UnknownColumn, UnknownValues,
};
