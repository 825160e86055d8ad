//! A finished write: builds its record from the states before and after it.

use std::sync::Weak;

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr};

use super::before_image::{BeforeImage, Operation, Row};
use super::generated::generated_columns;
use super::hook_context::HookContext;
use super::row_change::RowChange;
use crate::action::{Action, Source};
use crate::change::Changes;
use crate::config::AuditConfig;
use crate::context::current_scope;
use crate::error::Cause;
use crate::record::{Record, record_change};

/// A finished write that is still to be recorded, after the user's own hook.
///
/// Dropping it records nothing.
#[must_use = "a captured write is recorded only when `record` is awaited"]
pub(crate) enum Captured {
    /// Nothing is to be recorded.
    Nothing,
    Finished(Box<Finished>),
    /// What is to be recorded is unknown.
    Failed {
        config: AuditConfig,
        cause: Cause,
    },
}

pub(crate) struct Finished {
    pub(super) operating: HookContext,
    pub(super) image: Option<BeforeImage>,
    pub(super) key: Vec<Value>,
    /// The row after an insert or update; empty after a delete.
    pub(super) row: Vec<Value>,
}

impl Captured {
    /// Writes the record through the connection of the change.
    pub(crate) async fn record<C: ConnectionTrait>(self, db: &C) -> Result<(), DbErr> {
        let finished = match self {
            Self::Nothing => return Ok(()),
            Self::Failed { config, cause } => return record_change(db, &config, Err(cause)).await,
            Self::Finished(finished) => finished,
        };
        let record = match finished.generated(db).await {
            Ok(generated) => finished.tell(&generated),
            Err(cause) => Err(cause),
        };
        let record = match record {
            Ok(Some(record)) => Ok(record),
            Ok(None) => return Ok(()),
            Err(cause) => Err(cause),
        };
        record_change(db, &finished.operating.config, record).await
    }
}

impl Finished {
    /// Records a DELETE that left the row: what a trigger did to it instead, such as marking it as deleted.
    pub(super) fn not_deleted(mut self, row: Vec<Value>) -> Captured {
        let HookContext { plan, config, .. } = &self.operating;
        let Some(image) = (self.image.as_mut()).filter(|image| image.row.is_some()) else {
            return Captured::Nothing;
        };
        if plan.skips(config, &Action::Update) {
            return Captured::Nothing;
        }
        // The operation itself wrote no value, so all values are compared.
        image.contended = false;
        self.operating.operation = Operation::Update;
        self.row = row;
        Captured::Finished(Box::new(self))
    }

    /// The generated columns, if other clients may have changed columns that were not written: generated columns
    /// change with what was written.
    async fn generated<C: ConnectionTrait>(&self, db: &C) -> Result<Vec<usize>, Cause> {
        let HookContext { plan, config, .. } = &self.operating;
        let Some(image) = &self.image else {
            // All columns are recorded in this case.
            return Ok(Vec::new());
        };
        let asks = match (self.operating.operation, &image.row) {
            (Operation::Update, Some(Row::Found(old))) if image.contended => {
                let left_alone: Vec<Option<Value>> = (old.iter().zip(&image.written))
                    .map(|(old, written)| old.clone().filter(|_| written.is_none()))
                    .collect();
                !plan.updated(config, &left_alone, &self.row)?.is_empty()
            }
            (Operation::Update, None) => image.written.iter().any(Option::is_some),
            _ => false,
        };
        if !asks {
            return Ok(Vec::new());
        }
        let columns = generated_columns(db, plan.info).await;
        columns.map_err(|error| Cause::Generated {
            model: plan.info.model().to_owned(),
            error,
        })
    }

    /// The changes and the row that identifies the object, or `None` if nothing happened.
    fn changes(&self, generated: &[usize]) -> Result<Option<(Changes, Vec<Value>)>, Cause> {
        let HookContext { plan, config, .. } = &self.operating;
        let image = self.image.as_ref();
        let seen = image.and_then(|image| image.row.as_ref());
        Ok(match (self.operating.operation, seen) {
            (Operation::Insert, Some(Row::Found(_))) | (Operation::Delete, Some(Row::Missing)) => {
                None
            }
            (Operation::Insert, _) => Some((plan.created(config, &self.row)?, self.row.clone())),
            (Operation::Update, Some(Row::Found(old))) => {
                let contended = image.filter(|image| image.contended);
                let changes = if let Some(image) = contended {
                    let follows = |at| generated.contains(&at);
                    let only: Vec<Option<Value>> = (old.iter().zip(&image.written).enumerate())
                        .map(|(at, (old, written))| {
                            let is_own = written.is_some() || follows(at);
                            old.clone().filter(|_| is_own)
                        })
                        .collect();
                    plan.updated(config, &only, &self.row)?
                } else {
                    plan.updated(config, old, &self.row)?
                };
                (!changes.is_empty()).then(|| (changes, self.row.clone()))
            }
            (Operation::Update, _) => {
                let written = |at: usize| {
                    image.is_none_or(|image| image.written.get(at).is_some_and(Option::is_some))
                        || generated.contains(&at)
                };
                let changes = plan.updated_from_unknown(config, written, &self.row)?;
                (!changes.is_empty()).then(|| (changes, self.row.clone()))
            }
            (Operation::Delete, Some(Row::Found(old))) => {
                let old: Vec<Value> = old.iter().flatten().cloned().collect();
                Some((plan.deleted(config, &old)?, old))
            }
            (Operation::Delete, None) => Some((plan.deleted_unknown(), Vec::new())),
        })
    }

    fn tell(&self, generated: &[usize]) -> Result<Option<Record>, Cause> {
        let HookContext { plan, config, .. } = &self.operating;
        let Some((changes, row)) = self.changes(generated)? else {
            return Ok(None);
        };
        // The stored key, which may have another spelling than the given one.
        let stored = plan.info.key_of(&row);
        let key = if stored.is_empty() {
            &self.key
        } else {
            &stored
        };
        // The scope of the image's operation, which may be another than this one.
        let scope = match &self.image {
            Some(image) => image.scope.as_ref().and_then(Weak::upgrade),
            None => current_scope(),
        };
        let change = RowChange {
            action: self.operating.operation.action(),
            changes,
            key,
            row: &row,
            source: Source::Hook,
        };
        let context = scope.map(|scope| scope.merged()).unwrap_or_default();
        change.record(plan, config, context).map(Some)
    }
}
