//! Checks of the repository itself: layers of modules, documents, words and sizes of files.
#![allow(clippy::unwrap_used, missing_docs)]

mod code_blocks;
mod dependencies;
mod layers;
mod links;
mod sizes;
mod sources;
mod words;

type TestResult<T = ()> = Result<T, Box<dyn std::error::Error>>;
