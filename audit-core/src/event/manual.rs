//! Manual logging: any action, on any object, with reason, changes and metadata.

use std::sync::Arc;

use sea_orm::prelude::Json;
use sea_orm::{ConnectionTrait, ModelTrait};

use crate::action::{Action, Outcome, Source};
use crate::actor::Actor;
use crate::auditable::{Auditable, values_of};
use crate::change::{Change, Changes};
use crate::config::{AuditConfig, Plan};
use crate::context::{AuditContext, suppression};
use crate::error::{AuditError, Cause, ChangeState};
use crate::recorder::{Record, record_event};
use crate::stats::{COUNTERS, count};
use crate::target::Target;

/// A record that the application writes itself.
///
/// Actor, address, request and the rest come from the current [`AuditContext`]; what is set here
/// wins. Fields are skipped, redacted and hashed as the target's entity and the configuration say,
/// and names that look like secrets are redacted as everywhere.
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
#[derive(Debug, Clone)]
#[must_use = "an event is recorded only when `record` is awaited"]
pub struct AuditEvent {
    action: Action,
    outcome: Outcome,
    /// Why the target cannot be named is said when the event is recorded.
    target: Result<Option<TargetOf>, Cause>,
    changes: Changes,
    context: AuditContext,
}

#[derive(Debug, Clone)]
struct TargetOf {
    target: Target,
    plan: Option<Arc<Plan>>,
    tenant: Option<String>,
}

impl TargetOf {
    fn model<M>(model: &M) -> Result<Self, Cause>
    where
        M: ModelTrait,
        M::Entity: Auditable,
    {
        let config = AuditConfig::current();
        let plan = config.plan(<M::Entity as Auditable>::info());
        let row = values_of(model);
        let key = plan.key_of(&row);
        let object_id = plan.object_id(&config, &key)?;
        Ok(Self {
            target: Target {
                model: plan.info.model().to_owned(),
                repr: Some(plan.label(&config, &row, &object_id)?),
                object_id,
            },
            tenant: plan.tenant(&row)?,
            plan: Some(plan),
        })
    }
}

impl AuditEvent {
    /// An event that succeeded, without target.
    pub fn new(action: Action) -> Self {
        Self {
            action,
            outcome: Outcome::Success,
            target: Ok(None),
            changes: Changes::new(),
            context: AuditContext::new(),
        }
    }

    /// The object it was done to.
    pub fn target<M>(mut self, model: &M) -> Self
    where
        M: ModelTrait,
        M::Entity: Auditable,
    {
        self.target = TargetOf::model(model).map(Some);
        self
    }

    /// The object it was done to, by names, for what is no audited entity.
    pub fn target_named(mut self, model: impl Into<String>, object_id: impl ToString) -> Self {
        self.target = Ok(Some(TargetOf {
            target: Target {
                model: model.into(),
                object_id: object_id.to_string(),
                repr: None,
            },
            plan: None,
            tenant: None,
        }));
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

    /// That it was tried and failed.
    pub fn failed(mut self) -> Self {
        self.outcome = Outcome::Failure;
        self
    }

    /// Adds a changed field; equal values add nothing.
    pub fn change(
        mut self,
        field: impl Into<String>,
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
            self.changes.insert(field.clone(), change.clone());
        }
        self
    }

    /// Adds a value of the application's own.
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
    /// Returns [`AuditError::NotRecorded`] when the record cannot be written, whatever the failure
    /// policy: there is no other write that could go on.
    pub async fn record<C: ConnectionTrait>(self, db: &C) -> Result<(), AuditError> {
        let config = AuditConfig::current();
        let target = self.target.map_err(|cause| AuditError::NotRecorded {
            state: ChangeState::NoChange,
            cause,
        })?;
        let plan = target.as_ref().and_then(|target| target.plan.clone());
        let skipped = match (&plan, &target) {
            (Some(plan), _) => plan.skips(&config, &self.action),
            (None, Some(named)) => {
                config.skips_action(&self.action) || config.skips_model(&named.target.model)
            }
            (None, None) => config.skips_action(&self.action),
        };
        if skipped || db.is_mock_connection() {
            return Ok(());
        }
        if let Some(suppression) = suppression() {
            count(&COUNTERS.suppressed);
            suppression.count();
            return Ok(());
        }
        if config.is_migrating() {
            count(&COUNTERS.suppressed);
            return Ok(());
        }
        let changes = Plan::stated(plan.as_deref(), &config, self.changes).map_err(|cause| {
            AuditError::NotRecorded {
                state: ChangeState::NoChange,
                cause,
            }
        })?;
        let (tenant, target) = match target {
            Some(target) => (target.tenant, Some(target.target)),
            None => (None, None),
        };
        let record = Record {
            occurred_at: config.now(),
            action: self.action,
            outcome: self.outcome,
            target,
            changes: (!changes.is_empty()).then_some(changes),
            tenant,
            module: plan.and_then(|plan| plan.info.module().map(str::to_owned)),
            source: Source::Manual,
            context: self.context.or(&AuditContext::current()),
        };
        record_event(db, &config, record).await
    }
}

/// Records that somebody looked at an object.
///
/// # Errors
/// Returns [`AuditError::NotRecorded`] when the record cannot be written.
///
/// # Examples
/// ```ignore
/// let patient = patient::Entity::find_by_id(7).one(&db).await?;
/// record_view(&db, &patient).await?;
/// ```
pub async fn record_view<C, M>(db: &C, model: &M) -> Result<(), AuditError>
where
    C: ConnectionTrait,
    M: ModelTrait,
    M::Entity: Auditable,
{
    AuditEvent::new(Action::View).target(model).record(db).await
}
