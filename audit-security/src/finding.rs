//! What was found, in a form that is safe to store and to show.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use sea_orm_audit_core::clean_text;

use super::event::SecurityEventName;

/// The most characters a detail has.
const MAX_CHARS: usize = 200;
/// The most characters that are kept of a parameter's name.
const NAME_CHARS: usize = 64;
/// The most characters that are kept of what met a rule in a parameter.
const PIECE_CHARS: usize = 64;

/// Says that a request, or a series of them, looked like an attack.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What happened, in OWASP's words.
    pub event: SecurityEventName,
    /// Which rule was met: a path (`/wp-admin`), a pattern's name (`sqli-union`), a scanner
    /// (`sqlmap`) or a burst (`burst-not-found`).
    pub rule: Cow<'static, str>,
    /// What met it: at most 200 characters, none of which controls a terminal or hides others.
    ///
    /// Of a query it is the parameter's name and the piece that met the rule, in which words that the rule does not ask for
    /// are left out; of a path the path, without parameters in it and segments that look like tokens.
    pub detail: String,
    /// Whether the request asked for a path that the application is not expected to have. Where it is served after all, with
    /// 2xx, that is no finding.
    pub is_probe: bool,
    /// What the request shows beside a probing path.
    pub(super) beside: Option<Box<Finding>>,
}

impl Finding {
    /// Makes a finding whose detail reads `label "quoted"`, cleaned and cut.
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

    /// Makes a finding in a path: without what follows it (matrix parameters, an encoded query), nor segments that look
    /// like tokens.
    pub(super) fn in_path(event: SecurityEventName, rule: Cow<'static, str>, raw: &[u8]) -> Self {
        let text = String::from_utf8_lossy(raw);
        let lower = text.to_ascii_lowercase();
        let ends = [";", "%3b", "%3f"].map(|end| lower.find(end));
        let end = ends.into_iter().flatten().min().unwrap_or(text.len());
        let segments = text[..end].split('/').map(|segment| {
            let is_token = segment.len() >= 12
                && segment.bytes().any(|byte| byte.is_ascii_digit())
                && segment.bytes().any(|byte| byte.is_ascii_alphabetic())
                && !segment.contains(['.', '%']);
            if is_token { "…" } else { segment }
        });
        let path = segments.collect::<Vec<_>>().join("/");
        Self::quoting(event, rule, "path", path.as_bytes())
    }

    /// Makes a finding in a parameter of a query: its name, and the piece that met a pattern, in which only words of the
    /// pattern's own are shown.
    pub(super) fn in_parameter(
        event: SecurityEventName,
        rule: Cow<'static, str>,
        parameter: &[u8],
        piece: &[u8],
        pattern: &str,
    ) -> Self {
        let end = parameter.iter().position(|byte| *byte == b'=');
        let name = end.map(|end| &parameter[..end]);
        let label = match name {
            Some(name) => format!("query parameter \"{}\"", clean_text(name, NAME_CHARS)),
            None => "query".to_owned(),
        };
        let named = name.and_then(|name| piece.strip_prefix(name)?.strip_prefix(b"="));
        let piece = known_words(named.unwrap_or(piece), pattern);
        let detail = format!("{label}: \"{}\"", clean_text(&piece, PIECE_CHARS));
        Self::stating(event, rule, detail)
    }

    /// Makes a finding with a detail of our own words.
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

    /// What is left of it where the application has served the request, with 2xx: a path that it has is no probing one.
    #[must_use]
    pub fn served(self) -> Option<Self> {
        if self.is_probe {
            self.beside.map(|beside| *beside)
        } else {
            Some(self)
        }
    }
}

/// A piece of a parameter in which only the words are shown that its pattern asks for, and single characters: a pattern
/// may reach over values that are nobody's business.
fn known_words(piece: &[u8], pattern: &str) -> String {
    static ESCAPES: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\\x[0-9a-f]{2}|\\[[:alpha:]]").ok());
    static WORDS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[\pL\pN_]{2,}").ok());
    let (Some(escapes), Some(words)) = (&*ESCAPES, &*WORDS) else {
        return String::new();
    };
    let pattern = escapes.replace_all(pattern, " ");
    let known: HashSet<&str> = words
        .find_iter(&pattern)
        .map(|word| word.as_str())
        .collect();
    let text = String::from_utf8_lossy(piece);
    let shown = |found: &Captures<'_>| {
        let word = &found[0];
        if known.contains(word.to_lowercase().as_str()) {
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
    fn a_detail_has_no_escape_sequences() {
        assert_eq!(detail(b"a\x1b[31mb\r\nc"), "path \"a␛[31mb␍␊c\"");
        assert_eq!(detail("a\u{202e}b".as_bytes()), "path \"a\u{fffd}b\"");
    }

    #[test]
    fn a_long_detail_is_cut_and_says_so() {
        for text in ["a".repeat(10_000), "é".repeat(10_000), "😀".repeat(10_000)] {
            let detail = detail(text.as_bytes());
            assert_eq!(detail.chars().count(), MAX_CHARS);
            assert!(detail.ends_with("…\""), "{detail}");
        }
        assert_eq!(detail(b"short"), "path \"short\"");
    }

    #[test]
    fn a_piece_shows_words_of_its_pattern_alone() {
        let pattern = r"\bunion\s+select\b|\bor\b|<script";
        for (piece, kept) in [
            ("' or 1=1 --", "' or 1=1 --"),
            ("<script>", "<script>"),
            ("hunter2' UNION select null", "…' UNION select …"),
            ("correct horse battery or 1", "… … … or 1"),
            ("/reset/s3cr3t", "/…/…"),
            ("пароль or", "… or"),
        ] {
            assert_eq!(known_words(piece.as_bytes(), pattern), kept);
        }
    }

    #[test]
    fn a_path_shows_no_tokens_and_nothing_behind_it() {
        for (path, shown) in [
            ("/wp-admin/setup.php", "/wp-admin/setup.php"),
            (
                "/reset/a1b2c3d4e5f6a7/wp-login.php",
                "/reset/…/wp-login.php",
            ),
            ("/x.jsp;jsessionid=0a1b", "/x.jsp"),
            ("/cb%3Fpassword=hunter2%00", "/cb"),
        ] {
            let found = Finding::in_path(
                SecurityEventName::MaliciousDirectReference,
                "x".into(),
                path.as_bytes(),
            );
            assert_eq!(found.detail, format!("path \"{shown}\""));
        }
    }
}
