//! MySQL literals that can be bound, so that one prepared text serves all values.
//!
//! A literal stays in the text where a bound value is not valid SQL (in types, after a word that requires a literal),
//! where it would mean something else (positions in ORDER BY and GROUP BY), and where its value depends on the
//! server's settings (backslashes, double quotes).

use sea_orm::DbBackend;
use sea_orm::sea_query::Value;
use sqlparser::tokenizer::Token;

/// Further literals stay in the text: MySQL allows 65,535 placeholders, and statements of such a length are rarely
/// alike.
const MOST: usize = 10_000;

/// A literal of more hexadecimal digits is never a number; shorter ones are numbers on MySQL.
const DIGITS_OF_NUMBERS: usize = 16;

/// Whether `0x` and these digits are a number, not a string, in every position.
pub(super) fn is_number(backend: DbBackend, digits: &str) -> bool {
    backend != DbBackend::MySql || digits.len() <= DIGITS_OF_NUMBERS
}

/// Words that an expression follows.
const BEFORE_EXPRESSIONS: &[&str] = &[
    "AND", "BETWEEN", "BINARY", "CASE", "DIV", "ELSE", "INTERVAL", "LIKE", "MOD", "NOT", "OR",
    "REGEXP", "RLIKE", "THEN", "WHEN", "WHERE", "XOR",
];

/// Words whose parentheses contain expressions. Those of others may belong to a type, or require literals.
const HOLD_EXPRESSIONS: &[&str] = &[
    "ABS",
    "AND",
    "ASCII",
    "BETWEEN",
    "CASE",
    "CEIL",
    "CEILING",
    "CHAR_LENGTH",
    "CHARACTER_LENGTH",
    "COALESCE",
    "CONCAT",
    "CONCAT_WS",
    "CRC32",
    "DATEDIFF",
    "DATE_ADD",
    "DATE_FORMAT",
    "DATE_SUB",
    "DIV",
    "ELSE",
    "ELT",
    "EXP",
    "FIELD",
    "FIND_IN_SET",
    "FLOOR",
    "FORMAT",
    "FROM_UNIXTIME",
    "GREATEST",
    "HEX",
    "IF",
    "IFNULL",
    "IN",
    "INSTR",
    "LCASE",
    "LEAST",
    "LEFT",
    "LENGTH",
    "LIKE",
    "LN",
    "LOCATE",
    "LOG",
    "LOWER",
    "LPAD",
    "LTRIM",
    "MD5",
    "MID",
    "MOD",
    "NOT",
    "NULLIF",
    "OCTET_LENGTH",
    "OR",
    "ORD",
    "POSITION",
    "POW",
    "POWER",
    "REGEXP",
    "REPEAT",
    "REPLACE",
    "REVERSE",
    "RIGHT",
    "RLIKE",
    "ROUND",
    "ROW",
    "RPAD",
    "RTRIM",
    "SHA1",
    "SHA2",
    "SIGN",
    "SQRT",
    "STRCMP",
    "STR_TO_DATE",
    "SUBSTR",
    "SUBSTRING",
    "SUBSTRING_INDEX",
    "THEN",
    "TRIM",
    "TRUNCATE",
    "UCASE",
    "UNHEX",
    "UPPER",
    "WHEN",
    "WHERE",
    "XOR",
];

/// Words after which equal expressions must stay equal.
const GROUPING: &[&str] = &["GROUP", "OVER", "PARTITION"];

/// A literal to bind.
pub(super) struct BoundLiteral {
    pub(super) value: Value,
    /// The digits of a DECIMAL, and those after the point: it is bound as text and cast.
    pub(super) decimals: Option<(usize, usize)>,
}

/// For each token, the literal to bind in its place, if any.
pub(super) fn bindable_literals(tokens: &[Token]) -> Vec<Option<BoundLiteral>> {
    let meaningful: Vec<(usize, &Token)> = (tokens.iter().enumerate())
        .filter(|(_, token)| !matches!(token, Token::Whitespace(_)))
        .collect();
    let mut values: Vec<Option<BoundLiteral>> = tokens.iter().map(|_| None).collect();
    let is_grouped = (meaningful.iter()).any(|(_, token)| is_word(token, GROUPING));
    if is_grouped {
        return values;
    }
    // Whether a parenthesis contains expressions, not an order.
    let mut parentheses = vec![true];
    let mut last: Option<&Token> = None;
    for (number, (at, token)) in meaningful.iter().enumerate() {
        let next = meaningful.get(number + 1).map(|(_, token)| *token);
        let holds = parentheses.last_mut();
        let is_expression = match last {
            None => true,
            Some(
                Token::Eq
                | Token::Neq
                | Token::Lt
                | Token::Gt
                | Token::LtEq
                | Token::GtEq
                | Token::Spaceship
                | Token::Plus
                | Token::Minus
                | Token::Mul
                | Token::Div
                | Token::Mod
                | Token::LParen
                | Token::Comma,
            ) => holds.as_deref() == Some(&true),
            Some(word) => holds.as_deref() == Some(&true) && is_word(word, BEFORE_EXPRESSIONS),
        };
        // Adjacent strings are one string.
        let is_continued = matches!(
            next,
            Some(Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
        );
        if is_expression && !is_continued {
            values[*at] = literal(token);
        }
        match token {
            Token::LParen => {
                let holds_expressions = match last {
                    Some(word @ Token::Word(_)) => is_word(word, HOLD_EXPRESSIONS),
                    _ => true,
                };
                let all_hold = holds_expressions && parentheses.last() != Some(&false);
                parentheses.push(all_hold);
            }
            Token::RParen => {
                parentheses.pop();
            }
            // The rest of a query: an order and a limit.
            token if is_word(token, &["ORDER", "LIMIT"]) => {
                if let Some(holds) = holds {
                    *holds = false;
                }
            }
            _ => {}
        }
        last = Some(token);
    }
    if values.iter().flatten().count() > MOST {
        return tokens.iter().map(|_| None).collect();
    }
    values
}

fn is_word(token: &Token, list: &[&str]) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none()
        && list.iter().any(|known| known.eq_ignore_ascii_case(&word.value)))
}

