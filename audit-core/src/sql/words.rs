//! The words of statements, read from their tokens.

use sqlparser::tokenizer::Token;

/// The words of a statement in upper case, without quotes.
pub(super) fn words_of(tokens: &[Token]) -> Vec<String> {
    let mut words = Vec::new();
    for token in tokens {
        match token {
            Token::Whitespace(_) => {}
            Token::Word(word) => words.push(word.value.to_uppercase()),
            token => words.push(token.to_string().to_uppercase()),
        }
    }
    words
}

/// Whether one of a text's statements may begin with one of these words. Only texts with several statements, or with
/// a leading comment, are examined.
pub(super) fn may_begin_with(sql: &str, words: &[&str]) -> bool {
    let text = sql.trim_start();
    let first = (text.split(|c: char| !c.is_ascii_alphabetic()).next()).unwrap_or_default();
    if words.iter().any(|word| word.eq_ignore_ascii_case(first)) {
        return true;
    }
    let is_one = !first.is_empty()
        && !(text.trim_end_matches(|c: char| c == ';' || c.is_ascii_whitespace())).contains(';');
    !is_one
}
