//! The state of the process: the installed configuration, and the counters.

use std::sync::atomic::Ordering::Relaxed;

use crate::auditable::audited_entities;
use crate::capture::store;
use crate::config::AuditConfig;
use crate::context::replace_installed;
use crate::error::AuditError;
use crate::stats::{AuditStats, COUNTERS};
use crate::system_event::{EventType, SystemEvent, report};

impl AuditConfig {
    /// Makes this the configuration of the process, in place of the one before. A MAINTENANCE event of the installed
    /// [`EventWriter`](crate::EventWriter), or the first one that is installed later, records that.
    ///
    /// # Errors
    /// Returns [`AuditError::Config`] when an audited entity has a `hash` field and there is no
    /// key. Nothing is installed then.
    pub fn install(self) -> Result<(), AuditError> {
        for info in audited_entities() {
            let plan = self.plan(info);
            if let Some(field) = plan.hashed_field()
                && self.hash_key().is_none()
            {
                return Err(AuditError::Config(format!(
                    "the field `{field}` of `{}` is marked `hash`, but there is no key: \
                     call `.hash_key(..)` on the builder",
                    info.model()
                )));
            }
        }
        for model in self.skipped_models() {
            if !audited_entities().any(|info| info.model() == model) {
                tracing::warn!(
                    model = model.as_str(),
                    "the audit configuration skips a model that no linked entity has"
                );
            }
        }
        store().set_capacity(self.before_images());
        // As text, since it is evidence: it can be compared with the previous one.
        let (title, settings) = ("audit configuration installed", format!("{self:?}"));
        let before = replace_installed(self);
        // Without the lock: reporting the end of its migration mode reads the installed configuration.
        drop(before);
        tracing::info!(settings, "{title}");
        report(
            SystemEvent::new(EventType::Maintenance, title)
                .fingerprint(format!("{title}\n{settings}"))
                .description(settings),
        );
        Ok(())
    }
}

impl AuditStats {
    /// Reads the counters.
    #[must_use]
    pub fn now() -> Self {
        let store = store();
        Self {
            recorded: COUNTERS.recorded.load(Relaxed),
            failed: COUNTERS.failed.load(Relaxed),
            isolated: COUNTERS.isolated.load(Relaxed),
            suppressed: COUNTERS.suppressed.load(Relaxed),
            uncaptured: COUNTERS.uncaptured.load(Relaxed),
            without_actor: COUNTERS.without_actor.load(Relaxed),
            events_dropped: COUNTERS.events_dropped.load(Relaxed),
            evicted: store.evicted(),
            before_images: store.len(),
        }
    }
}
