//! The log of events that the database refused.

use std::time::Instant;

use super::queue::LineLimit;
use crate::error::AuditError;

/// How often events were refused since that was last logged, once a second: a database that refuses all waiting events
/// refuses them at every try.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    limit: LineLimit,
    first: Option<AuditError>,
}

impl Refusals {
    pub(super) fn add(&mut self, error: AuditError) {
        self.limit.add();
        self.first.get_or_insert(error);
    }

    /// When those that wait are to be logged, where there are any.
    pub(super) fn next(&self) -> Option<Instant> {
        self.limit.next()
    }

    /// Logs their number and the first error, once a second, and at the end.
    pub(super) fn log(&mut self, at_end: bool) {
        if let Some(refused) = self.limit.due(Instant::now(), at_end)
            && let Some(error) = self.first.take()
        {
            tracing::error!(%error, refused, "system events cannot be written");
        }
    }
}
