//! Changing the default rules.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::Duration;

use thiserror::Error;

use super::bursts::{Burst, BurstLimit, BurstLimits};
use super::event::SecurityEventName;
use super::path::PathRules;
use super::patterns::{self, AGENT, PATH, Pattern, QUERY, SEARCH};
use super::rules::{Inner, PatternRule, PatternSet, SecurityRules};
use super::word_matcher::{Run, Runs};

const PROBING_PATHS: &str = include_str!("../data/probing_paths.txt");
const SCANNERS: &str = include_str!("../data/scanners.txt");

/// Reports which rule is invalid, and how to fix it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecurityRulesError {
    /// A probing or allowed path does not have the form of a rule.
    #[error(
        "the path rule {path:?} {problem}; write whole segments such as \"/wp-admin\", \".env\" or \"*.php.bak\""
    )]
    Path {
        /// The rule as given.
        path: String,
        /// The mistake.
        problem: &'static str,
    },
    /// A pattern is not a valid regular expression, or is too large.
    #[error("the pattern {name:?} does not compile; correct it in the syntax of the `regex` crate")]
    Pattern {
        /// The pattern's name.
        name: String,
        /// The error of `regex`.
        source: regex::Error,
    },
    /// A pattern matches the empty text, and so every request.
    #[error(
        "the pattern {name:?} matches an empty text, so every request would be a finding; ask for at least one character"
    )]
    PatternMatchesAll {
        /// The pattern's name.
        name: String,
    },
    /// A pattern to be removed does not exist.
    #[error("there is no default pattern {name:?}; the names are {known}")]
    UnknownPattern {
        /// The name as given.
        name: String,
        /// The existing names.
        known: String,
    },
    /// A scanner's name has no letter or digit.
    #[error(
        "the scanner {token:?} has no letters or digits; give the word that its user agent contains"
    )]
    Scanner {
        /// The name as given.
        token: String,
    },
    /// A burst limit would fire at once or never.
    #[error(
        "the limit of {burst} needs a count and a window above zero; raise the count to switch it off in effect"
    )]
    Burst {
        /// The burst with this limit.
        burst: Burst,
    },
    /// The patterns compile one by one, but not together.
    #[error("the patterns are too large together; remove some or make them simpler")]
    TooLarge {
        /// The error of `regex`.
        source: regex::Error,
    },
}

/// Changes the default rules, then builds them.
///
/// The order of the calls does not matter; mistakes are reported by [`build`](Self::build).
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct SecurityRulesBuilder {
    defaults: bool,
    probing: Vec<Cow<'static, str>>,
    allowed: Vec<String>,
    patterns: Vec<(String, String)>,
    without_patterns: Vec<String>,
    with_patterns: Vec<String>,
    scanners: Vec<Cow<'static, str>>,
    limits: BurstLimits,
}

impl SecurityRulesBuilder {
    pub(super) fn new() -> Self {
        Self {
            defaults: true,
            probing: Vec::new(),
            allowed: Vec::new(),
            patterns: Vec::new(),
            without_patterns: Vec::new(),
            with_patterns: Vec::new(),
            scanners: Vec::new(),
            limits: BurstLimits::default(),
        }
    }

    /// Removes all default paths, patterns and scanners; burst limits stay.
    pub fn without_defaults(mut self) -> Self {
        self.defaults = false;
        self
    }

    /// Raises a finding for a path that this application does not have.
    ///
    /// `/wp-admin` means these segments at the root and all below them, `.env` the segment at any position, and
    /// `*.php.bak` a last segment with this ending. Segments are compared whole, without case for ASCII letters.
    pub fn probing_path(mut self, path: impl Into<String>) -> Self {
        self.probing.push(Cow::Owned(path.into()));
        self
    }

    /// Raises nothing for a path that this application has, even if it matches a probing rule.
    ///
    /// Of the same form as [`probing_path`](Self::probing_path). `/wp-admin` allows all paths under `/wp-admin` for
    /// rules that start there; `/wp-admin/.env` still is a finding.
    pub fn allow_path(mut self, path: impl Into<String>) -> Self {
        self.allowed.push(path.into());
        self
    }

