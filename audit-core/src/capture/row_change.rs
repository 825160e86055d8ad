//! The change of one row, as capture passes it on.

use sea_orm::sea_query::Value;

use crate::action::{Action, Outcome, Source};
use crate::change::Changes;
use crate::config::{AuditConfig, Plan};
use crate::context::AuditContext;
use crate::error::Cause;
use crate::record::Record;
use crate::target::Target;

/// A changed row.
pub(crate) struct RowChange<'a> {
    pub(crate) action: Action,
    pub(crate) changes: Changes,
    pub(crate) key: &'a [Value],
    /// The row that identifies the object: after the change, or before it was deleted.
    pub(crate) row: &'a [Value],
    pub(crate) source: Source,
}

impl RowChange<'_> {
    pub(crate) fn record(
        self,
        plan: &Plan,
        config: &AuditConfig,
        context: AuditContext,
    ) -> Result<Record, Cause> {
        let object_id = plan.object_id(config, self.key)?;
        Ok(Record {
            occurred_at: config.now(),
            action: plan.action_of(self.action, &self.changes),
            outcome: Outcome::Success,
            target: Some(Target {
                model: plan.info.model().to_owned(),
                repr: Some(plan.label(config, self.row, &object_id)?),
                object_id,
            }),
            changes: Some(self.changes),
            tenant: plan.tenant(self.row)?,
            module: plan.info.module().map(str::to_owned),
            source: self.source,
            context,
            transaction_id: None,
        })
    }
}
