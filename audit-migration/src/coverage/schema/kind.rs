//! What a table is.

/// What looks like a table to an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::coverage) enum Kind {
    Table,
    /// A virtual table of SQLite, whose rows a module stores: FTS5, R*Tree.
    VirtualTable,
    View,
    MaterializedView,
    /// A foreign table of PostgreSQL, whose rows are on another server.
    ForeignTable,
}

impl Kind {
    /// The kind of the word that the catalogue queries return.
    pub(super) fn of(word: &str) -> Self {
        let others = [
            Self::VirtualTable,
            Self::View,
            Self::MaterializedView,
            Self::ForeignTable,
        ];
        let found = others.into_iter().find(|kind| kind.as_str() == word);
        found.unwrap_or(Self::Table)
    }

    pub(in crate::coverage) const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::VirtualTable => "virtual table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::ForeignTable => "foreign table",
        }
    }

    /// Whether it has rows of its own, which the log misses where nothing records them.
    pub(in crate::coverage) const fn has_rows(self) -> bool {
        matches!(self, Self::Table | Self::VirtualTable)
    }

    /// Whether our triggers can exist on it. Elsewhere no trigger sees a row before and after.
    pub(in crate::coverage) const fn takes_triggers(self) -> bool {
        matches!(self, Self::Table)
    }
}
