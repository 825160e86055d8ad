//! Manual logging: any action, on any object, with reason, changes and metadata.

use std::borrow::Cow;

use std::fmt;
use std::sync::Arc;

use sea_orm::prelude::{Json, Uuid};
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, ModelTrait};

use crate::action::{Action, Outcome, Source};
use crate::actor::Actor;
use crate::auditable::{Auditable, EntityInfo, audited_entities, values_of};
use crate::binding::Binding;
use crate::change::{Change, Changes};
use crate::config::{AuditConfig, Plan};
use crate::context::AuditContext;
use crate::error::{AuditError, Cause, ChangeState};
use crate::record::{Record, record_event};
use crate::target::Target;

/// A record that the application writes itself.
///
/// Actor, address, request and the rest come from the context that is bound to the connection, else from the current
/// [`AuditContext`]; values set here take precedence. Fields are skipped, redacted and hashed as the target's entity
/// and the configuration declare, and names that look like secrets are redacted as everywhere.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::{Action, AuditError, AuditEvent};
/// # use sea_orm::DatabaseConnection;
/// # async fn approve(db: &DatabaseConnection) -> Result<(), AuditError> {
/// AuditEvent::new(Action::custom("APPROVE")?)
///     .target_named("invoice", "2026-17")
///     .reason("within budget")
///     .metadata("limit", 5000)
///     .record(db)
///     .await
/// # }
/// ```
#[derive(Clone)]
#[must_use = "an event is recorded only when `record` is awaited"]
pub struct AuditEvent {
    action: Action,
    outcome: Outcome,
    target: Option<TargetOf>,
    changes: Changes,
    context: AuditContext,
}

#[derive(Clone)]
enum TargetOf {
    Model {
        info: &'static EntityInfo,
        row: Vec<Value>,
    },
    Named {
        model: String,
        object_id: String,
    },
}

impl fmt::Debug for AuditEvent {
    /// Leaves out all values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.changes.iter().map(|(field, _)| field).collect();
        f.debug_struct("AuditEvent")
            .field("action", &self.action)
            .field("outcome", &self.outcome)
            .field("model", &self.target.as_ref().map(TargetOf::model))
            .field("changes", &fields)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl TargetOf {
    fn model(&self) -> &str {
        match self {
            Self::Model { info, .. } => info.model(),
            Self::Named { model, .. } => model,
        }
    }

    /// What is known of the model, also where only its name was given.
    fn info(&self) -> Option<&'static EntityInfo> {
        match self {
            Self::Model { info, .. } => Some(info),
            Self::Named { model, .. } => audited_entities().find(|info| info.model() == model),
        }
    }
}

impl AuditEvent {
    /// An event that succeeded, without target.
    pub fn new(action: Action) -> Self {
        Self {
            action,
            outcome: Outcome::Success,
            target: None,
            changes: Changes::new(),
            context: AuditContext::new(),
        }
    }

    /// A refused authorisation check: `ACCESS_DENIED`, with the outcome FAILURE.
    pub fn access_denied() -> Self {
        Self::new(Action::AccessDenied).failed()
    }

    /// The object it was done to.
    pub fn target<M>(mut self, model: &M) -> Self
    where
        M: ModelTrait,
        M::Entity: Auditable,
    {
        self.target = Some(TargetOf::Model {
            info: <M::Entity as Auditable>::info(),
            row: values_of(model),
        });
        self
    }

    /// The target object, by names, for what is no audited entity.
    pub fn target_named(mut self, model: impl Into<String>, object_id: impl ToString) -> Self {
        self.target = Some(TargetOf::Named {
            model: model.into(),
            object_id: object_id.to_string(),
        });
        self
    }

    /// Who did it, in place of the context's actor.
    pub fn actor(mut self, actor: Actor) -> Self {
        self.context = self.context.actor(actor);
        self
    }

