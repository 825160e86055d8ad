//! Cells of CSV that no spreadsheet runs as a formula.
//!
//! The rule is OWASP's (CSV injection): text that begins with one of a few characters gets an apostrophe before it.

use std::borrow::Cow;

/// A cell of text.
pub(crate) fn text(value: &str) -> Cow<'_, str> {
    if begins_formula(value) {
        Cow::Owned(format!("'{value}"))
    } else {
        Cow::Borrowed(value)
    }
}

/// Whether a spreadsheet may read this as a formula. The wide forms of the signs count in some languages' versions.
fn begins_formula(value: &str) -> bool {
    matches!(
        value.chars().next(),
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formula_gets_an_apostrophe_and_other_text_stays() {
        for formula in [
            "=1+1",
            "+1",
            "-5",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "＝1",
            "=",
            "=cmd|'/c calc'!A0",
        ] {
            assert_eq!(text(formula), format!("'{formula}"));
        }
        for plain in ["", "a", "5", "5-3", " =1", "'=1", "{\"=\":1}", "ä=1"] {
            assert_eq!(text(plain), plain);
        }
    }
}
