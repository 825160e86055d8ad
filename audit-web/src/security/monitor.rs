//! What becomes of a finding: a SECURITY event.

use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use sea_orm_audit_core::{EventType, EventWriter, SystemEvent};

use super::{Burst, BurstMonitor, Finding, SecurityRules};
use crate::client::current_client;

/// Rules, the counters of bursts, and where findings go. Cheap to clone; all clones count together.
///
/// # Examples
/// ```
/// use sea_orm_audit_web::security::{SecurityLayer, SecurityMonitor, SecurityRules};
/// # fn build() -> Result<(), Box<dyn std::error::Error>> {
/// let rules = SecurityRules::builder().probing_path("/old-admin").build()?;
/// let monitor = SecurityMonitor::new(rules);
/// let layer = SecurityLayer::new(monitor.clone()); // and `monitor` for the `AuditedBackend`
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SecurityMonitor {
    pub(super) rules: SecurityRules,
    pub(super) bursts: Arc<BurstMonitor>,
    events: Option<EventWriter>,
}

impl SecurityMonitor {
    /// Watches by these rules.
    #[must_use]
    pub fn new(rules: SecurityRules) -> Self {
        Self {
            bursts: Arc::new(rules.burst_monitor()),
            rules,
            events: None,
        }
    }

    /// Where findings go, in place of the installed [`EventWriter`].
    #[must_use]
    pub fn events(mut self, writer: EventWriter) -> Self {
        self.events = Some(writer);
        self
    }

    /// Counts a failed login of this name, from the client of the current request.
    pub fn login_failed(&self, username: &str) {
        let found =
            self.bursts
                .observe_failed_login(Some(username), current_client(), Instant::now());
        for finding in found {
            self.report(finding);
        }
    }

    /// Counts an answer to the client of the current request.
    pub(super) fn answered(&self, status: StatusCode) {
        // Most answers are no refusals, and need no look at the clock.
        if let Some(burst) = Burst::of_status(status)
            && let Some(client) = current_client()
            && let Some(finding) = self.bursts.observe(burst, client, Instant::now())
        {
            self.report(finding);
        }
    }

    /// Hands a finding over to be recorded. What one client does by one rule is one event that counts.
    pub(super) fn report(&self, finding: Finding) {
        let writer = self.events.clone().or_else(EventWriter::installed);
        let Some(writer) = writer else {
            tracing::warn!(?finding, "no writer is installed for this finding");
            return;
        };
        let client = current_client().map_or_else(String::new, |client| client.to_string());
        let name = finding.event.as_str();
        let rule = finding.rule.into_owned();
        writer.submit(
            SystemEvent::new(EventType::Security, name)
                .fingerprint(format!("security\n{name}\n{rule}\n{client}"))
                .error_code(name)
                .description(finding.detail)
                .metadata("rule", rule)
                .metadata("critical", finding.event.is_critical()),
        );
    }
}

impl Default for SecurityMonitor {
    fn default() -> Self {
        Self::new(SecurityRules::default())
    }
}

impl std::fmt::Debug for SecurityMonitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecurityMonitor").finish_non_exhaustive()
    }
}
