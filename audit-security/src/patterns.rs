//! The default patterns of traversal and injection, as `data/patterns.txt` has them.

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::event::SecurityEventName as Event;

const DATA: &str = include_str!("../data/patterns.txt");

/// A pattern is looked for in the path.
pub(super) const PATH: u8 = 1;
/// In the parameters of a query, but for those of a search.
pub(super) const QUERY: u8 = 1 << 1;
/// In the user agent.
pub(super) const AGENT: u8 = 1 << 2;
/// In the parameters of a search: what people ask about is no attempt at it.
pub(super) const SEARCH: u8 = 1 << 3;
/// In the path, which is then a probing one.
pub(super) const PROBE: u8 = 1 << 4;

/// White space and what SQL takes for it, which the data writes as `·`.
const SQL_SPACE: &str = r"(?:[ \t\r\x0b\x0c+]|/\*[^*\n]*\*/|/\*!\d*|\*/)";
/// What `\s` means in the data: a line feed would lead into the next parameter.
const SPACE: &str = r"[ \t\r\x0b\x0c]";

/// A default pattern; letters match in either case.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) name: &'static str,
    pub(super) scope: u8,
    pub(super) regex: String,
    /// It is asked only where that is wanted.
    pub(super) is_off: bool,
}

impl Pattern {
    /// Returns the word for what the pattern finds.
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

/// Reads the default patterns, the more telling first.
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

/// Compiles a pattern by itself.
pub(super) fn alone(regex: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(regex)
        .unicode(false)
        .case_insensitive(true)
        .multi_line(true)
        .build()
}

/// Compiles patterns that are asked together.
pub(super) fn together<'p>(
    regexes: impl Iterator<Item = &'p str>,
) -> Result<RegexSet, regex::Error> {
    RegexSetBuilder::new(regexes)
        .unicode(false)
        .case_insensitive(true)
        .multi_line(true)
        .build()
}

/// Returns the bit of a scope; a test finds words that are none.
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
