//! The entities of the tests.

pub(crate) mod post;
