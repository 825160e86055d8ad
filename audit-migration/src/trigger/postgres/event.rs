//! What triggers fire on.

/// The names of the transition tables.
pub(super) const OLD: &str = "old_rows";
pub(super) const NEW: &str = "new_rows";

/// What a trigger records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Insert,
    Update,
    Delete,
    /// A DELETE for each row.
    Truncate,
}

impl Event {
    /// Its word in names.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Truncate => "truncate",
        }
    }

    /// Its action in the log.
    pub(super) const fn action(self) -> &'static str {
        match self {
            Self::Insert => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete | Self::Truncate => "DELETE",
        }
    }
}
