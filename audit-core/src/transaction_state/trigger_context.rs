//! The context that the triggers of a transaction have.

use sea_orm::{ConnectionTrait, DbErr};

use super::Frames;
use crate::config::{AuditConfig, Tables};
use crate::context::AuditContext;
use crate::record::{TriggerContextValue, read_trigger_context, restore, take_back, tell};

/// The context that was set for triggers, and how it ends.
#[derive(Debug, Default)]
pub(super) struct TriggerContext {
    /// The current context; unknown after a savepoint is rolled back.
    pub(super) told: Option<AuditContext>,
    /// The tables whose context must be cleared before COMMIT.
    take_back: Option<Tables>,
    before: Before,
}

/// The triggers' context before the transaction began.
#[derive(Debug, Default, Clone)]
enum Before {
    /// None: it is the database's own transaction.
    #[default]
    Nothing,
    /// Unknown yet: it is a savepoint in the application's transaction.
    Unknown,
    /// This context, if any.
    Told(Option<TriggerContextValue>),
}

impl Frames {
    /// Marks the transaction as a savepoint in the application's transaction.
    pub(crate) fn mark_nested(&self) {
        self.state().triggers.before = Before::Unknown;
    }

    /// Whether triggers have another context than this.
    pub(crate) fn has_other_context(&self, context: impl FnOnce() -> AuditContext) -> bool {
        (self.state().triggers.told.as_ref()).is_some_and(|told| *told != context())
    }

    /// Whether triggers may have a context that must be cleared.
    pub(crate) fn is_to_take_back(&self) -> bool {
        self.state().triggers.take_back.is_some()
    }

    /// Sets the triggers' context to the current one.
    pub(crate) async fn set_trigger_context<C: ConnectionTrait>(
        &self,
        db: &C,
        config: &AuditConfig,
        context: &AuditContext,
    ) -> Result<(), DbErr> {
        let was_told = {
            let mut state = self.state();
            if state.triggers.told.as_ref() == Some(context) {
                return Ok(());
            }
            // If this future is dropped, the triggers' context is unknown.
            state.triggers.told = None;
            state.triggers.take_back.replace(config.tables())
        };
        let asks = matches!(self.state().triggers.before, Before::Unknown);
        let telling = async {
            if asks {
                let before = read_trigger_context(db, config).await?;
                self.state().triggers.before = Before::Told(before);
            }
            tell(db, config, context.clone(), self.id).await
        };
        if let Err(error) = telling.await {
            self.state().triggers.take_back = was_told;
            return Err(error);
        }
        self.state().triggers.told = Some(context.clone());
        Ok(())
    }

    /// Restores the triggers' earlier context, as the last statement before a COMMIT, or before one that may commit.
    ///
    /// If it is dropped or fails, the context must still be restored.
    pub(crate) async fn take_back<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        let (told, before, is_outermost) = {
            let mut state = self.state();
            state.triggers.told = None;
            if state.frames.len() > 1 {
                // Rolling back a savepoint restores the context before it.
                (state.triggers.take_back, Before::Nothing, false)
            } else {
                (
                    state.triggers.take_back,
                    state.triggers.before.clone(),
                    true,
                )
            }
        };
        match (told, before) {
            (None, _) => return Ok(()),
            (Some(tables), Before::Told(before)) => restore(db, tables, before).await?,
            (Some(tables), _) => take_back(db, tables).await?,
        }
        if is_outermost {
            let mut state = self.state();
            state.triggers.take_back = None;
            state.triggers.before = Before::Nothing;
        }
        Ok(())
    }
}
