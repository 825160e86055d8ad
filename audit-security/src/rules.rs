//! The rules, and the inspection of one request.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use regex::bytes::{Regex, RegexSet};

use super::bursts::{BurstLimits, BurstMonitor};
use super::event::SecurityEventName as Event;
use super::finding::Finding;
use super::path::{PathHit, PathRules};
use super::patterns::{self, AGENT, PATH, PROBE, QUERY, SEARCH};
use super::rules_builder::SecurityRulesBuilder;
use super::url_decode;

/// The number of bytes of a path, of a query and of a user agent that are inspected.
///
/// A longer path or query is a finding (`oversized-path`, `oversized-query`), so that padding hides nothing; of a
/// longer user agent the beginning is inspected.
pub const MAX_INSPECTED: usize = 16 * 1024;

/// The name of the finding about a path that leaves the root.
const PATH_TRAVERSAL: &str = "path-traversal";

/// Decides which requests look like an attack.
///
/// Cheap to clone: the rules are shared. [`SecurityRules::default`] has the rules of this crate,
/// [`SecurityRules::builder`] changes them.
///
/// # Examples
/// ```
/// # use sea_orm_audit_security::{SecurityRules, SecurityRulesError};
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
    /// Omits the rules: there are more than a thousand.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityRules").finish_non_exhaustive()
    }
}

pub(super) struct Inner {
    pub(super) paths: PathRules,
    /// The default patterns, followed by the application's.
    pub(super) patterns: PatternSet,
    pub(super) scanners: PatternSet,
    pub(super) limits: BurstLimits,
}

/// Patterns that are matched together, and the rule of each.
pub(super) struct PatternSet {
    pub(super) set: RegexSet,
    pub(super) rules: Vec<PatternRule>,
}

pub(super) struct PatternRule {
    pub(super) name: Cow<'static, str>,
    pub(super) event: Event,
    pub(super) scope: u8,
    pub(super) regex: String,
    /// The single pattern, to find where it matches. Few are ever used.
    pub(super) alone: OnceLock<Option<Regex>>,
}

impl PatternRule {
    fn matching<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let alone = self.alone.get_or_init(|| patterns::alone(&self.regex).ok());
        Some(alone.as_ref()?.find(text)?.as_bytes())
    }
}

impl PatternSet {
    /// Finds the first pattern of this scope that matches the text.
    fn first(&self, text: &[u8], scope: u8) -> Option<&PatternRule> {
        self.all(text).find(|rule| rule.scope & scope != 0)
    }

    /// Finds the patterns that match the text, of any scope.
    fn all(&self, text: &[u8]) -> impl Iterator<Item = &PatternRule> {
        // Called first, since it stops at the first match and allocates nothing.
        let matches = (self.set.is_match(text)).then(|| self.set.matches(text));
        let matches = matches.into_iter().flatten();
        matches.map(|index| &self.rules[index])
    }
}

impl Default for SecurityRules {
    fn default() -> Self {
        static DEFAULT: LazyLock<SecurityRules> = LazyLock::new(|| {
            let Ok(rules) = SecurityRules::builder().build() else {
                // A test builds them; they depend on neither user nor platform.
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

    /// Creates a monitor with these rules' limits.
    #[must_use]
    pub fn burst_monitor(&self) -> BurstMonitor {
        BurstMonitor::new(self.inner.limits)
    }

    /// Returns the most significant sign of an attack in a request, or `None` for an ordinary one.
    ///
    /// `path` and `query` are as they arrived, not decoded (`uri.path()`, `uri.query()`), `user_agent` is the
    /// header's bytes. The attack comes before the tool: injections and traversal in query and path, then probing
    /// paths, then the finding about the agent. If a probing path is [served](Finding::served), the agent's finding
    /// remains.
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
        oversized("path", path)
            .or_else(|| oversized("query", query))
            .or_else(|| self.query(query))
            .or_else(|| self.path(path, agent))
            .or_else(|| self.agent(agent))
    }

    fn query(&self, raw: &[u8]) -> Option<Finding> {
        if raw.is_empty() {
            return None;
        }
        let text = url_decode::query(raw);
        let (searches, others): (Vec<_>, Vec<_>) = text
            .split(|byte| *byte == b'\n')
            .partition(|parameter| is_search(parameter));
        let patterns = &self.inner.patterns;
        let rule = if searches.is_empty() {
            patterns.first(&text, QUERY)
        } else {
            let first =
                |parameters: &[&[u8]], scope| patterns.first(&parameters.join(&b'\n'), scope);
            first(&others, QUERY).or_else(|| first(&searches, SEARCH))
        }?;
        // Finds the parameter. The others may contain secrets.
        let mut parameters = others.into_iter().chain(searches);
        let found = parameters.find_map(|line| Some((line, rule.matching(line)?)));
        let name = rule.name.clone();
        Some(match found {
            Some((line, piece)) => {
                Finding::in_parameter(rule.event, name, line, piece, &rule.regex)
            }
            None => Finding::stating(rule.event, name, "several query parameters together".into()),
        })
    }

    fn path(&self, raw: &[u8], agent: &[u8]) -> Option<Finding> {
        let text = url_decode::path(raw);
        let paths = &self.inner.paths;
        let mut script = None;
        for rule in self.inner.patterns.all(&text) {
            if rule.scope & PATH != 0 {
                let name = rule.name.clone();
                return Some(Finding::in_path(rule.event, name, &text, &rule.regex));
            }
            if rule.scope & PROBE != 0 && !paths.allows(&text) {
                script = script.or(Some(rule));
            }
        }
        let event = Event::MaliciousDirectReference;
        let finding = match (paths.inspect(raw, &text), script) {
            (Some(PathHit::Probe(name)), _) => Finding::in_path(event, name.clone(), &text, &name),
            (Some(PathHit::Traversal), _) => {
                return Some(Finding::in_path(event, PATH_TRAVERSAL.into(), &text, ""));
            }
            (None, Some(script)) => {
                Finding::in_path(event, script.name.clone(), &text, &script.regex)
            }
            (None, None) => return None,
        };
        Some(Finding {
            is_probe: true,
            beside: self.agent(agent).map(Box::new),
            ..finding
        })
    }

    fn agent(&self, agent: &[u8]) -> Option<Finding> {
        let inner = &self.inner;
        // Without one of these bytes a match is a false alarm: "(Android; id)" means Indonesian.
        let may_attack = agent.iter().any(|byte| br#"\'"<$`{|"#.contains(byte));
        let pattern = may_attack.then(|| inner.patterns.first(agent, AGENT));
        let rule = (pattern.flatten()).or_else(|| inner.scanners.first(agent, AGENT))?;
        let name = rule.name.clone();
        Some(Finding::quoting(rule.event, name, "user agent", agent))
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

/// Whether a parameter is a search term, by the names that search forms have.
fn is_search(parameter: &[u8]) -> bool {
    const NAMES: [&[u8]; 12] = [
        b"cql",
        b"jql",
        b"keyword",
        b"keywords",
        b"phrase",
        b"kql",
        b"q",
        b"query",
        b"s",
        b"search",
        b"term",
        b"text",
    ];
    let end = parameter.iter().position(|byte| *byte == b'=');
    let name = end.map(|end| &parameter[..end]);
    name.is_some_and(|name| NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)))
}
