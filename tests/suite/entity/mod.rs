//! The entities that several tests use.

pub(crate) mod comment;
pub(crate) mod post;
