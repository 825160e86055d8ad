//! All names that the macros' output uses. Nothing here is public API.

mod own_hooks;

pub use core::option::Option::{None, Some};
pub use std::sync::OnceLock;

pub use inventory;
pub use sea_orm::prelude::async_trait::async_trait;
pub use sea_orm::{ActiveModelBehavior, ConnectionTrait};

pub use crate::action::ChangeActions;
pub use crate::auditable::{
    Auditable, EntityInfo, Field, FieldPolicy, Options, Registration, Segment,
};
pub use own_hooks::{OwnBehavior, assert_wrapped, wrapped};

use sea_orm::{ActiveModelTrait, DbErr, EntityTrait};

use crate::change::Changes;
use crate::config::AuditConfig;
use crate::error::Cause;

/// What a hook of SeaORM returns.
pub type Hook<'a, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, DbErr>> + Send + 'a>>;

/// The model of an active model.
pub type ModelOf<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Model;

/// What the benchmarks of this crate measure.
pub mod bench {
    use sea_orm::Value;
    #[cfg(feature = "statements")]
    use sea_orm::{ConnectionTrait, DbBackend};

    use super::{AuditConfig, Auditable, Cause, Changes};

    /// The changes between two rows of an entity.
    pub fn diff<E: Auditable>(
        config: &AuditConfig,
        old: &[Option<Value>],
        new: &[Value],
    ) -> Result<Changes, Cause> {
        config.plan(E::info()).updated(config, old, new)
    }

    /// Whether a connection is audited.
    #[cfg(feature = "statements")]
    pub fn probe<C: ConnectionTrait>(db: &C) -> bool {
        crate::binding::probe(db).is_some()
    }

    /// Parses a text that is cached.
    #[cfg(feature = "statements")]
    #[must_use]
    pub fn understand(backend: DbBackend, sql: &str) -> bool {
        matches!(
            *crate::sql::understand(backend, sql),
            crate::sql::ParsedStatement::Write(_)
        )
    }

    /// Parses a text for the first time.
    #[cfg(feature = "statements")]
    #[must_use]
    pub fn parse(backend: DbBackend, sql: &str) -> bool {
        matches!(
            crate::sql::parse_anew(backend, sql),
            crate::sql::ParsedStatement::Write(_)
        )
    }
}

/// The hooks of an entity without custom hooks.
pub mod derived {
    use sea_orm::{ActiveModelTrait, ConnectionTrait};

    use super::{Auditable, Hook, ModelOf};
    use crate::capture;

    /// Before an insert or update.
    pub fn before_save<'a, A, C>(model: A, db: &'a C, insert: bool) -> Hook<'a, A>
    where
        A: ActiveModelTrait + Send + Sync + 'a,
        A::Entity: Auditable,
        C: ConnectionTrait,
    {
        Box::pin(capture::before_save(model, db, insert))
    }

    /// After an insert or update.
    pub fn after_save<'a, A, C>(model: ModelOf<A>, db: &'a C, insert: bool) -> Hook<'a, ModelOf<A>>
    where
        A: ActiveModelTrait + Send + Sync + 'a,
        A::Entity: Auditable,
        C: ConnectionTrait,
    {
        Box::pin(capture::after_save::<A, C>(model, db, insert))
    }

    /// Before a delete.
    pub fn before_delete<'a, A, C>(model: A, db: &'a C) -> Hook<'a, A>
    where
        A: ActiveModelTrait + Send + Sync + 'a,
        A::Entity: Auditable,
        C: ConnectionTrait,
    {
        Box::pin(capture::before_delete(model, db))
    }

    /// After a delete.
    pub fn after_delete<'a, A, C>(model: A, db: &'a C) -> Hook<'a, A>
    where
        A: ActiveModelTrait + Send + Sync + 'a,
        A::Entity: Auditable,
        C: ConnectionTrait,
    {
        Box::pin(capture::after_delete(model, db))
    }
}
