//! Queries on the log.

mod error;
mod filter;
mod grammar;
mod period;
mod search;
mod suggest;
mod summary;
mod values;

pub use error::QueryError;
pub use filter::{Condition, Filter};
pub use grammar::Completion;
pub use period::Period;
pub use search::AuditQuery;
pub use summary::{ActorCount, Count, ExportCount, ObjectCount, Summary, SummaryQuery};
pub use values::{FilterValue, OneOrMore};
