//! What happened: the [`Action`] of a record and its [`Outcome`].

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::error::AuditError;

/// What was done to the target of a record.
///
/// Stored in upper case (`CREATE`, `LOGIN_FAILED`, …). The words never change, since rows outlive
/// releases.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// A row was inserted.
    Create,
    /// A row was changed.
    Update,
    /// A row was deleted.
    Delete,
    /// A row was marked as deleted: the entity's `soft_delete` column was set.
    SoftDelete,
    /// The mark was taken away.
    Restore,
    /// A row was recorded as it was, without a change: the baseline of rows that are older than the log.
    Snapshot,
    /// An actor viewed an object.
    View,
    /// An actor signed in.
    Login,
    /// An actor signed out.
    Logout,
    /// An attempt to sign in failed.
    LoginFailed,
    /// An authorisation check refused an actor.
    AccessDenied,
    /// Data left the system.
    Export,
    /// Data was brought into the system.
    Import,
    /// An application-defined action; see [`Action::custom`].
    Custom(CustomAction),
}

/// The name of an application-defined action, such as `APPROVE`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CustomAction(Cow<'static, str>);

pub(crate) const BUILT_IN: [Action; 13] = [
    Action::Create,
    Action::Update,
    Action::Delete,
    Action::SoftDelete,
    Action::Restore,
    Action::Snapshot,
    Action::View,
    Action::Login,
    Action::Logout,
    Action::LoginFailed,
    Action::AccessDenied,
    Action::Export,
    Action::Import,
];

impl Action {
    /// The actions that say what a row is, which nearly all records have. The partial index of events leaves them out.
    #[doc(hidden)]
    pub const CHANGES: [Self; 6] = [
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::SoftDelete,
        Self::Restore,
        Self::Snapshot,
    ];

    /// The actions of a row that stays: an update, and its two special cases.
    #[cfg(feature = "statements")]
    pub(crate) const UPDATES: [Self; 3] = [Self::Update, Self::SoftDelete, Self::Restore];

    /// Names an application-defined action.
    ///
    /// # Errors
    /// Returns [`AuditError::ActionName`] unless the name is `[A-Z][A-Z0-9_]{0,31}` and not one of
    /// the built-in words.
    ///
    /// # Examples
    /// ```
    /// use sea_orm_audit_core::Action;
    /// assert_eq!(Action::custom("APPROVE")?.as_str(), "APPROVE");
    /// assert!(Action::custom("approve").is_err());
    /// assert!(Action::custom("UPDATE").is_err());
    /// # Ok::<(), sea_orm_audit_core::AuditError>(())
    /// ```
    pub fn custom(name: impl Into<Cow<'static, str>>) -> Result<Self, AuditError> {
        let name = name.into();
        let refused = |reason| {
            Err(AuditError::ActionName {
                name: name.to_string(),
                reason,
            })
        };
        let bytes = name.as_bytes();
        if !bytes.first().is_some_and(u8::is_ascii_uppercase) {
            return refused("it must begin with an upper-case ASCII letter");
        }
        if bytes.len() > 32 {
            return refused("it may have at most 32 characters");
        }
        if !bytes
            .iter()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_')
        {
            return refused("only A to Z, 0 to 9 and _ are allowed");
        }
        if BUILT_IN.iter().any(|action| action.as_str() == name) || name == "CUSTOM" {
            return refused("it is a built-in word");
        }
        Ok(Self::Custom(CustomAction(name)))
    }

    /// The stored word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::SoftDelete => "SOFT_DELETE",
            Self::Restore => "RESTORE",
            Self::Snapshot => "SNAPSHOT",
            Self::View => "VIEW",
            Self::Login => "LOGIN",
            Self::Logout => "LOGOUT",
            Self::LoginFailed => "LOGIN_FAILED",
            Self::AccessDenied => "ACCESS_DENIED",
            Self::Export => "EXPORT",
            Self::Import => "IMPORT",
            Self::Custom(CustomAction(name)) => name,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = AuditError;

    /// Reads a stored word, built-in or custom.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match BUILT_IN.iter().find(|action| action.as_str() == word) {
            Some(action) => Ok(action.clone()),
            None => Self::custom(word.to_owned()),
        }
    }
}

/// Whether the action succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Outcome {
    /// The action succeeded.
    #[default]
    Success,
    /// The action was tried, and refused or failed.
    Failure,
    /// The action has begun. A later record, if any, states its outcome.
    Open,
}

impl Outcome {
    pub(crate) const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Open];

    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Open => "OPEN",
        }
    }
}

/// The path by which a record reached the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The hooks of an `ActiveModel`.
    Hook,
    /// A bulk builder.
    Bulk,
    /// A statement captured by the connection.
    Statement,
    /// A database-side cascade.
    Cascade,
    /// A trigger in the database.
    Trigger,
    /// The application recorded it itself.
    Manual,
}

impl Source {
    pub(crate) const ALL: [Self; 6] = [
        Self::Hook,
        Self::Bulk,
        Self::Statement,
        Self::Cascade,
        Self::Trigger,
        Self::Manual,
    ];

    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hook => "HOOK",
            Self::Bulk => "BULK",
            Self::Statement => "STATEMENT",
            Self::Cascade => "CASCADE",
            Self::Trigger => "TRIGGER",
            Self::Manual => "MANUAL",
        }
    }
}

/// A set of the three actions that change rows.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChangeActions {
    /// Whether `CREATE` is in the set.
    pub create: bool,
    /// Whether `UPDATE` is in the set.
    pub update: bool,
    /// Whether `DELETE` is in the set.
    pub delete: bool,
}

impl ChangeActions {
    pub(crate) fn contains(self, action: &Action) -> bool {
        match action {
            Action::Create => self.create,
            Action::Update | Action::SoftDelete | Action::Restore => self.update,
            Action::Delete => self.delete,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stored_word_reads_back() -> Result<(), AuditError> {
        for action in BUILT_IN {
            assert_eq!(action.as_str().parse::<Action>()?, action);
        }
        let custom = Action::custom("APPROVE_2")?;
        assert_eq!("APPROVE_2".parse::<Action>()?, custom);
        Ok(())
    }

    #[test]
    fn custom_name_keeps_to_its_alphabet_and_length() {
        let long = "A".repeat(33);
        for name in [
            "", "a", "1A", "_A", "A B", "A-B", "Ä", "LOGIN", "CUSTOM", &long,
        ] {
            assert!(Action::custom(name.to_owned()).is_err(), "{name:?}");
        }
        assert!(Action::custom("A".repeat(32)).is_ok());
    }
}
