//! What the tokens show before a text is parsed.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

/// The text without its literals, which may be secrets.
pub(super) fn outline(tokens: &[Token]) -> String {
    let mut text = String::new();
    for token in tokens {
        match token {
            Token::Whitespace(_) if text.ends_with(' ') => {}
            Token::Whitespace(_) => text.push(' '),
            Token::Word(_)
            | Token::Comma
            | Token::LParen
            | Token::RParen
            | Token::Period
            | Token::Eq
            | Token::SemiColon
            | Token::Mul => text.push_str(&token.to_string()),
            _ => text.push('?'),
        }
        if text.len() > 500 {
            text.push('…');
            break;
        }
    }
    text.trim().to_owned()
}

pub(super) fn is_meaningful(token: &Token) -> bool {
    !matches!(token, Token::Whitespace(_) | Token::SemiColon)
}

/// An unquoted word.
pub(super) fn word_of(token: &Token) -> Option<&str> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.as_str()),
        _ => None,
    }
}

pub(super) fn is_among(word: &str, list: &[&str]) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(word))
}

pub(super) fn starts_with(tokens: &[Token], keyword: Keyword) -> bool {
    let first = tokens.iter().find(|token| is_meaningful(token));
    matches!(first, Some(Token::Word(word)) if word.keyword == keyword)
}

/// The number of tokens in the longest run between two commas outside of any nesting.
pub(super) fn longest_row(tokens: &[Token]) -> usize {
    let (mut longest, mut run) = (0, 0);
    for token in tokens {
        match token {
            Token::Comma => run = 0,
            Token::Whitespace(_) => {}
            _ => run += 1,
        }
        longest = longest.max(run);
    }
    longest
}

/// The number of combined queries: each is nested in the next.
pub(super) fn set_operations(tokens: &[Token]) -> usize {
    let combines = |token: &&Token| {
        matches!(token, Token::Word(word) if matches!(
            word.keyword,
            Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT
        ))
    };
    tokens.iter().filter(combines).count()
}

/// Removes the subscripts of assigned columns, as in `SET data['k'] = ..`, which the parser does not know.
pub(super) fn without_subscripts(tokens: &[Token]) -> Vec<Token> {
    let (mut kept, mut depth, mut in_set, mut in_target) = (Vec::new(), 0_usize, false, false);
    let mut subscript = 0_usize;
    for token in tokens {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && subscript == 0 => match word.keyword {
                Keyword::SET => (in_set, in_target) = (true, true),
                Keyword::WHERE | Keyword::FROM | Keyword::RETURNING => in_set = false,
                _ => {}
            },
            Token::Eq if depth == 0 && subscript == 0 => in_target = false,
            Token::Comma if depth == 0 && subscript == 0 => in_target = in_set,
            Token::LBracket if in_set && in_target && depth == 0 => subscript += 1,
            Token::RBracket if subscript > 0 => {
                subscript -= 1;
                continue;
            }
            _ => {}
        }
        if subscript == 0 {
            kept.push(token.clone());
        }
    }
    kept
}
