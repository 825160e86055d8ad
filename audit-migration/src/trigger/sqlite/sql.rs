//! Names and texts in SQL.

/// A name, quoted.
pub(super) fn name(name: &str) -> String {
    format!("\"{}\"", printable(name).replace('"', "\"\""))
}

/// A text, quoted. SQLite knows no escape but the doubled quote.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", printable(text).replace('\'', "''"))
}

/// A NUL would end the statement.
fn printable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// Several expressions with an operator between, as a balanced tree: SQLite bounds the depth of an
/// expression, and 1,000 columns in a row would be beyond it.
pub(super) fn joined(parts: &[String], operator: &str) -> String {
    match parts {
        [] => "''".to_owned(),
        [one] => one.clone(),
        [a, b] => format!("{a} {operator} {b}"),
        many => {
            let (a, b) = many.split_at(many.len() / 2);
            format!(
                "({}) {operator} ({})",
                joined(a, operator),
                joined(b, operator)
            )
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
    fn many_parts_make_a_flat_tree() {
        let parts: Vec<String> = (0..5).map(|n| n.to_string()).collect();
        assert_eq!(joined(&parts, "OR"), "(0 OR 1) OR ((2) OR (3 OR 4))");
    }
}
