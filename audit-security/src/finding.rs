//! Findings, in a form that is safe to store and to show.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use sea_orm_audit_core::clean_text;

use super::event::SecurityEventName;

/// The maximum length of a detail, in characters.
const MAX_CHARS: usize = 200;
/// The maximum length of a parameter's name, in characters.
const NAME_CHARS: usize = 64;
/// The maximum length of the part of a parameter that matched a rule, in characters.
const PIECE_CHARS: usize = 64;

/// Reports that a request, or a series of them, looked like an attack.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The event, in OWASP's terms.
    pub event: SecurityEventName,
    /// The rule that matched: a path (`/wp-admin`), a pattern's name (`sqli-union`), a scanner
    /// (`sqlmap`) or a burst (`burst-not-found`).
    pub rule: Cow<'static, str>,
    /// The text that matched: at most 200 characters, without control characters and characters that hide others.
    ///
    /// Of a query it is the parameter's name and the part that matched the rule. Words that the rule does not contain
    /// are left out. The name is shown only if it consists of at most 64 ASCII letters, digits, `_`, `.`, `-`, `[` and
    /// `]`. Of a path it is the decoded path up to a `;` or `?`, in lower case, without the
    /// words that the rule does not contain: `/…/…/.env`. A user agent is shown unchanged.
    pub detail: String,
    /// Whether the request asked for a path that the application is not expected to have. If the application serves
    /// it, with 2xx, that is no finding.
    pub is_probe: bool,
    /// Another finding about the request, besides a probing path.
    pub(super) beside: Option<Box<Finding>>,
}

impl Finding {
    /// Creates a finding with the detail `label "quoted"`, sanitized and truncated.
    pub(super) fn quoting(
        event: SecurityEventName,
        rule: Cow<'static, str>,
        label: &str,
        quoted: &[u8],
    ) -> Self {
        let room = MAX_CHARS.saturating_sub(label.chars().count() + 3);
        let detail = format!("{label} \"{}\"", clean_text(quoted, room));
        Self::stating(event, rule, detail)
    }

    /// Creates a finding in a decoded path, up to what follows it (matrix parameters, an encoded query). Only words
    /// in `known` are shown: people and programs put secrets into paths.
    pub(super) fn in_path(
        event: SecurityEventName,
        rule: Cow<'static, str>,
        decoded: &[u8],
        known: &str,
    ) -> Self {
        let end = decoded.iter().position(|byte| b";?".contains(byte));
        let path = &decoded[..end.unwrap_or(decoded.len())];
        Self::quoting(event, rule, "path", known_words(path, known, 1).as_bytes())
    }

