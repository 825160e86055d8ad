//! Errors in the text of a query.

use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use super::period::PeriodProblem;
use crate::text;

/// An error in the text of a query or a period.
///
/// Its message is one line, and says what to write instead. [`marked`](Self::marked) shows the place.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::AuditQuery;
/// let text = "modle:order";
/// if let Err(error) = text.parse::<AuditQuery>() {
///     assert_eq!(error.to_string(), "`modle` is no key: did you mean `model`?");
///     assert_eq!(error.marked(text), "modle:order\n^^^^^ `modle` is no key: did you mean `model`?");
///     assert_eq!((error.span(), error.suggestion()), (0..5, Some("model")));
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct QueryError {
    span: Range<usize>,
    problem: Problem,
}

impl QueryError {
    pub(super) const fn new(span: Range<usize>, problem: Problem) -> Self {
        Self { span, problem }
    }

    /// The bytes of the text that are wrong. Both ends are between characters. An empty range is before the character
    /// that is missing.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// What was probably meant, to replace the text of [`span`](Self::span).
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        match &self.problem {
            Problem::UnknownKey { suggestion, .. } => *suggestion,
            Problem::UnknownWord { suggestion, .. } => suggestion.as_deref(),
            Problem::NearAction { suggestion, .. } => Some(suggestion),
            Problem::Period {
                problem: PeriodProblem::Word(word),
                ..
            } => Some(word),
            _ => None,
        }
    }

    /// The text and a second line that marks the place and states the error, for a terminal or another monospaced font.
    ///
    /// Control characters are shown as their pictures. Of a long text only the part around the place is shown.
    #[must_use]
    pub fn marked(&self, text: &str) -> String {
        let boundary = |at: usize| text.floor_char_boundary(at.min(text.len()));
        let (start, end) = (boundary(self.span.start), boundary(self.span.end));
        let before = tail(&text[..start], MARKED_CHARS);
        let place = text.get(start..end).unwrap_or_default();
        let after = &text[end.max(start)..];
        let [before, place, after] =
            [before.as_str(), place, after].map(|part| text::clean(part, MARKED_CHARS));
        let indent = " ".repeat(before.width());
        let marks = "^".repeat(place.width().max(1));
        format!("{before}{place}{after}\n{indent}{marks} {self}")
    }
}

/// How much of the text is shown before, at and after the place.
const MARKED_CHARS: usize = 60;

/// The end of a text.
fn tail(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth_back(max_chars) {
        None => text.to_owned(),
        Some((at, first)) => {
            let rest = &text[at + first.len_utf8()..];
            format!("…{}", rest.chars().skip(1).collect::<String>())
        }
    }
}

/// A part of the text for a message: on one line, and short.
pub(super) fn shown(text: &str) -> String {
    text::clean(text, 40).into_owned()
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |word| format!("did you mean `{word}`?"))
}