    /// Why it was done, in place of the context's reason.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.context = self.context.reason(reason);
        self
    }

    /// Marks it as tried and failed.
    pub fn failed(mut self) -> Self {
        self.outcome = Outcome::Failure;
        self
    }

    /// Adds a changed field; equal values add nothing.
    pub fn change(
        mut self,
        field: impl Into<Cow<'static, str>>,
        old: impl Into<Json>,
        new: impl Into<Json>,
    ) -> Self {
        if let Some(change) = Change::between(old.into(), new.into()) {
            self.changes.insert(field, change);
        }
        self
    }

    /// Adds the changed fields of a whole row.
    pub fn changes(mut self, changes: &Changes) -> Self {
        for (field, change) in changes {
            self.changes.insert(field.to_owned(), change.clone());
        }
        self
    }

    /// Adds an application-defined value.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Json>) -> Self {
        self.context = self.context.metadata(key, value);
        self
    }

    /// Writes the record through this connection; inside a transaction it commits with it.
    ///
    /// Writes nothing where the action or the target's model is skipped, in migration mode, and on
    /// a mock connection.
    ///
    /// # Errors
    /// Returns [`AuditError::NotRecorded`] when the record cannot be written, whatever the failure policy: there is no
    /// other write that could continue.
    pub async fn record<C: ConnectionTrait>(self, db: &C) -> Result<(), AuditError> {
        Binding::to(db).scope(self.record_here(db)).await
    }

    /// Whether it is left out of the log by the configuration that applies to this connection here.
    #[doc(hidden)]
    pub fn is_skipped_by<C: ConnectionTrait>(&self, db: &C) -> bool {
        let config = Binding::to(db).config.unwrap_or_else(AuditConfig::current);
        self.is_skipped(&config, self.plan(&config).as_deref())
    }

    fn plan(&self, config: &AuditConfig) -> Option<Arc<Plan>> {
        let info = self.target.as_ref().and_then(TargetOf::info);
        info.map(|info| config.plan(info))
    }

    fn is_skipped(&self, config: &AuditConfig, plan: Option<&Plan>) -> bool {
        let model = self.target.as_ref().map(TargetOf::model);
        config.skips_action(&self.action)
            || plan.is_some_and(|plan| plan.skips(config, &self.action))
            || model.is_some_and(|model| config.skips_model(model))
    }

    async fn record_here<C: ConnectionTrait>(self, db: &C) -> Result<(), AuditError> {
        let config = AuditConfig::current();
        let plan = self.plan(&config);
        let skipped = self.is_skipped(&config, plan.as_deref());
        if skipped || db.is_mock_connection() || config.suppresses_write() {
            return Ok(());
        }
        let record =
            self.tell(&config, plan.as_deref())
                .map_err(|cause| AuditError::NotRecorded {
                    state: ChangeState::NoChange,
                    cause,
                })?;
        let record = Record {
            transaction_id: transaction_of(db),
            ..record
        };
        record_event(db, &config, record).await
    }

    fn tell(self, config: &AuditConfig, plan: Option<&Plan>) -> Result<Record, Cause> {
        let (target, tenant) = match (self.target, plan) {
            (Some(TargetOf::Model { row, .. }), Some(plan)) => {
                let object_id = plan.object_id(config, &plan.info.key_of(&row))?;
                let target = Target {
                    model: plan.info.model().to_owned(),
                    repr: Some(plan.label(config, &row, &object_id)?),
                    object_id,
                };
                (Some(target), plan.tenant(&row)?)
            }
            (Some(TargetOf::Named { model, object_id }), _) => {
                let repr = None;
                let target = Target {
                    model,
                    object_id,
                    repr,
                };
                (Some(target), None)
            }
            (Some(TargetOf::Model { .. }) | None, _) => (None, None),
        };
        let changes = Plan::stated(plan, config, self.changes)?;
        Ok(Record {
            occurred_at: config.now(),
            action: self.action,
            outcome: self.outcome,
            target,
            changes: (!changes.is_empty()).then_some(changes),
            tenant,
            module: plan.and_then(|plan| plan.info.module().map(str::to_owned)),
            source: Source::Manual,
            transaction_id: None,
            context: self.context.or(&AuditContext::current()),
        })
    }
}

/// The id of the audited transaction of a connection.
#[cfg(feature = "statements")]
pub(super) fn transaction_of<C: ConnectionTrait>(db: &C) -> Option<Uuid> {
    crate::binding::probe(db).and_then(|probed| probed.transaction_id)
}

#[cfg(not(feature = "statements"))]
pub(super) fn transaction_of<C: ConnectionTrait>(_: &C) -> Option<Uuid> {
    None
}

/// Records that an object was viewed.
///
/// # Errors
/// Returns [`AuditError::NotRecorded`] when the record cannot be written.
pub async fn record_view<C, M>(db: &C, model: &M) -> Result<(), AuditError>
where
    C: ConnectionTrait,
    M: ModelTrait,
    M::Entity: Auditable,
{
    AuditEvent::new(Action::View).target(model).record(db).await
}
