//! What one transaction has looked up.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sea_orm::IsolationLevel;

use super::LiveTable;
use crate::sql::{ParsedStatement, TableName};

/// What one transaction knows of tables and of its session. A change of the schema, of settings, or of name
/// resolution must clear it.
#[derive(Debug, Default)]
pub(crate) struct LiveTables(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    tables: Vec<(TableName, LiveTable)>,
    settings: Option<Settings>,
}

/// Settings of a MySQL session.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The database in which unqualified names are resolved.
    pub(crate) database: Option<String>,
    /// The step of auto-increment keys.
    pub(crate) step: u64,
    /// Whether the keys of one INSERT are consecutive, regardless of its number of rows.
    pub(crate) is_consecutive: bool,
    /// The isolation level of transactions that set none.
    pub(crate) isolation_level: IsolationLevel,
}

impl LiveTables {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, name: &TableName) -> Option<LiveTable> {
        let known = self.known();
        let found = known.tables.iter().find(|(other, _)| other == name);
        found.map(|(_, live)| live.clone())
    }

    /// A hash that distinguishes the columns of the tables with this name from others.
    pub(crate) fn shape_of(&self, table: &str) -> u32 {
        let known = self.known();
        let named = (known.tables.iter()).filter(|(name, _)| name.table == table);
        let mut shapes: Vec<u32> = named.map(|(_, live)| live.shape).collect();
        shapes.sort_unstable();
        shapes.dedup();
        shapes
            .into_iter()
            .fold(0, |all, shape| all.rotate_left(1) ^ shape)
    }

    pub(crate) fn insert(&self, name: &TableName, live: &LiveTable) {
        let mut known = self.known();
        match known.tables.iter_mut().find(|(other, _)| other == name) {
            Some((_, older)) => older.clone_from(live),
            None => known.tables.push((name.clone(), live.clone())),
        }
    }

    /// Whether row-level security applies to a table that has been looked up by this name.
    pub(crate) fn is_secured(&self, name: &TableName) -> bool {
        (self.known().tables.iter()).any(|(other, live)| other == name && live.is_secured)
    }

    pub(crate) fn settings(&self) -> Option<Settings> {
        self.known().settings.clone()
    }

    pub(crate) fn set_settings(&self, settings: &Settings) {
        self.known().settings = Some(settings.clone());
    }

    /// Clears everything if a statement may change name resolution, the role's privileges, or settings. Call it
    /// before the statement runs; if others may be captured beside the statement, call it afterwards as well.
    pub(crate) fn observe(&self, sql: &str, understood: &ParsedStatement) {
        let is_empty = {
            let known = self.known();
            known.tables.is_empty() && known.settings.is_none()
        };
        if !is_empty && may_change_names(sql, understood) {
            self.clear();
        }
    }

    /// Clears everything.
    pub(crate) fn clear(&self) {
        *self.known() = Known::default();
    }
}

/// Whether a text may change name resolution. It searches the whole text for the words, whatever statement or comment
/// precedes them: a false match costs one query of the catalogue, and a missed one would read another table.
fn may_change_names(sql: &str, understood: &ParsedStatement) -> bool {
    const WORDS: [&str; 6] = ["SET", "RESET", "DISCARD", "USE", "ATTACH", "SET_CONFIG"];
    // SET is a part of an UPDATE, and no write is one of the others.
    let words = match understood {
        ParsedStatement::Write(_) => &WORDS[5..],
        _ => &WORDS[..],
    };
    sql.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .any(|word| words.iter().any(|known| known.eq_ignore_ascii_case(word)))
}
