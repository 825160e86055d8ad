//! The context that the triggers of a transaction have.

use sea_orm::{ConnectionTrait, DbErr};

use super::Frames;
use crate::config::{AuditConfig, Tables};
use crate::context::AuditContext;
use crate::record::{
    TriggerContextValue, clear_context, read_trigger_context, refuses_writes, restore, set_context,
};

/// The context that was set for triggers, and how it ends.
#[derive(Debug, Default)]
pub(super) struct TriggerContext {
    /// The current context; unknown after a savepoint is rolled back.
    pub(super) current: Option<AuditContext>,
    /// The tables whose context must be cleared before COMMIT.
    clear_context: Option<Tables>,
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
    Known(Option<TriggerContextValue>),
}

impl Frames {
    /// Marks the transaction as a savepoint in the application's transaction.
    pub(crate) fn mark_nested(&self) {
        self.state().triggers.before = Before::Unknown;
    }

    /// Whether triggers have another context than this.
    pub(crate) fn has_other_context(&self, context: impl FnOnce() -> AuditContext) -> bool {
        (self.state().triggers.current.as_ref()).is_some_and(|current| *current != context())
    }

    /// Whether triggers may have a context that must be cleared.
    pub(crate) fn has_context_to_clear(&self) -> bool {
        self.state().triggers.clear_context.is_some()
    }

    /// Sets the triggers' context to the current one.
    pub(crate) async fn set_trigger_context<C: ConnectionTrait>(
        &self,
        db: &C,
        config: &AuditConfig,
        context: &AuditContext,
    ) -> Result<(), DbErr> {
        let previous = {
            let mut state = self.state();
            if state.triggers.current.as_ref() == Some(context) {
                return Ok(());
            }
            // If this future is dropped, the triggers' context is unknown.
            state.triggers.current = None;
            state.triggers.clear_context.replace(config.tables())
        };
        let asks = matches!(self.state().triggers.before, Before::Unknown);
        let setting = async {
            if asks {
                let before = read_trigger_context(db, config).await?;
                self.state().triggers.before = Before::Known(before);
            }
            set_context(db, config, context.clone(), self.id).await
        };
        if let Err(error) = setting.await {
            self.state().triggers.clear_context = previous;
            // No trigger fires there: the statement itself is refused, with its own error.
            return if refuses_writes(&error) {
                Ok(())
            } else {
                Err(error)
            };
        }
        self.state().triggers.current = Some(context.clone());
        Ok(())
    }

    /// Restores the triggers' earlier context, as the last statement before a COMMIT, or before one that may commit.
    ///
    /// If it is dropped or fails, the context must still be restored.
    pub(crate) async fn clear_context<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        let (tables, before, is_outermost) = {
            let mut state = self.state();
            state.triggers.current = None;
            if state.frames.len() > 1 {
                // Rolling back a savepoint restores the context before it.
                (state.triggers.clear_context, Before::Nothing, false)
            } else {
                (
                    state.triggers.clear_context,
                    state.triggers.before.clone(),
                    true,
                )
            }
        };
        match (tables, before) {
            (None, _) => return Ok(()),
            (Some(tables), Before::Known(before)) => restore(db, tables, before).await?,
            (Some(tables), _) => clear_context(db, tables).await?,
        }
        if is_outermost {
            let mut state = self.state();
            state.triggers.clear_context = None;
            state.triggers.before = Before::Nothing;
        }
        Ok(())
    }
}
