//! The tables of a statement in the catalogue: looked up once in a transaction.

use sea_orm::{ConnectionTrait, DbErr};

use super::Engine;
use crate::catalog::{LiveTable, ReferringKey, Settings, look_up, referring_keys, settings};
use crate::sql::TableName;

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Looks up a table by the name in the statement.
    pub(super) async fn live_table(&self, name: &TableName) -> Result<LiveTable, DbErr> {
        if let Some(known) = self.frames.live_tables.get(name) {
            return Ok(known);
        }
        let found = look_up(self.db, name).await?;
        self.frames.live_tables.insert(name, &found);
        Ok(found)
    }

    /// Looks up the foreign keys by which rows change along with those of a table.
    pub(super) async fn referring_keys(
        &self,
        name: &TableName,
        live: &LiveTable,
    ) -> Result<Vec<ReferringKey>, DbErr> {
        referring_keys(self.db, name, live).await
    }

    /// The settings of a MySQL session, read once in a transaction.
    pub(super) async fn settings(&self) -> Result<Settings, DbErr> {
        if let Some(known) = self.frames.live_tables.settings() {
            return Ok(known);
        }
        let found = settings(self.db).await?;
        self.frames.live_tables.set_settings(&found);
        Ok(found)
    }
}
