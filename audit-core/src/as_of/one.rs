//! One object at a past moment.

use std::marker::PhantomData;

use sea_orm::sea_query::{IntoValueTuple, Value};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, Iterable, PrimaryKeyTrait,
    QueryFilter, QueryOrder, QuerySelect, TryIntoModel,
};

use super::events;
use super::key::moved_to;
use super::moment::Moment;
use super::objects::{Objects, connected};
use super::past::{Event, Past, PastRow, PastValue, Replay};
use crate::action::Action;
use crate::auditable::Auditable;
use crate::binding::Binding;
use crate::config::{AuditConfig, RecordingMode};
use crate::entity::audit_log::Column as C;
use crate::query::{FieldState, ObjectState, UnknownReason, known, recorded};
use crate::redact::is_json;
use crate::value::{decode, encode};

/// Reads an entity's objects as they were.
///
/// Every [`Auditable`] entity has it: `order::Entity::as_of(monday).one(7, &db)`.
pub trait AuditAsOf: Auditable {
    /// Begins to read objects as they were at this moment.
    fn as_of(moment: impl Into<Moment>) -> AsOfObject<Self> {
        AsOfObject {
            moment: moment.into(),
            entity: PhantomData,
        }
    }
}

impl<E: Auditable> AuditAsOf for E {}

/// The moment of which an object is read.
#[derive(Debug, Clone, Copy)]
#[must_use = "nothing is read until `one` is awaited"]
pub struct AsOfObject<E> {
    moment: Moment,
    entity: PhantomData<E>,
}

/// An object at a past moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PastObject<E: EntityTrait> {
    /// The object existed.
    Present(Snapshot<E>),
    /// The object did not exist.
    Absent,
    /// The log does not say whether it existed: the moment is before the first record of the model, and the object has
    /// none that says it.
    Unknown,
}

/// The fields of an object at a past moment.
#[derive(Debug, Clone)]
pub struct Snapshot<E: EntityTrait> {
    values: Vec<Option<Value>>,
    state: ObjectState,
    entity: PhantomData<E>,
}

impl<E: Auditable> PastObject<E> {
    /// The object as a model; `None` if it did not exist, or if a field of it is not known.
    #[must_use]
    pub fn model(&self) -> Option<E::Model>
    where
        E::ActiveModel: TryIntoModel<E::Model>,
    {
        match self {
            Self::Present(snapshot) => snapshot.model(),
            _ => None,
        }
    }

    /// The fields; `None` if the object did not exist, or if that is not known.
    #[must_use]
    pub const fn state(&self) -> Option<&ObjectState> {
        match self {
            Self::Present(snapshot) => Some(&snapshot.state),
            _ => None,
        }
    }
}

impl<E: Auditable> Snapshot<E> {
    /// The object as a model; `None` if a field of it is not known. A field whose values the log keeps out of it is
    /// known if it has not changed since.
    #[must_use]
    pub fn model(&self) -> Option<E::Model>
    where
        E::ActiveModel: TryIntoModel<E::Model>,
    {
        let mut active = <E::ActiveModel as ActiveModelTrait>::default();
        for (column, value) in E::Column::iter().zip(&self.values) {
            active.try_set(column, value.clone()?).ok()?;
        }
        active.try_into_model().ok()
    }

    /// The fields, each with its value in the canonical form of the log or with the reason why it is not known.
    #[must_use]
    pub const fn state(&self) -> &ObjectState {
        &self.state
    }
}

impl<E: Auditable> AsOfObject<E> {
    /// Reads the object with this primary key, which is the key that it had then.
    ///
    /// The cost grows with the records after the moment: of the object, or of its model if keys have changed.
    ///
    /// # Errors
    /// Returns the database's error; [`AuditError::AsOf`](crate::AuditError::AsOf) for a record or a transaction that
    /// the log does not have; [`AuditError::PastUnknown`](crate::AuditError::PastUnknown) if actions of the model are
    /// not recorded; and an error if the object is changed again and again meanwhile.
    pub async fn one<C: ConnectionTrait>(
        self,
        key: impl Into<<E::PrimaryKey as PrimaryKeyTrait>::ValueType>,
        db: &C,
    ) -> Result<PastObject<E>, DbErr> {
        let key: Vec<Value> = key.into().into_value_tuple().into_iter().collect();
        Binding::to(db).scope(self.read(key, db)).await
    }

    async fn read<C: ConnectionTrait>(
        self,
        key: Vec<Value>,
        db: &C,
    ) -> Result<PastObject<E>, DbErr> {
        /// How often the object may be changed meanwhile.
        const ATTEMPTS: usize = 5;
        let config = AuditConfig::current();
        let plan = config.plan(E::info());
        let objects = Objects {
            db,
            config: &config,
            plan: &plan,
            moment: self.moment,
            place: self.moment.find(db).await?,
        };
        objects.check_recorded()?;
        let id = plan
            .object_id(&config, &key)
            .map_err(|cause| DbErr::Type(cause.to_string()))?;
        for _ in 0..ATTEMPTS {
            let newest = newest_of(&objects, &id).await?;
            let past = past_of(&objects, &id).await?;
            // A record that is committed meanwhile belongs to another row than the one that was read.
            if newest == newest_of(&objects, &id).await? {
                return Ok(match past {
                    None => PastObject::Unknown,
                    Some(Past::Absent) => PastObject::Absent,
                    Some(Past::Present(row)) => PastObject::Present(snapshot(&objects, row)?),
                });
            }
        }
        Err(DbErr::Custom(format!(
            "the object {id} of {} was not read, because it is changed all the time: read it in a transaction that \
             reads repeatably",
            E::info().model()
        )))
    }
}

