//! What the database's catalogue says of a table, where the entity does not know or may be wrong: its
//! kind, the order of its columns, its unique indexes, what the role may read.
//!
//! It is looked up inside the transaction of the statement and kept for that transaction, since other
//! clients may change the schema in between.

mod cache;
mod mysql;
mod postgres;
mod sqlite;

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use serde::Deserialize;

use super::Engine;
use crate::sql::{TableName, is_name};
pub(crate) use cache::LiveTables;
pub(super) use cache::Settings;

/// A table as it is in the database.
#[derive(Debug, Default, Clone)]
#[allow(clippy::struct_excessive_bools)] // facts of the catalogue, each by itself
pub(crate) struct LiveTable {
    /// The schema in which it was found, where the database has schemas.
    pub(super) schema: Option<String>,
    pub(super) kind: TableKind,
    /// The columns of an INSERT that names none, in order.
    pub(super) columns: Vec<String>,
    /// The types of the columns, where a value must be cast to be compared with one.
    pub(super) types: HashMap<String, String>,
    /// What tells columns of other names or types, so that what is read of them is prepared anew (PostgreSQL).
    pub(super) shape: u32,
    pub(super) unique: Vec<UniqueIndex>,
    /// Columns that get a value where an INSERT gives them none.
    pub(super) defaulted: Vec<String>,
    /// The column that is SQLite's rowid.
    pub(super) row_id: Option<String>,
    /// Whether constraints of the table say themselves what becomes of rows that break them (SQLite).
    pub(super) resolves_conflicts: bool,
    /// Whether row-level security applies to the role.
    pub(super) is_secured: bool,
    /// Whether statements may be rewritten by rules.
    pub(super) has_rules: bool,
    /// Columns that the role may not read.
    pub(super) unreadable: Vec<String>,
    /// Whether the role may lock rows.
    pub(super) is_lockable: bool,
    /// Whether triggers may change a row after RETURNING has read it.
    pub(super) has_triggers: bool,
    /// Whether triggers may leave out a row of an INSERT, or give it another key.
    pub(super) may_skip_inserts: bool,
    /// Whether RETURNING can give a row as it was, too.
    pub(super) returns_old: bool,
    /// The foreign keys by which rows change along with those of the table. On SQLite and MySQL they are looked
    /// up only where a statement sets a column that one may refer to.
    pub(super) referring: Vec<ReferringKey>,
    /// Whether the name alone, without a schema, is found there.
    pub(super) is_found_by_name: bool,
}

/// A foreign key of another table, or of the table itself, with an action of ON UPDATE.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ReferringKey {
    /// The schema of the table that refers, where it may be another one.
    pub(super) schema: Option<String>,
    pub(super) table: String,
    /// The columns of that table, and those that they refer to.
    pub(super) from: Vec<String>,
    pub(super) to: Vec<String>,
}

impl ReferringKey {
    /// Whether it refers to one of these columns.
    pub(super) fn refers_to(&self, columns: &[String]) -> bool {
        (self.to.iter()).any(|to| columns.iter().any(|column| is_name(column, to)))
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableKind {
    #[default]
    Table,
    /// A temporary table, which hides the one of the entity.
    Temporary,
    /// A view or a foreign table.
    Other,
    /// There is none of that name.
    Missing,
}

/// A unique index, with the columns it is of.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct UniqueIndex {
    pub(super) name: String,
    /// `None` for an index of expressions.
    pub(super) columns: Option<Vec<IndexColumn>>,
}

/// A column of an index, or the first characters of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "String")]
pub(super) struct IndexColumn {
    pub(super) name: String,
    pub(super) prefix: Option<u32>,
}

impl IndexColumn {
    pub(super) fn whole(name: &str) -> Self {
        name.to_owned().into()
    }
}

impl From<String> for IndexColumn {
    fn from(name: String) -> Self {
        Self { name, prefix: None }
    }
}

impl LiveTable {
    /// Whether columns may be appended to what a statement returns, without anybody noticing.
    pub(super) fn takes_returning(&self) -> bool {
        self.kind == TableKind::Table && !self.is_secured && !self.has_rules
    }

    /// Whether this is one of the names of SQLite's rowid, and no column's.
    pub(super) fn is_row_id_alias(&self, name: &str) -> bool {
        ["rowid", "oid", "_rowid_"]
            .iter()
            .any(|alias| is_name(alias, name))
            && !self.columns.iter().any(|column| is_name(column, name))
    }

    /// Whether it has not all of these columns.
    pub(super) fn lacks(&self, columns: &[&str]) -> bool {
        let has = |column: &&str| {
            (self.columns.iter().chain(&self.defaulted)).any(|name| is_name(name, column))
        };
        !columns.iter().all(has)
    }

    /// Whether rows of the same or another table change along with one of these columns.
    pub(super) fn is_referred(&self, columns: &[String]) -> bool {
        self.referring.iter().any(|key| key.refers_to(columns))
    }

    /// Why rows of the table cannot be read beside a statement, if they cannot.
    pub(super) fn refuses_reading(&self, columns: &[&str]) -> Option<&'static str> {
        let is_hidden = |column: &&str| (self.unreadable.iter()).any(|name| is_name(name, column));
        match self.kind {
            TableKind::Other => Some("what it writes is a view or a foreign table"),
            _ if self.has_rules => Some("rules of the table may rewrite it"),
            _ if columns.iter().any(is_hidden) => {
                Some("the role may not read the columns that are recorded")
            }
            _ => None,
        }
    }
}

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Looks a table up, as the statement names it.
    pub(super) async fn live_table(&self, name: &TableName) -> Result<LiveTable, DbErr> {
        if let Some(known) = self.frames.live_tables.get(name) {
            return Ok(known);
        }
        let found = match self.db.get_database_backend() {
            DbBackend::Postgres => postgres::look_up(self.db, name).await?,
            DbBackend::Sqlite => sqlite::look_up(self.db, name).await?,
            _ => mysql::look_up(self.db, name).await?,
        };
        self.frames.live_tables.insert(name, &found);
        Ok(found)
    }

    /// Looks up the foreign keys by which rows change along with those of a table; on PostgreSQL they are among
    /// what is known of the table.
    pub(super) async fn referring_keys(
        &self,
        name: &TableName,
        live: &LiveTable,
    ) -> Result<Vec<ReferringKey>, DbErr> {
        match self.db.get_database_backend() {
            DbBackend::Postgres => Ok(live.referring.clone()),
            DbBackend::Sqlite => {
                sqlite::referring_keys(self.db, live.schema.as_deref(), &name.table).await
            }
            _ => mysql::referring_keys(self.db, name).await,
        }
    }

    /// The settings of a MySQL session, which are asked for once in a transaction.
    pub(super) async fn settings(&self) -> Result<Settings, DbErr> {
        if let Some(known) = self.frames.live_tables.settings() {
            return Ok(known);
        }
        let found = mysql::settings(self.db).await?;
        self.frames.live_tables.set_settings(&found);
        Ok(found)
    }
}
