//! The tokens of a text in a language around SQL, such as PL/pgSQL, which the parser does not know.

use sea_orm::DbBackend;
use sqlparser::tokenizer::Token;

use super::positions::tokenize;

/// A token, without the types of the parser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PlainToken {
    /// A word without quotes: a keyword or a name.
    Word(String),
    /// A name in quotes.
    Name(String),
    /// A string.
    Text(String),
    Dot,
    Open,
    Close,
    Semicolon,
    Other,
}

/// The tokens of a text without spaces and comments, or `None` if it cannot be divided into tokens.
pub(crate) fn plain_tokens(backend: DbBackend, text: &str) -> Option<Vec<PlainToken>> {
    let read = tokenize(backend, text)?;
    let tokens = read.tokens.into_iter().filter_map(|token| {
        Some(match token {
            Token::Whitespace(_) => return None,
            Token::Word(word) => match word.quote_style {
                None => PlainToken::Word(word.value),
                // In the source text, a quote inside of the name is doubled.
                Some(quote) => {
                    let doubled = format!("{quote}{quote}");
                    PlainToken::Name(word.value.replace(&doubled, &quote.to_string()))
                }
            },
            Token::SingleQuotedString(text)
            | Token::DoubleQuotedString(text)
            | Token::EscapedStringLiteral(text)
            | Token::NationalStringLiteral(text)
            | Token::UnicodeStringLiteral(text) => PlainToken::Text(text),
            Token::DollarQuotedString(text) => PlainToken::Text(text.value),
            Token::Period => PlainToken::Dot,
            Token::LParen => PlainToken::Open,
            Token::RParen => PlainToken::Close,
            Token::SemiColon => PlainToken::Semicolon,
            _ => PlainToken::Other,
        })
    });
    Some(tokens.collect())
}
