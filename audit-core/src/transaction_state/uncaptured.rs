//! The report of a statement that is not captured, as plain data.

use crate::config::AuditConfig;
use crate::context::AuditContext;

/// A statement that may run although it is not captured.
pub(crate) struct UncapturedStatement {
    /// It passes without a report.
    pub(crate) silent: bool,
    /// It may commit the trigger context, which would persist.
    pub(crate) commits: bool,
    /// It fails if another statement precedes it in a transaction.
    pub(crate) must_be_first: bool,
    pub(crate) config: AuditConfig,
    pub(crate) context: AuditContext,
    pub(crate) table: String,
    pub(crate) why: &'static str,
    pub(crate) outline: String,
}

impl UncapturedStatement {
    /// For records that may be lost because the future that wrote them was dropped.
    pub(super) fn of_lost_records(config: AuditConfig, records: usize) -> Self {
        Self {
            silent: false,
            commits: false,
            must_be_first: false,
            config,
            context: AuditContext::current(),
            table: String::new(),
            why: "a future was dropped that wrote records of it",
            outline: format!("records: {records}"),
        }
    }
}
