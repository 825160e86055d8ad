//! Statements that name no audited table, and change rows of one all the same.

use sea_orm::{ConnectionTrait, DbErr};

use super::Frames;
use super::route::Reported;
use crate::bound::Bound;
use crate::capture::Server;
use crate::sql::{outline_of, understand};

/// What is to be reported of a statement before it runs, if it may change rows of audited tables that it does not name.
/// `frames` are those of the transaction that it is in.
///
/// # Errors
/// Returns [`AuditError::Refused`](crate::AuditError::Refused), and an error of the database that the statement itself would
/// have met.
pub(super) async fn reported<C: ConnectionTrait>(
    db: &C,
    binding: &Bound,
    server: &Server,
    sql: &str,
    frames: Option<&Frames>,
) -> Result<Option<Reported>, DbErr> {
    let backend = db.get_database_backend();
    let understood = understand(backend, sql);
    let config = binding.config();
    let Some(affected) = server.affected(db, &config, &understood, frames).await? else {
        return Ok(None);
    };
    Reported::of_affected(binding, config, affected, &outline_of(backend, sql)).map(Some)
}
