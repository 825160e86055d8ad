//! The builder of [`AuditConfig`].

use std::any::TypeId;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Once, OnceLock, RwLock};

use sea_orm::EntityTrait;
use sea_orm::prelude::DateTimeUtc;

use super::{
    AuditConfig, Clock, FailurePolicy, Inner, RequireActor, Settings, StatementPolicy, Tables,
};
use crate::action::Action;
use crate::error::AuditError;
use crate::hash::HashKey;
use crate::redact::Sensitive;

/// Gathers an [`AuditConfig`].
#[must_use = "a configuration does nothing until it is built and installed"]
pub struct AuditConfigBuilder {
    settings: Settings,
    sensitive: Vec<String>,
    detects_secrets: bool,
    prefix: String,
    schema: Option<String>,
}

impl std::fmt::Debug for AuditConfigBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditConfigBuilder").finish_non_exhaustive()
    }
}

/// The environment variable that puts every configuration into migration mode.
const MIGRATION_MODE: &str = "AUDIT_MIGRATION_MODE";

impl Default for AuditConfigBuilder {
    fn default() -> Self {
        let migrating = std::env::var(MIGRATION_MODE).is_ok_and(|value| {
            matches!(value.trim(), "1") || value.trim().eq_ignore_ascii_case("true")
        });
        if migrating {
            static SAY_ONCE: Once = Once::new();
            SAY_ONCE.call_once(|| tracing::warn!("{MIGRATION_MODE} is set: nothing is recorded"));
        }
        Self {
            settings: Settings {
                skip_models: HashSet::new(),
                skip_types: HashSet::new(),
                trigger_types: HashSet::new(),
                skip_actions: HashSet::new(),
                skip_fields: HashSet::new(),
                redact_fields: HashSet::new(),
                sensitive: Sensitive::off(),
                failure_policy: FailurePolicy::Fail,
                migration_mode: migrating.then_some("AUDIT_MIGRATION_MODE is set"),
                clock: Arc::new(|| -> DateTimeUtc { chrono::Utc::now() }),
                hash_key: None,
                tables: Tables::default(),
                before_images: super::BEFORE_IMAGES,
                statements: StatementPolicy::Capture,
                require_actor: RequireActor::Allow,
                buffered_records: 512,
                chunk_rows: 5_000,
                before_row_bytes: 16 << 20,
            },
            sensitive: Vec::new(),
            detects_secrets: true,
            prefix: "audit_".into(),
            schema: None,
        }
    }
}

impl AuditConfigBuilder {
    pub(super) fn strict() -> Self {
        let mut builder = Self::default();
        // Only the environment can have set it.
        builder.settings.migration_mode = None;
        builder
            .statement_policy(StatementPolicy::Deny)
            .require_actor(RequireActor::Deny)
            .failure_policy(FailurePolicy::Fail)
    }

    /// Records nothing of the model with this name (the derive's `name`, by default the table
    /// name). By default no model is skipped.
    pub fn skip_model(mut self, model: impl Into<String>) -> Self {
        self.settings.skip_models.insert(model.into());
        self
    }

    /// Records nothing of this entity. By default no entity is skipped.
    pub fn skip_entity<E: EntityTrait>(mut self) -> Self {
        self.settings.skip_types.insert(TypeId::of::<E>());
        self
    }

    /// Leaves the changes of an entity to its table's triggers, as `#[audit(capture = "trigger")]` does: for an entity
    /// of another crate, whose derive does not declare it.
    pub fn captured_by_trigger<E: EntityTrait>(mut self) -> Self {
        self.settings.trigger_types.insert(TypeId::of::<E>());
        self
    }

    /// Records no such action, of any model. By default no action is skipped.
    pub fn skip_action(mut self, action: Action) -> Self {
        self.settings.skip_actions.insert(action);
        self
    }

    /// Leaves the fields of this name out of every model. Compared without regard to case, with
    /// the name of the column and of the Rust field. By default no field is left out.
    pub fn skip_field(mut self, name: &str) -> Self {
        self.settings.skip_fields.insert(name.to_lowercase());
        self
    }

    /// Records that fields of this name changed, without their values, in every model, also where an entity declares
    /// `plain` or `hash`. By default only fields whose names look like secrets.
    pub fn redact_field(mut self, name: &str) -> Self {
        self.settings.redact_fields.insert(name.to_lowercase());
        self
    }

