//! How records are made: [`AuditConfig`].
//!
//! One configuration is installed for the process; another can be given to a piece of work with
//! [`AuditConfig::scope`] (tests, tenants). The nearest wins. What is skipped costs no statement.

mod builder;
mod plan;
mod tables;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock};

use sea_orm::prelude::{DateTimeUtc, Json};

pub use builder::AuditConfigBuilder;
#[cfg(feature = "statements")]
pub(crate) use plan::OldValue;
pub(crate) use plan::{Plan, Treatment};
#[cfg(feature = "statements")]
pub(crate) use plan::{StoredRow, StoredValue};
pub use tables::Tables;

use crate::action::Action;
use crate::auditable::{EntityInfo, audited_entities};
use crate::capture::store;
use crate::context;
use crate::context::{AuditContext, Suppression};
use crate::error::{AuditError, Cause, ChangeState};
use crate::event::{EventType, SystemEvent, report};
use crate::hash::HashKey;
use crate::redact::Sensitive;
use crate::stats::{COUNTERS, count};

/// What a write does when its record cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FailurePolicy {
    /// The write returns an error. Inside a transaction the caller must roll back; on a plain
    /// autocommit connection the error is [`AuditError::ChangeCommittedWithoutRecord`].
    #[default]
    Fail,
    /// The write goes on. The failure is counted in `AuditStats::isolated` and reported through
    /// `tracing`. Errors that end the transaction are returned all the same.
    Isolate,
}

/// What becomes of a statement through an `AuditedConnection` whose changes cannot be captured.
///
/// SeaORM's own statements always can be; hand-written ones mostly can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StatementPolicy {
    /// It is let pass, and reported: by a WARNING among the system events, through `tracing`, and in
    /// `AuditStats::uncaptured`.
    #[default]
    Capture,
    /// It is refused, with [`AuditError::Refused`]. Nothing is done.
    Deny,
    /// It is let pass, and not reported.
    Allow,
}

/// What a write gets whose actor nobody named.
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

/// Tells the time of a record. Closures satisfy it.
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
    /// The stretch of its migration mode, from the first write that it keeps out of the log until the
    /// configuration is given up.
    suppression: OnceLock<Suppression>,
    /// By the address of the entity's info, which is static.
    plans: RwLock<HashMap<usize, Arc<Plan>>>,
}

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

static INSTALLED: LazyLock<RwLock<AuditConfig>> =
    LazyLock::new(|| RwLock::new(AuditConfig::default()));

impl AuditConfig {
    /// Begins a configuration in which nothing is skipped and failures fail.
    pub fn builder() -> AuditConfigBuilder {
        AuditConfigBuilder::default()
    }

    /// Begins a configuration for those who would rather fail than miss a record: what cannot be
    /// captured is refused ([`StatementPolicy::Deny`]), so is a write by nobody
    /// ([`RequireActor::Deny`]), a record that fails makes its write fail
    /// ([`FailurePolicy::Fail`]), and `AUDIT_MIGRATION_MODE` in the environment is ignored.
    pub fn strict() -> AuditConfigBuilder {
        AuditConfigBuilder::strict()
    }

    /// Makes this the configuration of the process, in place of the one before. That is reported to the
    /// installed [`EventWriter`](crate::EventWriter), or the first one that is installed later, as a MAINTENANCE event.
    ///
    /// # Errors
    /// Returns [`AuditError::Config`] when an audited entity has a `hash` field and there is no
    /// key. Nothing is installed then.
    pub fn install(self) -> Result<(), AuditError> {
        for info in audited_entities() {
            let plan = self.plan(info);
            if let Some(field) = plan.hashed_field()
                && self.hash_key().is_none()
            {
                return Err(AuditError::Config(format!(
                    "the field `{field}` of `{}` is marked `hash`, but there is no key: \
                     call `.hash_key(..)` on the builder",
                    info.model()
                )));
            }
        }
        for model in &self.0.settings.skip_models {
            if !audited_entities().any(|info| info.model() == model) {
                tracing::warn!(
                    model = model.as_str(),
                    "the audit configuration skips a model that no linked entity has"
                );
            }
        }
        store().set_capacity(self.0.settings.before_images);
        // In words, since it is evidence; what changed in it shows beside the one before.
        let (title, settings) = ("audit configuration installed", format!("{self:?}"));
        let before = std::mem::replace(
            &mut *INSTALLED.write().unwrap_or_else(PoisonError::into_inner),
            self,
        );
        // Without the lock: the end of its migration mode is reported, for which it is read.
        drop(before);
        tracing::info!(settings, "{title}");
        report(
            SystemEvent::new(EventType::Maintenance, title)
                .fingerprint(format!("{title}\n{settings}"))
                .description(settings),
        );
        Ok(())
    }

    /// The nearest configuration: of the scope, else of the process, else the default.
    #[must_use]
    pub fn current() -> Self {
        context::scoped_config().unwrap_or_else(|| {
            INSTALLED
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        })
    }

    /// Runs a future under this configuration. Tasks that it spawns are outside, unless they are
    /// wrapped with `.with_audit_context()`.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        context::with_config(self.clone(), future)
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

    /// What becomes of a statement whose changes cannot be captured.
    #[must_use]
    pub fn statement_policy(&self) -> StatementPolicy {
        self.0.settings.statements
    }

    /// Refuses or reports a write by nobody, as `require_actor` says.
    pub(crate) fn check_actor(&self, context: &AuditContext) -> Result<(), AuditError> {
        let unknown = (context.actor.as_ref())
            .is_none_or(|actor| actor.kind() == crate::actor::ActorType::Unknown);
        match self.0.settings.require_actor {
            RequireActor::Warn if unknown => {
                count(&COUNTERS.without_actor);
                tracing::warn!("a write by nobody is recorded: no actor is set");
                Ok(())
            }
            RequireActor::Deny if unknown => Err(AuditError::NotRecorded {
                state: ChangeState::NotTried,
                cause: Cause::NoActor,
            }),
            _ => Ok(()),
        }
    }

    pub(crate) fn requires_actor(&self) -> bool {
        self.0.settings.require_actor != RequireActor::Allow
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

    /// A hash of a text under the configured key, which is another one for each purpose: 32 hexadecimal
    /// digits of HMAC-SHA-256. `None` where there is no key.
    #[doc(hidden)]
    #[must_use]
    pub fn keyed_hash(&self, purpose: &str, text: &str) -> Option<String> {
        let json = Json::String(text.to_owned());
        let hash = crate::target::text_of(self.hash_key()?.hash("keyed_hash", purpose, &json));
        let (_, digits) = hash.rsplit_once(':')?;
        Some(format!("hmac-sha256:{}", digits.get(..32)?))
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

    /// Whether migration mode, of the scope or of this configuration, keeps writes out of the log.
    pub(crate) fn is_suppressed(&self) -> bool {
        self.0.settings.migration_mode.is_some() || context::suppression().is_some()
    }

    /// Whether migration mode keeps a write out of the log; counts it then.
    pub(crate) fn suppresses_write(&self) -> bool {
        if let Some(suppression) = context::suppression() {
            suppression.count();
        } else if let Some(reason) = self.0.settings.migration_mode {
            let enter = || Suppression::enter(reason.to_owned());
            self.0.suppression.get_or_init(enter).count();
        } else {
            return false;
        }
        count(&COUNTERS.suppressed);
        true
    }

    /// What its migration mode has kept out of the log so far, if anything.
    pub(crate) fn suppressed_so_far(&self) -> Option<SystemEvent> {
        let suppression = self.0.suppression.get()?;
        Some(suppression.so_far("audit migration mode is on at shutdown"))
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
