//! The configuration that applies: of the scope, else of the process.

use std::sync::{LazyLock, PoisonError, RwLock};

use super::AuditContext;
use super::scope::{scoped_config, with_config};
use crate::actor::ActorType;
use crate::config::{AuditConfig, RequireActor};
use crate::error::{AuditError, Cause, ChangeState};
use crate::stats::{COUNTERS, count};

static INSTALLED: LazyLock<RwLock<AuditConfig>> =
    LazyLock::new(|| RwLock::new(AuditConfig::default()));

/// Makes a configuration that of the process. Returns the one before.
pub(crate) fn replace_installed(config: AuditConfig) -> AuditConfig {
    let mut installed = INSTALLED.write().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *installed, config)
}

impl AuditConfig {
    /// The innermost configuration: of the scope, else of the process, else the default.
    #[must_use]
    pub fn current() -> Self {
        scoped_config().unwrap_or_else(|| {
            INSTALLED
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        })
    }

    /// Runs a future under this configuration. Tasks that it spawns are outside, unless they are
    /// wrapped with `.with_audit_context()`.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        with_config(self.clone(), future)
    }

    /// Refuses or reports a write without an actor, by `require_actor`.
    pub(crate) fn check_actor(&self, context: &AuditContext) -> Result<(), AuditError> {
        let unknown =
            (context.actor.as_ref()).is_none_or(|actor| actor.kind() == ActorType::Unknown);
        match self.actor_requirement() {
            RequireActor::Warn if unknown => {
                count(&COUNTERS.without_actor);
                tracing::warn!("a write is recorded whose actor is not set");
                Ok(())
            }
            RequireActor::Deny if unknown => Err(AuditError::NotRecorded {
                state: ChangeState::NotTried,
                cause: Cause::NoActor,
            }),
            _ => Ok(()),
        }
    }
}
