//! How a statement was sent, and which error an application would have got.

use sea_orm::DbErr;

/// How a statement was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExecMethod {
    Execute,
    /// As a text that is not prepared.
    Unprepared,
    QueryOne,
    QueryAll,
}

impl ExecMethod {
    /// Whether the application reads rows from the answer.
    pub(crate) const fn reads_rows(self) -> bool {
        matches!(self, Self::QueryOne | Self::QueryAll)
    }

    /// An error of a statement of ours, or of the application's that was run in another way than it was sent,
    /// as the one that the application would have met.
    pub(crate) fn own_error(self, error: DbErr) -> DbErr {
        match (self, error) {
            (Self::Execute | Self::Unprepared, DbErr::Query(error)) => DbErr::Exec(error),
            (Self::QueryOne | Self::QueryAll, DbErr::Exec(error)) => DbErr::Query(error),
            (_, error) => error,
        }
    }
}
