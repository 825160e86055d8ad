//! What can go wrong, and what to do then.
//!
//! One file, because the errors are one list with their texts.

use std::fmt;
use std::sync::Arc;

use sea_orm::DbErr;

use crate::value::EncodeError;

/// An error of the audit log.
///
/// Hooks can only return SeaORM's `DbErr`; [`AuditError::of`] finds this error inside one. Its text states first what
/// happened and what to do; SeaORM's text adds a prefix ("Error converting ..").
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The name of a custom action is not allowed.
    #[error("`{name}` is no name for a custom action: {reason}")]
    ActionName {
        /// The name that was given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The configuration contradicts itself or the entities it is for.
    #[error("the audit configuration cannot be used: {0}")]
    Config(String),
    /// The record could not be written.
    ///
    /// Inside a transaction the caller must roll it back; with [`ChangeState::NotTried`] nothing
    /// was changed.
    #[error("{state}: {cause}")]
    NotRecorded {
        /// What happened to the change.
        state: ChangeState,
        /// Why there is no record.
        cause: Cause,
    },
    /// The change is committed, but its record could not be written. Do not retry the change.
    #[error(
        "the change is already committed, but has no audit record: do not retry it, and write inside a \
         transaction to commit change and record together: {cause}"
    )]
    ChangeCommittedWithoutRecord {
        /// Why there is no record.
        cause: Cause,
    },
    /// A statement was refused because its changes cannot be captured (`StatementPolicy::Deny`).
    /// Nothing was done.
    #[error(
        "a statement{table} was refused, since its changes cannot be captured: {why}. Use an \
         `ActiveModel`, `Entity::audited_update_many()` or another audited write, or the connection \
         that `.unaudited()` gives. The statement: {outline}"
    )]
    Refused {
        /// The table, where it is known, with the word `on` before it.
        table: String,
        /// What prevents the capture.
        why: &'static str,
        /// The statement without its literals.
        outline: String,
    },
    /// COMMIT was refused, and the transaction rolled back.
    #[error("nothing was committed, the transaction was rolled back: {reason}")]
    CommitRefused {
        /// What happened in the transaction.
        reason: String,
    },
    /// A cursor cannot be used. Nothing was read.
    #[error("the cursor cannot be used, as {why}: start again from the first page")]
    Cursor {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The state of a past moment cannot be read. Nothing was read.
    #[error("the past cannot be read: {why}")]
    AsOf {
        /// What prevents it, and what to do.
        why: String,
    },
    /// The log does not say what a read of the past needs. Nothing was read.
    #[error("the past of `{model}` is not known {moment}: {why}")]
    PastUnknown {
        /// The model.
        model: String,
        /// The moment, in words.
        moment: String,
        /// What is not known, and what to do.
        why: String,
    },
    /// An undo conflicts with what happened since, or needs what the log does not have. Nothing was changed.
    #[error("nothing was undone: {}. `Undo::plan` has all of it, and `Undo::resolve` decides a field", .conflicts.join("; "))]
    UndoConflict {
        /// The conflicts, in words.
        conflicts: Vec<String>,
    },
    /// An undo cannot be done. Nothing was changed.
    #[error("nothing was undone: {why}")]
    Undo {
        /// What prevents it, and what to do.
        why: String,
    },
    /// A query cannot be used in this place. Nothing was read.
    #[error("the query cannot be used: {why}")]
    Query {
        /// What prevents it, and what to do.
        why: &'static str,
    },
}

/// The variant and its text: `unwrap` shows what happened and what to do.
impl fmt::Debug for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variant = match self {
            Self::ActionName { .. } => "ActionName",
            Self::Config(_) => "Config",
            Self::NotRecorded { .. } => "NotRecorded",
            Self::ChangeCommittedWithoutRecord { .. } => "ChangeCommittedWithoutRecord",
            Self::Refused { .. } => "Refused",
            Self::CommitRefused { .. } => "CommitRefused",
            Self::Cursor { .. } => "Cursor",
            Self::Query { .. } => "Query",
            Self::AsOf { .. } => "AsOf",
            Self::PastUnknown { .. } => "PastUnknown",
            Self::UndoConflict { .. } => "UndoConflict",
            Self::Undo { .. } => "Undo",
        };
        f.debug_tuple(variant)
            .field(&format_args!("{self}"))
            .finish()
    }
}

