//! How records are made: [`AuditConfig`].
//!
//! The process has one installed configuration; [`AuditConfig::scope`] sets another one for a future (tests, tenants).
//! The innermost wins. A skipped write costs no statement.

mod builder;
mod capture_plan;
mod tables;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use sea_orm::prelude::{DateTimeUtc, Json};

pub use builder::AuditConfigBuilder;
#[cfg(feature = "statements")]
pub(crate) use capture_plan::OldValue;
pub(crate) use capture_plan::{Plan, RecordingMode};
#[cfg(feature = "statements")]
pub(crate) use capture_plan::{StoredRow, StoredValue};
pub use tables::Tables;

use crate::action::Action;
use crate::auditable::{EntityInfo, audited_entities};
use crate::hash::HashKey;
use crate::redact::Sensitive;
use crate::suppression::Suppression;

/// What a write does when its record cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FailurePolicy {
    /// The write returns an error. Inside a transaction the caller must roll back; on a plain
    /// autocommit connection the error is [`AuditError::ChangeCommittedWithoutRecord`](crate::AuditError::ChangeCommittedWithoutRecord).
    #[default]
    Fail,
    /// The write succeeds. `AuditStats::isolated` counts the failure, and `tracing` reports it. Errors that end the
    /// transaction are returned all the same.
    Isolate,
}

/// How an `AuditedConnection` handles a statement whose changes cannot be captured.
///
/// SeaORM's own statements can always be captured; most hand-written statements can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StatementPolicy {
    /// The statement runs, and is reported: by a WARNING system event, through `tracing`, and in
    /// `AuditStats::uncaptured`.
    #[default]
    Capture,
    /// It is refused, with [`AuditError::Refused`](crate::AuditError::Refused). Nothing is done.
    Deny,
    /// The statement runs, and is not reported.
    Allow,
}

/// How a write without an actor is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RequireActor {
    /// It is recorded with an actor of type UNKNOWN.
    #[default]
    Allow,
    /// The same, and a warning through `tracing`; counted in `AuditStats::without_actor`.
    Warn,
    /// It is refused before anything is done.
    Deny,
}

/// Returns the time of a record. Closures implement it.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> DateTimeUtc;
}

impl<F: Fn() -> DateTimeUtc + Send + Sync> Clock for F {
    fn now(&self) -> DateTimeUtc {
        self()
    }
}

/// How records are made. Cheap to clone.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::{Action, AuditConfig, FailurePolicy};
/// AuditConfig::builder()
///     .skip_model("session")
///     .skip_action(Action::View)
///     .redact_field("email")
///     .failure_policy(FailurePolicy::Isolate)
///     .build()?
///     .install()?;
/// # Ok::<(), sea_orm_audit_core::AuditError>(())
/// ```
#[derive(Clone)]
pub struct AuditConfig(Arc<Inner>);

struct Inner {
    settings: Settings,
    /// The period of its migration mode, from the first write that it keeps out of the log until the configuration is
    /// dropped.
    suppression: OnceLock<Suppression>,
    /// By the address of the entity's info, which is static.
    plans: RwLock<HashMap<usize, Arc<Plan>>>,
}

/// The default number of before-images that may wait.
pub(crate) const BEFORE_IMAGES: usize = 1024;

/// What the builder gathers.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) skip_models: HashSet<String>,
    pub(crate) skip_types: HashSet<std::any::TypeId>,
    pub(crate) trigger_types: HashSet<std::any::TypeId>,
    pub(crate) skip_actions: HashSet<Action>,
    pub(crate) skip_fields: HashSet<String>,
    pub(crate) redact_fields: HashSet<String>,
    pub(crate) sensitive: Sensitive,
    pub(crate) failure_policy: FailurePolicy,
    /// Why nothing is recorded, where that is so.
    pub(crate) migration_mode: Option<&'static str>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hash_key: Option<HashKey>,
    pub(crate) tables: Tables,
    pub(crate) before_images: usize,
    pub(crate) statements: StatementPolicy,
    pub(crate) require_actor: RequireActor,
    pub(crate) buffered_records: usize,
    pub(crate) chunk_rows: u64,
    pub(crate) before_row_bytes: usize,
}

impl AuditConfig {
    /// Begins a configuration in which nothing is skipped and failures fail.
    pub fn builder() -> AuditConfigBuilder {
        AuditConfigBuilder::default()
    }

    /// Begins a configuration that fails rather than misses a record: it refuses what cannot be captured
    /// ([`StatementPolicy::Deny`]) and a write without an actor ([`RequireActor::Deny`]), makes a write fail whose
    /// record fails ([`FailurePolicy::Fail`]), and ignores `AUDIT_MIGRATION_MODE` in the environment.
    pub fn strict() -> AuditConfigBuilder {
        AuditConfigBuilder::strict()
    }

    /// The names of the audit tables.
    #[must_use]
    pub fn tables(&self) -> Tables {
        self.0.settings.tables
    }

    /// What a write does when its record cannot be written.
    #[must_use]
    pub fn failure_policy(&self) -> FailurePolicy {
        self.0.settings.failure_policy
    }

    /// The time now, by this configuration's clock, in whole microseconds.
    #[must_use]
    pub fn now(&self) -> DateTimeUtc {
        let now = self.0.settings.clock.now();
        DateTimeUtc::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }

    /// How a statement is handled whose changes cannot be captured.
    #[must_use]
    pub fn statement_policy(&self) -> StatementPolicy {
        self.0.settings.statements
    }

    pub(crate) fn actor_requirement(&self) -> RequireActor {
        self.0.settings.require_actor
    }

    pub(crate) fn requires_actor(&self) -> bool {
        self.actor_requirement() != RequireActor::Allow
    }

