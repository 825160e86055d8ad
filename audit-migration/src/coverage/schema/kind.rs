//! What a table is.

/// What looks like a table to an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::coverage) enum Kind {
    Table,
    /// A table of SQLite's whose rows a module keeps: FTS5, R*Tree.
    VirtualTable,
    View,
    MaterializedView,
    /// A table of PostgreSQL's whose rows are another server's.
    ForeignTable,
}

impl Kind {
    /// The kind of the word that the questions to the catalogues give it.
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

    /// Whether it has rows of its own, which are lost to the log where nobody records them.
    pub(in crate::coverage) const fn has_rows(self) -> bool {
        matches!(self, Self::Table | Self::VirtualTable)
    }

    /// Whether triggers of ours can stand on it. Elsewhere there are none that see a row before and after.
    pub(in crate::coverage) const fn takes_triggers(self) -> bool {
        matches!(self, Self::Table)
    }
}
