//! The code of the guides in `docs/`: each block of a guide is a part of one of these files, which
//! `tests/repository` checks.
#![allow(missing_docs, clippy::missing_panics_doc, clippy::must_use_candidate)]

#[cfg(feature = "actix")]
pub mod actix;
pub mod bulk;
pub mod configuration;
pub mod connection;
pub mod context;
pub mod coverage;
pub mod entity_first;
pub mod events;
pub mod export;
pub mod history;
pub mod job;
pub mod login;
pub mod migration_mode;
pub mod migrator;
pub mod own_hooks;
pub mod product;
pub mod sea_orm_model;
pub mod service;
pub mod testing;
pub mod token;
pub mod tonic_server;
pub mod triggers;
pub mod web;
