//! Capture: from a write to its record.

mod before_image;
mod finished;
mod generated;
mod hook;
mod operating;
#[cfg(feature = "statements")]
mod statement;
mod told;

pub(crate) use before_image::store;
pub(crate) use hook::{after_delete, after_save, before_delete, before_save, deleted, saved};
#[cfg(feature = "statements")]
pub(crate) use statement::{Affected, Answer, Audited, Engine, Gap, Problem, Server, result_of};
