//! Reading the record.

mod summary;

pub use summary::{ActorCount, Count, ExportCount, ObjectCount, Summary, SummaryQuery};
