//! Recording the rows that a statement wrote.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr};

use super::image_store::BeforeRow;
use super::{CaptureTarget, Engine};
use crate::action::{Action, Source};
use crate::capture::row_change::RowChange;
use crate::change::{Change, Changes};
use crate::config::Plan;
use crate::error::Cause;
use crate::sql::is_name;
use crate::value::{is_unreadable, unreadable};

/// What is recorded of a row.
struct WrittenRow<'a> {
    action: Action,
    changes: Changes,
    /// The row whose key identifies the object.
    key_row: &'a [Value],
    row: &'a [Value],
}

fn unreadable_json() -> sea_orm::prelude::Json {
    crate::value::encode(&unreadable()).unwrap_or_default()
}

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Records one row.
    fn record(
        &self,
        audited: &CaptureTarget,
        source: Source,
        written: Result<WrittenRow<'_>, Cause>,
    ) -> Result<(), DbErr> {
        let plan = &audited.plan;
        let record = written.and_then(|change| {
            let change = RowChange {
                action: change.action,
                changes: change.changes,
                key: &plan.info.key_of(change.key_row),
                row: change.row,
                source,
            };
            change.record(plan, self.config, self.context.clone())
        });
        self.frames
            .buffer(self.config, self.db.get_database_backend(), record)
    }

    /// Records a row that is known in one state, under its key in that state.
    fn record_state(
        &self,
        audited: &CaptureTarget,
        source: Source,
        action: Action,
        row: &[Value],
        changes: impl FnOnce(&Plan) -> Result<Changes, Cause>,
    ) -> Result<(), DbErr> {
        let plan = &audited.plan;
        if plan.skips(self.config, &action) {
            return Ok(());
        }
        let written = changes(plan).map(|changes| WrittenRow {
            action,
            changes,
            key_row: row,
            row,
        });
        self.record(audited, source, written)
    }

    pub(super) fn record_created(
        &self,
        audited: &CaptureTarget,
        row: &[Value],
    ) -> Result<(), DbErr> {
        let created = |plan: &Plan| plan.created(self.config, row);
        self.record_state(audited, self.source, Action::Create, row, created)
    }

    pub(super) fn record_deleted(
        &self,
        audited: &CaptureTarget,
        source: Source,
        row: &[Value],
    ) -> Result<(), DbErr> {
        let deleted = |plan: &Plan| plan.deleted(self.config, row);
        self.record_state(audited, source, Action::Delete, row, deleted)
    }

    /// The same, of a row that may have been spilled.
    pub(super) fn record_deleted_row(
        &self,
        audited: &CaptureTarget,
        source: Source,
        row: &BeforeRow,
    ) -> Result<(), DbErr> {
        let deleted = |plan: &Plan| plan.deleted_row(self.config, row.old_values());
        self.record_state(audited, source, Action::Delete, row.values(), deleted)
    }

    pub(super) fn record_updated(
        &self,
        audited: &CaptureTarget,
        source: Source,
        assigned: &[String],
        old: Vec<Value>,
        new: &[Value],
    ) -> Result<(), DbErr> {
        self.record_updated_row(audited, source, assigned, &BeforeRow::Read(old), new)
            .map(|_| ())
    }

    /// The same, of a row that may have been spilled. Returns whether there was anything to record.
    pub(super) fn record_updated_row(
        &self,
        audited: &CaptureTarget,
        source: Source,
        assigned: &[String],
        old: &BeforeRow,
        new: &[Value],
    ) -> Result<bool, DbErr> {
        self.observe_followers(audited, old, new);
        let plan = &audited.plan;
        if plan.skips(self.config, &Action::Update) {
            return Ok(true);
        }
        let values = old.old_values().map(Some);
        let changes = plan
            .updated_row(self.config, values, new)
            .map(|mut changes| {
                // A value that cannot be read before and after may or may not have changed.
                for (at, value) in new.iter().enumerate() {
                    let name = audited.info.columns[at].name;
                    if is_unreadable(value)
                        && plan.columns[at].is_recorded()
                        && assigned.iter().any(|column| is_name(column, name))
                        && changes.get(name).is_none()
                    {
                        changes.insert(name, Change::from_unknown(unreadable_json()));
                    }
                }
                changes
            });
        match changes {
            Ok(changes) if changes.is_empty() => Ok(false),
            written => self
                .record(
                    audited,
                    source,
                    written.map(|changes| WrittenRow {
                        action: Action::Update,
                        changes,
                        // Under the key that the object had before.
                        key_row: old.values(),
                        row: new,
                    }),
                )
                .map(|()| true),
        }
    }

    /// Records a row that was changed without having been read before.
    pub(super) fn record_updated_from_unknown(
        &self,
        audited: &CaptureTarget,
        assigned: &[String],
        new: &[Value],
    ) -> Result<(), DbErr> {
        self.observe_followers_of_unknown(audited, assigned);
        let name = |at: usize| audited.info.columns[at].name;
        let written = |at: usize| assigned.iter().any(|column| is_name(column, name(at)));
        let updated = |plan: &Plan| plan.updated_from_unknown(self.config, written, new);
        self.record_state(audited, self.source, Action::Update, new, updated)
    }

    /// Writes the buffered records if the buffer is full.
    pub(super) async fn flush_when_full(&self) -> Result<(), DbErr> {
        if self.frames.is_full(self.config) {
            self.frames.flush(self.db).await?;
        }
        Ok(())
    }
}
