//! What was found, in a form that is safe to store and to show.

use std::borrow::Cow;

use super::event::SecurityEventName;

/// The most characters a detail has.
const MAX_CHARS: usize = 200;

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
    /// Of a query only the parameter that met the rule is quoted, and only its name when the name
    /// speaks of a secret.
    pub detail: String,
}

impl Finding {
    /// Makes a finding whose detail reads `label "quoted"`, cleaned and cut.
    pub(super) fn quoting(
        event: SecurityEventName,
        rule: Cow<'static, str>,
        label: &str,
        quoted: &[u8],
    ) -> Self {
        // Four bytes a character at most: the rest could not appear, so it is not looked at.
        let head = &quoted[..quoted.len().min(MAX_CHARS * 4)];
        let mut detail = format!("{label} \"");
        let room = MAX_CHARS - detail.chars().count() - 1;
        let text = String::from_utf8_lossy(head);
        let mut chars = text.chars().map(visible);
        detail.extend(chars.by_ref().take(room));
        if chars.next().is_some() || head.len() < quoted.len() {
            detail.pop();
            detail.push('…');
        }
        detail.push('"');
        Self {
            event,
            rule,
            detail,
        }
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
        }
    }
}

/// Replaces what would move a cursor, hide text or turn its direction.
fn visible(char: char) -> char {
    let hides = matches!(char,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    if char.is_control() || hides {
        '\u{fffd}'
    } else {
        char
    }
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
        assert_eq!(
            detail(b"a\x1b[31mb\r\nc"),
            "path \"a\u{fffd}[31mb\u{fffd}\u{fffd}c\""
        );
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
}
