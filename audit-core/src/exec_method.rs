//! How a statement was sent, and which error an application would have got.

use sea_orm::DbErr;

/// How a statement was sent.
#[cfg(feature = "statements")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExecMethod {
    Execute,
    /// As a text, not prepared.
    Unprepared,
    QueryOne,
    QueryAll,
}

#[cfg(feature = "statements")]
impl ExecMethod {
    /// Whether the application reads rows from the result.
    pub(crate) const fn reads_rows(self) -> bool {
        matches!(self, Self::QueryOne | Self::QueryAll)
    }

    /// Maps the error of an internal statement, or of an application's statement that was sent in another way, to the
    /// error that the application would have got.
    pub(crate) fn own_error(self, error: DbErr) -> DbErr {
        match (self, error) {
            (Self::Execute | Self::Unprepared, DbErr::Query(error)) => DbErr::Exec(error),
            (Self::QueryOne | Self::QueryAll, DbErr::Exec(error)) => DbErr::Query(error),
            (_, error) => error,
        }
    }
}

/// The variant that SeaORM returns for transaction control.
pub(crate) fn as_query(error: DbErr) -> DbErr {
    match error {
        DbErr::Exec(error) => DbErr::Query(error),
        other => other,
    }
}
