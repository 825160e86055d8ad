//! Values that have no canonical form, and canonical forms that are none of a value.

use super::ColumnKind;

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The value's type is behind a feature of this crate.
    #[error(
        "its type `{kind}` needs a feature of `sea-orm-audit` that is not enabled; \
         enable the feature that has the same name as SeaORM's for that type"
    )]
    FeatureMissing {
        /// The type's name in SeaORM's `Value`.
        kind: String,
    },
}

/// A JSON that is not a canonical form of the type it was to be read as.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("not a canonical value of {shape:?}")]
pub struct DecodeError {
    /// What it was to be read as.
    pub shape: ColumnKind,
}