/// What is wrong. Texts are [`shown`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("the query has {bytes} bytes, {limit} are allowed: search for less at once")]
    TooLong { bytes: usize, limit: usize },
    #[error("the query has more than {limit} filters: search for less at once")]
    TooManyFilters { limit: usize },
    #[error("the query has more than {limit} values: search for less at once")]
    TooManyValues { limit: usize },
    #[error("`{key}` is no key: {}", match suggestion {
        Some(_) => did_you_mean(*suggestion),
        None => format!("quote a text that contains a colon; the keys are {keys}"),
    })]
    UnknownKey {
        key: String,
        suggestion: Option<&'static str>,
        keys: String,
    },
    #[error("a key is missing before `:`; quote a text that contains a colon")]
    NoKey,
    #[error(
        "`{key}:` has no value: write `{key}:VALUE` without a space, or `{key}:\"\"` for an empty text"
    )]
    NoValue { key: &'static str },
    #[error("a value is missing after `,`: write `{key}:VALUE,VALUE` without a space")]
    NoNextValue { key: &'static str },
    #[error("`{key}:` needs a field and a value: write `{key}:FIELD=VALUE`")]
    NoField { key: &'static str },
    #[error("`{key}:` takes one period: write a range, such as `2026-03..2026-04`")]
    SeveralPeriods { key: &'static str },
    #[error("`{word}` is no {of}: {}", match suggestion {
        Some(word) => did_you_mean(Some(word)),
        None => format!("write one of {known}"),
    })]
    UnknownWord {
        word: String,
        of: &'static str,
        suggestion: Option<String>,
        known: String,
    },
    #[error(
        "`{word}` is no built-in action: did you mean `{suggestion}`? Quote the name of a custom action: `\"{word}\"`"
    )]
    NearAction { word: String, suggestion: String },
    #[error("`{word}` is no action: {reason}")]
    NoAction { word: String, reason: String },
    #[error(
        "`{value}` is no address or network: write `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`"
    )]
    NoNetwork { value: String },
    #[error(
        "`{value}` is no id of a transaction: write it as `01234567-89ab-7def-8123-456789abcdef`"
    )]
    NoTransaction { value: String },
    #[error("`{value}`: {problem}")]
    Period {
        value: String,
        problem: PeriodProblem,
    },
    #[error(
        "the quote is not closed: add `\"` at the end, or write `\\\"` for a quote within the text"
    )]
    OpenQuote,
    #[error(
        "a quote must begin a value: write the whole value in quotes, and `\\\"` for a quote within it"
    )]
    QuoteWithin,
    #[error("a space or a comma is missing after the closing quote")]
    AfterQuote,
    #[error("a space is missing after the closing quote")]
    AfterPhrase,
    #[error(
        "`{escape}` is no escape: write `\\\\` for a backslash; the others are `\\\"`, `\\n`, `\\r`, `\\t`, `\\u{{1b}}`"
    )]
    Escape { escape: String },
    #[error(
        "`-` must precede a filter or a text: write `-KEY:VALUE` or `-TEXT`, and quote a text that begins with it"
    )]
    NoFilter,
    #[error(
        "there are no parentheses: all filters must match; write `KEY:VALUE,VALUE` for one of several values, and \
             quote a text that begins with a parenthesis"
    )]
    Parenthesis,
    #[error("a value cannot begin with a parenthesis: quote it; `()` alone is no value at all")]
    ValueParenthesis,
    #[error(
        "`{word}` is no operator: all filters must match; write `KEY:VALUE,VALUE` for one of several values, `-` \
             for NOT, and quote the word to search for it"
    )]
    Operator { word: &'static str },
}

impl Problem {
    pub(super) fn period(value: &str, problem: PeriodProblem) -> Self {
        Self::Period {
            value: shown(value),
            problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, span: Range<usize>) -> String {
        let marked = QueryError::new(span, Problem::OpenQuote).marked(text);
        let (first, second) = marked.split_once('\n').unwrap();
        let (marks, _) = second.split_once(" the quote").unwrap();
        format!("{first}\n{marks}")
    }

    #[test]
    fn marks_are_below_wide_and_combining_characters() {
        assert_eq!(marked("日本 x y", 7..8), "日本 x y\n     ^");
        assert_eq!(marked("日本 x", 0..6), "日本 x\n^^^^");
        assert_eq!(
            marked("e\u{301}e\u{301} x", 7..8),
            "e\u{301}e\u{301} x\n   ^"
        );
    }

    #[test]
    fn missing_character_has_one_mark() {
        assert_eq!(marked("model:", 6..6), "model:\n      ^");
        assert_eq!(marked("", 0..0), "\n^");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(marked("a\x1b[2J\nb", 6..7), "a␛[2J␊b\n      ^");
    }

    #[test]
    fn long_text_is_cut_around_the_place() {
        let text = format!("{}日{}", "a".repeat(500), "b".repeat(500));
        let marked = marked(&text, 500..503);
        let expected = format!("…{}日{}…", "a".repeat(59), "b".repeat(59));
        assert_eq!(marked, format!("{expected}\n{}^^", " ".repeat(60)));
    }

    #[test]
    fn span_of_another_text_does_not_panic() {
        assert_eq!(marked("日", 1..2), "日\n^");
        assert_eq!(marked("a", 70..90), "a\n ^");
    }
}
