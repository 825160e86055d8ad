//! The history of one object: its versions, who set each field, and what differs between two versions.

mod fold;
mod recorded;
mod state;
#[cfg(feature = "statements")]
mod timeline;

use std::collections::BTreeMap;
use std::marker::PhantomData;

use sea_orm::sea_query::{IntoValueTuple, Value};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, Iterable, PrimaryKeyTrait,
    QueryFilter, QueryOrder, QuerySelect, TryIntoModel,
};

use crate::action::Action;
use crate::auditable::{Auditable, values_of};
use crate::binding::Binding;
use crate::change::Changes;
use crate::config::{AuditConfig, Plan, RecordingMode};
use crate::entity::audit_log::{self, Column as L};
use crate::redact::is_json;
use crate::value::{decode, encode};
#[cfg(feature = "statements")]
pub(crate) use fold::known;
#[cfg(not(feature = "statements"))]
use fold::known;
use fold::{Field, fold};
pub use recorded::{RecordedHistory, RecordedPast, RecordedVersion};
pub use state::{FieldState, ObjectState, UnknownReason};
#[cfg(feature = "statements")]
pub use timeline::{ReferenceLabel, Timeline, TimelineEntry, TimelineRelation};

/// Reads the history of an entity's objects.
///
/// Every [`Auditable`] entity has it: `order::Entity::history(7).all(&db)`.
pub trait AuditHistory: Auditable {
    /// Begins to read the history of the object with this primary key.
    fn history(
        key: impl Into<<Self::PrimaryKey as PrimaryKeyTrait>::ValueType>,
    ) -> HistoryQuery<Self> {
        HistoryQuery {
            key: key.into().into_value_tuple().into_iter().collect(),
            entity: PhantomData,
        }
    }
}

impl<E: Auditable> AuditHistory for E {}

/// Which object's history is read.
#[derive(Debug, Clone)]
#[must_use = "nothing is read until `all` or `blame` is awaited"]
pub struct HistoryQuery<E> {
    key: Vec<Value>,
    entity: PhantomData<E>,
}

/// An object after one of its changes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Version<E> {
    /// The record of the change: who, when, from where and why.
    pub record: audit_log::Model,
    /// The changed fields.
    pub changes: Changes,
    /// The object after the change; `None` if the change deleted it.
    pub state: Option<ObjectState>,
    /// Fields that something changed without a record, between the version before and this one.
    pub unrecorded: Vec<String>,
    entity: PhantomData<E>,
}

impl<E: Auditable> Version<E> {
    /// The object as a model; `None` if it is deleted, or if a field of it is not known.
    /// [`state`](Self::state) has the others.
    #[must_use]
    pub fn model(&self) -> Option<E::Model>
    where
        E::ActiveModel: TryIntoModel<E::Model>,
    {
        let state = self.state.as_ref()?;
        let mut active = <E::ActiveModel as ActiveModelTrait>::default();
        for (column, info) in E::Column::iter().zip(&E::info().columns) {
            let value = decode(state.get(info.name)?.value()?, &info.shape).ok()?;
            active.try_set(column, value).ok()?;
        }
        active.try_into_model().ok()
    }
}

/// Who set a field last.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Blame {
    /// The field, by its name in the database.
    pub field: String,
    /// Its value.
    pub state: FieldState,
    /// The record that set it; `None` if no record did.
    pub record: Option<audit_log::Model>,
}

impl<E: Auditable> HistoryQuery<E> {
    /// Reads all versions, the oldest first.
    ///
    /// The state of each version is derived from the records before and after it, and from the row as it is. An object
    /// whose key changed has a history under each of its keys. All versions are in memory at once.
    ///
    /// # Errors
    /// Returns the database's error, [`DbErr::Type`] if the key or the row has no canonical form, and an error if the
    /// object is changed again and again while its history is read.
    pub async fn all<C: ConnectionTrait>(self, db: &C) -> Result<Vec<Version<E>>, DbErr> {
        Binding::to(db).scope(self.read(db)).await
    }

    /// Reads who set each field of the object last. Nothing is returned for a deleted object.
    ///
    /// # Errors
    /// Returns the errors of [`all`](Self::all).
    pub async fn blame<C: ConnectionTrait>(self, db: &C) -> Result<Vec<Blame>, DbErr> {
        let versions = self.all(db).await?;
        Ok(blame(versions.iter().map(|version| {
            (version.state.as_ref(), &version.changes, &version.record)
        })))
    }

