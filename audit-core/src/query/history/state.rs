//! What is known of an object at one moment.

use std::collections::BTreeMap;
use std::fmt;

use sea_orm::prelude::Json;

/// A field's value at one moment, or why it is not known.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldState {
    /// The value, in the canonical form of the log.
    Known(Json),
    /// The value is not known.
    Unknown(UnknownReason),
}

impl FieldState {
    /// The value, where it is known.
    #[must_use]
    pub const fn value(&self) -> Option<&Json> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

/// Why a value is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownReason {
    /// No record says it: the row is older than the log, or the field is not recorded.
    NotRecorded,
    /// The log keeps the value out of it, or a secret inside of it, or has a hash of it.
    Redacted,
    /// The database could not read the value when it was recorded.
    Unreadable,
    /// The column was added to the table later.
    AddedLater,
}

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRecorded => "not recorded",
            Self::Redacted => "redacted",
            Self::Unreadable => "unreadable",
            Self::AddedLater => "added later",
        })
    }
}

/// An object's fields at one moment, by their names in the database.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ObjectState(pub(crate) BTreeMap<String, FieldState>);

impl ObjectState {
    /// A field, by its name in the database.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&FieldState> {
        self.0.get(field)
    }

    /// All fields, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &FieldState)> {
        self.0.iter().map(|(name, state)| (name.as_str(), state))
    }

    /// The fields that are not known, and why.
    pub fn unknown(&self) -> impl Iterator<Item = (&str, UnknownReason)> {
        self.iter().filter_map(|(name, state)| match state {
            FieldState::Unknown(reason) => Some((name, *reason)),
            FieldState::Known(_) => None,
        })
    }

    /// The fields that differ, with both of their states. Fields that are unknown in both are left out.
    pub fn differences<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (&'a str, &'a FieldState, &'a FieldState)> {
        const NONE: &FieldState = &FieldState::Unknown(UnknownReason::NotRecorded);
        let names = self
            .0
            .keys()
            .chain(other.0.keys().filter(|name| !self.0.contains_key(*name)));
        names.filter_map(move |name| {
            let (one, two) = (
                self.get(name).unwrap_or(NONE),
                other.get(name).unwrap_or(NONE),
            );
            let differ = (one.value().is_some() || two.value().is_some()) && one != two;
            differ.then_some((name.as_str(), one, two))
        })
    }
}
