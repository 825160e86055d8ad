//! The default patterns of traversal and injection, from `data/patterns.txt`.

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::event::SecurityEventName as Event;

const DATA: &str = include_str!("../data/patterns.txt");

/// Matches a pattern in the path.
pub(super) const PATH: u8 = 1;
/// In the parameters of a query, except those of a search.
pub(super) const QUERY: u8 = 1 << 1;
/// In the user agent.
pub(super) const AGENT: u8 = 1 << 2;
/// In the parameters of a search: a search for attack terms is no attack.
pub(super) const SEARCH: u8 = 1 << 3;
/// In the path, which is then a probing path.
pub(super) const PROBE: u8 = 1 << 4;

/// White space and its equivalents in SQL, which the data writes as `·`.
const SQL_SPACE: &str = r"(?:[ \t\r\x0b\x0c+]|/\*[^*\n]*\*/|/\*!\d*|\*/)";
/// The meaning of `\s` in the data: a line feed would match into the next parameter.
const SPACE: &str = r"[ \t\r\x0b\x0c]";

/// A default pattern; letters match in either case.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) name: &'static str,
    pub(super) scope: u8,
    pub(super) regex: String,
    /// It is used only if it is added.
    pub(super) is_off: bool,
}

impl Pattern {
    /// Returns the event of the pattern.
    pub(super) fn event(&self) -> Event {
        if ["file-", "path-"]
            .iter()
            .any(|start| self.name.starts_with(start))
        {
            Event::MaliciousDirectReference
        } else {
            Event::MaliciousExtraneous
        }
    }
}

/// Reads the default patterns, the more specific first.
pub(super) fn defaults() -> Vec<Pattern> {
    let mut patterns = Vec::<Pattern>::new();
    let lines = DATA
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        if let Some((name, scopes)) = line
            .strip_prefix("== ")
            .and_then(|head| head.split_once(": "))
        {
            patterns.push(Pattern {
                name,
                scope: scopes.split(' ').map(scope).fold(0, |all, one| all | one),
                regex: String::new(),
                is_off: scopes.ends_with(" off"),
            });
        } else if let Some(pattern) = patterns.last_mut() {
            if !pattern.regex.is_empty() {
                pattern.regex.push('|');
            }
            let alternative = line.replace('·', SQL_SPACE).replace(r"\s", SPACE);
            pattern.regex.push_str(&alternative);
        }
    }
    patterns
}

/// Compiles a single pattern.
pub(super) fn alone(regex: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(regex)
        .unicode(false)
        .case_insensitive(true)
        .multi_line(true)
        .build()
}

/// Compiles patterns that are matched together.
pub(super) fn together<'p>(
    regexes: impl Iterator<Item = &'p str>,
) -> Result<RegexSet, regex::Error> {
    RegexSetBuilder::new(regexes)
        .unicode(false)
        .case_insensitive(true)
        .multi_line(true)
        .build()
}

/// Returns the bit of a scope; a test finds unknown words.
fn scope(word: &str) -> u8 {
    match word {
        "path" => PATH,
        "query" => QUERY,
        "agent" => AGENT,
        "search" => SEARCH,
        "probe" => PROBE,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_has_a_name_a_scope_and_alternatives() {
        let patterns = defaults();
        assert!(patterns.len() >= 25);
        for pattern in patterns {
            let named = |char: char| char.is_ascii_lowercase() || char == '-';
            assert!(
                !pattern.name.is_empty() && pattern.name.chars().all(named),
                "{pattern:?}"
            );
            assert!(
                pattern.scope != 0 && !pattern.regex.is_empty(),
                "{pattern:?}"
            );
        }
        let heads = DATA
            .lines()
            .filter(|line| line.starts_with("==") && !line.starts_with("=== "));
        for head in heads {
            let scopes = head
                .split_once(": ")
                .map(|(_, scopes)| scopes)
                .unwrap_or_default();
            let scopes = scopes.strip_suffix(" off").unwrap_or(scopes);
            assert!(scopes.split(' ').all(|word| scope(word) != 0), "{head}");
        }
    }
}
