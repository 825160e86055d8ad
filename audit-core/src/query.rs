//! Queries on the log.

mod summary;

pub use summary::{ActorCount, Count, ExportCount, ObjectCount, Summary, SummaryQuery};
