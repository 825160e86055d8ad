//! The test kit: an in-memory database with the audit tables, and assertions on the log.
//!
//! For an application's own tests. Enable the feature `test` in its dev-dependencies.
//!
//! # Examples
//! ```
//! mod patient {
//!     use sea_orm::entity::prelude::*;
//!     use sea_orm_audit::Auditable;
//!
//!     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
//!     #[sea_orm(table_name = "patient")]
//!     pub struct Model {
//!         #[sea_orm(primary_key)]
//!         pub id: i32,
//!         pub name: String,
//!     }
//!
//!     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
//!     pub enum Relation {}
//! }
//!
//! use sea_orm::{ActiveModelTrait, DbErr, IntoActiveModel, Set};
//! use sea_orm_audit::test::{Log, TestDatabase};
//! use sea_orm_audit::{Action, Actor, AuditContext};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), DbErr> {
//! let db = TestDatabase::new().await?.with_table(patient::Entity).await?;
//! let ann = patient::ActiveModel { name: Set("Ann".into()), ..Default::default() };
//! let mut ann = ann.insert(&*db).await?.into_active_model();
//! Log::clear(&*db).await?;
//!
//! ann.name = Set("Anne".into());
//! AuditContext::new().actor(Actor::user(7)).scope(ann.update(&*db)).await?;
//!
//! let audit = Log::read(&*db).await?;
//! audit.only(Action::Update, "patient", 1).by(7).changed("name", "Ann", "Anne");
//! # Ok(())
//! # }
//! ```

// The assertions return the record for the next one; the last result is unused.
#![allow(clippy::must_use_candidate, clippy::return_self_not_must_use)]

use std::fmt;
use std::ops::Deref;

use sea_orm::prelude::Json;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, EntityTrait, QueryOrder,
    Schema,
};

use crate::Action;
use crate::entity::audit_log;
use crate::migration::{Migrator, MigratorTrait};
use crate::query::{Change, Changes};

/// An in-memory SQLite database with the audit tables; dropping it deletes the database.
///
/// Derefs to SeaORM's `DatabaseConnection`: pass `&*db` where one is expected.
#[derive(Debug)]
pub struct TestDatabase(DatabaseConnection);

impl TestDatabase {
    /// Opens a fresh database.
    ///
    /// # Errors
    /// Returns SeaORM's error when SQLite cannot be opened or the migrations fail.
    pub async fn new() -> Result<Self, DbErr> {
        // Every further connection would have a separate empty database.
        let mut options = ConnectOptions::new("sqlite::memory:");
        options
            .max_connections(1)
            .min_connections(1)
            .sqlx_logging(false);
        let connection = Database::connect(options).await?;
        Migrator::up(&connection, None).await?;
        Ok(Self(connection))
    }

    /// Creates the table of an entity.
    ///
    /// # Errors
    /// Returns SeaORM's error when the table cannot be created.
    pub async fn with_table<E: EntityTrait>(self, entity: E) -> Result<Self, DbErr> {
        let schema = Schema::new(self.0.get_database_backend());
        self.0
            .execute(&schema.create_table_from_entity(entity))
            .await?;
        Ok(self)
    }
}

impl Deref for TestDatabase {
    type Target = DatabaseConnection;

    fn deref(&self) -> &DatabaseConnection {
        &self.0
    }
}

/// A snapshot of the audit log of any database.
///
/// Its assertions panic with the whole log when they fail.
#[derive(Clone)]
pub struct Log(Vec<audit_log::Model>);

impl fmt::Debug for Log {
    /// One line per record.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for record in &self.0 {
            writeln!(
                f,
                "{} {} {} by {} {}: {}",
                record.action,
                record.model.as_deref().unwrap_or("-"),
                record.object_id.as_deref().unwrap_or("-"),
                record.actor_type,
                record.actor_id.as_deref().unwrap_or("-"),
                record.changes.as_ref().unwrap_or(&Json::Null),
            )?;
        }
        Ok(())
    }
}

impl Log {
    /// Reads all records, the oldest first.
    ///
    /// # Errors
    /// Returns SeaORM's error when the log cannot be read.
    pub async fn read<C: ConnectionTrait>(db: &C) -> Result<Self, DbErr> {
        let records = audit_log::Entity::find().order_by_asc(audit_log::Column::Id);
        records.all(db).await.map(Self)
    }

