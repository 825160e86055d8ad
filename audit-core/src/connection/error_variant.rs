//! The variant of a database's error: SeaORM's depends on how a statement was sent.

use sea_orm::DbErr;

use crate::capture::Call;

/// As SeaORM returns errors of transaction control.
pub(super) fn as_query(error: DbErr) -> DbErr {
    match error {
        DbErr::Exec(error) => DbErr::Query(error),
        other => other,
    }
}

/// As SeaORM returns errors of a statement that is sent in this way.
pub(super) fn as_sent(call: Call, error: DbErr) -> DbErr {
    match (call, error) {
        (Call::Execute | Call::Unprepared, DbErr::Query(error)) => DbErr::Exec(error),
        (Call::QueryOne | Call::QueryAll, DbErr::Exec(error)) => DbErr::Query(error),
        (_, other) => other,
    }
}