    /// Adds a word that marks a name as a secret; see `SENSITIVE_WORDS` for those built in.
    pub fn sensitive(mut self, word: impl Into<String>) -> Self {
        self.sensitive.push(word.into());
        self
    }

    /// Turns the detection of secrets by name off, the words that were added included. It is on by
    /// default.
    pub fn no_secret_detection(mut self) -> Self {
        self.detects_secrets = false;
        self
    }

    /// What a write does when its record cannot be written. [`FailurePolicy::Fail`] by default.
    pub fn failure_policy(mut self, policy: FailurePolicy) -> Self {
        self.settings.failure_policy = policy;
        self
    }

    /// How an `AuditedConnection` handles a statement whose changes cannot be captured. [`StatementPolicy::Capture`] by
    /// default.
    pub fn statement_policy(mut self, policy: StatementPolicy) -> Self {
        self.settings.statements = policy;
        self
    }

    /// How a write without an actor is handled. [`RequireActor::Allow`] by default.
    pub fn require_actor(mut self, require: RequireActor) -> Self {
        self.settings.require_actor = require;
        self
    }

    /// How many records an `AuditedTransaction` gathers before it writes them in one statement, 512
    /// by default; four megabytes of them are written sooner.
    pub fn buffered_records(mut self, records: usize) -> Self {
        self.settings.buffered_records = records.max(1);
        self
    }

    /// How many rows are read again at a time after a bulk statement has written them, 5,000 by
    /// default.
    pub fn chunk_rows(mut self, rows: u32) -> Self {
        self.settings.chunk_rows = u64::from(rows.max(1));
        self
    }

    /// How many bytes of the rows that one statement is going to change are held in memory before the rest goes
    /// to a temporary file. For tests.
    #[doc(hidden)]
    pub fn before_row_bytes(mut self, bytes: usize) -> Self {
        self.settings.before_row_bytes = bytes;
        self
    }

    /// Keeps every write out of the log while this configuration applies. Off by default, unless the environment sets
    /// `AUDIT_MIGRATION_MODE=1`.
    ///
    /// A MAINTENANCE event reports the first write that is kept out. Another reports their number when the
    /// configuration is replaced or dropped, or the installed `EventWriter` shut down.
    pub fn migration_mode(mut self, on: bool) -> Self {
        self.settings.migration_mode = on.then_some("the configuration says so");
        self
    }

    /// The clock of records. The system's clock by default.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.settings.clock = Arc::new(clock);
        self
    }

    /// The key for fields marked `hash`. None by default.
    pub fn hash_key(mut self, key: HashKey) -> Self {
        self.settings.hash_key = Some(key);
        self
    }

    /// The prefix of the audit tables' names, `audit_` by default.
    pub fn table_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The schema (in MySQL and MariaDB: the database) of the audit tables. By default that of the
    /// connection.
    pub fn table_schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// How many before-images may wait for their write to finish, 1024 by default. Those of
    /// failed writes count until their scope ends or newer ones push them out.
    ///
    /// They wait in one store for the process, so only the installed configuration's number counts.
    pub fn before_image_capacity(mut self, images: usize) -> Self {
        self.settings.before_images = images.max(1);
        self
    }

    /// Finishes the configuration.
    ///
    /// # Errors
    /// Returns [`AuditError::Config`] when the table prefix or schema is no plain identifier.
    pub fn build(mut self) -> Result<AuditConfig, AuditError> {
        self.settings.tables = Tables::new(&self.prefix, self.schema.as_deref())?;
        Ok(self.finish())
    }

    pub(super) fn finish(mut self) -> AuditConfig {
        self.settings.sensitive = if self.detects_secrets {
            Sensitive::new(self.sensitive.iter().map(String::as_str))
        } else {
            Sensitive::off()
        };
        // By name, wherever the name comes up: in JSON and metadata, too.
        let names = self.settings.redact_fields.iter().cloned();
        self.settings.sensitive.also(names);
        AuditConfig(Arc::new(Inner {
            settings: self.settings,
            suppression: OnceLock::new(),
            plans: RwLock::new(HashMap::new()),
        }))
    }
}
