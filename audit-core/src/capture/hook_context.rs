//! What applies to one operation, and whether it is recorded at all.

use std::any::TypeId;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr};

use super::before_image::{BeforeImage, ImageKey, Operation, Row, Task, store};
use crate::auditable::{Auditable, EntityInfo};
use crate::config::{AuditConfig, FailurePolicy, Plan};
use crate::connection_kind::ConnectionKind;
use crate::context::{AuditContext, current_scope};
use crate::error::{AuditError, ChangeState};
use crate::target::object_id;

/// What applies to one operation that the hooks record.
pub(super) struct HookContext {
    pub(super) config: AuditConfig,
    pub(super) plan: Arc<Plan>,
    pub(super) operation: Operation,
    connection: usize,
    pub(super) handle: ConnectionKind,
}

impl HookContext {
    /// `None` if nothing is to be recorded; needs no statement.
    pub(super) fn on<E: Auditable, C: ConnectionTrait>(
        db: &C,
        operation: Operation,
    ) -> Option<Self> {
        let info: &'static EntityInfo = E::info();
        if info.skip || db.is_mock_connection() || is_captured_by_connection(db, info) {
            return None;
        }
        let config = AuditConfig::current();
        let plan = config.plan(info);
        let action = operation.action();
        if plan.by_trigger || plan.skips(&config, &action) || config.is_suppressed() {
            return None;
        }
        Some(Self {
            config,
            plan,
            operation,
            connection: std::ptr::from_ref(db).cast::<()>() as usize,
            handle: ConnectionKind::of::<C>(),
        })
    }

    pub(super) fn waiting(&self, object_id: String) -> ImageKey {
        ImageKey {
            task: Task::current(),
            connection: self.connection,
            entity: self.plan.info.type_id,
            operation: self.operation,
            object_id,
        }
    }

    /// The text under which an image is stored. It ignores case and trailing spaces, as many columns compare without
    /// them; the image has the exact key. A key that cannot be recorded fails the operation when it is recorded, not
    /// here.
    pub(super) fn key_text(key: &[Value]) -> String {
        let text = object_id(key).unwrap_or_default();
        text.trim_end().to_lowercase()
    }

    pub(super) fn put(
        &self,
        key: &[Value],
        row: Option<Row>,
        written: Vec<Option<Value>>,
        is_ended: bool,
    ) {
        store().put(
            self.waiting(Self::key_text(key)),
            BeforeImage {
                row,
                written,
                // On a pool another client may change a column that this operation does not set between read and
                // write: that change belongs to the other client.
                contended: self.handle != ConnectionKind::Transaction || is_ended,
                scope: current_scope().as_ref().map(Arc::downgrade),
                seen_done: false,
                is_ended,
                key: key.to_vec(),
            },
        );
    }

    /// Logs, once for each entity, that the record of an update or delete has no old values because no image was kept
    /// before it. SeaORM passes only the row to the hook after a write, so nothing else is known then.
    pub(super) fn warn_without_image(&self) {
        static LOGGED: LazyLock<Mutex<HashSet<TypeId>>> = LazyLock::new(Mutex::default);
        let info = self.plan.info;
        let is_first = (LOGGED.lock())
            .unwrap_or_else(PoisonError::into_inner)
            .insert(info.type_id);
        if !is_first {
            return;
        }
        tracing::warn!(
            model = info.model(),
            evicted = store().evicted(),
            "recorded with its old values unknown, since `before_save` or `before_delete` did not run on this \
             connection, or found no row: write by `ActiveModel::update`, `save` or `delete`, or through an \
             `AuditedConnection`, or capture the entity by triggers. If `evicted` is not 0, the row may have been read \
             and dropped: see `before_image_capacity`. This is logged once for each entity"
        );
    }

    /// Fails before the change if its record is known to fail after it.
    pub(super) fn check(&self) -> Result<(), DbErr> {
        if self.config.requires_actor() {
            self.config.check_actor(&AuditContext::current())?;
        }
        if self.config.hash_key().is_none()
            && self.config.failure_policy() == FailurePolicy::Fail
            && let Some(field) = self.plan.hashed_field()
        {
            let cause = self.plan.missing_hash_key(field);
            let state = ChangeState::NotTried;
            return Err(AuditError::NotRecorded { state, cause }.into());
        }
        Ok(())
    }
}

/// Whether the connection captures its statements. Ensures that it knows the entity.
#[cfg(feature = "statements")]
fn is_captured_by_connection<C: ConnectionTrait>(db: &C, info: &'static EntityInfo) -> bool {
    let audited =
        ConnectionKind::of::<C>() == ConnectionKind::Other && crate::binding::probe(db).is_some();
    if audited {
        crate::auditable::register(info);
    }
    audited
}

#[cfg(not(feature = "statements"))]
fn is_captured_by_connection<C: ConnectionTrait>(_: &C, _: &'static EntityInfo) -> bool {
    false
}

/// Counts a write that migration mode excludes from the log.
pub(super) fn count_suppressed<E: Auditable, C: ConnectionTrait>(db: &C, operation: Operation) {
    let info = E::info();
    if info.skip || db.is_mock_connection() || is_captured_by_connection(db, info) {
        return;
    }
    let config = AuditConfig::current();
    let plan = config.plan(info);
    if !plan.by_trigger && !plan.skips(&config, &operation.action()) {
        config.suppresses_write();
    }
}
