//! The binding of a connection: a context and a configuration that apply to everything recorded through it.

#[cfg(feature = "statements")]
mod probe;

use sea_orm::ConnectionTrait;

#[cfg(feature = "statements")]
pub(crate) use probe::{answer, probe};

use crate::config::AuditConfig;
use crate::context::AuditContext;

/// The binding of a connection; empty for connections that are not audited.
#[derive(Clone, Default)]
pub(crate) struct Binding {
    pub(crate) context: Option<AuditContext>,
    pub(crate) config: Option<AuditConfig>,
}

impl Binding {
    /// The binding of this connection.
    #[cfg(feature = "statements")]
    pub(crate) fn to<C: ConnectionTrait>(db: &C) -> Self {
        probe::bound_to(db)
    }

    /// The binding of this connection: only audited connections can have one.
    #[cfg(not(feature = "statements"))]
    pub(crate) fn to<C: ConnectionTrait>(_: &C) -> Self {
        Self::default()
    }

    /// The configuration that applies now.
    #[cfg(feature = "statements")]
    pub(crate) fn config(&self) -> AuditConfig {
        self.config.clone().unwrap_or_else(AuditConfig::current)
    }

    /// The context that applies now.
    #[cfg(feature = "statements")]
    pub(crate) fn context(&self) -> AuditContext {
        let ambient = AuditContext::current();
        match &self.context {
            Some(bound) => bound.clone().or(&ambient),
            None => ambient,
        }
    }

    /// Runs a future in which this binding takes precedence over the surrounding context and configuration.
    pub(crate) async fn scope<F: Future>(self, future: F) -> F::Output {
        match (self.context, self.config) {
            (None, None) => future.await,
            (context, None) => Box::pin(context.unwrap_or_default().scope(future)).await,
            (None, Some(config)) => Box::pin(config.scope(future)).await,
            (Some(context), Some(config)) => Box::pin(config.scope(context.scope(future))).await,
        }
    }
}