/// Why there is no record.
///
/// The message contains the text of the database's own error; `source()` does not return it, since SeaORM shows only
/// the message.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// An audit table does not exist.
    #[error(
        "the record{} could not be written, as the audit table `{table}` does not exist ({error}): run \
         `sea_orm_audit::migration::Migrator::up(&db, None).await`, or add \
         `sea_orm_audit::migration::migrations()` to your own Migrator",
        of_model(.model.as_deref())
    )]
    MissingTable {
        /// The model that was changed, where the record is of one.
        model: Option<String>,
        /// The table that was looked for.
        table: String,
        /// The database's error.
        error: DbErr,
    },
    /// The database refused the record.
    #[error(
        "the record{} could not be written to the audit table `{table}` ({error})",
        of_model(.model.as_deref())
    )]
    Insert {
        /// The model that was changed, where the record is of one.
        model: Option<String>,
        /// The audit table.
        table: String,
        /// The database's error.
        error: DbErr,
    },
    /// After a DELETE it could not be read whether the row is deleted, which a trigger can prevent.
    #[error("it could not be read whether a row of `{model}` was deleted ({error})")]
    Unconfirmed {
        /// The model.
        model: String,
        /// The database's error.
        error: DbErr,
    },
    /// After an UPDATE it could not be read which columns the database generates from those that were written.
    #[error("it could not be read which columns of `{model}` are generated ({error})")]
    Generated {
        /// The model.
        model: String,
        /// The database's error.
        error: DbErr,
    },
    /// A value has no canonical form.
    #[error("the field `{field}` of `{model}` cannot be recorded: {error}")]
    Value {
        /// The model the field belongs to.
        model: String,
        /// The column.
        field: String,
        /// Why the value has no canonical form.
        error: EncodeError,
    },
    /// No actor is set, and the configuration requires one (`RequireActor::Deny`).
    #[error(
        "no actor is set, and the audit configuration requires one: write inside \
         `AuditContext::new().actor(..).scope(..)`, or through `connection.as_actor(..)`"
    )]
    NoActor,
    /// Rows were written that had not been seen before: other transactions added them meanwhile.
    #[error("{rows} rows of `{model}` appeared while a statement was captured; try it again")]
    Appeared {
        /// The model.
        model: String,
        /// How many rows.
        rows: u64,
    },
    /// A write inside a transaction was dropped before it finished, so it is unknown whether it took place.
    #[error(
        "a write was dropped before it was done, so that it is not known whether it took place"
    )]
    Dropped,
    /// The rows that a statement changes are too many to be held in memory, and the temporary file for them failed.
    /// Free space in the temporary directory (`TMPDIR` on Unix), or change fewer rows at once.
    #[error(
        "the rows of `{model}` as they are before the statement could not be kept in a temporary file \
         ({error}): make room in the temporary directory, set `TMPDIR` to one that can be written to, or \
         change fewer rows in one statement"
    )]
    TemporaryFile {
        /// The model of the rows.
        model: String,
        /// The operating system's error.
        error: String,
    },
    /// A field is marked `hash`, but there is no key.
    #[error(
        "the field `{field}` of `{model}` is marked `hash`, but no key is configured: \
         set `AuditConfig::builder().hash_key(..)`"
    )]
    MissingHashKey {
        /// The model the field belongs to.
        model: String,
        /// The column.
        field: String,
    },
}

fn of_model(model: Option<&str>) -> String {
    model.map_or_else(String::new, |model| format!(" of a change to `{model}`"))
}

impl Cause {
    /// The same cause, of the record of a change to this model.
    pub(crate) fn of_change_to(mut self, changed: &str) -> Self {
        if let Self::Insert { model, .. } | Self::MissingTable { model, .. } = &mut self {
            model.get_or_insert_with(|| changed.to_owned());
        }
        self
    }
}

/// What happened to a change whose record failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeState {
    /// The change was not tried.
    NotTried,
    /// The change was made inside a transaction that the caller must roll back.
    RollBack,
    /// The change was made through a connection that does not say whether it is a transaction, such as SeaORM's
    /// `RestrictedConnection`: the caller must roll a transaction back, and must not repeat a change outside of one.
    Unknown,
    /// The change was undone.
    RolledBack,
    /// There is no change; the record was all that was to be written.
    NoChange,
}

