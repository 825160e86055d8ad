//! Monitoring, not a firewall: detects signs of an attack in a request, without changing the request.
//!
//! Applications depend on the facade crate `sea-orm-audit` with the feature `security`, which re-exports this
//! crate as `sea_orm_audit::web::security`, and give a [`SecurityMonitor`] to its `AuditLayer::security`.
//!
//! A *rule* describes an attack, a [`Finding`] reports that a request matched. There are four kinds of rules, all of
//! them data: *probing paths* that no application of ours has (`/wp-admin`, `.env`), *patterns* of traversal and
//! injection in path and query, *scanners* that name themselves in the user agent, and *bursts* of refused requests
//! or failed logins.
//!
//! This crate does not do three things. It blocks nothing: a finding is evidence for a person, and a false alarm
//! costs a reader a moment, not a user their request. It reads no bodies and no other headers. And it does not trust
//! names: search-engine crawlers, browsers, libraries and monitors raise nothing by their user agent, whether or not
//! it is genuine.
//!
//! Event names follow the OWASP *Application Logging Vocabulary Cheat Sheet*; see [`SecurityEventName`] for the term
//! of each.
//!
//! # Cost and bounds
//! Path, query and agent are decoded only where they need it, and matched against all patterns in one pass. A path's
//! segments are looked up in a table. The `regex` crate matches in linear time; a path or query of more than
//! [`MAX_INSPECTED`] bytes is a finding itself and is not read further.
//!
//! # What to use when
//!
//! | item | when |
//! |---|---|
//! | [`SecurityMonitor`] | always: it holds the rules and counts; give clones of one to `AuditLayer` and `AuditedBackend` |
//! | [`SecurityRules`], [`SecurityRulesBuilder`] | to add, allow or leave out rules |
//! | [`SecurityRulesError`] | the error of `build` for an invalid rule |
//! | [`Burst`], [`BurstLimit`] | to name a burst whose limit is set |
//! | [`Finding`], [`SecurityEventName`] | to inspect requests yourself, with [`SecurityRules::inspect`] |
//! | [`BurstMonitor`] | to count refusals yourself, with [`SecurityRules::burst_monitor`] |
//! | [`MAX_INSPECTED`] | the number of bytes of a request that are read |

mod bursts;
mod event;
mod finding;
mod finding_limiter;
mod monitor;
mod path;
mod patterns;
mod rules;
mod rules_builder;
mod url_decode;
mod word_matcher;

#[cfg(test)]
mod corpus_test;
#[cfg(test)]
mod property_test;
#[cfg(test)]
mod rules_test;

pub use bursts::{Burst, BurstLimit, BurstMonitor};
pub use event::SecurityEventName;
pub use finding::Finding;
pub use monitor::SecurityMonitor;
pub use rules::{MAX_INSPECTED, SecurityRules};
pub use rules_builder::{SecurityRulesBuilder, SecurityRulesError};