async fn newest_of<Db: ConnectionTrait>(
    objects: &Objects<'_, Db>,
    id: &str,
) -> Result<Option<i64>, DbErr> {
    let newest: Option<Option<i64>> = events::of_model(objects.info())
        .filter(C::ObjectId.eq(id))
        .select_only()
        .column_as(C::Id.max(), "newest")
        .into_tuple()
        .one(objects.db)
        .await?;
    Ok(newest.flatten())
}

/// `None` if it is not known whether the object existed.
pub(crate) async fn past_of<Db: ConnectionTrait>(
    objects: &Objects<'_, Db>,
    id: &str,
) -> Result<Option<Past>, DbErr> {
    let only = [id.to_owned()];
    let events = objects.events_of(&only).await?;
    let was_present = was_present(objects, id, events.first().map(|event| event.id)).await?;
    let is_moved =
        (events.iter()).any(|event| moved_to(objects.info(), id, &event.changes).is_some());
    let begins = events
        .first()
        .is_some_and(|first| first.action == Action::Create);
    let past = if is_moved || (!was_present && !begins) {
        // Another object may have got this key since.
        let moves = objects.moves().await?;
        let ids = connected(&moves, id);
        if ids.len() > 1 {
            let mut pasts = objects.moved(&ids).await?;
            pasts.remove(id).unwrap_or(Past::Absent)
        } else {
            alone(objects, id, &events).await?
        }
    } else {
        alone(objects, id, &events).await?
    };
    // Else no record under this key has created the row, so it may be older than the log.
    let is_known = past == Past::Absent
        || was_present
        || events::is_recorded_before(objects.db, objects.info(), objects.place).await?;
    Ok(is_known.then_some(past))
}

async fn alone<Db: ConnectionTrait>(
    objects: &Objects<'_, Db>,
    id: &str,
    events: &[Event],
) -> Result<Past, DbErr> {
    let mut replay = Replay::new(objects.plan);
    for event in events {
        replay.push(event);
    }
    if replay.is_created_later() {
        return Ok(Past::Absent);
    }
    let row = objects.rows(&[id.to_owned()]).await?.remove(id);
    Ok(replay.finish(row))
}

/// Whether the last record of the object, before the first one after the moment, leaves a row with its key.
async fn was_present<Db: ConnectionTrait>(
    objects: &Objects<'_, Db>,
    id: &str,
    first: Option<i64>,
) -> Result<bool, DbErr> {
    let mut records = events::of_model(objects.info()).filter(C::ObjectId.eq(id));
    if let Some(first) = first {
        records = records.filter(C::Id.lt(first));
    }
    // `read` adds an order, which then decides nothing.
    let last = events::read(objects.db, records.order_by_desc(C::Id).limit(1)).await?;
    Ok(last.first().is_some_and(|last| {
        last.action != Action::Delete && moved_to(objects.info(), id, &last.changes).is_none()
    }))
}

fn snapshot<E: Auditable, Db: ConnectionTrait>(
    objects: &Objects<'_, Db>,
    row: PastRow,
) -> Result<Snapshot<E>, DbErr> {
    let mut fields = row.former;
    let mut values = Vec::with_capacity(row.values.len());
    let columns = objects.info().columns.iter().zip(&objects.plan.columns);
    for ((column, mode), value) in columns.zip(row.values) {
        let state = match &value {
            PastValue::Recorded(json) => FieldState::Known(json.clone()),
            PastValue::Unknown(reason, _) => FieldState::Unknown(*reason),
            PastValue::Current(value) => shown(objects.config, *mode, value)?,
        };
        fields.insert(column.name.to_owned(), state);
        values.push(match value {
            PastValue::Current(value) => Some(value),
            PastValue::Recorded(json) => decode(&json, &column.shape).ok(),
            PastValue::Unknown(..) => None,
        });
    }
    Ok(Snapshot {
        values,
        state: ObjectState(fields),
        entity: PhantomData,
    })
}

/// A value of the row as it is, as the log would have it.
fn shown(config: &AuditConfig, mode: RecordingMode, value: &Value) -> Result<FieldState, DbErr> {
    if let Err(reason) = recorded(mode) {
        return Ok(FieldState::Unknown(reason));
    }
    let mut json = encode(value).map_err(|error| DbErr::Type(error.to_string()))?;
    if mode == RecordingMode::Record && is_json(value) {
        config.sensitive().redact_json(&mut json);
    }
    Ok(match known(&json) {
        FieldState::Unknown(_) => FieldState::Unknown(UnknownReason::Redacted),
        state @ FieldState::Known(_) => state,
    })
}
