//! What an undo would write, and what conflicts with it.

use std::fmt;

use sea_orm::prelude::Json;

use crate::change::Changes;
use crate::query::UnknownReason;

/// What an undo would write, and what conflicts with it. Nothing is written by making it.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct UndoPlan {
    /// The writes, in their order.
    pub writes: Vec<PlannedWrite>,
    /// What prevents them. An undo with conflicts changes nothing.
    pub conflicts: Vec<Conflict>,
}

/// One row that an undo would write.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PlannedWrite {
    /// The model.
    pub model: String,
    /// The object's key as it is now.
    pub object_id: String,
    /// What would be done.
    pub kind: WriteKind,
    /// The fields that would change. Values that the log keeps out of it are left out of here, too.
    pub changes: Changes,
}

/// What would be done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteKind {
    /// The row is inserted.
    Insert,
    /// Fields of the row are set.
    Update,
    /// The row is deleted.
    Delete,
}

/// What prevents an undo.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Conflict {
    /// The model.
    pub model: String,
    /// The object's key as it is now.
    pub object_id: String,
    /// The field, where the conflict is one of a field, so that [`Undo::resolve`](crate::Undo::resolve) can decide it.
    pub field: Option<String>,
    /// What is in conflict.
    pub kind: ConflictKind,
}

/// What is in conflict.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ConflictKind {
    /// The field was changed since.
    Changed {
        /// The value that the undone change left; `None` if the log does not have it.
        left: Option<Json>,
        /// The value of today's row; `None` if the log would not have it.
        found: Option<Json>,
    },
    /// The row no longer exists.
    Missing,
    /// A row with the key exists.
    Exists,
    /// The value that would be written is not known.
    NotKnown(UnknownReason),
    /// The entity has no such column.
    NoColumn,
    /// Other rows refer to the row that would be deleted.
    Referenced {
        /// The model of one of them.
        model: String,
        /// Its key.
        object_id: String,
    },
    /// The row refers to one that does not exist.
    ReferenceMissing {
        /// The table that is referred to.
        table: String,
    },
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (model, id) = (&self.model, &self.object_id);
        match &self.field {
            Some(field) => write!(f, "`{field}` of {model} {id} ")?,
            None => write!(f, "{model} {id} ")?,
        }
        let value = |value: &Option<Json>| {
            value.as_ref().map_or_else(
                || "a value that the log does not have".to_owned(),
                Json::to_string,
            )
        };
        match &self.kind {
            ConflictKind::Changed { left, found } => {
                write!(
                    f,
                    "was changed since from {} to {}",
                    value(left),
                    value(found)
                )
            }
            ConflictKind::Missing => f.write_str("no longer exists"),
            ConflictKind::Exists => f.write_str("exists already"),
            ConflictKind::NotKnown(reason) => write!(f, "would get a value that is {reason}"),
            ConflictKind::NoColumn => f.write_str("is no longer a column"),
            ConflictKind::Referenced { model, object_id } => {
                write!(f, "is referred to by {model} {object_id}")
            }
            ConflictKind::ReferenceMissing { table } => {
                write!(f, "would refer to a row of `{table}` that does not exist")
            }
        }
    }
}

/// How the conflict of one field is decided.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Resolution {
    /// The value of before is written, whatever was written since.
    Overwrite,
    /// The field is left as it is; in a row that is inserted, it gets the default of its column.
    Keep,
    /// This value is written, in the canonical form of the log.
    Value(Json),
}