    /// Raises a finding for a path or query that the regular expression matches.
    ///
    /// It is applied to decoded text, without case for ASCII letters. Each parameter of a query is a line, with `^`
    /// and `$` at its ends.
    pub fn pattern(mut self, name: impl Into<String>, regex: impl Into<String>) -> Self {
        self.patterns.push((name.into(), regex.into()));
        self
    }

    /// Removes a default pattern by its name, for example `sqli-schema` in a forum about
    /// databases.
    pub fn without_pattern(mut self, name: impl Into<String>) -> Self {
        self.without_patterns.push(name.into());
        self
    }

    /// Adds a pattern that is off by default: `graphql-introspection`, where an API does not offer its schema in a
    /// query.
    pub fn with_pattern(mut self, name: impl Into<String>) -> Self {
        self.with_patterns.push(name.into());
        self
    }

    /// Raises a finding for a user agent that contains this word, or these words one after another.
    ///
    /// Words are letters and digits, compared whole and without case: `nikto` is in `Mozilla/5.00 (Nikto/2.1.6)`, and
    /// not in `niktor`.
    pub fn scanner(mut self, token: impl Into<String>) -> Self {
        self.scanners.push(Cow::Owned(token.into()));
        self
    }

    /// Sets the number of events within a window that make a burst.
    ///
    /// The defaults are at [`Burst`].
    pub fn burst(mut self, burst: Burst, count: u32, window: Duration) -> Self {
        self.limits.set(burst, BurstLimit { count, window });
        self
    }

    /// Sets how many users and addresses are counted at the same time; the default is 10,000.
    ///
    /// It is rounded up to a multiple of eight; each takes 48 bytes.
    pub fn burst_keys(mut self, keys: usize) -> Self {
        self.limits.keys = keys;
        self
    }

    /// Builds the rules.
    ///
    /// # Errors
    /// Returns the first mistake: see [`SecurityRulesError`] for each.
    pub fn build(self) -> Result<SecurityRules, SecurityRulesError> {
        if let Some(burst) = self.limits.unusable() {
            return Err(SecurityRulesError::Burst { burst });
        }
        let mut patterns = self.default_patterns()?;
        patterns.extend(self.custom_patterns()?);
        Ok(SecurityRules::from_inner(Inner {
            paths: self.paths()?,
            patterns: set_of(patterns)?,
            scanners: set_of(self.scanner_patterns()?)?,
            limits: self.limits,
        }))
    }

    fn paths(&self) -> Result<PathRules, SecurityRulesError> {
        let (mut probes, mut endings, mut allowed) = (Vec::new(), Vec::new(), Vec::new());
        let mut allowed_endings = Vec::new();
        for path in &self.allowed {
            match path_rule(path)? {
                (true, ending) => allowed_endings.extend(ending_run(ending, "".into())),
                (false, _) => allowed.extend(Run::of_path(Cow::Owned(path.clone()))),
            }
        }
        let allowed_endings = Runs::new(allowed_endings);
        let is_allowed = |ending: &str| {
            let ending = ending.to_ascii_lowercase();
            let run = allowed_endings.starting(ending.as_bytes(), &std::iter::empty(), false);
            run.is_some()
        };
        let shipped = self
            .defaults
            .then(|| lines(PROBING_PATHS).map(Cow::Borrowed));
        for path in shipped
            .into_iter()
            .flatten()
            .chain(self.probing.iter().cloned())
        {
            match path_rule(&path)? {
                (true, ending) if is_allowed(ending) => {}
                (true, ending) => endings.extend(ending_run(ending, path.clone())),
                (false, _) => probes.extend(Run::of_path(path)),
            }
        }
        Ok(PathRules {
            probes: Runs::new(probes),
            endings: Runs::new(endings),
            allowed: Runs::new(allowed),
            allowed_endings,
        })
    }

