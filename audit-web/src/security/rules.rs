//! The rules, and the inspection of one request.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock};

use regex::bytes::RegexSet;
use sea_orm_audit_core::AuditConfig;

use super::agent::{self, Harmless};
use super::builder::SecurityRulesBuilder;
use super::bursts::{BurstLimits, BurstMonitor};
use super::classes::{AGENT_SPECIAL, DOT, PATH_SPECIAL, QUERY_SPECIAL, classes};
use super::decode;
use super::event::SecurityEventName as Event;
use super::finding::Finding;
use super::path::{PathHit, PathRules};
use super::patterns::{AGENT, PATH, QUERY};
use super::runs::Runs;

/// The most bytes of a path, of a query and of a user agent that are inspected.
///
/// A longer path or query is a finding (`oversized-path`, `oversized-query`), so that padding hides
/// nothing; of a longer user agent the beginning is inspected.
pub const MAX_INSPECTED: usize = 16 * 1024;

/// The name of the finding about a path that leaves the root.
const PATH_TRAVERSAL: &str = "path-traversal";

/// Decides which requests look like an attack.
///
/// Cheap to clone: the rules are shared. [`SecurityRules::default`] has the rules that this crate
/// ships, [`SecurityRules::builder`] changes them.
///
/// # Examples
/// ```
/// # use sea_orm_audit_web::security::{SecurityRules, SecurityRulesError};
/// let rules = SecurityRules::builder()
///     .allow_path("/wp-admin") // this application really has one
///     .probing_path("/internal/console")
///     .build()?;
/// assert!(rules.inspect("/wp-admin/posts", None, None).is_none());
/// assert!(rules.inspect("/internal/console", None, None).is_some());
/// # Ok::<(), SecurityRulesError>(())
/// ```
#[derive(Clone)]
pub struct SecurityRules {
    inner: Arc<Inner>,
}

impl fmt::Debug for SecurityRules {
    /// Writes no rules: there are more than a thousand.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityRules").finish_non_exhaustive()
    }
}

pub(super) struct Inner {
    pub(super) paths: PathRules,
    pub(super) scanners: Runs,
    pub(super) harmless: Harmless,
    pub(super) defaults: PatternSet,
    /// Patterns of the user's: they are asked about every target, whatever characters it has.
    pub(super) custom: PatternSet,
    pub(super) limits: BurstLimits,
}

/// Patterns that are matched together, and what each is.
pub(super) struct PatternSet {
    pub(super) set: RegexSet,
    pub(super) rules: Vec<PatternRule>,
}

pub(super) struct PatternRule {
    pub(super) name: Cow<'static, str>,
    pub(super) event: Event,
    pub(super) scope: u8,
}

impl PatternSet {
    /// Finds the first pattern of this scope that matches the text.
    fn first(&self, text: &[u8], scope: u8) -> Option<(usize, &PatternRule)> {
        // Asked first, since it stops at the first match and allocates nothing.
        if self.rules.is_empty() || !self.set.is_match(text) {
            return None;
        }
        let matches = self.set.matches(text);
        let mut found = matches.iter().map(|index| (index, &self.rules[index]));
        found.find(|(_, rule)| rule.scope & scope != 0)
    }
}

impl Default for SecurityRules {
    fn default() -> Self {
        static DEFAULT: LazyLock<SecurityRules> = LazyLock::new(|| {
            let Ok(rules) = SecurityRules::builder().build() else {
                // A test builds them; they depend on nothing that a user or a platform chooses.
                unreachable!("the default rules are valid")
            };
            rules
        });
        DEFAULT.clone()
    }
}

impl SecurityRules {
    /// Starts from the default rules.
    pub fn builder() -> SecurityRulesBuilder {
        SecurityRulesBuilder::new()
    }