    /// Creates a finding in a parameter of a query: its name, and the part that matched a pattern, in which only the
    /// pattern's own words are shown.
    pub(super) fn in_parameter(
        event: SecurityEventName,
        rule: Cow<'static, str>,
        parameter: &[u8],
        piece: &[u8],
        pattern: &str,
    ) -> Self {
        let name = parameter_name(parameter);
        let label = match name {
            Some(name) => format!("query parameter \"{name}\""),
            None => "query".to_owned(),
        };
        let named = name.and_then(|name| piece.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        // Injections consist of single characters.
        let piece = known_words(named.unwrap_or(piece), pattern, 2);
        let detail = format!("{label}: \"{}\"", clean_text(&piece, PIECE_CHARS));
        Self::stating(event, rule, detail)
    }

    /// Creates a finding with a constant detail.
    pub(super) fn stating(
        event: SecurityEventName,
        rule: Cow<'static, str>,
        detail: String,
    ) -> Self {
        Self {
            event,
            rule,
            detail,
            is_probe: false,
            beside: None,
        }
    }

    /// The finding that remains if the application served the request, with 2xx: a served path is no probing path.
    #[must_use]
    pub fn served(self) -> Option<Self> {
        if self.is_probe {
            self.beside.map(|beside| *beside)
        } else {
            Some(self)
        }
    }
}

/// The name of a parameter. Text without the form of a name may be a value, such as JSON or a token.
fn parameter_name(parameter: &[u8]) -> Option<&str> {
    let end = parameter.iter().position(|byte| *byte == b'=')?;
    let name = std::str::from_utf8(&parameter[..end]).ok()?;
    let may_be_in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-[]".contains(&byte);
    let is_name = (1..=NAME_CHARS).contains(&name.len()) && name.bytes().all(may_be_in_name);
    is_name.then_some(name)
}

/// A text in which only words of its rule are shown, and words with fewer characters than `hidden_from`: a pattern
/// may match values, and a path may contain any.
fn known_words(text: &[u8], rule: &str, hidden_from: usize) -> String {
    static ESCAPES: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\\x[0-9a-f]{2}|\\[[:alpha:]]").ok());
    static WORDS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[\pL\pN\pM_]+").ok());
    // `jspx?` contains `jspx` and `jsp`.
    static OPTIONAL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\w\?").ok());
    let (Some(escapes), Some(words), Some(optional)) = (&*ESCAPES, &*WORDS, &*OPTIONAL) else {
        return String::new();
    };
    let rule = escapes.replace_all(rule, " ").to_lowercase();
    let shorter = optional.replace_all(&rule, " ");
    let known: HashSet<&str> = (words.find_iter(&rule))
        .chain(words.find_iter(&shorter))
        .map(|word| word.as_str())
        .filter(|word| word.len() > 1)
        .collect();
    let text = String::from_utf8_lossy(text);
    let shown = |found: &Captures<'_>| {
        let word = &found[0];
        if word.chars().count() < hidden_from || known.contains(word.to_lowercase().as_str()) {
            word.to_owned()
        } else {
            "…".to_owned()
        }
    };
    words.replace_all(&text, shown).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(bytes: &[u8]) -> String {
        Finding::quoting(
            SecurityEventName::MaliciousExtraneous,
            "x".into(),
            "path",
            bytes,
        )
        .detail
    }

    #[test]
    fn detail_has_no_escape_sequences() {
        assert_eq!(detail(b"a\x1b[31mb\r\nc"), "path \"a␛[31mb␍␊c\"");
        assert_eq!(detail("a\u{202e}b".as_bytes()), "path \"a\u{fffd}b\"");
    }

    #[test]
    fn long_detail_is_cut_and_says_so() {
        for text in ["a".repeat(10_000), "é".repeat(10_000), "😀".repeat(10_000)] {
            let detail = detail(text.as_bytes());
            assert_eq!(detail.chars().count(), MAX_CHARS);
            assert!(detail.ends_with("…\""), "{detail}");
        }
        assert_eq!(detail(b"short"), "path \"short\"");
    }

    #[test]
    fn piece_shows_words_of_its_pattern_alone() {
        let pattern = r"\bunion\s+select\b|\bor\b|<script";
        for (piece, kept) in [
            ("' or 1=1 --", "' or 1=1 --"),
            ("<script>", "<script>"),
            ("hunter2' UNION select null", "…' UNION select …"),
            ("correct horse battery or 1", "… … … or 1"),
            ("/reset/s3cr3t", "/…/…"),
            ("пароль or", "… or"),
        ] {
            assert_eq!(known_words(piece.as_bytes(), pattern, 2), kept);
        }
    }

    #[test]
    fn path_shows_words_of_its_rule_alone_and_nothing_behind_it() {
        for (path, rule, shown) in [
            ("/wp-admin/setup.php", "/wp-admin", "/wp-admin/….…"),
            ("/wp-admin/setup.php", "*.PHP", "/…-…/….php"),
            (
                "/reset/hunter2/wp-login.php",
                "/wp-login.php",
                "/…/…/wp-login.php",
            ),
            ("/x.jsp;jsessionid=0a1b", r"\.jspx?$", "/….jsp"),
            ("/cb?password=hunter2", "", "/…"),
            ("/7/../a", "", "/…/../…"),
            ("/zoe\u{308}/x", "zo", "/…/…"),
        ] {
            let found = Finding::in_path(
                SecurityEventName::MaliciousDirectReference,
                "x".into(),
                path.as_bytes(),
                rule,
            );
            assert_eq!(found.detail, format!("path \"{shown}\""));
        }
    }
}
