//! The tables of a statement in the catalogue: looked up once in a transaction.

use sea_orm::{ConnectionTrait, DbErr};

use super::Engine;
use crate::catalog::{
    LiveTable, ReferringKey, Settings, look_up, look_up_conflicts, referring_keys, settings,
};
use crate::sql::{Kind, TableName, Write};

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

    /// Looks up the table that a statement writes, with what decides the conflicts of an INSERT.
    pub(super) async fn live_table_of(&self, write: &Write) -> Result<LiveTable, DbErr> {
        let mut live = self.live_table(&write.table).await?;
        let has_conflict = matches!(&write.kind, Kind::Insert(insert) if insert.conflict.is_some());
        if has_conflict && self.server.is_postgres() && live.types.is_empty() {
            look_up_conflicts(self.db, &write.table, &mut live).await?;
            self.frames.live_tables.insert(&write.table, &live);
        }
        Ok(live)
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
