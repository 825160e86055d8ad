//! Events that the application records itself.

mod manual;

pub use manual::{AuditEvent, record_view};
