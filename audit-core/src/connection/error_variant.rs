//! The variant of a database's error: SeaORM's depends on what was sent.

use sea_orm::DbErr;

/// As SeaORM returns errors of transaction control.
pub(super) fn as_query(error: DbErr) -> DbErr {
    match error {
        DbErr::Exec(error) => DbErr::Query(error),
        other => other,
    }
}
