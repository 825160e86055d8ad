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

    /// What tells the columns of a table with this name from other ones.
    pub(crate) fn shape_of(&self, table: &str) -> u32 {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let named = known.iter().filter(|(name, _)| name.table == table);
        let mut shapes: Vec<u32> = named.map(|(_, live)| live.shape).collect();
        shapes.sort_unstable();
        shapes.dedup();
        shapes
            .into_iter()
            .fold(0, |all, shape| all.rotate_left(1) ^ shape)
    }

    pub(super) fn insert(&self, name: &TableName, live: &LiveTable) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.push((name.clone(), live.clone()));
    }

    /// Forgets all tables where a statement may change what their names mean, or what the role may do.
    pub(crate) fn observe(&self, sql: &str) {
        const WORDS: [&str; 5] = ["SET", "RESET", "DISCARD", "USE", "ATTACH"];
        let text = sql.trim_start();
        let word = text
            .split(|c: char| !c.is_ascii_alphabetic())
            .next()
            .unwrap_or_default();
        let changes = WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
            || (text.len() >= 10 && text.to_ascii_lowercase().contains("set_config"));
        if changes {
            self.clear();
        }
    }

    /// Forgets all tables.
    pub(crate) fn clear(&self) {
        (self.0.lock().unwrap_or_else(PoisonError::into_inner)).clear();
    }
}
