//! The measured operations.

use crate::path::{Kind, Path};

/// Rows of one bulk statement, and writes of one large transaction.
pub(crate) const MANY: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Insert,
    /// Two columns of twelve.
    Update,
    /// The same two columns, set to their present values.
    UpdateNothing,
    Delete,
    InsertMany,
    UpdateMany,
    DeleteMany,
    /// One transaction with an INSERT for each row.
    Inserts,
    /// One transaction with an UPDATE for each row.
    Updates,
}

impl Operation {
    pub(crate) const ALL: [Self; 9] = [
        Self::Insert,
        Self::Update,
        Self::UpdateNothing,
        Self::Delete,
        Self::InsertMany,
        Self::UpdateMany,
        Self::DeleteMany,
        Self::Inserts,
        Self::Updates,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert one",
            Self::Update => "update 2 of 12 columns",
            Self::UpdateNothing => "update without a change",
            Self::Delete => "delete one",
            Self::InsertMany => "bulk insert of 1,000",
            Self::UpdateMany => "bulk update of 1,000",
            Self::DeleteMany => "bulk delete of 1,000",
            Self::Inserts => "1,000 inserts",
            Self::Updates => "1,000 updates",
        }
    }

    /// Whether it is one statement for many rows.
    pub(crate) const fn is_bulk(self) -> bool {
        matches!(self, Self::InsertMany | Self::UpdateMany | Self::DeleteMany)
    }

    /// The number of articles that it writes.
    pub(crate) const fn rows(self) -> usize {
        match self {
            Self::Insert | Self::Update | Self::UpdateNothing | Self::Delete => 1,
            _ => MANY,
        }
    }

    /// The number of audit rows that it must leave.
    pub(crate) const fn audit_rows(self, path: Path) -> usize {
        match self {
            Self::UpdateNothing => 0,
            _ if path.records() => self.rows(),
            _ => 0,
        }
    }

    /// Whether a path supports it.
    pub(crate) fn is_on(self, path: Path, kind: Kind) -> bool {
        if matches!(self, Self::Inserts | Self::Updates) && kind == Kind::Autocommit {
            return false;
        }
        match path {
            Path::Bare
            | Path::Connection
            | Path::Trigger
            | Path::TriggerContext
            | Path::TriggerPool => true,
            // SeaORM fires no hook for bulk statements.
            Path::Manual | Path::Hooks => !self.is_bulk(),
            Path::Bulk => self.is_bulk(),
            Path::Skipped => kind == Kind::Autocommit,
        }
    }
}
