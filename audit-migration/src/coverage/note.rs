//! What the report cannot decide, because it depends on how the application writes.

use std::fmt;

/// The forms of writes that run no hook. `docs/semantics.md` has the table of all forms.
const WITHOUT_HOOKS: &[&str] = &[
    "Entity::insert",
    "Entity::insert_many",
    "Entity::update",
    "Entity::update_many",
    "Entity::delete",
    "Entity::delete_by_id",
    "Entity::delete_many",
    "ActiveModel::update_without_returning",
    "ActiveModelEx, for junction rows that it removes",
    "SQL as text",
    "ON DELETE and ON UPDATE of a foreign key",
];

/// A limit of what is recorded that the schema does not show. It is no gap: an application may write in other ways
/// only.
///
/// Tables are named as in [`TableCoverage`](super::TableCoverage). `Display` states what is not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Note {
    /// No triggers record these tables: their records come from an `AuditedConnection` and from the hooks of
    /// `ActiveModel`.
    WithoutTriggers {
        /// The tables.
        tables: Vec<String>,
        /// The forms of writes that leave no record on SeaORM's own connection.
        unseen: &'static [&'static str],
    },
    /// Among the rows of these tables with the lowest keys, some are older than the log and have no snapshot. Their
    /// histories and past states begin with their first change; `backfill` records the snapshots.
    WithoutBaseline {
        /// The tables.
        tables: Vec<String>,
    },
}

impl Note {
    #[cfg(feature = "statements")]
    pub(super) const fn without_baseline(tables: Vec<String>) -> Self {
        Self::WithoutBaseline { tables }
    }

    pub(super) const fn without_triggers(tables: Vec<String>) -> Self {
        let unseen = WITHOUT_HOOKS;
        Self::WithoutTriggers { tables, unseen }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WithoutTriggers { tables, unseen } => write!(
                f,
                "no triggers record `{}`: an `AuditedConnection` records every write, but on SeaORM's own connection \
                 these leave no record: {}",
                tables.join("`, `"),
                unseen.join("; ")
            ),
            Self::WithoutBaseline { tables } => write!(
                f,
                "rows of `{}` are older than the log: their history begins with their first change, unless \
                 `backfill` records a baseline",
                tables.join("`, `")
            ),
        }
    }
}
