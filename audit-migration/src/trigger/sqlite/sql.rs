//! Names and texts in SQL.

/// A name, quoted.
pub(super) fn name(name: &str) -> String {
    format!("\"{}\"", printable(name).replace('"', "\"\""))
}

/// A text, quoted. SQLite has no escape but the doubled quote.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", printable(text).replace('\'', "''"))
}

/// A NUL would end the statement.
fn printable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// Several expressions with an operator between.
///
/// SQLite limits both the depth of an expression, to 1,000, and, until 3.44, the depth of what its parser has open, to
/// 100: long rows are split, and nothing is nested needlessly.
pub(super) fn joined(parts: &[String], operator: &str) -> String {
    const FLAT: usize = 400;
    let operator = format!(" {operator} ");
    match parts.len() {
        0 => "''".to_owned(),
        1..=FLAT => parts.join(&operator),
        _ => {
            let groups = parts.chunks(FLAT);
            let groups = groups.map(|group| format!("({})", group.join(&operator)));
            groups.collect::<Vec<_>>().join(&operator)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled_and_nothing_else_is_special() {
        assert_eq!(name(r#"a"b'c\"#), r#""a""b'c\""#);
        assert_eq!(text(r#"a"b'c\"#), r#"'a"b''c\'"#);
        assert_eq!(text("a\0b"), "'a\u{FFFD}b'");
    }

    #[test]
    fn many_parts_stay_flat() {
        let parts = |count: usize| vec!["1".to_owned(); count];
        assert_eq!(joined(&parts(3), "OR"), "1 OR 1 OR 1");
        let sql = joined(&parts(1000), "OR");
        assert_eq!(
            (sql.matches('1').count(), sql.matches('(').count()),
            (1000, 3)
        );
    }
}
