//! What the database's catalogue reports about a table, where the entity does not know it or may be wrong: its kind,
//! the order of its columns, its unique indexes, what the role may read.
//!
//! It is looked up inside the statement's transaction and kept for that transaction, since other clients may change
//! the schema in between.

mod cache;
mod mysql;
mod postgres;
mod sqlite;

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use serde::Deserialize;

use crate::sql::{TableName, is_name};
pub(crate) use cache::{LiveTables, Settings};
pub(crate) use mysql::settings;

/// A table in the database.
#[derive(Debug, Default, Clone)]
#[allow(clippy::struct_excessive_bools)] // facts of the catalogue, each by itself
pub(crate) struct LiveTable {
    /// The schema in which it was found, if the database has schemas.
    pub(crate) schema: Option<String>,
    pub(crate) kind: TableKind,
    /// The columns of an INSERT that names none, in order.
    pub(crate) columns: Vec<String>,
    /// The types of the columns, where a value must be cast to be compared with one. On PostgreSQL they and the unique
    /// indexes are looked up only for an INSERT with a conflict clause.
    pub(crate) types: HashMap<String, String>,
    /// Distinguishes columns of other names or types, so that queries that read them are prepared again (PostgreSQL).
    pub(crate) shape: u32,
    pub(crate) unique: Vec<UniqueIndex>,
    /// Columns that get a value if an INSERT gives them none.
    pub(crate) defaulted: Vec<String>,
    /// The column that is SQLite's rowid.
    pub(crate) row_id: Option<String>,
    /// Whether constraints of the table have their own conflict clause for rows that violate them (SQLite).
    pub(crate) resolves_conflicts: bool,
    /// Whether row-level security applies to the role.
    pub(crate) is_secured: bool,
    /// Whether rules may rewrite statements.
    pub(crate) has_rules: bool,
    /// Columns that the role may not read.
    pub(crate) unreadable: Vec<String>,
    /// Whether the role may lock rows.
    pub(crate) is_lockable: bool,
    /// Whether triggers may change a row after RETURNING has read it.
    pub(crate) has_triggers: bool,
    /// Whether triggers may skip a row of an INSERT, or give it another key.
    pub(crate) may_skip_inserts: bool,
    /// Whether RETURNING can return the old row, too.
    pub(crate) returns_old: bool,
    /// Whether every statement of the transaction reads what its first one saw (PostgreSQL). A locking read fails there
    /// if another client has changed a row since.
    pub(crate) keeps_snapshot: bool,
    /// The columns that foreign keys with an action of ON UPDATE refer to (PostgreSQL).
    pub(crate) referred: Vec<String>,
    /// The foreign keys by which rows change along with those of the table. They are looked up only if a statement sets
    /// a column that one may refer to.
    pub(crate) referring: Vec<ReferringKey>,
    /// Whether the unqualified name resolves to this table.
    pub(crate) is_found_by_name: bool,
}

/// A foreign key of another table, or of the table itself, with an action of ON UPDATE.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ReferringKey {
    /// The schema of the referring table, if it may be another one.
    pub(crate) schema: Option<String>,
    pub(crate) table: String,
    /// The columns of that table, and the columns that they refer to.
    pub(crate) from: Vec<String>,
    pub(crate) to: Vec<String>,
}

impl ReferringKey {
    /// Whether it refers to one of these columns.
    pub(crate) fn refers_to(&self, columns: &[String]) -> bool {
        (self.to.iter()).any(|to| columns.iter().any(|column| is_name(column, to)))
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableKind {
    #[default]
    Table,
    /// A temporary table, which hides the one of the entity.
    Temporary,
    /// A view or a foreign table.
    Other,
    /// No table has that name.
    Missing,
}

/// A unique index and its columns.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct UniqueIndex {
    pub(crate) name: String,
    /// `None` for an index on expressions.
    pub(crate) columns: Option<Vec<IndexColumn>>,
}

/// A column of an index, or its prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "String")]
pub(crate) struct IndexColumn {
    pub(crate) name: String,
    pub(crate) prefix: Option<u32>,
}

impl IndexColumn {
    pub(crate) fn whole(name: &str) -> Self {
        name.to_owned().into()
    }
}

impl From<String> for IndexColumn {
    fn from(name: String) -> Self {
        Self { name, prefix: None }
    }
}

impl LiveTable {
    /// Whether columns can be appended to what a statement returns without a visible effect.
    pub(crate) fn takes_returning(&self) -> bool {
        self.kind == TableKind::Table && !self.is_secured && !self.has_rules
    }

    /// Whether this is one of the names of SQLite's rowid, and no column has it.
    pub(crate) fn is_row_id_alias(&self, name: &str) -> bool {
        ["rowid", "oid", "_rowid_"]
            .iter()
            .any(|alias| is_name(alias, name))
            && !self.columns.iter().any(|column| is_name(column, name))
    }

    /// Whether the table lacks one of these columns.
    pub(crate) fn lacks(&self, columns: &[&str]) -> bool {
        let has = |column: &&str| {
            (self.columns.iter().chain(&self.defaulted)).any(|name| is_name(name, column))
        };
        !columns.iter().all(has)
    }

    /// Whether rows of the same or another table change along with one of these columns.
    pub(crate) fn is_referred(&self, columns: &[String]) -> bool {
        self.referring.iter().any(|key| key.refers_to(columns))
    }

    /// Why rows of the table cannot be read beside a statement, if they cannot.
    pub(crate) fn refuses_reading(&self, columns: &[&str]) -> Option<&'static str> {
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

/// Looks up a table by the name that a statement gives it.
pub(crate) async fn look_up<C: ConnectionTrait>(
    db: &C,
    name: &TableName,
) -> Result<LiveTable, DbErr> {
    match db.get_database_backend() {
        DbBackend::Postgres => postgres::look_up(db, name).await,
        DbBackend::Sqlite => sqlite::look_up(db, name).await,
        _ => mysql::look_up(db, name).await,
    }
}

/// Completes what decides the conflicts of an INSERT. The look-up of other databases includes it.
pub(crate) async fn look_up_conflicts<C: ConnectionTrait>(
    db: &C,
    name: &TableName,
    live: &mut LiveTable,
) -> Result<(), DbErr> {
    match db.get_database_backend() {
        DbBackend::Postgres => postgres::look_up_conflicts(db, name, live).await,
        _ => Ok(()),
    }
}

/// The foreign keys by which rows change along with those of a table.
pub(crate) async fn referring_keys<C: ConnectionTrait>(
    db: &C,
    name: &TableName,
    live: &LiveTable,
) -> Result<Vec<ReferringKey>, DbErr> {
    match db.get_database_backend() {
        DbBackend::Postgres if live.referred.is_empty() => Ok(Vec::new()),
        DbBackend::Postgres => postgres::referring_keys(db, name).await,
        DbBackend::Sqlite => sqlite::referring_keys(db, live.schema.as_deref(), &name.table).await,
        _ => mysql::referring_keys(db, name).await,
    }
}
