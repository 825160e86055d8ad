//! Whether an expression has the same value, and the same effect, when it is evaluated again.
//!
//! One file, because the lists of functions are read together with the rules.

use sea_orm::DbBackend;
use sqlparser::tokenizer::Token;

/// What happens if a condition is evaluated a second time within one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Volatility {
    /// The same rows, as long as no other client changes them.
    Stable,
    /// Other rows are possible, as with LIMIT.
    Unordered,
    /// Other rows or side effects are possible: unknown functions, sequences, locks.
    Volatile,
}

/// Words before a parenthesis that call no function, and functions without side effect whose value depends only on
/// their arguments.
const PURE: &[&str] = &[
    "ABS",
    "ACOS",
    "ALL",
    "AND",
    "ANY",
    "ARRAY",
    "ARRAY_AGG",
    "ARRAY_LENGTH",
    "ARRAY_POSITION",
    "ARRAY_REMOVE",
    "ARRAY_TO_STRING",
    "AS",
    "ASCII",
    "ASIN",
    "ATAN",
    "ATAN2",
    "AVG",
    "BETWEEN",
    "BIGINT",
    "BINARY",
    "BIT_AND",
    "BIT_COUNT",
    "BIT_LENGTH",
    "BIT_OR",
    "BOOL_AND",
    "BOOL_OR",
    "BTRIM",
    "BY",
    "CARDINALITY",
    "CASE",
    "CAST",
    "CEIL",
    "CEILING",
    "CHAR",
    "CHARACTER",
    "CHARACTER_LENGTH",
    "CHAR_LENGTH",
    "CHR",
    "COALESCE",
    "CONCAT",
    "CONCAT_WS",
    "CONVERT",
    "COS",
    "COUNT",
    "CRC32",
    "DATE",
    "DATEDIFF",
    "DATETIME",
    "DATE_ADD",
    "DATE_FORMAT",
    "DATE_PART",
    "DATE_SUB",
    "DATE_TRUNC",
    "DAY",
    "DAYOFMONTH",
    "DAYOFWEEK",
    "DAYOFYEAR",
    "DECIMAL",
    "DECODE",
    "DEGREES",
    "DENSE_RANK",
    "DISTINCT",
    "DIV",
    "DOUBLE",
    "ELSE",
    "ELT",
    "ENCODE",
    "END",
    "ESCAPE",
    "EVERY",
    "EXCEPT",
    "EXISTS",
    "EXP",
    "EXTRACT",
    "FIELD",
    "FILTER",
    "FIND_IN_SET",
    "FIRST_VALUE",
    "FLOAT",
    "FLOOR",
    "FORMAT",
    "FROM",
    "FROM_UNIXTIME",
    "GLOB",
    "GREATEST",
    "GROUP_CONCAT",
    "HAVING",
    "HEX",
    "HOUR",
    "IF",
    "IFNULL",
    "IIF",
    "IN",
    "INITCAP",
    "INSTR",
    "INT",
    "INTEGER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "ISNULL",
    "JOIN",
    "JSONB_ARRAY_LENGTH",
    "JSONB_EXTRACT_PATH",
    "JSONB_EXTRACT_PATH_TEXT",
    "JSONB_TYPEOF",
    "JSON_ARRAY",
    "JSON_ARRAY_LENGTH",
    "JSON_CONTAINS",
    "JSON_EXTRACT",
    "JSON_LENGTH",
    "JSON_OBJECT",
    "JSON_QUOTE",
    "JSON_TYPE",
    "JSON_UNQUOTE",
    "JSON_VALID",
    "JSON_VALUE",
    "JULIANDAY",
    "LAG",
    "LAST_DAY",
    "LAST_VALUE",
    "LATERAL",
    "LCASE",
    "LEAD",
    "LEAST",
    "LEFT",
    "LENGTH",
    "LIKE",
    "LN",
    "LOCATE",
    "LOG",
    "LOG10",
    "LOG2",
    "LOWER",
    "LPAD",
    "LTRIM",
    "MATCH",
    "AGAINST",
    "MAKE_DATE",
    "MAX",
    "MD5",
    "MID",
    "MIN",
    "MINUTE",
    "MOD",
    "MONTH",
    "NOT",
    "NULLIF",
    "NUMERIC",
    "NVL",
    "OCTET_LENGTH",
    "ON",
    "OR",
    "ORD",
    "OVER",
    "OVERLAY",
    "PI",
    "POSITION",
    "POW",
    "POWER",
    "QUARTER",
    "QUOTE",
    "RADIANS",
    "RANK",
    "REGEXP_REPLACE",
    "REGEXP_LIKE",
    "REGEXP_SUBSTR",
    "REPEAT",
    "REPLACE",
    "REVERSE",
    "RIGHT",
    "ROUND",
    "ROW",
    "ROW_NUMBER",
    "RPAD",
    "RTRIM",
    "SECOND",
    "SELECT",
    "SETWEIGHT",
    "SHA1",
    "SHA2",
    "SHA256",
    "SIGN",
    "SIGNED",
    "SIN",
    "SMALLINT",
    "SOME",
    "SPLIT_PART",
    "SQRT",
    "STARTS_WITH",
    "STDDEV",
    "STRCMP",
    "STRFTIME",
    "STRING_AGG",
    "STRING_TO_ARRAY",
    "STRPOS",
    "STR_TO_DATE",
    "SUBSTR",
    "SUBSTRING",
    "SUBSTRING_INDEX",
    "SUM",
    "TABLE",
    "TAN",
    "THEN",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMPDIFF",
    "TIMESTAMPADD",
    "TIMESTAMPTZ",
    "TO_ASCII",
    "TO_CHAR",
    "TO_DATE",
    "TO_DAYS",
    "TO_HEX",
    "TO_NUMBER",
    "TO_TIMESTAMP",
    "TO_TSQUERY",
    "TO_TSVECTOR",
    "PLAINTO_TSQUERY",
    "WEBSEARCH_TO_TSQUERY",
    "TOTAL",
    "TRANSLATE",
    "TRIM",
    "TRUNC",
    "TRUNCATE",
    "TYPEOF",
    "UCASE",
    "UNHEX",
    "UNICODE",
    "UNION",
    "UNIXEPOCH",
    "UNNEST",
    "UNSIGNED",
    "UPPER",
    "USING",
    "VALUES",
    "VARBINARY",
    "VARCHAR",
    "VARIANCE",
    "WEEK",
    "WEEKDAY",
    "WHEN",
    "WHERE",
    "WITHIN",
    "YEAR",
];