    pub(crate) fn skipped_models(&self) -> &HashSet<String> {
        &self.0.settings.skip_models
    }

    /// How many before-images may wait.
    pub(crate) fn before_images(&self) -> usize {
        self.0.settings.before_images
    }

    /// Why nothing is recorded, where that is so.
    pub(crate) fn migration_mode(&self) -> Option<&'static str> {
        self.0.settings.migration_mode
    }

    /// The period of its migration mode, from the first write that it keeps out of the log.
    pub(crate) fn suppression(&self) -> &OnceLock<Suppression> {
        &self.0.suppression
    }

    /// Whether triggers record the changes of any known entity.
    #[cfg(feature = "statements")]
    pub(crate) fn has_triggers(&self) -> bool {
        (crate::auditable::known().into_iter()).any(|info| self.plan(info).by_trigger)
    }

    #[cfg(feature = "statements")]
    pub(crate) fn buffered_records(&self) -> usize {
        self.0.settings.buffered_records
    }

    /// How many bytes of rows that a statement is going to change are held in memory.
    #[cfg(feature = "statements")]
    pub(crate) fn before_row_bytes(&self) -> usize {
        self.0.settings.before_row_bytes
    }

    #[cfg(feature = "statements")]
    pub(crate) fn chunk_rows(&self) -> u64 {
        self.0.settings.chunk_rows
    }

    /// A hash of a text under the configured key, different for each purpose: 32 hexadecimal
    /// digits of HMAC-SHA-256. `None` where there is no key.
    #[doc(hidden)]
    #[must_use]
    pub fn keyed_hash(&self, purpose: &str, text: &str) -> Option<String> {
        let json = Json::String(text.to_owned());
        let hash = crate::target::text_of(self.hash_key()?.hash("keyed_hash", purpose, &json));
        let (_, digits) = hash.rsplit_once(':')?;
        Some(format!("hmac-sha256:{}", digits.get(..32)?))
    }

    /// The stored form of a text of one field, under the configured key, or else under one that ends with the process:
    /// the form distinguishes texts, and trying texts does not reveal them.
    #[doc(hidden)]
    #[must_use]
    pub fn private_hash(&self, model: &str, field: &str, text: &str) -> String {
        let key = self.hash_key().unwrap_or(HashKey::of_process());
        crate::target::text_of(key.hash(model, field, &Json::String(text.to_owned())))
    }

    pub(crate) fn hash_key(&self) -> Option<&HashKey> {
        self.0.settings.hash_key.as_ref()
    }

    pub(crate) fn sensitive(&self) -> &Sensitive {
        &self.0.settings.sensitive
    }

    pub(crate) fn skips_action(&self, action: &Action) -> bool {
        self.0.settings.skip_actions.contains(action)
    }

    pub(crate) fn skips_model(&self, model: &str) -> bool {
        self.0.settings.skip_models.contains(model)
    }

    /// Whether a field of no known entity is redacted, by its name.
    #[doc(hidden)]
    #[must_use]
    pub fn redacts(&self, field: &str) -> bool {
        let settings = &self.0.settings;
        settings.redact_fields.contains(&field.to_lowercase())
            || settings.skip_fields.contains(&field.to_lowercase())
            || settings.sensitive.matches(field)
    }

    /// A value without the secrets inside.
    pub(crate) fn without_secrets(&self, mut json: Json) -> Json {
        self.sensitive().redact_json(&mut json);
        json
    }

    /// What this configuration does with an entity; worked out once.
    pub(crate) fn plan(&self, info: &'static EntityInfo) -> Arc<Plan> {
        let key = std::ptr::from_ref(info) as usize;
        if let Some(plan) = self.plans().get(&key) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(Plan::new(&self.0.settings, info));
        self.0
            .plans
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, Arc::clone(&plan));
        plan
    }

    fn plans(&self) -> std::sync::RwLockReadGuard<'_, HashMap<usize, Arc<Plan>>> {
        self.0.plans.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for AuditConfig {
    /// What applies when nothing is installed. `AUDIT_MIGRATION_MODE=1` in the environment puts it,
    /// like every other configuration built, into migration mode.
    fn default() -> Self {
        AuditConfigBuilder::default().finish()
    }
}

impl fmt::Debug for AuditConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In order: equal configurations read the same, as MAINTENANCE events are compared by text.
        fn sorted<'s>(words: impl IntoIterator<Item = &'s str>) -> BTreeSet<&'s str> {
            words.into_iter().collect()
        }
        fn texts(words: &HashSet<String>) -> BTreeSet<&str> {
            sorted(words.iter().map(String::as_str))
        }
        let settings = &self.0.settings;
        let among = |types: &HashSet<std::any::TypeId>| -> BTreeSet<&str> {
            let entities = audited_entities().filter(|info| types.contains(&info.type_id));
            entities.map(EntityInfo::model).collect()
        };
        f.debug_struct("AuditConfig")
            .field("skip_models", &texts(&settings.skip_models))
            .field("skip_entities", &among(&settings.skip_types))
            .field("captured_by_trigger", &among(&settings.trigger_types))
            .field(
                "skip_actions",
                &sorted(settings.skip_actions.iter().map(Action::as_str)),
            )
            .field("skip_fields", &texts(&settings.skip_fields))
            .field("redact_fields", &texts(&settings.redact_fields))
            .field("secret_detection", &settings.sensitive.is_on())
            .field("failure_policy", &settings.failure_policy)
            .field("statement_policy", &settings.statements)
            .field("require_actor", &settings.require_actor)
            .field("migration_mode", &settings.migration_mode.is_some())
            .field("hash_key", &settings.hash_key)
            .field("tables", &settings.tables)
            .finish_non_exhaustive()
    }
}