    /// Deletes all records, to start again after the test's setup.
    ///
    /// # Errors
    /// Returns SeaORM's error when the log cannot be deleted from.
    pub async fn clear<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
        audit_log::Entity::delete_many().exec(db).await.map(|_| ())
    }

    /// The records, the oldest first.
    #[must_use]
    pub fn records(&self) -> &[audit_log::Model] {
        &self.0
    }

    /// Asserts that there is no record.
    ///
    /// # Panics
    /// Panics when there is one.
    #[track_caller]
    pub fn none(&self) {
        assert!(self.0.is_empty(), "expected no record, found\n{self:?}");
    }

    /// Asserts that there is one record, of this action on this object, and no other.
    ///
    /// # Panics
    /// Panics when there is none, another one, or more.
    #[track_caller]
    #[must_use = "assert what the record says, or `let _ =` it"]
    pub fn only(&self, action: Action, model: &str, object_id: impl ToString) -> Recorded<'_> {
        assert!(
            self.0.len() == 1,
            "expected only {action} of {model} {}, found\n{self:?}",
            object_id.to_string()
        );
        self.has(action, model, object_id)
    }

    /// Asserts that there is exactly one record of this action on this object, among others.
    ///
    /// # Panics
    /// Panics when there is none, or more than one.
    #[track_caller]
    #[must_use = "assert what the record says, or `let _ =` it"]
    pub fn has(&self, action: Action, model: &str, object_id: impl ToString) -> Recorded<'_> {
        let object_id = object_id.to_string();
        let mut found = self.0.iter().filter(|record| {
            record.action == action.as_str()
                && record.model.as_deref() == Some(model)
                && record.object_id.as_deref() == Some(&object_id)
        });
        match (found.next(), found.next()) {
            (Some(record), None) => Recorded(record),
            _ => panic!("expected one {action} of {model} {object_id}, found\n{self:?}"),
        }
    }
}

/// One record, for assertions.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a>(&'a audit_log::Model);

impl Recorded<'_> {
    /// The record itself.
    #[must_use]
    pub const fn model(&self) -> &audit_log::Model {
        self.0
    }

    /// Asserts the actor's id.
    ///
    /// # Panics
    /// Panics when it is another one.
    #[track_caller]
    pub fn by(self, actor_id: impl ToString) -> Self {
        assert_eq!(
            self.0.actor_id.as_deref(),
            Some(actor_id.to_string().as_str()),
            "the actor of {:#?}",
            self.0
        );
        self
    }

    /// Asserts the reason.
    ///
    /// # Panics
    /// Panics when it is another one, or missing.
    #[track_caller]
    pub fn because(self, reason: &str) -> Self {
        assert_eq!(
            self.0.reason.as_deref(),
            Some(reason),
            "the reason of {:#?}",
            self.0
        );
        self
    }

    fn changes(self) -> Changes {
        self.0.changed().unwrap_or_default()
    }

    /// Asserts that a field changed from one value to another.
    ///
    /// # Panics
    /// Panics when it did not change, or from or to another value.
    #[track_caller]
    pub fn changed(self, field: &str, old: impl Into<Json>, new: impl Into<Json>) -> Self {
        let changes = self.changes();
        let change = changes.get(field);
        let (old, new) = (old.into(), new.into());
        assert_eq!(
            change.map(|change| (change.old_value(), change.new_value())),
            Some((Some(&old), Some(&new))),
            "the field `{field}` of {:#?}",
            self.0
        );
        self
    }

    /// Asserts the initial value of a field of a created row.
    ///
    /// # Panics
    /// Panics when it has another value.
    #[track_caller]
    pub fn began_with(self, field: &str, new: impl Into<Json>) -> Self {
        let changes = self.changes();
        let change = changes.get(field);
        assert_eq!(
            change.and_then(Change::new_value),
            Some(&new.into()),
            "the field `{field}` of {:#?}",
            self.0
        );
        self
    }

    /// Asserts that a field did not change, or is not recorded.
    ///
    /// # Panics
    /// Panics when the record contains a change of it.
    #[track_caller]
    pub fn unchanged(self, field: &str) -> Self {
        assert!(
            self.changes().get(field).is_none(),
            "the field `{field}` is in {:#?}",
            self.0
        );
        self
    }

    /// Asserts that a field changed and its values were withheld.
    ///
    /// # Panics
    /// Panics when it did not change, or its values are recorded.
    #[track_caller]
    pub fn redacted(self, field: &str) -> Self {
        assert!(
            self.changes().get(field).is_some_and(Change::is_redacted),
            "the field `{field}` is not redacted in {:#?}",
            self.0
        );
        self
    }
}
