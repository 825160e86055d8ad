//! The content of the attributes, checked.

use proc_macro2::{Ident, Span};
use syn::Path;

/// The derive's input, parsed.
pub(crate) struct Model {
    pub(crate) krate: Path,
    pub(crate) name: Option<String>,
    pub(crate) module: Option<String>,
    pub(crate) display: Vec<Segment>,
    pub(crate) tenant: Option<Ident>,
    pub(crate) soft_delete: Option<Ident>,
    /// Names of fields.
    pub(crate) only: Vec<String>,
    pub(crate) redact_by_default: bool,
    pub(crate) skip_actions: Vec<ChangeAction>,
    pub(crate) skip: bool,
    /// The database's own triggers record the changes.
    pub(crate) by_trigger: bool,
    pub(crate) behavior: Behavior,
    pub(crate) fields: Vec<Field>,
}

/// Where the entity's `impl ActiveModelBehavior` comes from.
#[derive(Clone, Copy)]
pub(crate) enum Behavior {
    /// The derive writes it.
    Derived,
    /// The user wrote it, as `behavior = "own"` declares.
    Own(Span),
    /// `behavior` is present, but wrong. As users write it only for an entity that has an impl, a second impl would
    /// only be a second error.
    Mistaken,
}

/// A field that is a column.
pub(crate) struct Field {
    /// Its name, without `r#`.
    pub(crate) name: String,
    /// Its variant of the entity's `Column`.
    pub(crate) column: Ident,
    /// Whether the column has, or may have, another name than the field.
    pub(crate) renamed: bool,
    /// Whether SeaORM's attribute marks it as part of the primary key.
    pub(crate) key: bool,
    pub(crate) policy: Option<Policy>,
    /// Whether its type is `Option` or `bool`.
    pub(crate) may_be_unset: bool,
    /// The column's name in older records.
    pub(crate) was: Option<String>,
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

/// A segment of a `display` template, a column by its variant.
pub(crate) enum Segment {
    Text(String),
    Column(Ident),
}

impl Model {
    /// A model without attributes.
    pub(crate) fn plain(krate: Path) -> Self {
        Self {
            krate,
            name: None,
            module: None,
            display: Vec::new(),
            tenant: None,
            soft_delete: None,
            only: Vec::new(),
            redact_by_default: false,
            skip_actions: Vec::new(),
            skip: false,
            by_trigger: false,
            behavior: Behavior::Derived,
            fields: Vec::new(),
        }
    }

    /// The field with this name, or a message that lists the fields.
    pub(crate) fn field(&self, name: &str) -> Result<&Field, String> {
        let found = self.fields.iter().find(|field| field.name == name);
        found.ok_or_else(|| {
            let names: Vec<_> = (self.fields.iter())
                .map(|field| format!("`{}`", field.name))
                .collect();
            let names = names.join(", ");
            format!("`{name}` is not a field of this model; its fields are {names}")
        })
    }

    /// Why a field's value is never stored as it is, `None` when it can be. What `only` leaves out
    /// may show in the label and as the tenant; its changes are not recorded, that is all.
    pub(crate) fn why_hidden(&self, field: &Field) -> Option<&'static str> {
        match field.policy {
            Some(Policy::Skip) => Some("is `skip`"),
            Some(Policy::Redact) => Some("is `redact`"),
            Some(Policy::Hash) => Some("is `hash`"),
            Some(Policy::Plain) => None,
            None => (self.redact_by_default && !field.key && !self.leaves_out(field))
                .then_some("is redacted by default and not `plain`"),
        }
    }

    pub(crate) fn leaves_out(&self, field: &Field) -> bool {
        !self.only.is_empty() && !self.only.contains(&field.name)
    }
}
