//! Signs of an attack in a request, found without touching the request.
//!
//! A *rule* says what looks like an attack, a [`Finding`] says that a request did. There are four
//! kinds of rules, all of them data: *probing paths* that no application of ours has
//! (`/wp-admin`, `.env`), *patterns* of traversal and injection in path and query, *scanners* that
//! name themselves in the user agent, and *bursts* of refused requests or failed logins.
//!
//! This module refuses to do three things. It blocks nothing: a finding is evidence for a person,
//! and a false alarm must cost a reader a moment, not a user their request. It reads no bodies and
//! no other headers. And it does not take a name for a proof: search-engine crawlers, browsers,
//! libraries and monitors raise nothing by their user agent, whether or not they are what they say.
//!
//! Event names follow the OWASP *Application Logging Vocabulary Cheat Sheet*; see
//! [`SecurityEventName`] for which word is used for what.
//!
//! # Cost and bounds
//! An ordinary request is one pass over the bytes of its path, query and agent, and a table look-up
//! per segment and word. Only a query or path with characters that an attack needs is decoded
//! and put to the patterns. The `regex` crate matches in linear time; what is longer than
//! [`MAX_INSPECTED`] bytes is a finding itself and is not read further.

mod agent;
mod builder;
mod bursts;
mod classes;
mod decode;
mod event;
mod finding;
mod layer;
mod monitor;
mod path;
mod patterns;
mod rules;
mod runs;
mod variety;

#[cfg(test)]
mod corpus_test;
#[cfg(test)]
mod property_test;
#[cfg(test)]
mod rules_test;

pub use builder::{SecurityRulesBuilder, SecurityRulesError};
pub use bursts::{Burst, BurstLimit, BurstMonitor};
pub use event::SecurityEventName;
pub use finding::Finding;
pub use layer::{SecurityFuture, SecurityLayer, SecurityService};
pub use monitor::SecurityMonitor;
pub use rules::{MAX_INSPECTED, SecurityRules};