impl std::fmt::Display for ChangeState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotTried => "nothing was changed, as the change could not be recorded",
            Self::RollBack => "the transaction has a change without an audit record: roll it back",
            Self::Unknown => {
                "there is a change without an audit record: roll it back if it was made in a transaction; else it is \
                 committed, and must not be repeated"
            }
            Self::RolledBack => "the change was rolled back, as it could not be recorded",
            Self::NoChange => {
                "nothing was recorded, and a PostgreSQL transaction that it was part of must be \
                 rolled back"
            }
        })
    }
}

impl AuditError {
    /// Finds the audit error inside an error that SeaORM returned.
    ///
    /// # Examples
    /// ```
    /// # use sea_orm::DbErr;
    /// use sea_orm_audit_core::AuditError;
    /// # let error = DbErr::RecordNotUpdated;
    /// if let Some(AuditError::ChangeCommittedWithoutRecord { .. }) = AuditError::of(&error) {
    ///     // the change is committed: do not retry it
    /// }
    /// ```
    #[must_use]
    pub fn of(error: &DbErr) -> Option<&Self> {
        match error {
            DbErr::TryIntoErr { source, .. } => source.downcast_ref(),
            _ => None,
        }
    }

    /// Why it happened, without the state of the change and what to do.
    #[cfg(feature = "statements")]
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::CommitRefused { reason } => reason.clone(),
            other => (other.cause()).map_or_else(|| other.to_string(), ToString::to_string),
        }
    }

    /// Why an error of SeaORM's happened.
    #[cfg(feature = "statements")]
    pub(crate) fn reason_of(error: &DbErr) -> String {
        Self::of(error).map_or_else(|| error.to_string(), Self::reason)
    }

    /// The same error, of a change that has been undone since.
    #[cfg(feature = "statements")]
    pub(crate) fn rolled_back(error: DbErr) -> DbErr {
        match Self::of(&error) {
            Some(Self::NotRecorded {
                state: ChangeState::RollBack,
                cause,
            }) => Self::NotRecorded {
                state: ChangeState::RolledBack,
                cause: cause.clone(),
            }
            .into(),
            _ => error,
        }
    }

    /// Why there is no record, where that is what went wrong.
    #[must_use]
    pub const fn cause(&self) -> Option<&Cause> {
        match self {
            Self::NotRecorded { cause, .. } | Self::ChangeCommittedWithoutRecord { cause } => {
                Some(cause)
            }
            _ => None,
        }
    }

    /// Whether the change is committed although it has no record.
    #[must_use]
    pub const fn is_committed(&self) -> bool {
        matches!(self, Self::ChangeCommittedWithoutRecord { .. })
    }
}

impl From<AuditError> for DbErr {
    /// Puts the error into SeaORM's, where [`AuditError::of`] finds it.
    ///
    /// `TryIntoErr` is the only variant that holds an error of another crate in every build. SeaORM shows it as "Error
    /// converting `..` into `..`: " before the error itself; the two words name the source and the target.
    fn from(error: AuditError) -> Self {
        let (from, into) = match &error {
            AuditError::ActionName { .. } => ("name", "action"),
            AuditError::Config(_) => ("settings", "audit configuration"),
            AuditError::NotRecorded { state, .. } => match state {
                ChangeState::NotTried | ChangeState::RolledBack => ("write", "audited write"),
                ChangeState::RollBack => ("uncommitted change", "audit record"),
                ChangeState::Unknown => ("change", "audit record"),
                ChangeState::NoChange => ("event", "audit record"),
            },
            AuditError::ChangeCommittedWithoutRecord { .. } => ("committed change", "audit record"),
            AuditError::Refused { .. } => ("statement", "audited statement"),
            AuditError::CommitRefused { .. } => ("open transaction", "committed transaction"),
            AuditError::Cursor { .. } => ("cursor", "page"),
            AuditError::Query { .. } => ("query", "SELECT"),
            AuditError::UndoConflict { .. } | AuditError::Undo { .. } => ("undo", "change"),
            AuditError::AsOf { .. } | AuditError::PastUnknown { .. } => ("moment", "state"),
        };
        Self::TryIntoErr {
            from,
            into,
            source: Arc::new(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_seaorms_error_shows_the_remedy() {
        let cause = Cause::MissingTable {
            model: None,
            table: "audit_log".to_owned(),
            error: DbErr::Custom("no such table".to_owned()),
        };
        let state = ChangeState::RolledBack;
        let error = DbErr::from(AuditError::NotRecorded { state, cause });
        let text = format!("{error:?}");
        assert!(text.contains("NotRecorded("), "{text}");
        assert!(text.contains("Migrator::up"), "{text}");
    }
}
