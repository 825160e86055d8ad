//! Records findings as SECURITY events.

use std::net::IpAddr;
use std::sync::{Arc, Once};
use std::time::Instant;

use http::StatusCode;
use sea_orm_audit_core::{
    Actor, AuditConfig, AuditContext, EventType, EventWriter, SystemEvent, unknown_name,
};

use super::finding_limiter::{Admission, FindingLimiter, OF_ALL};
use super::{Burst, BurstMonitor, Finding, SecurityEventName, SecurityRules};

/// Rules, the counters of bursts, and the writer of findings. Cheap to clone; all clones count together.
///
/// The number of different findings within an hour is bounded: 50 of one network (an IPv4 address, an IPv6 /64), 200
/// of an IPv4 /24 or IPv6 /48, [2,000 of all](Self::findings_per_hour), and as many bursts in addition. An hour
/// begins with the first finding, and every process counts separately. Further findings are recorded as one finding
/// that counts (`many-rules`, `many-networks`).
///
/// # Examples
/// ```
/// use sea_orm_audit_security::{SecurityMonitor, SecurityRules};
/// # fn build() -> Result<(), Box<dyn std::error::Error>> {
/// let rules = SecurityRules::builder().probing_path("/old-admin").build()?;
/// let monitor = SecurityMonitor::new(rules); // for `AuditLayer::security`, and `AuditedBackend::monitor`
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SecurityMonitor {
    rules: SecurityRules,
    bursts: Arc<BurstMonitor>,
    limiter: Arc<FindingLimiter>,
    /// Bursts show which account is attacked, so they have a separate limit.
    burst_limiter: Arc<FindingLimiter>,
    events: Option<EventWriter>,
}

impl SecurityMonitor {
    /// A monitor with these rules.
    #[must_use]
    pub fn new(rules: SecurityRules) -> Self {
        Self {
            bursts: Arc::new(rules.burst_monitor()),
            rules,
            limiter: Arc::new(FindingLimiter::new(OF_ALL)),
            burst_limiter: Arc::new(FindingLimiter::new(OF_ALL)),
            events: None,
        }
    }

    /// Sets the writer of findings, in place of the installed [`EventWriter`].
    #[must_use]
    pub fn events(mut self, writer: EventWriter) -> Self {
        self.events = Some(writer);
        self
    }

    /// Sets the writer of findings, unless it is set.
    #[doc(hidden)]
    #[must_use]
    pub fn or_events(mut self, writer: Option<&EventWriter>) -> Self {
        self.events = self.events.or_else(|| writer.cloned());
        self
    }

    /// The number of different findings within an hour that are recorded one by one, and of bursts; 2,000 by default.
    #[must_use]
    pub fn findings_per_hour(mut self, most: usize) -> Self {
        self.limiter = Arc::new(FindingLimiter::new(most));
        self.burst_limiter = Arc::new(FindingLimiter::new(most));
        self
    }

    /// Inspects a request by these rules: its path and query as they arrived, and its user agent.
    #[must_use]
    pub fn inspect(
        &self,
        path: &str,
        query: Option<&str>,
        agent: Option<&[u8]>,
    ) -> Option<Finding> {
        self.rules.inspect(path, query, agent)
    }

    /// Counts a failed login of this name, from the client of the current request. The account is not known: a burst
    /// is recorded with the hash under which the name is stored in `audit_login_attempt`.
    pub fn login_failed(&self, username: &str) {
        self.login_failed_from(username, None, AuditContext::client());
    }

    /// Counts a failed login of this name, which belongs to this account, from the client of the current request. All
    /// names of the account are counted together. A burst is recorded with the account's id.
    pub fn login_failed_of(&self, username: &str, account: &Actor) {
        self.login_failed_from(username, Some(account), AuditContext::client());
    }

