//! Keyed hashes: what is stored of a field marked `hash`, and of session keys.

use std::env::VarError;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use hmac::{Hmac, KeyInit, Mac};
use sea_orm::prelude::Json;
use sha2::{Digest, Sha256};

use crate::error::AuditError;
use crate::target::text_of;
use crate::value::hex;

/// The key under which `hash` fields are stored, with an id that identifies the key.
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
        // Not the error itself, which would quote a key that is not UTF-8.
        let text = std::env::var(variable).map_err(|error| {
            let reason = match error {
                VarError::NotPresent => "it is not set",
                VarError::NotUnicode(_) => "it is not UTF-8",
            };
            AuditError::Config(format!("the hash key `{id}` from `{variable}`: {reason}"))
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

    /// A random key that only this process holds: it distinguishes values where no key is configured.
    pub(crate) fn of_process() -> &'static Self {
        static KEY: LazyLock<HashKey> = LazyLock::new(|| {
            // 122 random bits each, from the operating system's generator.
            let random = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].map(uuid::Uuid::into_bytes);
            let key = random.concat();
            match Hmac::<Sha256>::new_from_slice(&key) {
                Ok(mac) => HashKey {
                    id: "process".into(),
                    mac,
                },
                Err(_) => unreachable!("HMAC takes keys of any length"),
            }
        });
        &KEY
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
        for part in [model, field, &sorted(json)] {
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

/// The text of a JSON, keys in order, whichever order the build's `serde_json` keeps them in.
fn sorted(json: &Json) -> String {
    match json {
        Json::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            let members: Vec<_> = (members.into_iter())
                .map(|(key, value)| format!("{}:{}", Json::String(key.clone()), sorted(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(sorted).collect();
            format!("[{}]", items.join(","))
        }
        scalar => scalar.to_string(),
    }
}

/// The stored form of a session key: keyed where there is a key, else a plain digest of what is
/// random anyway.
pub(crate) fn session_digest(key: Option<&HashKey>, session: &str) -> String {
    match key {
        Some(key) => {
            let json = Json::String(session.to_owned());
            text_of(key.hash("audit_log", "session_key", &json))
        }
        None => digest(session),
    }
}

/// A digest with the name of its algorithm.
pub(crate) fn digest(text: &str) -> String {
    format!("sha256:{}", hex(&Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
    fn the_order_of_keys_in_json_does_not_matter() {
        let json = json!({"b": [1, {"d": null, "c": "x\"y"}], "a": 1.5});
        assert_eq!(sorted(&json), r#"{"a":1.5,"b":[1,{"c":"x\"y","d":null}]}"#);
    }

    #[test]
    fn hash_tells_key_and_field_apart_but_not_the_value() -> Result<(), AuditError> {
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
    fn key_that_is_short_or_has_a_strange_id_is_refused() {
        assert!(HashKey::from_bytes("k", &[0; 15]).is_err());
        assert!(HashKey::from_bytes("k:1", &[0; 32]).is_err());
        assert!(HashKey::from_bytes("", &[0; 32]).is_err());
        assert!(HashKey::from_env("k", "SEA_ORM_AUDIT_NO_SUCH_VARIABLE").is_err());
        assert!(HashKey::from_file("k", "no/such/file").is_err());
    }
}
