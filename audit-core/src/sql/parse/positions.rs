//! The positions of tokens in the text. A token that is rendered again may mean something else: `E'a\\b'` and `0x1F`
//! become other constants.

use sea_orm::DbBackend;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::tokens::is_meaningful;
use super::{dialect, literals};

/// The tokens of a text, in their original spelling, so that they can be rendered again.
pub(super) fn tokenize(backend: DbBackend, sql: &str) -> Option<Tokens> {
    let dialect = dialect(backend);
    let tokens = Tokenizer::new(dialect.as_ref(), sql)
        .with_unescape(false)
        .tokenize_with_location()
        .ok()?;
    Some(Tokens::read(backend, sql, tokens))
}

/// Tokens and their statements.
pub(super) struct Tokens {
    pub(super) tokens: Vec<Token>,
    /// The texts between semicolons, as they were sent, without empty ones.
    pub(super) parts: Vec<String>,
}

impl Tokens {
    fn read(backend: DbBackend, sql: &str, located: Vec<TokenWithSpan>) -> Self {
        let mut place = Place::new(sql);
        let mut tokens = Vec::with_capacity(located.len());
        let (mut parts, mut begin, mut is_empty) = (Vec::new(), 0, true);
        for TokenWithSpan { token, span } in located {
            match token {
                Token::SemiColon => {
                    let end = place.byte(span.start);
                    if !is_empty {
                        parts.push(sql.get(begin..end).unwrap_or_default().to_owned());
                    }
                    (begin, is_empty) = (end + 1, true);
                    tokens.push(token);
                }
                // The tokenizer has one token for numbers and strings.
                Token::HexStringLiteral(digits) => {
                    is_empty = false;
                    let source = sql.get(place.byte(span.start)..).unwrap_or_default();
                    tokens.push(match source.get(..2) {
                        Some(prefix @ "0x") if literals::is_number(backend, &digits) => {
                            Token::Number(format!("{prefix}{digits}"), false)
                        }
                        _ => Token::HexStringLiteral(digits),
                    });
                }
                token => {
                    is_empty = is_empty && !is_meaningful(&token);
                    tokens.push(token);
                }
            }
        }
        if !is_empty {
            parts.push(sql.get(begin..).unwrap_or_default().to_owned());
        }
        Self { tokens, parts }
    }

    /// Whether each part has the same tokens as the text in its position.
    pub(super) fn are_parts_of(backend: DbBackend, tokens: &[Token], parts: &[String]) -> bool {
        let mut groups = tokens
            .split(|token| *token == Token::SemiColon)
            .filter(|group| group.iter().any(is_meaningful));
        let are_equal = |part: &String| {
            let group = groups.next();
            tokenize(backend, part).is_some_and(|part| group == Some(part.tokens.as_slice()))
        };
        parts.iter().all(are_equal) && groups.next().is_none()
    }
}

/// A position in a text, in lines and columns and in bytes.
pub(super) struct Place<'s> {
    rest: std::str::CharIndices<'s>,
    line: u64,
    column: u64,
    byte: usize,
}

impl<'s> Place<'s> {
    pub(super) fn new(sql: &'s str) -> Self {
        Self {
            rest: sql.char_indices(),
            line: 1,
            column: 1,
            byte: 0,
        }
    }

    /// The byte at a location, which must not precede the last location requested.
    pub(super) fn byte(&mut self, location: Location) -> usize {
        while (self.line, self.column) < (location.line, location.column)
            && let Some((at, c)) = self.rest.next()
        {
            self.byte = at + c.len_utf8();
            if c == '\n' {
                (self.line, self.column) = (self.line + 1, 1);
            } else {
                self.column += 1;
            }
        }
        self.byte
    }
}