    /// Counts a failed login of this name, from this client.
    #[doc(hidden)]
    pub fn login_failed_from(
        &self,
        username: &str,
        account: Option<&Actor>,
        client: Option<IpAddr>,
    ) {
        let now = Instant::now();
        // A client may type one account's name in many ways: by name, each would be counted separately.
        let by_id = account.and_then(|account| Some((account.kind().as_str(), account.id()?)));
        let found: Vec<_> = match by_id {
            Some(account) => (self.bursts)
                .observe_failed_login_of(account, client, now)
                .collect(),
            None => (self.bursts)
                .observe_failed_login(Some(username), client, now)
                .collect(),
        };
        for finding in found {
            let of_user = finding.rule == Burst::LoginsOfUser.as_str();
            let user = of_user.then(|| User::of(username, account));
            self.submit(finding, client, user);
        }
    }

    /// Counts a response to the client of the current request.
    pub fn answered(&self, status: StatusCode) {
        // Most responses are no refusals, and need no clock.
        if let Some(burst) = Burst::of_status(status)
            && let Some(client) = AuditContext::client()
            && let Some(finding) = self.bursts.observe(burst, client, Instant::now())
        {
            self.report(finding);
        }
    }

    /// Submits a finding about the current request. Findings of one client by one rule are one event that counts.
    pub fn report(&self, finding: Finding) {
        self.submit(finding, AuditContext::client(), None);
    }

    fn submit(&self, finding: Finding, client: Option<IpAddr>, user: Option<User>) {
        let writer = self.events.clone().or_else(EventWriter::installed);
        let Some(writer) = writer else {
            // Clients control the number of findings.
            static WARNED: Once = Once::new();
            let mut is_first = false;
            WARNED.call_once(|| is_first = true);
            if is_first {
                tracing::warn!(
                    ?finding,
                    "no writer is installed for this finding; further ones are logged at DEBUG"
                );
            } else {
                tracing::debug!(?finding, "no writer is installed for this finding");
            }
            return;
        };
        let id = id_of(&finding, user.as_ref());
        let limiter = if finding.rule.starts_with("burst-") {
            &self.burst_limiter
        } else {
            &self.limiter
        };
        let (finding, user, network) = match limiter.admit(client, &id, Instant::now()) {
            Admission::Alone(network) => (finding, user, network),
            Admission::AmongThose { of, kind, most } => {
                // Without the address: `AddressPrivacy` decides which part of it is stored.
                let detail =
                    format!("more than {most} different findings of one {kind} within an hour");
                (many("many-rules", detail), None, of)
            }
            Admission::AmongAll { most } => {
                let detail = format!("more than {most} different findings within an hour");
                (many("many-networks", detail), None, String::new())
            }
        };
        let id = id_of(&finding, user.as_ref());
        // Hashed with a key: a reader must not find the client by trying all addresses.
        let print = AuditConfig::current().private_hash(
            "audit_system_event",
            "fingerprint",
            &format!("{id}\n{network}"),
        );
        let name = finding.event.as_str();
        let mut event = SystemEvent::new(EventType::Security, name)
            .fingerprint(print)
            .error_code(name)
            .description(finding.detail)
            .metadata("rule", finding.rule.into_owned())
            .metadata("critical", finding.event.is_critical());
        if let Some(user) = user {
            event = event.metadata(user.key, user.value);
        }
        writer.submit(event);
    }
}

/// The user whose logins fail, in stored form.
struct User {
    key: &'static str,
    value: String,
}

impl User {
    fn of(username: &str, account: Option<&Actor>) -> Self {
        match account.and_then(Actor::id) {
            Some(id) => Self {
                key: "account",
                value: id.to_owned(),
            },
            // As in `audit_login_attempt`: people type their passwords there.
            None => Self {
                key: "username",
                value: unknown_name(username),
            },
        }
    }
}

/// The identity of a finding.
fn id_of(finding: &Finding, user: Option<&User>) -> String {
    let (name, rule) = (finding.event.as_str(), &finding.rule);
    format!("{name}\n{rule}\n{}", user.map_or("", |user| &user.value))
}

/// A finding that replaces those beyond a limit.
fn many(rule: &'static str, detail: String) -> Finding {
    Finding::stating(SecurityEventName::MaliciousAttackTool, rule.into(), detail)
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
