//! The macros of `sea-orm-audit`.
//!
//! They are thin: attributes in, a table of options and four calls out. The logic is in
//! `sea-orm-audit-core`, and the output names nothing but its `__private` module.

mod behavior;
mod display;
mod expand;
mod model;
mod parse;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Records every create, update and delete made through the entity's `ActiveModel`.
///
/// Place it on the `Model` of an entity, in either of SeaORM's forms, after `DeriveEntityModel`. It writes `impl
/// ActiveModelBehavior for ActiveModel`; an empty one that `sea-orm-cli` wrote is removed, one with hooks is kept with
/// `behavior = "own"`, see [`macro@behavior`].
///
/// # On the struct: `#[audit(..)]`
///
/// | key | effect | default |
/// |---|---|---|
/// | `name = ".."` | the model's name in the log, at most 160 characters | the table's name |
/// | `module = ".."` | the part of the application, stored with each record | none |
/// | `display = "{title} (#{id})"` | how the object is shown, cut at 200 characters | model and key |
/// | `tenant = "field"` | the field that names the row's tenant | the context's tenant |
/// | `soft_delete = "field"` | the field that says that a row is deleted: setting it is recorded as `SOFT_DELETE`, emptying it as `RESTORE` | `UPDATE` |
/// | `only(a, b)` | only changes of these fields are recorded; others may still show in `display` | all fields |
/// | `redact_by_default` | every field but the key is redacted, unless it is `plain` | only secrets |
/// | `skip_actions(Update, ..)` | no record of these actions | none |
/// | `skip` | no record at all | |
/// | `behavior = "own"` | the entity has a custom `impl ActiveModelBehavior` | the derive writes it |
/// | `capture = "trigger"` | the database's triggers record (`AuditTriggers`), and nothing else does | `"hook"`: hooks and connection do |
/// | `crate = "path"` | the path of `sea_orm_audit` | `::sea_orm_audit` |
///
/// # On a field: `#[audit(..)]`
///
/// | key | effect |
/// |---|---|
/// | `skip` | never read |
/// | `redact` | that it changed, without its values |
/// | `hash` | a keyed hash of its value, under `AuditConfig::builder().hash_key(..)` |
/// | `plain` | its name looks like a secret's, but it holds none |
/// | `was = "old_name"` | the column's name in older records |
///
/// Each mistake is a compile error at its place.
#[proc_macro_derive(Auditable, attributes(audit))]
pub fn derive_auditable(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::derive(&input).into()
}

/// Wraps an entity's own `impl ActiveModelBehavior` with the capture.
///
/// The user's hooks run as before: what their `before_save` sets is in the record, and when one of
/// them fails there is no record. Any subset of the hooks may be present, with or without
/// `#[async_trait]`, above or below this attribute. The `Model` declares `behavior = "own"`.
///
/// `#[sea_orm_audit::behavior(crate = "path")]` sets the path of `sea_orm_audit`.
#[proc_macro_attribute]
pub fn behavior(args: TokenStream, input: TokenStream) -> TokenStream {
    behavior::weave(args.into(), input.into()).into()
}
