//! Telling of the rows that a statement wrote.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr};

use super::{Audited, Engine};
use crate::action::{Action, Source};
use crate::capture::told::Told;
use crate::change::Changes;
use crate::config::Plan;
use crate::error::Cause;
use crate::sql::is_name;

/// What is told of a row.
struct Change<'a> {
    action: Action,
    changes: Changes,
    /// The row whose key names the object.
    key_row: &'a [Value],
    row: &'a [Value],
}

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Tells of one row.
    fn tell(
        &self,
        audited: &Audited,
        source: Source,
        told: Result<Change<'_>, Cause>,
    ) -> Result<(), DbErr> {
        let plan = &audited.plan;
        let record = told.and_then(|change| {
            let told = Told {
                action: change.action,
                changes: change.changes,
                key: &plan.info.key_of(change.key_row),
                row: change.row,
                source,
            };
            told.record(plan, self.config, self.context.clone())
        });
        self.frames
            .keep(self.config, self.db.get_database_backend(), record)
    }

    /// Tells of a row that is known in one state, under the key that it has there.
    fn tell_of_one_state(
        &self,
        audited: &Audited,
        source: Source,
        action: Action,
        row: &[Value],
        changes: impl FnOnce(&Plan) -> Result<Changes, Cause>,
    ) -> Result<(), DbErr> {
        let plan = &audited.plan;
        if plan.skips(self.config, &action) {
            return Ok(());
        }
        let told = changes(plan).map(|changes| Change {
            action,
            changes,
            key_row: row,
            row,
        });
        self.tell(audited, source, told)
    }

    pub(super) fn tell_created(&self, audited: &Audited, row: &[Value]) -> Result<(), DbErr> {
        let created = |plan: &Plan| plan.created(self.config, row);
        self.tell_of_one_state(audited, self.source, Action::Create, row, created)
    }

    pub(super) fn tell_deleted(
        &self,
        audited: &Audited,
        source: Source,
        row: &[Value],
    ) -> Result<(), DbErr> {
        let deleted = |plan: &Plan| plan.deleted(self.config, row);
        self.tell_of_one_state(audited, source, Action::Delete, row, deleted)
    }

    pub(super) fn tell_updated(
        &self,
        audited: &Audited,
        source: Source,
        old: Vec<Value>,
        new: &[Value],
    ) -> Result<(), DbErr> {
        let plan = &audited.plan;
        if plan.skips(self.config, &Action::Update) {
            return Ok(());
        }
        let key_row = old.clone();
        let old: Vec<Option<Value>> = old.into_iter().map(Some).collect();
        match plan.updated(self.config, &old, new) {
            Ok(changes) if changes.is_empty() => Ok(()),
            told => self.tell(
                audited,
                source,
                told.map(|changes| Change {
                    action: Action::Update,
                    changes,
                    // Under the key by which the object was known.
                    key_row: &key_row,
                    row: new,
                }),
            ),
        }
    }

    /// Of a row that was changed without having been read before.
    pub(super) fn tell_updated_from_unknown(
        &self,
        audited: &Audited,
        assigned: &[String],
        new: &[Value],
    ) -> Result<(), DbErr> {
        let name = |at: usize| audited.info.columns[at].name;
        let written = |at: usize| assigned.iter().any(|column| is_name(column, name(at)));
        let updated = |plan: &Plan| plan.updated_from_unknown(self.config, written, new);
        self.tell_of_one_state(audited, self.source, Action::Update, new, updated)
    }

    /// Writes what was told where there is too much of it to be kept.
    pub(super) async fn flush_when_full(&self) -> Result<(), DbErr> {
        if self.frames.is_full(self.config) {
            self.frames.flush(self.db).await?;
        }
        Ok(())
    }
}
