//! Text of the log for a terminal: nothing in it controls the terminal or reorders what is shown.

use std::io;

use sea_orm::prelude::{DateTimeUtc, Json};
use sea_orm_audit_core::clean_text;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

/// One line of text, with pictures for control characters.
pub(crate) fn clean(text: &str) -> String {
    clean_text(text, usize::MAX).into_owned()
}

/// As [`clean`], for a text of several lines.
pub(crate) fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// As [`clean`], and a sign for what is not there.
pub(crate) fn or_dash(text: Option<&str>) -> String {
    text.map_or_else(|| "-".to_owned(), clean)
}

/// A time to the second, UTC.
pub(crate) fn seconds(time: DateTimeUtc) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A time in full.
pub(crate) fn full_time(time: DateTimeUtc) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// A value on one line.
pub(crate) fn value(json: &Json) -> String {
    // JSON of a tree that is JSON already.
    to_json(json).unwrap_or_default()
}

/// JSON on one line, in which all that a terminal may act upon is an escape of JSON's.
pub(crate) fn to_json(value: &impl Serialize) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut bytes, Escaping(CompactFormatter));
    value.serialize(&mut serializer)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// Writes strings with escapes for what [`clean_text`] would replace.
struct Escaping(CompactFormatter);

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for char in fragment.chars() {
            let mut utf8 = [0; 4];
            let text: &str = char.encode_utf8(&mut utf8);
            if clean_text(text, 1) == text {
                self.0.write_string_fragment(writer, text)?;
            } else {
                let mut utf16 = [0; 2];
                for unit in char.encode_utf16(&mut utf16) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\u{202e}b\u{9b}31m\u{7f}\u{2028}\r\nü\"\\\u{e0041}";

    #[test]
    fn json_has_no_character_that_controls_a_terminal_and_is_read_back() {
        let text = to_json(&json!({ "key\u{1b}": HOSTILE })).unwrap();
        assert!(
            text.chars()
                .all(|char| clean_text(&char.to_string(), 1) == char.to_string()),
            "{text}"
        );
        assert!(text.contains('ü'), "{text}");
        let read: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(read, json!({ "key\u{1b}": HOSTILE }));
    }

    #[test]
    fn text_is_one_line_without_control_characters() {
        let text = clean(HOSTILE);
        assert!(
            !text.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\u{7f}', '\r', '\n']),
            "{text:?}"
        );
        assert!(text.contains("␛[2J"), "{text}");
    }
}