fn literal(token: &Token) -> Option<BoundLiteral> {
    let plain = |value| BoundLiteral {
        value,
        decimals: None,
    };
    match token {
        Token::Number(number, false) => match number.parse::<i64>() {
            Ok(number) => Some(plain(number.into())),
            Err(_) => fraction(number),
        },
        Token::SingleQuotedString(text) if !text.contains('\\') => {
            Some(plain(text.replace("''", "'").into()))
        }
        Token::HexStringLiteral(digits) if digits.len() > DIGITS_OF_NUMBERS => {
            bytes_of(digits).map(|bytes| plain(bytes.into()))
        }
        _ => None,
    }
}

/// A number with a point is a DECIMAL of as many digits; one with an exponent is a DOUBLE.
fn fraction(number: &str) -> Option<BoundLiteral> {
    if number.contains(['e', 'E']) {
        return number.parse::<f64>().ok().map(|value| BoundLiteral {
            value: value.into(),
            decimals: None,
        });
    }
    let (whole, part) = number.split_once('.')?;
    let digits = whole.len() + part.len();
    let is_decimal = (whole.chars().chain(part.chars())).all(|c| c.is_ascii_digit());
    (is_decimal && !whole.is_empty() && digits <= 60 && (1..=30).contains(&part.len())).then(|| {
        BoundLiteral {
            value: number.into(),
            decimals: Some((digits, part.len())),
        }
    })
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use sea_orm::DbBackend;
    use sqlparser::dialect::MySqlDialect;
    use sqlparser::tokenizer::Tokenizer;

    use crate::sql::{SqlBuilder, Template};

    fn bound(sql: &str) -> String {
        let tokens = Tokenizer::new(&MySqlDialect {}, sql)
            .with_unescape(false)
            .tokenize()
            .unwrap();
        let mut composer = SqlBuilder::new(DbBackend::MySql, &[]);
        composer.template(&Template::with_bound_literals(&tokens));
        composer.finish().sql
    }

    #[test]
    fn literals_of_expressions_are_bound() {
        for (sql, expected) in [
            ("n = 5 AND name LIKE 'a%'", "n = ? AND name LIKE ?"),
            ("n BETWEEN 1 AND -7", "n BETWEEN ? AND -?"),
            ("n + 1 > 2 * n - 3", "n + ? > ? * n - ?"),
            (
                "LOWER('A') = CONCAT(a, 'x', 1)",
                "LOWER(?) = CONCAT(a, ?, ?)",
            ),
            (
                "(a, b) IN ((1, 'x'), (2, 'y'))",
                "(a, b) IN ((?, ?), (?, ?))",
            ),
            ("d > NOW() - INTERVAL 7 DAY", "d > NOW() - INTERVAL ? DAY"),
            (
                "CASE WHEN n = 1 THEN 2 ELSE 3 END",
                "CASE WHEN n = ? THEN ? ELSE ? END",
            ),
            ("p < 12.50", "p < CAST(? AS DECIMAL(4, 2))"),
            ("p < 1e10", "p < ?"),
            ("u = X'00000000000000000000000000000001'", "u = ?"),
        ] {
            assert_eq!(bound(sql), expected);
        }
    }

    #[test]
    fn literals_that_cannot_be_bound_or_would_mean_something_else_stay() {
        for sql in [
            "CAST(n AS CHAR(10)) = m",
            "CAST(n AS DECIMAL(10, 2)) = m",
            "CONVERT(n, CHAR(5)) = m",
            "d > DATE '2026-01-01'",
            "a = _utf8mb4'x'",
            "a = 'x' 'y'",
            "a = 'x\\'y'",
            "a = \"x\"",
            "a = X'41'",
            "a LIKE b ESCAPE '|'",
            "d > NOW(6)",
            "j->'$.a' = b",
            "n IN (SELECT m FROM t ORDER BY 1, 2 LIMIT 3)",
            "n IN (SELECT m + 1 FROM t GROUP BY m + 1)",
            "JSON_VALUE(j, '$.a') = b",
            "MATCH (a) AGAINST ('x' IN BOOLEAN MODE)",
        ] {
            assert_eq!(bound(sql), sql);
        }
    }

    #[test]
    fn very_long_lists_stay() {
        let list = vec!["1"; 10_001].join(", ");
        let sql = format!("n IN ({list})");
        assert_eq!(bound(&sql), sql);
    }
}
