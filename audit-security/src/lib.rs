//! Monitoring, not a firewall: signs of an attack in a request, found without touching the request.
//!
//! Applications depend on the facade crate `sea-orm-audit` with the feature `security`, which re-exports this
//! crate as `sea_orm_audit::web::security`, and give a [`SecurityMonitor`] to its `AuditLayer::security`.
//!
//! A *rule* says what looks like an attack, a [`Finding`] says that a request did. There are four
//! kinds of rules, all of them data: *probing paths* that no application of ours has
//! (`/wp-admin`, `.env`), *patterns* of traversal and injection in path and query, *scanners* that
//! name themselves in the user agent, and *bursts* of refused requests or failed logins.
//!
//! This crate refuses to do three things. It blocks nothing: a finding is evidence for a person,
//! and a false alarm must cost a reader a moment, not a user their request. It reads no bodies and
//! no other headers. And it does not take a name for a proof: search-engine crawlers, browsers,
//! libraries and monitors raise nothing by their user agent, whether or not they are what they say.
//!
//! Event names follow the OWASP *Application Logging Vocabulary Cheat Sheet*; see
//! [`SecurityEventName`] for which word is used for what.
//!
//! # Cost and bounds
//! Path, query and agent are decoded where they need it, put to all patterns in one pass, and a path's segments
//! are looked up in a table. The `regex` crate matches in linear time; what is longer than
//! [`MAX_INSPECTED`] bytes is a finding itself and is not read further.
//!
//! # What to use when
//!
//! | item | when |
//! |---|---|
//! | [`SecurityMonitor`] | always: it holds the rules and counts; give clones of one to `AuditLayer` and `AuditedBackend` |
//! | [`SecurityRules`], [`SecurityRulesBuilder`] | to add, allow or leave out rules |
//! | [`SecurityRulesError`] | what `build` answers to a mistake in them |
//! | [`Burst`], [`BurstLimit`] | to name a burst whose limit is set |
//! | [`Finding`], [`SecurityEventName`] | to inspect requests by yourself, with [`SecurityRules::inspect`] |
//! | [`BurstMonitor`] | to count refusals by yourself, with [`SecurityRules::burst_monitor`] |
//! | [`MAX_INSPECTED`] | to know how much of a request is read |

mod builder;
mod bursts;
mod decode;
mod event;
mod finding;
mod finding_limiter;
mod monitor;
mod path;
mod patterns;
mod rules;
mod word_matcher;

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
pub use monitor::SecurityMonitor;
pub use rules::{MAX_INSPECTED, SecurityRules};