/// Functions whose value depends on the transaction, the statement or the session, except `CLOCKS`.
const STABLE: &[&str] = &[
    "AGE",
    "CURRENT_SETTING",
    "CURRENT_USER",
    "DATABASE",
    "SESSION_USER",
    "STATEMENT_TIMESTAMP",
    "TRANSACTION_TIMESTAMP",
    "USER",
    "VERSION",
];

/// The time, which on SQLite and MySQL advances between two statements of a transaction; PostgreSQL returns the
/// transaction's.
const CLOCKS: &[&str] = &[
    "CURDATE",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURTIME",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "NOW",
    "UNIX_TIMESTAMP",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
];

/// SQLite's functions that return the time if they have no argument, or `'now'`.
const CLOCK_FUNCTIONS: &[&str] = &[
    "DATE",
    "DATETIME",
    "JULIANDAY",
    "STRFTIME",
    "TIME",
    "UNIXEPOCH",
];

/// Words that make the choice of rows depend on an order.
const UNORDERED: &[&str] = &["FETCH", "LIMIT", "OFFSET", "TABLESAMPLE"];

/// Words that lock rows, or skip locked ones.
const LOCKING: &[&str] = &["NOWAIT", "SHARE", "SKIP"];

/// Those that PostgreSQL does not have, where a function of that name is the application's own.
const NOT_POSTGRES: &[&str] = &[
    "CRC32",
    "DATEDIFF",
    "DATETIME",
    "DATE_ADD",
    "DATE_FORMAT",
    "DATE_SUB",
    "DAY",
    "DAYOFMONTH",
    "DAYOFWEEK",
    "DAYOFYEAR",
    "ELT",
    "FIELD",
    "FIND_IN_SET",
    "FROM_UNIXTIME",
    "GROUP_CONCAT",
    "HEX",
    "HOUR",
    "IF",
    "IFNULL",
    "IIF",
    "INSTR",
    "ISNULL",
    "JSON_CONTAINS",
    "JSON_EXTRACT",
    "JSON_LENGTH",
    "JSON_QUOTE",
    "JSON_TYPE",
    "JSON_UNQUOTE",
    "JSON_VALID",
    "JULIANDAY",
    "LAST_DAY",
    "LCASE",
    "LOCATE",
    "LOG2",
    "MID",
    "MINUTE",
    "MONTH",
    "NVL",
    "ORD",
    "QUARTER",
    "QUOTE",
    "SECOND",
    "SHA1",
    "SHA2",
    "STRCMP",
    "STRFTIME",
    "STR_TO_DATE",
    "SUBSTRING_INDEX",
    "TIMESTAMPDIFF",
    "TIMESTAMPADD",
    "TO_DAYS",
    "TOTAL",
    "TRUNCATE",
    "TYPEOF",
    "UCASE",
    "UNHEX",
    "UNICODE",
    "UNIXEPOCH",
    "WEEK",
    "WEEKDAY",
    "YEAR",
    "CURDATE",
    "CURTIME",
    "DATABASE",
    "UNIX_TIMESTAMP",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
];

