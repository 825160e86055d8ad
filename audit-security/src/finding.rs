//! What was found, in a form that is safe to store and to show.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use sea_orm_audit_core::{AuditConfig, clean_text};

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
    /// Of a query it is the parameter's name and the piece that met the rule, without the values in it; only the name
    /// where that speaks of a secret.
    pub detail: String,
    /// Whether the request asked for a path that the application is not expected to have. Where it is served after all, with
    /// 2xx, that is no finding.
    pub is_probe: bool,
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

    /// Makes a finding in a parameter of a query.
    pub(super) fn in_parameter(
        event: SecurityEventName,
        rule: Cow<'static, str>,
        parameter: &[u8],
        piece: &[u8],
    ) -> Self {
        let end = parameter.iter().position(|byte| *byte == b'=');
        let name = end.map(|end| &parameter[..end]);
        let label = match name {
            Some(name) => format!("query parameter \"{}\"", clean_text(name, NAME_CHARS)),
            None => "query".to_owned(),
        };
        if name.is_some_and(is_secret) {
            return Self::stating(event, rule, label);
        }
        let named = name.and_then(|name| piece.strip_prefix(name)?.strip_prefix(b"="));
        let piece = without_values(named.unwrap_or(piece));
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
        }
    }

    pub(super) fn probing(mut self, is_probe: bool) -> Self {
        self.is_probe = is_probe;
        self
    }
}

/// Tells whether a parameter's name speaks of a secret: as everywhere, and what sign-in flows and payments call theirs.
fn is_secret(name: &[u8]) -> bool {
    const SHORT: [&str; 12] = [
        "auth", "card", "code", "cvc", "cvv", "key", "otp", "pass", "pin", "pwd", "sid", "sig",
    ];
    const LONG: [&str; 3] = ["credential", "refresh", "signature"];
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let mut words = name.split(|char: char| !char.is_ascii_alphanumeric());
    let is_known =
        |word: &str| SHORT.contains(&word) || LONG.iter().any(|long| word.starts_with(long));
    words.any(is_known) || AuditConfig::current().redacts(&name)
}

/// A piece of a parameter without what stands behind `=` or `:` in it, nor what looks like a token: a pattern may
/// reach over other values.
fn without_values(piece: &[u8]) -> String {
    static VALUES: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let value = r#"([\w\]'"-]\s*[=:]\s*['"]?)([^\s&;,'"<>()/]{2,})|[[:alnum:]_+-]{12,}"#;
        Regex::new(value).ok()
    });
    let text = String::from_utf8_lossy(piece);
    let Some(values) = &*VALUES else {
        return String::new();
    };
    let shown = |found: &Captures<'_>| match found.get(1) {
        Some(before) => format!("{}…", before.as_str()),
        None if is_token(&found[0]) => "…".to_owned(),
        None => found[0].to_owned(),
    };
    values.replace_all(&text, shown).into_owned()
}

/// Tells whether so many letters and digits without a space are more likely a token than words.
fn is_token(text: &str) -> bool {
    text.len() >= 24 || text.bytes().any(|byte| byte.is_ascii_digit())
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
    fn a_piece_has_no_values() {
        for (piece, kept) in [
            ("' or 1=1 --", "' or 1=1 --"),
            ("<script>", "<script>"),
            (
                r#""password":"hunter2","a":"<svg"#,
                r#""password":"…","a":"<svg"#,
            ),
            ("/cb?token=abc123&x=<img", "/cb?token=…&x=<img"),
            ("eyJhbGciOiJIUzI1NiJ9 union select", "… union select"),
        ] {
            assert_eq!(without_values(piece.as_bytes()), kept);
        }
    }

    #[test]
    fn names_that_speak_of_secrets_are_known() {
        for name in [
            "pass",
            "sid",
            "sig",
            "auth",
            "key",
            "api_key",
            "card",
            "refresh",
            "refreshToken",
            "X-Amz-Signature",
            "password",
            "token",
            "user[pass]",
            "code",
            "pin",
        ] {
            assert!(is_secret(name.as_bytes()), "{name}");
        }
        for name in [
            "id",
            "q",
            "passage",
            "keyword",
            "cardinality",
            "sort",
            "codec",
        ] {
            assert!(!is_secret(name.as_bytes()), "{name}");
        }
    }
}
