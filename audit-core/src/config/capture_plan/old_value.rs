//! The values of a row before a change: as values, or in the form that may be written to a temporary file.
//!
//! That form contains nothing that the log does not show. It holds recorded columns as they are stored. For what is
//! redacted, hashed or replaced inside JSON it holds a digest under a key that ends with the process; the digest shows
//! whether the value has changed.

use sea_orm::prelude::Json;
use sea_orm::sea_query::Value;

use super::Plan;
use crate::config::AuditConfig;
use crate::error::Cause;
use crate::value::{canonical_eq, encode};

/// One value of a row before a change.
#[derive(Clone, Copy)]
pub(crate) enum OldValue<'a> {
    Read(&'a Value),
    #[cfg(feature = "statements")]
    Stored(&'a StoredValue),
}

impl OldValue<'_> {
    /// The form in which the log has it.
    pub(super) fn stored(
        &self,
        plan: &Plan,
        config: &AuditConfig,
        at: usize,
    ) -> Result<Json, Cause> {
        match self {
            Self::Read(value) => plan.stored(config, at, value),
            #[cfg(feature = "statements")]
            Self::Stored(value) => Ok(value.form.clone()),
        }
    }

    /// Whether the column still holds this value.
    pub(super) fn is_same(&self, plan: &Plan, at: usize, new: &Value) -> bool {
        #[cfg(not(feature = "statements"))]
        let _ = (plan, at, encode);
        match self {
            Self::Read(value) => canonical_eq(value, new),
            #[cfg(feature = "statements")]
            Self::Stored(value) => encode(new).is_ok_and(|json| match &value.digest {
                Some(digest) => *digest == plan.digest(at, &json),
                None => value.form == json,
            }),
        }
    }
}

/// One value in the form that may be written to a temporary file.
#[cfg(feature = "statements")]
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredValue {
    pub(crate) form: Json,
    /// A digest of the whole value, where the form omits a part.
    pub(crate) digest: Option<Json>,
}

/// A row in the form that may be written to a temporary file.
#[cfg(feature = "statements")]
pub(crate) type StoredRow = Vec<StoredValue>;

#[cfg(feature = "statements")]
impl Plan {
    /// A row in the form that may be written to a temporary file.
    pub(crate) fn stored_row(
        &self,
        config: &AuditConfig,
        row: &[Value],
    ) -> Result<StoredRow, Cause> {
        (row.iter().enumerate())
            .map(|(at, value)| self.stored_value(config, at, value))
            .collect()
    }

    fn stored_value(
        &self,
        config: &AuditConfig,
        at: usize,
        value: &Value,
    ) -> Result<StoredValue, Cause> {
        use super::RecordingMode as T;
        let json = encode(value).map_err(|error| self.refused(at, error))?;
        let (form, is_whole) = match self.columns[at] {
            T::Skip => (Json::Null, true),
            T::LeftOut if !self.is_shown(at) => (Json::Null, true),
            T::Redact => (Json::Null, false),
            T::Hash => (self.hashed(config, at, &json)?, false),
            T::Plain | T::LeftOut => (json.clone(), true),
            T::Record => {
                let form = self.stored(config, at, value)?;
                let is_whole = form == json;
                (form, is_whole)
            }
        };
        let digest = (!is_whole).then(|| self.digest(at, &json));
        Ok(StoredValue { form, digest })
    }

    /// Whether a column that is left out shows in the key, the label or the tenant of a row.
    fn is_shown(&self, at: usize) -> bool {
        let is_displayed = |part: &crate::auditable::Part| matches!(part, crate::auditable::Part::Column(c) if *c == at);
        self.info.key.contains(&at)
            || self.info.tenant == Some(at)
            || self.info.display.iter().any(is_displayed)
    }

    /// The digest that replaces a value which may not be kept.
    fn digest(&self, at: usize, json: &Json) -> Json {
        let column = self.info.columns[at].name;
        crate::hash::HashKey::of_process().hash(self.info.model(), column, json)
    }
}
