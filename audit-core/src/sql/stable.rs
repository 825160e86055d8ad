//! Whether an expression has the same value whenever it is evaluated within one transaction.

use sqlparser::tokenizer::Token;

/// Words before a parenthesis that do not call a function of unknown behaviour.
const HARMLESS: &[&str] = &[
    "ABS",
    "ALL",
    "AND",
    "ANY",
    "ARRAY",
    "AS",
    "AVG",
    "BETWEEN",
    "BIGINT",
    "BINARY",
    "CASE",
    "CAST",
    "CHAR",
    "CHARACTER",
    "COALESCE",
    "CONCAT",
    "COUNT",
    "DATE",
    "DATETIME",
    "DECIMAL",
    "ELSE",
    "END",
    "ESCAPE",
    "EXTRACT",
    "GREATEST",
    "HEX",
    "IFNULL",
    "IN",
    "INTERVAL",
    "IS",
    "JSON_EXTRACT",
    "LEAST",
    "LEFT",
    "LENGTH",
    "LIKE",
    "LOWER",
    "LTRIM",
    "MAX",
    "MIN",
    "MOD",
    "NOT",
    "NULLIF",
    "NUMERIC",
    "OR",
    "POSITION",
    "REPLACE",
    "RIGHT",
    "ROUND",
    "ROW",
    "RTRIM",
    "SOME",
    "SUBSTR",
    "SUBSTRING",
    "SUM",
    "THEN",
    "TIME",
    "TIMESTAMP",
    "TRIM",
    "UPPER",
    "VALUES",
    "VARBINARY",
    "VARCHAR",
    "WHEN",
    "WHERE",
];

/// Words that are functions without a parenthesis.
const CLOCKS: &[&str] = &[
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "SYSDATE",
];

/// Whether nothing in these tokens can give another value the next time: no unknown function, no
/// clock, no subquery, no variable.
pub(super) fn is_stable(tokens: &[Token]) -> bool {
    let mut meaningful = tokens
        .iter()
        .filter(|token| !matches!(token, Token::Whitespace(_)))
        .peekable();
    while let Some(token) = meaningful.next() {
        match token {
            Token::Word(word) => {
                let calls = matches!(meaningful.peek(), Some(Token::LParen));
                let listed = |list: &[&str]| {
                    list.iter()
                        .any(|known| known.eq_ignore_ascii_case(&word.value))
                };
                if word.quote_style.is_some() {
                    if calls {
                        return false;
                    }
                } else if word.value.eq_ignore_ascii_case("SELECT")
                    || word.value.starts_with('@')
                    || listed(CLOCKS)
                    || (calls && !listed(HARMLESS))
                    // SQLite: `IN table` reads the table.
                    || (word.value.eq_ignore_ascii_case("IN") && !calls)
                {
                    return false;
                }
            }
            Token::AtSign => return false,
            _ => {}
        }
    }
    true
}
