//! The whole application over real HTTP on loopback, on every database.
#![allow(clippy::print_stderr, clippy::expect_used)]

#[macro_use]
mod support;

mod actors;
mod cancelled;
mod crowd;
mod everyday;
mod hostile;
mod lockout;
mod names;
mod sessions;
mod streamed;
