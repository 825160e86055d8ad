//! The history of an object without its entity: from its records alone.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::fold::{Field, before_first, fold};
use super::state::ObjectState;
use super::{Blame, FieldState, blame};
use crate::action::Action;
use crate::binding::Binding;
use crate::change::Changes;
use crate::entity::audit_log::{self, Column as L};
use crate::record::timestamp;

/// Reads the history of an object by the names that the log has for it, without its entity: for tools.
///
/// A state comes from the records alone: it has the fields that at least one record names. A field that no record
/// before or after says is unknown, also where the row has it. [`AuditHistory`](crate::AuditHistory) reads the row, too.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::RecordedHistory;
/// # use sea_orm::{DatabaseConnection, DbErr};
/// # async fn show(db: &DatabaseConnection) -> Result<(), DbErr> {
/// for version in RecordedHistory::of("product", 7).all(db).await? {
///     let fields: Vec<&str> = version.changes.iter().map(|(field, _)| field).collect();
///     assert!(!fields.is_empty() || version.state.is_none());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "nothing is read until `all` or `blame` is awaited"]
pub struct RecordedHistory {
    model: String,
    object_id: String,
}

/// An object after one of its changes, as far as its records say it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecordedVersion {
    /// The record of the change: who, when, from where and why.
    pub record: audit_log::Model,
    /// The changed fields.
    pub changes: Changes,
    /// The object after the change; `None` if the change deleted it.
    pub state: Option<ObjectState>,
    /// Fields that something changed without a record, between the version before and this one.
    pub unrecorded: Vec<String>,
}

/// An object at a past moment, as far as its records say it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RecordedPast {
    /// The object existed.
    Present {
        /// Its fields.
        state: ObjectState,
        /// The last record before the moment; `None` where the first one of the object is later.
        record: Option<Box<audit_log::Model>>,
    },
    /// The object did not exist.
    Absent {
        /// The record of its deletion; `None` where it was created later.
        record: Option<Box<audit_log::Model>>,
    },
    /// The log does not say whether it existed: the moment is before the first record of the model, or the object has
    /// no record.
    Unknown,
}

impl RecordedHistory {
    /// The object with this id, as the log has it: a number or a text; for a composite key a JSON array.
    pub fn of(model: impl Into<String>, object_id: impl ToString) -> Self {
        Self {
            model: model.into(),
            object_id: object_id.to_string(),
        }
    }

    /// Reads all versions, the oldest first. None is returned for an object without records.
    ///
    /// An object whose key changed has a history under each of its keys. All versions are in memory at once.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn all<C: ConnectionTrait>(self, db: &C) -> Result<Vec<RecordedVersion>, DbErr> {
        Binding::to(db).scope(self.read(db)).await
    }

    /// Reads who set each field of the object last. Nothing is returned for a deleted object.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn blame<C: ConnectionTrait>(self, db: &C) -> Result<Vec<Blame>, DbErr> {
        let versions = self.all(db).await?;
        Ok(blame(versions.iter().map(|version| {
            (version.state.as_ref(), &version.changes, &version.record)
        })))
    }

    /// Reads the object as it was: after its last record of this time or before, in the order of their numbers.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn as_of<C: ConnectionTrait>(
        self,
        time: DateTimeUtc,
        db: &C,
    ) -> Result<RecordedPast, DbErr> {
        let past = async {
            let model = self.model.clone();
            let mut versions = self.read(db).await?;
            let before = versions
                .iter()
                .rposition(|version| version.record.occurred_at <= time);
            if let Some(version) = before.map(|at| versions.swap_remove(at)) {
                let record = Some(Box::new(version.record));
                return Ok(match version.state {
                    Some(state) => RecordedPast::Present { state, record },
                    None => RecordedPast::Absent { record },
                });
            }
            let Some(first) = versions.first() else {
                return Ok(RecordedPast::Unknown);
            };
            if first.record.action == Action::Create.to_string() {
                return Ok(RecordedPast::Absent { record: None });
            }
            // The row is older than its first record: whether the log would have a change by then is another question.
            let earlier = audit_log::Entity::find()
                .filter(L::Model.eq(model))
                .filter(L::Id.lt(first.record.id))
                .filter(L::OccurredAt.lte(timestamp(db.get_database_backend(), time)))
                .select_only()
                .column(L::Id)
                .limit(1)
                .into_tuple::<i64>();
            if earlier.one(db).await?.is_none() {
                return Ok(RecordedPast::Unknown);
            }
            let fields = fields_of(versions.iter().map(|version| &version.changes));
            let action = action_of(&first.record);
            let state = before_first(first.state.as_ref(), &action, &first.changes, &fields);
            let record = None;
            Ok(RecordedPast::Present { state, record })
        };
        Binding::to(db).scope(past).await
    }

    async fn read<C: ConnectionTrait>(self, db: &C) -> Result<Vec<RecordedVersion>, DbErr> {
        let changes = Action::CHANGES.map(|action| action.to_string());
        let records = audit_log::Entity::find()
            .filter(L::Model.eq(self.model))
            .filter(L::ObjectId.eq(self.object_id))
            .filter(L::Action.is_in(changes))
            .order_by_asc(L::Id)
            .all(db)
            .await?;
        Ok(versions(records))
    }
}

fn versions(records: Vec<audit_log::Model>) -> Vec<RecordedVersion> {
    let changes: Vec<(Action, Changes)> = (records.iter())
        .map(|record| (action_of(record), record.changed().unwrap_or_default()))
        .collect();
    let fields = fields_of(changes.iter().map(|(_, changes)| changes));
    let row: Option<&BTreeMap<String, FieldState>> = None;
    let steps = fold(&changes, row, &fields);
    (records.into_iter().zip(changes).zip(steps))
        .map(|((record, (_, changes)), step)| RecordedVersion {
            record,
            changes,
            state: step.state,
            unrecorded: step.unrecorded,
        })
        .collect()
}

fn action_of(record: &audit_log::Model) -> Action {
    record.action.parse().unwrap_or(Action::Update)
}

/// All fields that at least one record names.
fn fields_of<'a>(changes: impl Iterator<Item = &'a Changes>) -> Vec<Field> {
    let names: BTreeSet<&str> = changes
        .flat_map(|changes| changes.iter().map(|(name, _)| name))
        .collect();
    let fields = names.into_iter().map(|name| Field {
        name: name.to_owned(),
        recorded: Ok(()),
    });
    fields.collect()
}
