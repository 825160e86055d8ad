//! Reads that must not fail a statement that has already run.

use std::any::TypeId;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use sea_orm::{ConnectionTrait, DbErr};

use super::Engine;
use super::update::HIDDEN;
use crate::auditable::EntityInfo;

/// The table of a statement.
#[derive(Debug)]
pub(crate) struct Located {
    pub(super) entity: TypeId,
    /// On PostgreSQL, its schema.
    pub(super) schema: Option<String>,
    pub(super) is_secured: bool,
}

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Reads rows of an entity. If the statement has run, an unreadable row is reported, and the result is `None`.
    ///
    /// Row-level security policies for SELECT, which may not apply to the statement itself, can fail for the rows
    /// that it wrote. PostgreSQL accepts no further statement after an error, so the read then runs under a
    /// savepoint.
    pub(super) async fn read_after<T>(
        &self,
        info: &EntityInfo,
        read: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<Option<T>, DbErr> {
        const POINT: &str = "sea_orm_audit_read";
        if !(self.has_run.load(Relaxed) && self.is_secured(info)) {
            return match read.await {
                Ok(rows) => Ok(Some(rows)),
                Err(error) => self.unread(error).await.map(|()| None),
            };
        }
        let set = format!("SAVEPOINT {POINT}");
        self.db.execute_unprepared(&set).await?;
        match read.await {
            Ok(rows) => {
                let release = format!("RELEASE SAVEPOINT {POINT}");
                self.db.execute_unprepared(&release).await?;
                Ok(Some(rows))
            }
            // The transaction must be retried, or is over.
            Err(error) if crate::record::is_contention(&error) => Err(error),
            Err(error) => {
                tracing::debug!(%error, "the rows of a statement could not be read after it");
                let undo = format!("ROLLBACK TO SAVEPOINT {POINT}; RELEASE SAVEPOINT {POINT}");
                self.db.execute_unprepared(&undo).await?;
                self.gap(HIDDEN, &[]);
                Ok(None)
            }
        }
    }

    /// Whether row-level security applies to an entity's table, if the table has been looked up.
    fn is_secured(&self, info: &EntityInfo) -> bool {
        if !self.server.is_postgres() {
            return false;
        }
        let located = self.located.lock().unwrap_or_else(PoisonError::into_inner);
        match located.as_ref() {
            Some(located) if located.entity == info.type_id => located.is_secured,
            _ => (self.frames.live_tables).is_secured(&info.table_name()),
        }
    }
}
