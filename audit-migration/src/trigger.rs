//! Triggers that record what no ORM sees: other programs, manual SQL, cascades of the database.

mod check;
mod mysql;
mod postgres;
mod sqlite;

pub use check::TriggerCheck;
use sea_orm_audit_core::trigger_plan::TriggerPlan;
use sea_orm_audit_core::{AuditConfig, Auditable, EntityInfo};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr};

use crate::coverage::LiveSchema;

/// A trigger, or a function that one calls, as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TriggerDefinition {
    /// Its name in the database, by which it is found again.
    pub(crate) name: String,
    /// The statement that creates it.
    pub(crate) create: String,
    /// The statement that drops it where it is there, together with nothing else.
    pub(crate) drop: String,
    /// Its definition in the database's catalogue when it is up to date.
    pub(crate) definition: String,
}

/// A trigger, or a function, in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installed {
    pub(crate) name: String,
    pub(crate) definition: String,
    /// Whether it fires.
    pub(crate) enabled: bool,
    /// Whether other tables use it, too.
    pub(crate) shared: bool,
}

/// All that makes up the triggers of a table, in the order of their making.
pub(crate) async fn objects<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Vec<TriggerDefinition>, DbErr> {
    match db.get_database_backend() {
        DbBackend::Postgres => postgres::objects(db, plan).await,
        DbBackend::Sqlite => sqlite::objects(db, plan).await,
        _ => mysql::objects(db, plan).await,
    }
}

/// The part that exists.
pub(crate) async fn installed<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Vec<Installed>, DbErr> {
    match db.get_database_backend() {
        DbBackend::Postgres => postgres::installed(db, plan).await,
        DbBackend::Sqlite => sqlite::installed(db, plan).await,
        _ => mysql::installed(db, plan).await,
    }
}

/// What makes every write fail although all triggers are correct, or lets another user decide what is recorded.
pub(crate) async fn faults<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Vec<String>, DbErr> {
    match db.get_database_backend() {
        DbBackend::Postgres => postgres::faults(db, plan).await,
        DbBackend::Sqlite => sqlite::faults(db, plan).await,
        _ => mysql::faults(db, plan).await,
    }
}

/// The statements that drop what the table has under other names than it should.
async fn drops_of_older<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Vec<String>, DbErr> {
    match db.get_database_backend() {
        DbBackend::Postgres => postgres::drops_of_older(db, plan).await,
        DbBackend::Sqlite => {
            let there = sqlite::installed(db, plan).await?;
            Ok(there
                .iter()
                .map(|it| sqlite::drop_one(plan, &it.name))
                .collect())
        }
        _ => {
            let there = mysql::installed(db, plan).await?;
            Ok(there
                .iter()
                .map(|it| mysql::drop_named(plan, &it.name))
                .collect())
        }
    }
}

/// The triggers of one audited table.
#[derive(Debug, Clone, Copy)]
#[must_use = "triggers are created, dropped or checked only when that is awaited"]
pub struct AuditTriggers {
    info: &'static EntityInfo,
}

impl AuditTriggers {
    /// The triggers of an entity, by the configuration that applies when they are made.
    pub fn of<E: Auditable>() -> Self {
        Self { info: E::info() }
    }

    pub(crate) const fn of_info(info: &'static EntityInfo) -> Self {
        Self { info }
    }

    fn plan(self) -> TriggerPlan {
        TriggerPlan::of(self.info, &AuditConfig::current())
    }

    /// Creates the triggers.
    ///
    /// # Errors
    /// Returns the database's error, also when they are there already; and refuses where no write would succeed any
    /// more, since the log is not there or, on PostgreSQL, a partition is a foreign table.
    pub async fn create<C: ConnectionTrait>(self, db: &C) -> Result<(), DbErr> {
        let plan = self.plan();
        let tables = plan.tables;
        let named = tables.schema().map(str::to_owned).into_iter().collect();
        if !LiveSchema::read(db, &named)
            .await?
            .has(tables.schema(), tables.log())
        {
            return Err(DbErr::Migration(format!(
                "the log `{}` is not there: run the audit migrations before triggers are created",
                tables.qualified(tables.log())
            )));
        }
        if db.get_database_backend() == DbBackend::Postgres
            && let Some(partition) = postgres::foreign_partition(db, &plan).await?
        {
            return Err(DbErr::Migration(format!(
                "`{}` cannot have audit triggers: PostgreSQL could not write its partition `{partition}`, a foreign \
                 table, any more",
                plan.table
            )));
        }
        for object in objects(db, &plan).await? {
            db.execute_unprepared(&object.create).await?;
        }
        Ok(())
    }

    /// Drops the triggers where they are there, also those of actions that are not recorded any more, and those that
    /// the table has from a time when it had another name.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn drop<C: ConnectionTrait>(self, db: &C) -> Result<(), DbErr> {
        let plan = TriggerPlan {
            create: true,
            update: true,
            delete: true,
            ..self.plan()
        };
        let older = drops_of_older(db, &plan).await?;
        if db.get_database_backend() == DbBackend::MySql {
            // The present foreign keys decide which exist.
            for drop in mysql::drops(&plan) {
                db.execute_unprepared(&drop).await?;
            }
        } else {
            for object in objects(db, &plan).await?.iter().rev() {
                db.execute_unprepared(&object.drop).await?;
            }
        }
        for drop in older {
            db.execute_unprepared(&drop).await?;
        }
        Ok(())
    }

    /// Drops and creates the triggers, as after a change of the table.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn recreate<C: ConnectionTrait>(self, db: &C) -> Result<(), DbErr> {
        self.drop(db).await?;
        self.create(db).await
    }
}
