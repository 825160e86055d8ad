//! What the test programs share: [`support`], a database of its own for every test.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    clippy::must_use_candidate
)]

pub mod support;
