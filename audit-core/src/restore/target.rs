//! What is undone: [`Undo`] and [`AuditRestore`].

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{IntoValueTuple, Value};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PrimaryKeyTrait, QueryFilter, QueryOrder,
    QuerySelect, TransactionTrait,
};

use super::apply;
use super::compute::{Computed, compute};
use super::goal::{Goal, goals_of_deleted, goals_of_moment, goals_of_records};
use super::plan::{PlannedWrite, Resolution, UndoPlan};
use crate::action::Action;
use crate::as_of::Moment;
use crate::auditable::{Auditable, EntityInfo, register};
use crate::binding::Binding;
use crate::config::AuditConfig;
use crate::connection::AuditedTransaction;
use crate::entity::audit_log::{self, Column as C};
use crate::error::AuditError;

/// Undoes changes that the log has.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::{AuditedConnection, Undo};
/// # use sea_orm::{DbErr, prelude::Uuid};
/// # async fn undo(db: &AuditedConnection, transaction: Uuid) -> Result<(), DbErr> {
/// let undo = Undo::transaction(transaction);
/// let plan = undo.plan(db).await?;
/// if plan.conflicts.is_empty() {
///     undo.apply(db).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is undone until `apply` is awaited"]
pub struct Undo {
    target: Target,
    fields: Vec<String>,
    resolutions: Vec<(Place, Resolution)>,
}

#[derive(Debug, Clone)]
enum Target {
    Record(i64),
    Transaction(Uuid),
    Deleted(&'static EntityInfo, Vec<Value>),
    Moment(&'static EntityInfo, Vec<Value>, Moment),
}

/// The fields that a resolution is for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    model: String,
    object_id: Option<String>,
    field: String,
}

/// What an undo did.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Undone {
    /// The transaction of the undo, by which it can be undone itself.
    pub transaction_id: Uuid,
    /// The writes, in their order.
    pub writes: Vec<PlannedWrite>,
}

/// Brings an entity's objects back.
///
/// Every [`Auditable`] entity has it: `order::Entity::restore(7).apply(&db)`.
pub trait AuditRestore: Auditable {
    /// Inserts a deleted row again, with the rows that were deleted along with it in the same transaction because they
    /// referred to it, and sets the references that became NULL.
    fn restore(key: impl Into<<Self::PrimaryKey as PrimaryKeyTrait>::ValueType>) -> Undo {
        register(Self::info());
        Undo::of(Target::Deleted(Self::info(), values::<Self>(key)))
    }

    /// Brings the row with this key to its state of a past moment, whatever was written since.
    fn restore_to(
        key: impl Into<<Self::PrimaryKey as PrimaryKeyTrait>::ValueType>,
        moment: impl Into<Moment>,
    ) -> Undo {
        register(Self::info());
        Undo::of(Target::Moment(
            Self::info(),
            values::<Self>(key),
            moment.into(),
        ))
    }
}

impl<E: Auditable> AuditRestore for E {}

fn values<E: EntityTrait>(
    key: impl Into<<E::PrimaryKey as PrimaryKeyTrait>::ValueType>,
) -> Vec<Value> {
    key.into().into_value_tuple().into_iter().collect()
}

impl Undo {
    const fn of(target: Target) -> Self {
        Self {
            target,
            fields: Vec::new(),
            resolutions: Vec::new(),
        }
    }

    /// The change of the record with this number. Later changes are kept.
    pub const fn record(id: i64) -> Self {
        Self::of(Target::Record(id))
    }

    /// All changes of an audited transaction, by its `transaction_id`. Later changes are kept.
    pub const fn transaction(id: Uuid) -> Self {
        Self::of(Target::Transaction(id))
    }

    /// Undoes the changes of these fields only, by their names in the database. Rows are then neither inserted nor
    /// deleted.
    pub fn fields(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.fields.extend(names.into_iter().map(Into::into));
        self
    }

    /// Decides the conflicts of one field of one object.
    pub fn resolve(
        self,
        model: impl Into<String>,
        object_id: impl Into<String>,
        field: impl Into<String>,
        resolution: Resolution,
    ) -> Self {
        let place = Place {
            model: model.into(),
            object_id: Some(object_id.into()),
            field: field.into(),
        };
        self.resolved(place, resolution)
    }

    /// Decides the conflicts of one field of all objects of a model that have no resolution of their own.
    pub fn resolve_all(
        self,
        model: impl Into<String>,
        field: impl Into<String>,
        resolution: Resolution,
    ) -> Self {
        let place = Place {
            model: model.into(),
            object_id: None,
            field: field.into(),
        };
        self.resolved(place, resolution)
    }

    fn resolved(mut self, place: Place, resolution: Resolution) -> Self {
        self.resolutions.retain(|(other, _)| *other != place);
        self.resolutions.push((place, resolution));
        self
    }

    pub(super) fn resolution(
        &self,
        model: &str,
        object_id: &str,
        field: &str,
    ) -> Option<&Resolution> {
        let find = |id: Option<&str>| {
            (self.resolutions.iter()).find(|(place, _)| {
                place.model == model && place.field == field && place.object_id.as_deref() == id
            })
        };
        find(Some(object_id))
            .or_else(|| find(None))
            .map(|(_, resolution)| resolution)
    }