    fn scanner_patterns(&self) -> Result<Vec<PatternRule>, SecurityRulesError> {
        let shipped = self.defaults.then(|| lines(SCANNERS).map(Cow::Borrowed));
        let tokens = shipped
            .into_iter()
            .flatten()
            .chain(self.scanners.iter().cloned());
        let rule = |token: Cow<'static, str>| {
            let words = token.split(|char: char| !char.is_ascii_alphanumeric());
            let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
            if words.is_empty() {
                let token = token.into_owned();
                return Err(SecurityRulesError::Scanner { token });
            }
            // Any other character separates words.
            let words = words.join("[^0-9a-z]+");
            let regex = format!("(?:^|[^0-9a-z]){words}(?:$|[^0-9a-z])");
            Ok(rule(
                token,
                SecurityEventName::MaliciousAttackTool,
                AGENT,
                regex,
            ))
        };
        tokens.map(rule).collect()
    }

    fn default_patterns(&self) -> Result<Vec<PatternRule>, SecurityRulesError> {
        let mut patterns = patterns::defaults();
        let known = |name: &String| patterns.iter().any(|pattern| pattern.name == name);
        let mut named = self.without_patterns.iter().chain(&self.with_patterns);
        if let Some(name) = named.find(|name| !known(name)) {
            let mut known: Vec<_> = patterns.iter().map(|pattern| pattern.name).collect();
            known.sort_unstable();
            known.dedup();
            return Err(SecurityRulesError::UnknownPattern {
                name: name.clone(),
                known: known.join(", "),
            });
        }
        let has =
            |names: &[String], pattern: &Pattern| names.iter().any(|name| name == pattern.name);
        patterns.retain(|pattern| {
            let is_on = self.defaults && !pattern.is_off || has(&self.with_patterns, pattern);
            is_on && !has(&self.without_patterns, pattern)
        });
        let rule = |pattern: Pattern| {
            let event = pattern.event();
            rule(pattern.name.into(), event, pattern.scope, pattern.regex)
        };
        Ok(patterns.into_iter().map(rule).collect())
    }

    fn custom_patterns(&self) -> Result<Vec<PatternRule>, SecurityRulesError> {
        let checked = |(name, regex): &(String, String)| {
            // Custom patterns match text; the default patterns match bytes.
            let regex = format!("(?u:{regex})");
            let alone = patterns::alone(&regex).map_err(|source| SecurityRulesError::Pattern {
                name: name.clone(),
                source,
            })?;
            if alone.is_match(b"") {
                return Err(SecurityRulesError::PatternMatchesAll { name: name.clone() });
            }
            let event = SecurityEventName::MaliciousExtraneous;
            Ok(rule(
                Cow::Owned(name.clone()),
                event,
                PATH | QUERY | SEARCH,
                regex,
            ))
        };
        self.patterns.iter().map(checked).collect()
    }
}

fn rule(
    name: Cow<'static, str>,
    event: SecurityEventName,
    scope: u8,
    regex: String,
) -> PatternRule {
    PatternRule {
        name,
        event,
        scope,
        regex,
        alone: OnceLock::new(),
    }
}

fn set_of(rules: Vec<PatternRule>) -> Result<PatternSet, SecurityRulesError> {
    let set = patterns::together(rules.iter().map(|rule| rule.regex.as_str()));
    Ok(PatternSet {
        set: set.map_err(|source| SecurityRulesError::TooLarge { source })?,
        rules,
    })
}

fn ending_run(ending: &str, name: Cow<'static, str>) -> Option<Run> {
    Some(Run::of_path(Cow::Owned(ending.to_owned()))?.called(name))
}

/// Returns the lines of a data file that are neither empty nor comments.
fn lines(data: &'static str) -> impl Iterator<Item = &'static str> {
    data.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Checks a path rule, and returns whether it is an ending (`*.php.bak`), and its path.
fn path_rule(path: &str) -> Result<(bool, &str), SecurityRulesError> {
    let (ending, body) = path
        .strip_prefix("*.")
        .map_or((false, path), |body| (true, body));
    let refused =
        |char: char| char.is_control() || char.is_whitespace() || "?#%*\\;".contains(char);
    let dots = |segment: &str| segment == "." || segment == "..";
    let problem = if body.trim_matches('/').is_empty() {
        "is empty"
    } else if body.contains(refused) {
        "has a character that rules do not have (white space, ? # % * \\ ;)"
    } else if body.split('/').any(dots) {
        "has a \".\" or \"..\" segment"
    } else if ending && body.contains('/') {
        "is an ending and has a \"/\""
    } else {
        return Ok((ending, body));
    };
    Err(SecurityRulesError::Path {
        path: path.to_owned(),
        problem,
    })
}
