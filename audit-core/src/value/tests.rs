//! Fixed examples of every canonical form, and what holds of all values.

mod examples;
mod properties;
pub(crate) mod values;