    /// Reads what would be written, and what conflicts with it. Nothing is written or locked.
    ///
    /// # Errors
    /// Returns the database's error, and [`AuditError::Undo`] if the log does not have what is to be undone, or it is
    /// of an entity that this program does not have.
    pub async fn plan<Db: ConnectionTrait>(&self, db: &Db) -> Result<UndoPlan, DbErr> {
        let computed = Binding::to(db).scope(self.compute(db, false)).await?;
        Ok(computed.into_plan())
    }

    /// Writes what the plan says, in one transaction, or in a savepoint of the transaction given.
    ///
    /// Hooks of models do not run. The records of the writes name what they undo in their metadata, under `undoes`.
    ///
    /// # Errors
    /// Returns [`AuditError::UndoConflict`] if anything conflicts, or the database refuses a write; the errors of
    /// [`plan`](Self::plan); and those of a transaction. In each case nothing is changed.
    pub async fn apply<Db>(&self, db: &Db) -> Result<Undone, DbErr>
    where
        Db: ConnectionTrait + TransactionTrait<Transaction = AuditedTransaction>,
    {
        let tx = db.begin_with_options(crate::begin::options()).await?;
        let done = Binding::to(db).scope(self.apply_in(&tx)).await;
        match done {
            Ok(writes) => {
                let transaction_id = tx.id();
                tx.commit().await?;
                Ok(Undone {
                    transaction_id,
                    writes,
                })
            }
            Err(error) => {
                tx.rollback().await?;
                Err(error)
            }
        }
    }

    async fn apply_in(&self, tx: &AuditedTransaction) -> Result<Vec<PlannedWrite>, DbErr> {
        let computed = self.compute(tx, true).await?;
        if !computed.conflicts.is_empty() {
            let conflicts = computed.conflicts.iter().map(ToString::to_string).collect();
            return Err(AuditError::UndoConflict { conflicts }.into());
        }
        apply::write(tx, &computed.steps, self.reference()).await?;
        Ok(computed.into_plan().writes)
    }

    /// What the records of the undo say that they undo.
    fn reference(&self) -> serde_json::Value {
        match &self.target {
            Target::Record(id) => serde_json::json!({"record": id}),
            Target::Transaction(id) => serde_json::json!({"transaction": id.to_string()}),
            Target::Deleted(..) => serde_json::json!({"deletion": true}),
            Target::Moment(_, _, moment) => serde_json::json!({"since": moment.to_string()}),
        }
    }

    async fn compute<Db: ConnectionTrait>(&self, db: &Db, lock: bool) -> Result<Computed, DbErr> {
        let config = AuditConfig::current();
        let mut goals = self.goals(db, &config).await?;
        if !self.fields.is_empty() {
            for goal in &mut goals {
                goal.keep_fields(&self.fields)?;
            }
            goals.retain(|goal| !goal.fields.is_empty());
        }
        compute(db, &config, self, goals, lock).await
    }

    async fn goals<Db: ConnectionTrait>(
        &self,
        db: &Db,
        config: &AuditConfig,
    ) -> Result<Vec<Goal>, DbErr> {
        match &self.target {
            Target::Record(id) => {
                let found = audit_log::Entity::find_by_id(*id).one(db).await?;
                let record = found.ok_or_else(|| refused(format!("the log has no record {id}")))?;
                let is_change = Action::CHANGES.iter().any(|a| a.as_str() == record.action);
                if !is_change {
                    return Err(refused(format!(
                        "the record {id} is not of a change of a row"
                    )));
                }
                goals_of_records(&[record])
            }
            Target::Transaction(id) => {
                let records = of_transaction(db, *id).await?;
                if records.is_empty() {
                    return Err(refused(format!(
                        "the log has no change of the transaction {id}"
                    )));
                }
                goals_of_records(&records)
            }
            Target::Deleted(info, key) => {
                let id = object_id(config, info, key)?;
                let last = of_object(info, &id).one(db).await?;
                let Some(last) = last.filter(|last| last.action == Action::Delete.as_str()) else {
                    return Err(refused(format!(
                        "the last record of {} {id} is not of its deletion",
                        info.model()
                    )));
                };
                let others = match last.transaction_id {
                    Some(transaction) => of_transaction(db, transaction).await?,
                    None => Vec::new(),
                };
                goals_of_deleted(last, others)
            }
            Target::Moment(info, key, moment) => {
                goals_of_moment(db, config, info, key, *moment).await
            }
        }
    }
}

pub(super) fn refused(why: String) -> DbErr {
    AuditError::Undo { why }.into()
}

pub(super) fn object_id(
    config: &AuditConfig,
    info: &'static EntityInfo,
    key: &[Value],
) -> Result<String, DbErr> {
    (config.plan(info).object_id(config, key)).map_err(|cause| DbErr::Type(cause.to_string()))
}

fn of_object(info: &EntityInfo, id: &str) -> sea_orm::Select<audit_log::Entity> {
    let changes = Action::CHANGES.map(|action| action.to_string());
    audit_log::Entity::find()
        .filter(C::Model.eq(info.model()))
        .filter(C::ObjectId.eq(id))
        .filter(C::Action.is_in(changes))
        .order_by_desc(C::Id)
        .limit(1)
}

/// The records of the changes of a transaction, in ascending order.
async fn of_transaction<Db: ConnectionTrait>(
    db: &Db,
    id: Uuid,
) -> Result<Vec<audit_log::Model>, DbErr> {
    let changes = Action::CHANGES.map(|action| action.to_string());
    audit_log::Entity::find()
        .filter(C::TransactionId.eq(id))
        .filter(C::Action.is_in(changes))
        .order_by_asc(C::Id)
        .all(db)
        .await
}
