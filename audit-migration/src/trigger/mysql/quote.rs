//! Names and text as MySQL reads them, whatever the SQL mode is and whichever character set the
//! connection has.

use std::fmt::Write as _;

use sea_orm_migration::sea_orm::prelude::Json;

/// The longest identifier, in characters.
const LONGEST: usize = 64;

/// An identifier.
pub(super) fn name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// An identifier with its schema.
pub(super) fn qualified(schema: Option<&str>, table: &str) -> String {
    match schema {
        Some(schema) => format!("{}.{}", name(schema), name(table)),
        None => name(table),
    }
}

/// Text.
///
/// What is not plain is written as hexadecimal digits: a backslash means one thing or another depending on the SQL
/// mode, and the catalogue has no characters beyond the first 65,536. It also drops introducers such as `_utf8mb4`,
/// hence the conversion.
pub(super) fn text(text: &str) -> String {
    if text.chars().all(|c| matches!(c, ' '..='~') && c != '\\') {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut digits = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        // Writing to a `String` cannot fail.
        let _ = write!(digits, "{byte:02X}");
    }
    format!("CONVERT(X'{digits}' USING utf8mb4)")
}

/// Text as JSON, to be quoted as text.
pub(super) fn json(text: &str) -> String {
    Json::from(text).to_string()
}

/// A name for a trigger of a table, unique among those of its schema.
pub(super) fn trigger(what: &str, table: &str) -> String {
    let whole = format!("sea_orm_audit_{what}_{table}");
    if whole.chars().nth(LONGEST).is_none() {
        return whole;
    }
    // FNV-1a, which is the same on every machine and in every release.
    let digest = whole.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let tail = format!("_{digest:016x}");
    let begin: String = whole.chars().take(LONGEST - tail.len()).collect();
    begin + &tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_name_or_a_text() {
        assert_eq!(name("a`b"), "`a``b`");
        assert_eq!(text("it's \"so\" -- /* ;"), "'it''s \"so\" -- /* ;'");
        assert_eq!(text("\\"), "CONVERT(X'5C' USING utf8mb4)");
        assert_eq!(text("é\n"), "CONVERT(X'C3A90A' USING utf8mb4)");
        assert_eq!(json("a\"\\\n"), r#""a\"\\\n""#);
    }

    #[test]
    fn long_names_of_triggers_stay_within_the_limit_and_apart() {
        let (a, b) = (
            trigger("insert", &"x".repeat(64)),
            trigger("insert", &"x".repeat(63)),
        );
        assert_eq!((a.len(), b.len()), (64, 64));
        assert_ne!(a, b);
        assert_eq!(trigger("insert", "post"), "sea_orm_audit_insert_post");
        assert_eq!(trigger("insert", &"é".repeat(60)).chars().count(), 64);
    }
}
