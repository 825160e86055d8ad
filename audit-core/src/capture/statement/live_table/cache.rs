//! The tables that one transaction has looked up.

use std::sync::{Mutex, PoisonError};

use super::LiveTable;
use crate::sql::TableName;

/// What one transaction knows of tables. A change of the schema, or of what names mean, must clear it.
#[derive(Debug, Default)]
pub(crate) struct LiveTables(Mutex<Vec<(TableName, LiveTable)>>);

impl LiveTables {
    pub(super) fn get(&self, name: &TableName) -> Option<LiveTable> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|(other, _)| other == name);
        found.map(|(_, live)| live.clone())
    }

    pub(super) fn insert(&self, name: &TableName, live: &LiveTable) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.push((name.clone(), live.clone()));
    }

    /// Forgets all tables.
    pub(crate) fn clear(&self) {
        (self.0.lock().unwrap_or_else(PoisonError::into_inner)).clear();
    }
}
