//! Which fields hold secrets, and what is stored in their place.
//!
//! A field is taken for a secret by the words of its name. `passwordHash`, `user_password` and
//! `PASSWORD` all hold the word `password`; `compassword` does not. The words are
//! [`SENSITIVE_WORDS`] and those given to `AuditConfig::builder().sensitive(..)`. Values that are
//! booleans, dates or times are never taken for secrets, so `password_changed_at` stays readable.
//!
//! This module refuses to look at values: a password in a column called `note` is not found.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sea_orm::prelude::Json;
use sea_orm::sea_query::Value;
use sha2::{Digest, Sha256};

use crate::error::AuditError;
use crate::value::hex;

/// What stands in place of a secret in text and inside JSON.
pub(crate) const REDACTED: &str = "[redacted]";

/// The words that mark a field as a secret: a name that holds one of them, word by word.
pub const SENSITIVE_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "jwt",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "privatekey",
    "secret_key",
    "encryption_key",
    "signing_key",
    "ssh_key",
    "license_key",
    "authorization",
    "bearer",
    "credential",
    "credentials",
    "cookie",
    "set_cookie",
    "session_key",
    "session_id",
    "sessionid",
    "csrf",
    "xsrf",
    "otp",
    "totp",
    "mfa_code",
    "recovery_code",
    "recovery_codes",
    "backup_codes",
    "pin",
    "pin_code",
    "ssn",
    "social_security_number",
    "tax_id",
    "card_number",
    "cardnumber",
    "credit_card",
    "creditcard",
    "cvv",
    "cvv2",
    "cvc",
    "cvc2",
    "iban",
    "account_number",
    "routing_number",
];

