//! Settings of a MySQL session in a statement's transaction.

use sea_orm::{ConnectionTrait, DbErr, IsolationLevel};

use super::update::has_all;
use super::{CaptureError, CaptureTarget, Engine};
use crate::catalog::LiveTable;
use crate::sql::{Kind, Rows, Write, is_name};

/// Why such an UPDATE is not captured.
const DIRTY: &str = "at READ UNCOMMITTED its rows cannot be read as it sees them";

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Reads the settings of a MySQL session that affect what a statement writes: the database of a name, unless both
    /// name and entity have one; the auto-increment step, if there are several rows.
    pub(super) async fn apply_settings(
        &self,
        write: &Write,
        audited: &CaptureTarget,
        live: &mut LiveTable,
    ) -> Result<(), DbErr> {
        if !self.server.is_mysql() {
            return Ok(());
        }
        let is_named = write.table.schema.is_some() || audited.info.schema().is_some();
        let is_numbered = matches!(&write.kind, Kind::Insert(insert)
            if !matches!(&insert.rows, Rows::Listed(rows) if rows.len() == 1));
        if is_named || is_numbered {
            let settings = self.settings().await?;
            if is_named {
                let database = settings.database.as_ref();
                live.is_found_by_name = (write.table.schema.as_ref())
                    .is_none_or(|named| database.is_some_and(|own| is_name(own, named)));
                live.schema = (write.table.schema.as_ref()).or(database).cloned();
            }
        }
        Ok(())
    }

    /// Whether each statement of a MySQL transaction reads what is committed when it begins: by the level that the
    /// transaction was begun with, else by the session's. It matters for an UPDATE that is not by key, and for LIMIT.
    ///
    /// # Errors
    /// At READ UNCOMMITTED such an UPDATE is uncapturable: it skips rows that another client has locked by what is
    /// committed of them, while every read without a lock sees what is not.
    pub(super) async fn reads_committed(
        &self,
        write: &Write,
        audited: &CaptureTarget,
    ) -> Result<bool, CaptureError> {
        let matters = match &write.kind {
            Kind::UpdateOrDelete(change) => {
                let is_point = has_all(&change.equalities, &audited.key_columns());
                !is_point && (!change.delete || change.tail.is_some())
            }
            _ => false,
        };
        if !(self.server.is_mysql() && matters) {
            return Ok(false);
        }
        let level = match self.frames.isolation_level {
            Some(level) => level,
            None => self.settings().await?.isolation_level,
        };
        match (level, &write.kind) {
            (IsolationLevel::ReadUncommitted, Kind::UpdateOrDelete(change)) if !change.delete => {
                Err(CaptureError::Uncapturable(DIRTY))
            }
            (IsolationLevel::ReadCommitted | IsolationLevel::ReadUncommitted, _) => Ok(true),
            _ => Ok(false),
        }
    }

    /// The step of auto-increment keys on MySQL.
    pub(super) fn step(&self) -> u64 {
        (self.frames.live_tables.settings()).map_or(1, |settings| settings.step)
    }

    pub(super) fn numbers_are_consecutive(&self) -> bool {
        (self.frames.live_tables.settings()).is_some_and(|settings| settings.is_consecutive)
    }
}
