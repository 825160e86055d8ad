//! The variant of a database error: SeaORM's variant depends on the call.

use sea_orm::DbErr;

/// The variant that SeaORM returns for transaction control.
pub(super) fn as_query(error: DbErr) -> DbErr {
    match error {
        DbErr::Exec(error) => DbErr::Query(error),
        other => other,
    }
}
