//! The settings, from the environment. A wrong one is explained with its name, and not taken for a missing one.

use std::env::VarError;

use axum_shop::auth::{Credentials, PASSWORD_LEAST};

/// The value of a variable, where it is set.
pub(crate) fn variable(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        // Without the value, which may be a password.
        Err(VarError::NotUnicode(_)) => Err(format!("{name}: its value is not UTF-8")),
    }
}

/// The value of a variable, or this.
pub(crate) fn variable_or(name: &str, default: &str) -> Result<String, String> {
    Ok(variable(name)?.unwrap_or_else(|| default.to_owned()))
}

/// Whether a variable is `1`.
pub(crate) fn is_on(name: &str) -> Result<bool, String> {
    match variable(name)?.as_deref() {
        Some("1") => Ok(true),
        None | Some("" | "0") => Ok(false),
        Some(other) => Err(format!(
            "{name}: `{other}` is neither `1` (on) nor `0` (off)"
        )),
    }
}

/// The first administrator. The password has the length that sign-up demands.
pub(crate) fn admin() -> Result<Option<Credentials>, String> {
    let Some(password) = variable("ADMIN_PASSWORD")? else {
        return Ok(None);
    };
    if password.chars().count() < PASSWORD_LEAST {
        return Err(format!(
            "ADMIN_PASSWORD: a password has at least {PASSWORD_LEAST} characters"
        ));
    }
    Ok(Some(Credentials {
        name: "admin".to_owned(),
        password,
    }))
}
