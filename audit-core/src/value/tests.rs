//! Fixed examples of every canonical form, and properties of all values.

mod examples;
mod properties;
pub(crate) mod values;
