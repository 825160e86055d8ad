//! What it was done to: the [`Target`] of a record.

use sea_orm::prelude::Json;
use sea_orm::sea_query::Value;
use sha2::{Digest, Sha256};

use crate::value::{EncodeError, encode, hex};

/// The longest `object_id` that is stored as it is; see [`truncate_hashed`].
pub(crate) const OBJECT_ID_LIMIT: u32 = 600;
/// The longest `object_repr`.
pub(crate) const REPR_LIMIT: u32 = 200;

/// An object by model name and object id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The model's name: the derive's `name`, by default the table name.
    pub model: String,
    /// The primary key as text; a composite key is a JSON array.
    pub object_id: String,
    /// How to show the object, at most 200 characters.
    pub repr: Option<String>,
}

/// The text of a primary key: one value as it is, several as a JSON array.
pub(crate) fn object_id(key: &[Value]) -> Result<String, EncodeError> {
    let text = match key {
        [one] => text_of(encode(one)?),
        many => Json::Array(many.iter().map(encode).collect::<Result<_, _>>()?).to_string(),
    };
    Ok(truncate_hashed(text, OBJECT_ID_LIMIT))
}

/// A canonical value as plain text, without the quotes that JSON puts around strings.
pub(crate) fn text_of(json: Json) -> String {
    match json {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

/// Shortens text that a bounded column cannot hold, without ever making two texts equal: the end
/// is replaced by `~sha256:` and the hexadecimal digest of the whole.
pub(crate) fn truncate_hashed(text: String, limit: u32) -> String {
    let limit = limit as usize;
    if text.len() <= limit || text.chars().nth(limit).is_none() {
        return text;
    }
    let digest = format!("~sha256:{}", hex(&Sha256::digest(text.as_bytes())));
    // A column that is hardly longer than the digest, or shorter, takes the begin of it only.
    let tail = &digest[..digest.len().min(limit / 2)];
    let mut short: String = text.chars().take(limit - tail.len()).collect();
    short.push_str(tail);
    short
}

/// Shortens text that is only displayed, with an ellipsis.
pub(crate) fn shorten(text: String, limit: u32) -> String {
    let limit = limit as usize;
    if text.chars().nth(limit).is_none() {
        return text;
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_key_is_its_text_and_a_composite_key_a_json_array() -> Result<(), EncodeError> {
        assert_eq!(object_id(&[Value::from(7)])?, "7");
        assert_eq!(object_id(&[Value::from("a\"b")])?, "a\"b");
        assert_eq!(
            object_id(&[Value::from("a"), Value::from(7)])?,
            r#"["a",7]"#
        );
        Ok(())
    }

    #[test]
    fn long_ids_stay_different_and_within_the_column() {
        let (a, b) = ("ä".repeat(700), format!("{}b", "ä".repeat(699)));
        let (a, b) = (
            truncate_hashed(a, OBJECT_ID_LIMIT),
            truncate_hashed(b, OBJECT_ID_LIMIT),
        );
        assert_ne!(a, b);
        assert_eq!(a.chars().count(), OBJECT_ID_LIMIT as usize);
        assert_eq!(truncate_hashed("x".repeat(600), 600), "x".repeat(600));
        let short = |text: &str| truncate_hashed(text.repeat(70), 64);
        assert_eq!(short("x").len(), 64);
        assert_ne!(short("x"), short("y"));
    }

    #[test]
    fn column_shorter_than_the_digest_keeps_the_begin_of_both() {
        let (a, b) = (
            truncate_hashed("a".repeat(65), 64),
            truncate_hashed("a".repeat(66), 64),
        );
        assert_ne!(a, b);
        assert_eq!(a.len(), 64);
        assert!(a.starts_with(&format!("{}~sha256:", "a".repeat(32))), "{a}");
    }

    #[test]
    fn label_is_cut_at_a_character() {
        assert_eq!(shorten("äöü".into(), 3), "äöü");
        assert_eq!(shorten("äöüß".into(), 3), "äö…");
    }
}