/// PostgreSQL's system columns for row versions, which a lock changes.
const VERSIONS: &[&str] = &["CMAX", "CMIN", "CTID", "XMAX", "XMIN"];

fn is_among(word: &str, list: &[&str]) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(word))
}

fn is_stable(word: &str) -> bool {
    is_among(word, STABLE) || is_among(word, CLOCKS)
}

fn meaningful(tokens: &[Token]) -> impl Iterator<Item = &Token> {
    (tokens.iter()).filter(|token| !matches!(token, Token::Whitespace(_)))
}

/// What happens if these tokens, a condition or a source of rows, are evaluated again.
pub(super) fn volatility(backend: DbBackend, tokens: &[Token]) -> Volatility {
    let is_known = |word: &str| {
        (is_among(word, PURE) || is_stable(word))
            && !(backend == DbBackend::Postgres && is_among(word, NOT_POSTGRES))
    };
    let mut most = Volatility::Stable;
    let mut tokens = meaningful(tokens).peekable();
    let mut last: Option<&Token> = None;
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) => {
                let calls = matches!(tokens.peek(), Some(Token::LParen));
                // A list of columns after an alias.
                let is_alias = matches!(last, Some(Token::Word(word))
                    if word.quote_style.is_none() && is_among(&word.value, &["AS", "WITH", "RECURSIVE"]));
                let is_free = matches!(last, Some(Token::Period)) || word.quote_style.is_some();
                if calls && is_free && !is_alias {
                    return Volatility::Volatile;
                }
                if word.quote_style.is_some() || is_alias || matches!(last, Some(Token::Period)) {
                } else if is_among(&word.value, LOCKING)
                    || is_among(&word.value, VERSIONS)
                    || (calls && !is_known(&word.value))
                    || (word.value.eq_ignore_ascii_case("UPDATE"))
                {
                    return Volatility::Volatile;
                } else if is_among(&word.value, UNORDERED) {
                    most = most.max(Volatility::Unordered);
                }
            }
            Token::Assignment => return Volatility::Volatile,
            _ => {}
        }
        last = Some(token);
    }
    most
}

/// Whether the expression reads the statement's time, which another statement of the transaction does not share.
pub(super) fn reads_clock(backend: DbBackend, tokens: &[Token]) -> bool {
    let tokens: Vec<&Token> = meaningful(tokens).collect();
    let is_clock = |at: usize, word: &str| match backend {
        DbBackend::Postgres => is_among(word, &["STATEMENT_TIMESTAMP"]),
        DbBackend::Sqlite if is_among(word, CLOCK_FUNCTIONS) => has_now(&tokens[at + 1..]),
        _ => is_among(word, CLOCKS),
    };
    (tokens.iter().enumerate()).any(|(at, token)| {
        let is_name = at > 0 && matches!(tokens[at - 1], Token::Period);
        matches!(token, Token::Word(word)
            if word.quote_style.is_none() && !is_name && is_clock(at, &word.value))
    })
}

/// Whether parenthesized arguments are empty or the time, or may be the time because they are bound.
fn has_now(tokens: &[&Token]) -> bool {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::LParen => depth += 1,
            Token::RParen if depth <= 1 => return at == 1,
            Token::RParen => depth -= 1,
            _ if depth == 0 => return false,
            Token::SingleQuotedString(text) if text.eq_ignore_ascii_case("now") => return true,
            Token::Placeholder(_) => return true,
            Token::Word(word) if word.value.eq_ignore_ascii_case("now") => return true,
            _ => {}
        }
    }
    false
}

/// Whether these tokens, the value of a cell, have the same value at each evaluation and read no table.
pub(super) fn is_constant(backend: DbBackend, tokens: &[Token]) -> bool {
    if volatility(backend, tokens) != Volatility::Stable {
        return false;
    }
    let mut tokens = meaningful(tokens).peekable();
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) if word.quote_style.is_none() => {
                let calls = matches!(tokens.peek(), Some(Token::LParen));
                let names_table = is_among(&word.value, &["IN"]) && !calls;
                if word.value.eq_ignore_ascii_case("SELECT")
                    || word.value.starts_with('@')
                    || is_stable(&word.value)
                    || names_table
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