    async fn read<C: ConnectionTrait>(self, db: &C) -> Result<Vec<Version<E>>, DbErr> {
        /// How often the object may be changed meanwhile.
        const ATTEMPTS: usize = 5;
        let config = AuditConfig::current();
        let plan = config.plan(E::info());
        let id = plan
            .object_id(&config, &self.key)
            .map_err(|cause| DbErr::Type(cause.to_string()))?;
        for _ in 0..ATTEMPTS {
            let row = self.row(db, &config, &plan).await?;
            let records = Self::records(&id).order_by_asc(L::Id).all(db).await?;
            // A record that is committed after the row was read belongs to another row.
            let again = self.row(db, &config, &plan).await?;
            if row == again {
                return Ok(versions(records, row.as_ref(), &plan));
            }
        }
        Err(DbErr::Custom(format!(
            "the history of {} {id} was not read, because the object is changed all the time: read it in a transaction \
             that reads repeatably",
            E::info().model()
        )))
    }

    fn records(id: &str) -> sea_orm::Select<audit_log::Entity> {
        let changes = Action::CHANGES.map(|action| action.to_string());
        audit_log::Entity::find()
            .filter(L::Model.eq(E::info().model()))
            .filter(L::ObjectId.eq(id))
            .filter(L::Action.is_in(changes))
    }

    /// The row as the log would have it.
    async fn row<C: ConnectionTrait>(
        &self,
        db: &C,
        config: &AuditConfig,
        plan: &Plan,
    ) -> Result<Option<BTreeMap<String, FieldState>>, DbErr> {
        let mut select = E::find();
        for (key, value) in E::PrimaryKey::iter().zip(&self.key) {
            select = select.filter(sea_orm::PrimaryKeyToColumn::into_column(key).eq(value.clone()));
        }
        let Some(model) = select.limit(1).one(db).await? else {
            return Ok(None);
        };
        let mut row = BTreeMap::new();
        for ((value, column), mode) in values_of(&model)
            .iter()
            .zip(&plan.info.columns)
            .zip(&plan.columns)
        {
            if recorded(*mode).is_ok() {
                let mut json = encode(value).map_err(|error| DbErr::Type(error.to_string()))?;
                if *mode == RecordingMode::Record && is_json(value) {
                    config.sensitive().redact_json(&mut json);
                }
                row.insert(column.name.to_owned(), known(&json));
            }
        }
        Ok(Some(row))
    }
}

/// Who set each field last, from the state, the changes and the record of each version; nothing for a deleted object.
fn blame<'a>(
    versions: impl Iterator<Item = (Option<&'a ObjectState>, &'a Changes, &'a audit_log::Model)>,
) -> Vec<Blame> {
    let versions: Vec<_> = versions.collect();
    let Some(state) = versions.last().and_then(|(state, ..)| *state) else {
        return Vec::new();
    };
    // The records of an earlier row with the same key are of another object.
    let begin = versions.iter().rposition(|(state, ..)| state.is_none());
    let own = &versions[begin.map_or(0, |deleted| deleted + 1)..];
    let fields = state.iter().map(|(field, state)| {
        // A snapshot sets nothing.
        let set = own.iter().rfind(|(_, changes, record)| {
            record.action != Action::Snapshot.as_str() && changes.get(field).is_some()
        });
        Blame {
            field: field.to_owned(),
            state: state.clone(),
            record: set.map(|(.., record)| (*record).clone()),
        }
    });
    fields.collect()
}

/// Whether the log has the values of a column, why not otherwise.
pub(crate) fn recorded(mode: RecordingMode) -> Result<(), UnknownReason> {
    match mode {
        RecordingMode::Record | RecordingMode::Plain => Ok(()),
        RecordingMode::Redact | RecordingMode::Hash => Err(UnknownReason::Redacted),
        RecordingMode::Skip | RecordingMode::LeftOut => Err(UnknownReason::NotRecorded),
    }
}

fn versions<E>(
    records: Vec<audit_log::Model>,
    row: Option<&BTreeMap<String, FieldState>>,
    plan: &Plan,
) -> Vec<Version<E>> {
    let fields: Vec<Field> = (plan.info.columns.iter().zip(&plan.columns))
        .map(|(column, mode)| Field {
            name: column.name.to_owned(),
            recorded: recorded(*mode),
        })
        .collect();
    let changes: Vec<(Action, Changes)> = (records.iter())
        .map(|record| {
            let action = record.action.parse().unwrap_or(Action::Update);
            let changes = record.changed().unwrap_or_default();
            // Under the names that the columns have now.
            let changes = changes.into_iter().map(|(field, change)| {
                let at = plan.info.column_in_log(&field);
                (
                    at.map_or(field, |at| plan.info.columns[at].name.into()),
                    change,
                )
            });
            (action, changes.collect())
        })
        .collect();
    let steps = fold(&changes, row, &fields);
    (records.into_iter().zip(changes).zip(steps))
        .map(|((record, (_, changes)), step)| Version {
            record,
            changes,
            state: step.state,
            unrecorded: step.unrecorded,
            entity: PhantomData,
        })
        .collect()
}
