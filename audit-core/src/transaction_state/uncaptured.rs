//! What is reported of a statement that is not captured, as plain data.

use crate::config::AuditConfig;
use crate::context::AuditContext;

/// A statement that is let pass although it is not captured.
pub(crate) struct UncapturedStatement {
    /// Nobody asked for it to be told of.
    pub(crate) silent: bool,
    /// It may commit what triggers are told, which would stay.
    pub(crate) commits: bool,
    /// It fails where anything comes before it in a transaction.
    pub(crate) must_be_first: bool,
    pub(crate) config: AuditConfig,
    pub(crate) context: AuditContext,
    pub(crate) table: String,
    pub(crate) why: &'static str,
    pub(crate) outline: String,
}

impl UncapturedStatement {
    /// Of records that may be lost, the future that wrote them having been dropped.
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
