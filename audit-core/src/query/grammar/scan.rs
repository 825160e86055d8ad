//! Words and quoted texts.

use std::borrow::Cow;
use std::ops::Range;

use crate::query::error::{Problem, QueryError, shown};

/// A text, and the bytes that it was read from, with its quotes.
#[derive(Debug)]
pub(super) struct Value<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) span: Range<usize>,
    pub(super) quoted: bool,
}

impl Value<'_> {
    pub(super) fn error(&self, problem: Problem) -> QueryError {
        QueryError::new(self.span.clone(), problem)
    }
}

#[derive(Debug)]
pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Whether a term ends here.
    pub(super) fn is_at_end(&self) -> bool {
        self.peek().is_none_or(char::is_whitespace)
    }

    pub(super) fn skip_white_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Passes a character, if it is this one.
    pub(super) fn take(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    /// Passes the characters up to white space or one of these.
    pub(super) fn word(&mut self, ends: &[char]) -> Value<'a> {
        let rest = self.rest();
        let end = rest
            .find(|char: char| char.is_whitespace() || ends.contains(&char))
            .unwrap_or(rest.len());
        let start = self.at;
        self.at += end;
        Value {
            text: Cow::Borrowed(&rest[..end]),
            span: start..self.at,
            quoted: false,
        }
    }

    /// The next character, or nothing at the end of the text.
    pub(super) fn next_span(&self) -> Range<usize> {
        self.at..self.at + self.peek().map_or(0, char::len_utf8)
    }

    /// Passes a quoted text, from quote to quote.
    pub(super) fn quoted(&mut self) -> Result<Value<'a>, QueryError> {
        let start = self.at;
        let open = || QueryError::new(start..start + 1, Problem::OpenQuote);
        let mut text = String::new();
        self.take('"');
        loop {
            let rest = self.rest();
            let plain = rest.find(['"', '\\']).ok_or_else(open)?;
            text.push_str(&rest[..plain]);
            self.at += plain;
            if self.take('"') {
                break;
            }
            text.push(self.escape().ok_or_else(|| self.escape_error(open()))?);
        }
        Ok(Value {
            text: Cow::Owned(text),
            span: start..self.at,
            quoted: true,
        })
    }

    /// Passes an escape. Where it is none, the place stays.
    fn escape(&mut self) -> Option<char> {
        let after = self.rest().strip_prefix('\\')?;
        let (char, length) = match after.chars().next()? {
            same @ ('"' | '\\') => (same, 1),
            'n' => ('\n', 1),
            'r' => ('\r', 1),
            't' => ('\t', 1),
            'u' => {
                let (digits, _) = after.strip_prefix("u{")?.split_once('}')?;
                // `from_str_radix` also takes a sign.
                let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_number)?;
                (char::from_u32(number)?, "u{}".len() + digits.len())
            }
            _ => return None,
        };
        self.at += 1 + length;
        Some(char)
    }

    fn escape_error(&self, open: QueryError) -> QueryError {
        let mut chars = self.rest().chars();
        let length: usize = chars.by_ref().take(2).map(char::len_utf8).sum();
        if length < 2 {
            return open;
        }
        let escape = shown(&self.rest()[..length]);
        QueryError::new(self.at..self.at + length, Problem::Escape { escape })
    }
}
