//! The live schema: its tables, their columns and foreign keys, as the database's catalogue reports them.
//!
//! Queried through SeaORM's connection: `sea-schema`, which could discover the same, needs the driver of the database
//! compiled in, and this crate requires no driver.

mod kind;
mod names;
mod read;
mod sql;

pub(super) use kind::Kind;
pub(super) use names::Names;

/// A table by its schema and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TableId {
    pub(super) schema: String,
    pub(super) name: String,
}

/// A table that is there, or what looks like one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LiveTable {
    pub(super) id: TableId,
    pub(super) columns: Vec<String>,
    pub(super) kind: Kind,
    /// The engine of a table whose changes are not undone by a rollback (MySQL and MariaDB only).
    pub(super) unsafe_engine: Option<String>,
}

/// A foreign key that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LiveKey {
    /// Its name; on SQLite, where it need not have one, its columns.
    pub(super) name: String,
    /// The table whose rows refer to others. Of a partition's key it is the table that the partition is of.
    pub(super) table: TableId,
    pub(super) parent: TableId,
    /// The columns, and those of the parent that they refer to. These are empty where SQLite leaves them out: then
    /// they are the primary key.
    pub(super) columns: Vec<(String, String)>,
    pub(super) on_delete: Reaction,
    pub(super) on_update: Reaction,
    /// Whether it is the key of a single partition, which the database changes by itself: triggers of the whole table
    /// do not fire for that.
    pub(super) is_of_partition: bool,
}

/// What the database does to the rows that refer to one that is deleted, or whose key changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    /// Nothing: it refuses.
    Refuses,
    Cascades,
    /// Sets the columns to NULL, or to their defaults.
    Sets,
}

impl Reaction {
    fn of(word: &str) -> Self {
        match word.to_ascii_uppercase().as_str() {
            // PostgreSQL's catalogue has letters.
            "CASCADE" | "C" => Self::Cascades,
            "SET NULL" | "SET DEFAULT" | "N" | "D" => Self::Sets,
            _ => Self::Refuses,
        }
    }
}

/// The tables of some schemas.
#[derive(Debug)]
pub(crate) struct LiveSchema {
    /// The schemas in which names without one are found, in this order: PostgreSQL's `search_path`, elsewhere one.
    path: Vec<String>,
    pub(super) names: Names,
    pub(super) tables: Vec<LiveTable>,
    pub(super) keys: Vec<LiveKey>,
}

impl LiveSchema {
    /// The table of a name, and of a schema where one is named.
    pub(super) fn find(&self, schema: Option<&str>, name: &str) -> Option<&LiveTable> {
        let of = |schema: &str| {
            (self.tables.iter()).find(|table| {
                self.names.same_table(&table.id.schema, schema)
                    && self.names.same_table(&table.id.name, name)
            })
        };
        match schema {
            Some(schema) => of(schema),
            None => self.path.iter().find_map(|schema| of(schema)),
        }
    }

    /// Whether names without a schema can be found at all.
    pub(super) const fn has_path(&self) -> bool {
        !self.path.is_empty()
    }

    /// Whether such a table exists.
    pub(crate) fn has(&self, schema: Option<&str>, name: &str) -> bool {
        self.find(schema, name).is_some()
    }

    /// The columns of a table; none where it does not exist.
    pub(crate) fn columns_of(&self, schema: Option<&str>, name: &str) -> Vec<String> {
        let table = self.find(schema, name);
        table.map(|table| table.columns.clone()).unwrap_or_default()
    }

    /// Whether two names are one column's.
    pub(crate) fn same_column(&self, one: &str, other: &str) -> bool {
        self.names.same_column(one, other)
    }

    /// A table's name, with its schema unless unqualified names are found there.
    pub(super) fn shown(&self, id: &TableId) -> String {
        let found = self.find(None, &id.name);
        if found.is_some_and(|found| found.id == *id) {
            return id.name.clone();
        }
        format!("{}.{}", id.schema, id.name)
    }

    /// Whether a table, by its schema where one is named, is this one.
    pub(super) fn is(&self, id: &TableId, schema: Option<&str>, name: &str) -> bool {
        self.find(schema, name).is_some_and(|found| found.id == *id)
    }
}
