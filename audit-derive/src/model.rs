//! What the attributes say, checked.

use proc_macro2::{Ident, Span};
use syn::Path;

/// The derive's input, understood.
pub(crate) struct Model {
    pub(crate) krate: Path,
    pub(crate) name: Option<String>,
    pub(crate) module: Option<String>,
    pub(crate) display: Vec<Segment>,
    pub(crate) tenant: Option<Ident>,
    pub(crate) only: Vec<Ident>,
    pub(crate) redact_by_default: bool,
    pub(crate) skip_actions: Vec<ChangeAction>,
    pub(crate) skip: bool,
    /// Where `behavior = "own"` stands.
    pub(crate) own_behavior: Option<Span>,
    pub(crate) fields: Vec<Field>,
}

/// A field that is a column.
pub(crate) struct Field {
    /// Its name, without `r#`.
    pub(crate) name: String,
    /// Its variant of the entity's `Column`.
    pub(crate) column: Ident,
    /// Whether the column has, or may have, another name than the field.
    pub(crate) renamed: bool,
    pub(crate) policy: Option<Policy>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Skip,
    Redact,
    Hash,
    Plain,
}

impl Policy {
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Redact => "redact",
            Self::Hash => "hash",
            Self::Plain => "plain",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeAction {
    Create,
    Update,
    Delete,
}

/// A piece of a `display` template, a column by its variant.
pub(crate) enum Segment {
    Text(String),
    Column(Ident),
}

impl Model {
    /// A model of which nothing is said.
    pub(crate) fn plain(krate: Path) -> Self {
        Self {
            krate,
            name: None,
            module: None,
            display: Vec::new(),
            tenant: None,
            only: Vec::new(),
            redact_by_default: false,
            skip_actions: Vec::new(),
            skip: false,
            own_behavior: None,
            fields: Vec::new(),
        }
    }

    /// The field with this name.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The names of all fields, for a message.
    pub(crate) fn field_names(&self) -> String {
        let names: Vec<_> = self
            .fields
            .iter()
            .map(|field| format!("`{}`", field.name))
            .collect();
        names.join(", ")
    }
}