/// The words of a name: `apiKey`, `api-key` and `API_KEY` are all `api`, `key`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let chars: Vec<char> = name.chars().collect();
    for (at, &c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            continue;
        }
        let after_lower = at > 0 && (chars[at - 1].is_lowercase() || chars[at - 1].is_numeric());
        let before_lower = chars.get(at + 1).is_some_and(|next| next.is_lowercase());
        let after_upper = at > 0 && chars[at - 1].is_uppercase();
        if c.is_uppercase() && (after_lower || (after_upper && before_lower)) {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
        word.extend(c.to_lowercase());
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// The sensitive words, prepared for looking names up.
#[derive(Debug, Clone)]
pub(crate) struct Sensitive {
    patterns: Vec<Vec<String>>,
}

impl Sensitive {
    pub(crate) fn new<'a>(more: impl IntoIterator<Item = &'a str>) -> Self {
        let patterns = SENSITIVE_WORDS
            .iter()
            .copied()
            .chain(more)
            .map(words)
            .filter(|pattern| !pattern.is_empty())
            .collect();
        Self { patterns }
    }

    /// Nothing is taken for a secret.
    pub(crate) const fn off() -> Self {
        Self {
            patterns: Vec::new(),
        }
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let words = words(name);
        self.patterns.iter().any(|pattern| {
            words.windows(pattern.len()).any(|window| {
                // `tokens` holds the word `token`, too.
                window.iter().zip(pattern).all(|(word, pattern)| {
                    word == pattern || word.strip_suffix('s') == Some(pattern.as_str())
                })
            })
        })
    }

    /// Replaces the values behind sensitive keys, at any depth.
    pub(crate) fn redact_json(&self, json: &mut Json) {
        match json {
            Json::Object(map) => {
                for (key, value) in map.iter_mut() {
                    let harmless = matches!(value, Json::Null | Json::Bool(_));
                    if !harmless && self.matches(key) {
                        *value = Json::String(REDACTED.into());
                    } else {
                        self.redact_json(value);
                    }
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.redact_json(item)),
            _ => {}
        }
    }
}

/// Whether a value of this type can be a secret at all.
pub(crate) fn can_be_secret(null: &sea_orm::sea_query::ArrayType) -> bool {
    use sea_orm::sea_query::ArrayType as T;
    #[cfg(feature = "with-time")]
    if matches!(
        null,
        T::TimeDate | T::TimeTime | T::TimeDateTime | T::TimeDateTimeWithTimeZone
    ) {
        return false;
    }
    !matches!(
        null,
        T::Bool
            | T::ChronoDate
            | T::ChronoTime
            | T::ChronoDateTime
            | T::ChronoDateTimeUtc
            | T::ChronoDateTimeLocal
            | T::ChronoDateTimeWithTimeZone
    )
}

/// The key under which `hash` fields are stored, with an id that tells which key it was.
///
/// Values are stored as `hmac-sha256:<key id>:<hex>` (HMAC, [RFC 2104], with SHA-256), separated
/// per model and field, so that equal values in two fields do not look equal.
///
/// `Debug` shows the id, never the key.
///
/// [RFC 2104]: https://www.rfc-editor.org/rfc/rfc2104
#[derive(Clone)]
pub struct HashKey {
    id: Arc<str>,
    mac: Hmac<Sha256>,
}

/// The fewest bytes a key may have.
const KEY_BYTES: usize = 16;

impl HashKey {
    /// A key from its bytes, at least 16 of them, best 32 random ones.
    ///
    /// The id is stored beside every hash; letters, digits, `-`, `_` and `.`, at most 32.
    ///
    /// # Errors
    /// Returns [`AuditError::Config`] for a short key or an id of other characters.
    pub fn from_bytes(id: &str, key: &[u8]) -> Result<Self, AuditError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if id.is_empty() || id.len() > 32 || !id.chars().all(allowed) {
            return Err(AuditError::Config(format!(
                "the hash key's id `{id}` must be 1 to 32 letters, digits, `-`, `_` or `.`"
            )));
        }
        if key.len() < KEY_BYTES {
            return Err(AuditError::Config(format!(
                "the hash key `{id}` has {} bytes; it needs at least {KEY_BYTES}",
                key.len()
            )));
        }
        let mac = Hmac::<Sha256>::new_from_slice(key)
            .map_err(|error| AuditError::Config(format!("the hash key `{id}`: {error}")))?;
        Ok(Self { id: id.into(), mac })
    }

    /// A key from the text of an environment variable; white space around it is not part of it.
    ///
    /// # Errors
    /// Returns [`AuditError::Config`] when the variable is not set, not UTF-8 or too short.
    pub fn from_env(id: &str, variable: &str) -> Result<Self, AuditError> {
        let text = std::env::var(variable).map_err(|error| {
            AuditError::Config(format!("the hash key `{id}` from `{variable}`: {error}"))
        })?;
        Self::from_bytes(id, text.trim().as_bytes())
    }

    /// A key from the bytes of a file; white space at the end is not part of it.
    ///
    /// # Errors
    /// Returns [`AuditError::Config`] when the file cannot be read or is too short.
    pub fn from_file(id: &str, path: impl AsRef<Path>) -> Result<Self, AuditError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| {
            AuditError::Config(format!(
                "the hash key `{id}` from `{}`: {error}",
                path.display()
            ))
        })?;
        Self::from_bytes(id, bytes.trim_ascii_end())
    }

    /// The id that is stored beside every hash.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The stored form of a value in one field of one model. NULL stays null.
    pub(crate) fn hash(&self, model: &str, field: &str, json: &Json) -> Json {
        if json.is_null() {
            return Json::Null;
        }
        let mut mac = self.mac.clone();
        for part in [model, field, &json.to_string()] {
            // The length before each part keeps ("ab", "c") and ("a", "bc") apart.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let digest = hex(&mac.finalize().into_bytes());
        Json::String(format!("hmac-sha256:{}:{digest}", self.id))
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The stored form of a session key: keyed where there is a key, else a plain digest of what is
/// random anyway.
pub(crate) fn session_digest(key: Option<&HashKey>, session: &str) -> String {
    match key {
        Some(key) => {
            let json = Json::String(session.to_owned());
            crate::target::text_of(key.hash("audit_log", "session_key", &json))
        }
        None => format!("sha256:{}", hex(&Sha256::digest(session.as_bytes()))),
    }
}

/// Whether a value may be scanned for sensitive keys inside.
pub(crate) const fn is_json(value: &Value) -> bool {
    use sea_orm::sea_query::ArrayType;
    matches!(
        value,
        Value::Json(Some(_)) | Value::Array(ArrayType::Json, Some(_))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_compared_word_by_word() {
        let sensitive = Sensitive::new(["Kundennummer"]);
        for name in [
            "password",
            "PASSWORD",
            "userPassword",
            "password_hash",
            "APIKey",
            "api-key",
            "apiKeys",
            "X-Api-Key",
            "refresh_tokens",
            "private_key",
            "Authorization",
            "ssn",
            "cardNumber",
            "kundennummer",
        ] {
            assert!(sensitive.matches(name), "{name}");
        }
        for name in [
            "compassword",
            "spinner",
            "pinned",
            "keyboard",
            "key",
            "monkey",
            "title",
            "id",
            "tokenizer",
            "secretary",
            "author",
            "",
        ] {
            assert!(!sensitive.matches(name), "{name}");
        }
    }

    #[test]
    fn secrets_inside_json_are_replaced_at_any_depth() {
        let mut json = json!({
            "name": "Ann",
            "login": [{"password": "p", "ok": true, "token": null}],
            "api_key": {"k": 1},
            "has_password": true,
        });
        Sensitive::new([]).redact_json(&mut json);
        assert_eq!(
            json,
            json!({
                "name": "Ann",
                "login": [{"password": "[redacted]", "ok": true, "token": null}],
                "api_key": "[redacted]",
                "has_password": true,
            })
        );
    }

    /// The first test case of RFC 4231, through the same primitive.
    #[test]
    fn the_primitive_is_hmac_sha_256() -> Result<(), AuditError> {
        let key = HashKey::from_bytes("k1", &[0x0b; 20])?;
        let mut mac = key.mac.clone();
        mac.update(b"Hi There");
        assert_eq!(
            hex(&mac.finalize().into_bytes()),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        Ok(())
    }

    #[test]
    fn a_hash_tells_key_and_field_apart_but_not_the_value() -> Result<(), AuditError> {
        let key = HashKey::from_bytes("k1", &[7; 32])?;
        let hash = |model, field, value: &str| key.hash(model, field, &json!(value));
        assert_eq!(hash("user", "email", "a@b"), hash("user", "email", "a@b"));
        assert_ne!(hash("user", "email", "a@b"), hash("user", "login", "a@b"));
        assert_ne!(hash("user", "email", "a@b"), hash("use", "remail", "a@b"));
        assert_ne!(
            hash("user", "email", "a@b"),
            HashKey::from_bytes("k1", &[8; 32])?.hash("user", "email", &json!("a@b"))
        );
        assert_eq!(key.hash("user", "email", &Json::Null), Json::Null);
        let text = hash("user", "email", "a@b").to_string();
        assert!(
            text.starts_with("\"hmac-sha256:k1:") && !text.contains("a@b"),
            "{text}"
        );
        assert!(!format!("{key:?}").contains('7'));
        Ok(())
    }

    #[test]
    fn a_key_that_is_short_or_has_a_strange_id_is_refused() {
        assert!(HashKey::from_bytes("k", &[0; 15]).is_err());
        assert!(HashKey::from_bytes("k:1", &[0; 32]).is_err());
        assert!(HashKey::from_bytes("", &[0; 32]).is_err());
        assert!(HashKey::from_env("k", "SEA_ORM_AUDIT_NO_SUCH_VARIABLE").is_err());
        assert!(HashKey::from_file("k", "no/such/file").is_err());
    }
}
