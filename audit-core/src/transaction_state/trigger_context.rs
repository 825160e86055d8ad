//! What the triggers of a transaction know of who writes.

use sea_orm::{ConnectionTrait, DbErr};

use super::Frames;
use crate::config::{AuditConfig, Tables};
use crate::context::AuditContext;
use crate::record::{TriggerContextValue, read_trigger_context, restore, take_back, tell};

/// What triggers were told, and what becomes of it.
#[derive(Debug, Default)]
pub(super) struct TriggerContext {
    /// What they know; lost when a savepoint is rolled back.
    pub(super) told: Option<AuditContext>,
    /// Where that is to be taken back before COMMIT.
    take_back: Option<Tables>,
    before: Before,
}

/// What triggers were told before the transaction began.
#[derive(Debug, Default, Clone)]
enum Before {
    /// Nothing: it is the database's own transaction.
    #[default]
    Nothing,
    /// It is a savepoint in somebody else's transaction, and what they were told there is not known yet.
    Unknown,
    /// That, if anything.
    Told(Option<TriggerContextValue>),
}

impl Frames {
    /// They are of a savepoint in somebody else's transaction.
    pub(crate) fn mark_nested(&self) {
        self.state().triggers.before = Before::Unknown;
    }

    /// Whether triggers were told of somebody else than this.
    pub(crate) fn has_other_context(&self, context: impl FnOnce() -> AuditContext) -> bool {
        (self.state().triggers.told.as_ref()).is_some_and(|told| *told != context())
    }

    /// Whether triggers may know something that is to be taken back.
    pub(crate) fn is_to_take_back(&self) -> bool {
        self.state().triggers.take_back.is_some()
    }

    /// Makes sure that the database's triggers know who writes now.
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
            // Should this future be dropped, nobody knows what they know.
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

    /// Takes back what the database's triggers were told, as the last thing before a COMMIT, or what may be
    /// one.
    ///
    /// What is dropped or fails here is still to be taken back.
    pub(crate) async fn take_back<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        let (told, before, is_outermost) = {
            let mut state = self.state();
            state.triggers.told = None;
            if state.frames.len() > 1 {
                // Rolling back a savepoint brings back what was told before it.
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
