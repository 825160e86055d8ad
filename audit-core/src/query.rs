//! Queries on the log.

mod condition;
mod count;
mod error;
mod filter;
mod grammar;
mod history;
mod page;
mod period;
mod search;
mod select;
mod suggest;
mod summary;
mod values;
mod walk;

#[cfg(feature = "statements")]
pub(crate) use condition::changed;
pub use count::Estimate;
pub use error::QueryError;
pub use filter::{Condition, Filter};
pub use grammar::Completion;
pub use history::{
    AuditHistory, Blame, FieldState, HistoryQuery, ObjectState, RecordedHistory, RecordedPast,
    RecordedVersion, UnknownReason, Version,
};
#[cfg(feature = "statements")]
pub use history::{ReferenceLabel, Timeline, TimelineEntry, TimelineRelation};
#[cfg(feature = "statements")]
pub(crate) use history::{known, recorded};
#[cfg(feature = "statements")]
pub(crate) use page::{BUDGET, newest_before};
pub use page::{Cursor, Page, PageQuery};
pub use period::Period;
pub use search::AuditQuery;
pub use select::AuditLogSelect;
pub use summary::{ActorCount, Count, ExportCount, ObjectCount, Summary, SummaryQuery};
pub use values::{FilterValue, OneOrMore};
#[cfg(feature = "statements")]
pub(crate) use walk::{along_numbers, first_later};