    pub(super) fn from_inner(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Makes a monitor that counts by these rules' limits.
    #[must_use]
    pub fn burst_monitor(&self) -> BurstMonitor {
        BurstMonitor::new(self.inner.limits)
    }

    /// Returns the most telling sign of an attack in a request, or `None` for an ordinary one.
    ///
    /// `path` and `query` are as they arrived, not decoded (`uri.path()`, `uri.query()`),
    /// `user_agent` is the header's bytes. What was attempted comes before with what: injections
    /// and traversal in query, path and agent, then probing paths, then scanners.
    #[must_use]
    pub fn inspect(
        &self,
        path: &str,
        query: Option<&str>,
        user_agent: Option<&[u8]>,
    ) -> Option<Finding> {
        let path = path.as_bytes();
        let query = query.unwrap_or_default().as_bytes();
        let agent = user_agent.unwrap_or_default();
        let agent = &agent[..agent.len().min(MAX_INSPECTED)];
        if let Some(finding) = oversized("path", path).or_else(|| oversized("query", query)) {
            return Some(finding);
        }
        self.query(query)
            .or_else(|| self.path(path))
            .or_else(|| self.inner.harmless.or_else(agent, || self.agent(agent)))
    }

    fn query(&self, raw: &[u8]) -> Option<Finding> {
        if raw.is_empty() {
            return None;
        }
        let seen = classes(raw);
        let climbs = || seen & DOT != 0 && raw.windows(2).any(|pair| pair == b"..");
        let special = seen & QUERY_SPECIAL != 0 || climbs();
        if !special && self.inner.custom.rules.is_empty() {
            return None;
        }
        let text = decode::query(raw, seen);
        let (set, (index, rule)) = self.matching(&text, QUERY, special)?;
        // Only on a finding: which parameter was it? The others may carry what nobody should read.
        let guilty = text
            .split(|byte| *byte == b'\n')
            .find(|line| set.set.matches(line).matched(index));
        Some(quoting_parameter(rule, guilty))
    }

    fn path(&self, raw: &[u8]) -> Option<Finding> {
        let seen = classes(raw);
        if self.inner.custom.rules.is_empty() && self.inner.paths.is_plain(raw, seen) {
            return None;
        }
        let special = seen & PATH_SPECIAL != 0;
        let text = decode::path(raw, seen);
        if let Some((_, (_, rule))) = self.matching(&text, PATH, special) {
            return Some(Finding::quoting(rule.event, rule.name.clone(), "path", raw));
        }
        let rule = match self.inner.paths.inspect(raw, &text)? {
            PathHit::Probe(name) => name,
            PathHit::Traversal => PATH_TRAVERSAL.into(),
        };
        Some(Finding::quoting(
            Event::MaliciousDirectReference,
            rule,
            "path",
            raw,
        ))
    }

    fn agent(&self, agent: &[u8]) -> Option<Finding> {
        if classes(agent) & AGENT_SPECIAL != 0
            && let Some((_, rule)) = self.inner.defaults.first(agent, AGENT)
        {
            let name = rule.name.clone();
            return Some(Finding::quoting(rule.event, name, "user agent", agent));
        }
        let run = agent::scanner(&self.inner.scanners, agent)?;
        Some(Finding::quoting(
            Event::MaliciousAttackTool,
            run.name.clone(),
            "user agent",
            agent,
        ))
    }

    /// Asks the default patterns if there is reason to, and the user's in any case.
    fn matching(
        &self,
        text: &[u8],
        scope: u8,
        special: bool,
    ) -> Option<(&PatternSet, (usize, &PatternRule))> {
        let inner = &self.inner;
        let default = || {
            inner
                .defaults
                .first(text, scope)
                .map(|hit| (&inner.defaults, hit))
        };
        let custom = || {
            inner
                .custom
                .first(text, scope)
                .map(|hit| (&inner.custom, hit))
        };
        special.then(default).flatten().or_else(custom)
    }
}

fn oversized(what: &'static str, bytes: &[u8]) -> Option<Finding> {
    (bytes.len() > MAX_INSPECTED).then(|| {
        Finding::stating(
            Event::InputValidationFail,
            format!("oversized-{what}").into(),
            format!("{what} of {} bytes, more than {MAX_INSPECTED}", bytes.len()),
        )
    })
}

/// Quotes the parameter that met a rule, without its value when the name speaks of a secret.
fn quoting_parameter(rule: &PatternRule, parameter: Option<&[u8]>) -> Finding {
    let name = rule.name.clone();
    let Some(parameter) = parameter else {
        return Finding::stating(rule.event, name, "several query parameters together".into());
    };
    let key = parameter
        .split(|byte| *byte == b'=')
        .next()
        .unwrap_or_default();
    if key.len() < parameter.len() && is_secret(key) {
        return Finding::quoting(rule.event, name, "value of query parameter", key);
    }
    Finding::quoting(rule.event, name, "query parameter", parameter)
}

/// Tells whether a parameter's name speaks of a secret: as everywhere, and what sign-in flows call theirs.
fn is_secret(key: &[u8]) -> bool {
    let key = String::from_utf8_lossy(key).to_ascii_lowercase();
    matches!(key.as_str(), "code" | "pin") || AuditConfig::current().redacts(&key)
}
