//! Which fields hold secrets, and what replaces them.
//!
//! A field is taken for a secret by the words of its name. `passwordHash`, `user_password`, `PASSWORD`
//! and `password2` all hold the word `password`; `pinned` does not hold `pin`. A few words are found run
//! together with others, too, as in `passwordhash` and `usertoken`. The words are
//! [`SENSITIVE_WORDS`] and those given to `AuditConfig::builder().sensitive(..)`. Values that are
//! booleans, dates or times are never taken for secrets, so `password_changed_at` stays readable.
//!
//! This module does not read values: a password in a column called `note` is not found.

use std::collections::HashSet;
use std::sync::LazyLock;

use sea_orm::prelude::Json;
use sea_orm::sea_query::Value;

/// Replaces a secret in text and inside JSON.
pub(crate) const REDACTED: &str = "[redacted]";

/// The words that mark a field as a secret: a name that holds one of them, word by word.
pub const SENSITIVE_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "salt",
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
    /// Whole names, in lower case.
    names: HashSet<String>,
    /// Whether names are also searched for the words that are run together with others.
    run_together: bool,
}

/// Words that are secrets at the begin or end of another word, as in `passwordhash`.
const RUN_TOGETHER: [&str; 8] = [
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "secretkey",
    "privatekey",
    "accesskey",
    "accesstoken",
];

/// Words that are secrets at the end of another word only: `usertoken`, but not `tokenizer`.
const AT_THE_END: [&str; 2] = ["token", "secret"];

impl Sensitive {
    pub(crate) fn new<'a>(more: impl IntoIterator<Item = &'a str>) -> Self {
        let patterns = SENSITIVE_WORDS
            .iter()
            .copied()
            .chain(more)
            .map(words)
            .filter(|pattern| !pattern.is_empty())
            .collect();
        Self {
            patterns,
            names: HashSet::new(),
            run_together: true,
        }
    }

    /// Nothing is taken for a secret.
    pub(crate) fn off() -> Self {
        Self {
            patterns: Vec::new(),
            names: HashSet::new(),
            run_together: false,
        }
    }

    /// Whether names are searched for words at all.
    pub(crate) fn is_on(&self) -> bool {
        self.run_together
    }

    /// Adds whole names.
    pub(crate) fn also(&mut self, names: impl IntoIterator<Item = String>) {
        self.names.extend(names);
    }

    /// The same in the form that a trigger is made from.
    pub(crate) fn for_triggers(&self) -> SecretKeys {
        let texts = |words: &[&str]| words.iter().map(|word| vec![(*word).to_owned()]).collect();
        SecretKeys {
            words: self.patterns.clone(),
            anywhere: if self.run_together {
                texts(&RUN_TOGETHER)
            } else {
                Vec::new()
            },
            at_the_end: if self.run_together {
                texts(&AT_THE_END)
            } else {
                Vec::new()
            },
            names: self.names.iter().cloned().collect(),
        }
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        if self.names.contains(&name.to_lowercase()) {
            return true;
        }
        let mut words = words(name);
        for word in &mut words {
            // `password2` is a password.
            let end = word.trim_end_matches(|c: char| c.is_numeric()).len();
            if end > 0 {
                word.truncate(end);
            }
        }
        let run_together = |word: &String| {
            (RUN_TOGETHER.iter()).any(|s| word.starts_with(s) || word.ends_with(s))
                || AT_THE_END.iter().any(|s| word.ends_with(s))
        };
        if self.run_together && words.iter().any(run_together) {
            return true;
        }
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

/// Whether a name looks like a secret's, regardless of the configuration.
pub(crate) fn is_secret(name: &str) -> bool {
    static KNOWN: LazyLock<Sensitive> = LazyLock::new(|| Sensitive::new([]));
    KNOWN.matches(name)
}

/// Which keys inside a JSON document are secrets', all in lower case; as a trigger is made from them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretKeys {
    /// Runs of whole words: `["api", "key"]` is in `apiKey`, `api_key`, `my-api-keys2`.
    pub words: Vec<Vec<String>>,
    /// Single words that count at the begin or end of another one, too.
    pub anywhere: Vec<Vec<String>>,
    /// Single words that count at the end of another one, too.
    pub at_the_end: Vec<Vec<String>>,
    /// Whole names.
    pub names: Vec<String>,
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
            "password2",
            "PASSWORDHASH",
            "userpassword",
            "accesstoken",
            "clientSecret1",
        ] {
            assert!(sensitive.matches(name), "{name}");
        }
        for name in [
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
}
