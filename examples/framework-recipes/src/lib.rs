//! The code of the guides in `docs/` for frameworks that the other recipes cannot be built with.
#![allow(clippy::missing_errors_doc, clippy::must_use_candidate)]

#[cfg(feature = "seaography")]
pub mod graphql;
#[cfg(feature = "loco")]
pub mod loco;
pub mod product;
