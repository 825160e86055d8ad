//! Triggers on MySQL and MariaDB: AFTER each row, and BEFORE it for what foreign keys delete or empty.
//!
//! They run with the rights of their creator, so that writers need none on the log. Creating them needs TRIGGER on the
//! table and the rights for what the triggers do: SELECT on the tables of the context and of the rows that follow,
//! INSERT on the log; with a binary log also SUPER, or `log_bin_trust_function_creators`.
//!
//! The tables are to be of the engine `InnoDB`: a rollback takes the records back, but not the rows of other engines.
//! Not recorded are TRUNCATE, DROP and ALTER, and what a foreign key changes while its checks are switched off.
//! With a binary log by statements (`binlog_format = STATEMENT`) reading the context locks it; rows, or the mixed
//! format, do not. The time of a record is that of the statement, so that all rows of one have the same.
//! MySQL differs in three things: it has no SQL mode for one statement, so the triggers keep the session's; it
//! compares documents of its JSON type as it does, `1` equal to `1.0`; and `JSON_VALUE` came with 8.0.21.

mod cascade;
mod cascade_walk;
mod catalogue;
mod change;
mod key_updates;
mod quote;
mod record;
mod secret;
mod table_sql;
mod value;

use sea_orm_audit_core::trigger_plan::TriggerPlan;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};

use super::{Installed, TriggerDefinition};
use catalogue::{Catalogue, Server};
use change::Kind;
use key_updates::Found;
use table_sql::Subject;

/// The variables of a trigger. In a statement they take precedence over columns of the same name.
mod variable {
    pub(super) const CHANGES: &str = "sea_orm_audit_changes";
    pub(super) const NOTE: &str = "sea_orm_audit_note";
    pub(super) const ID: &str = "sea_orm_audit_object_id";
    pub(super) const LABEL: &str = "sea_orm_audit_label";
    pub(super) const TENANT: &str = "sea_orm_audit_tenant";
    pub(super) const PIECE: &str = "sea_orm_audit_piece";
    pub(super) const SECRETS: &str = "sea_orm_audit_secrets";
    /// A document in lower case, with a comma after it, as bytes: they are searched quickly.
    pub(super) const DOCUMENT: &str = "sea_orm_audit_document";
    pub(super) const DOUBT: &str = "sea_orm_audit_doubt";
    /// The context of the connection, as JSON; NULL where the transaction has its own.
    pub(super) const SESSION: &str = "sea_orm_audit_session";
}

/// What the triggers of a table are called, when they fire, and on what.
const TRIGGERS: [(&str, &str, &str); 6] = [
    ("insert", "AFTER", "INSERT"),
    ("update", "AFTER", "UPDATE"),
    ("delete", "AFTER", "DELETE"),
    ("cascade_update", "AFTER", "UPDATE"),
    ("cascade_before", "BEFORE", "UPDATE"),
    ("cascade_delete", "BEFORE", "DELETE"),
];

pub(super) async fn objects<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Vec<TriggerDefinition>, DbErr> {
    let catalogue = Catalogue::read(db, plan.schema.as_deref()).await?;
    let subject = Subject::new(plan, &catalogue);
    let own = catalogue.schema.as_str();
    let tables = plan.tables;
    let log = record::audit_table(tables, own, &subject, tables.log());
    let context = record::audit_table(tables, own, &subject, tables.trigger_context());
    let row = |wanted: bool, kind| wanted.then(|| change::body(&subject, kind, &log, &context));
    let updates = plan.update && subject.recorded().next().is_some();
    let cascade = cascade::Cascade::new(&subject, &catalogue);
    let bodies = [
        row(plan.create, Kind::Insert),
        row(updates, Kind::Update),
        row(plan.delete, Kind::Delete),
        cascade.on_update(Found::After, &log, &context),
        cascade.on_update(Found::Before, &log, &context),
        cascade.on_delete(&log, &context),
    ];
    // A trigger keeps the SQL mode that it is made under: with this one, values that do not fit are no
    // errors. MySQL cannot set it for a single statement.
    let mode = match catalogue.server {
        Server::MariaDb { .. } => "SET STATEMENT sql_mode = '' FOR ",
        Server::MySql => "",
    };
    let objects = TRIGGERS.iter().zip(bodies).filter_map(|(trigger, body)| {
        let (body, (what, timing, event)) = (body?, *trigger);
        Some(TriggerDefinition {
            create: format!(
                "{mode}CREATE TRIGGER {} {timing} {event} ON {} FOR EACH ROW {body}",
                full_name(plan, what),
                quote::qualified(plan.schema.as_deref(), plan.table),
            ),
            drop: drop_one(plan, what),
            definition: format!("{timing} {event} {body}"),
            name: quote::trigger(what, plan.table),
        })
    });
    Ok(objects.collect())
}

fn full_name(plan: &TriggerPlan, what: &str) -> String {
    quote::qualified(plan.schema.as_deref(), &quote::trigger(what, plan.table))
}

fn drop_one(plan: &TriggerPlan, what: &str) -> String {
    drop_named(plan, &quote::trigger(what, plan.table))
}

pub(super) fn drop_named(plan: &TriggerPlan, trigger: &str) -> String {
    let name = quote::qualified(plan.schema.as_deref(), trigger);
    format!("DROP TRIGGER IF EXISTS {name}")
}

/// The statements that drop all triggers that a table can have, also those that it needs no more.
pub(super) fn drops(plan: &TriggerPlan) -> impl Iterator<Item = String> + '_ {
    (TRIGGERS.iter()).map(|(what, _, _)| drop_one(plan, what))
}

/// Triggers run with the rights of the user who made them.
pub(super) async fn faults<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Vec<String>, DbErr> {
    let sql = "SELECT DISTINCT CAST(DEFINER AS CHAR) AS d FROM information_schema.TRIGGERS \
         WHERE EVENT_OBJECT_SCHEMA = IFNULL(?, DATABASE()) AND EVENT_OBJECT_TABLE = ? \
         AND LEFT(TRIGGER_NAME, 14) = 'sea_orm_audit_' AND DEFINER <> CURRENT_USER()";
    let values = [plan.schema.clone().into(), plan.table.into()];
    let mut faults = Vec::new();
    for row in catalogue::rows(db, sql, values).await? {
        let definer: String = row.try_get("", "d")?;
        let look = "SELECT 1 AS n FROM mysql.user WHERE CONCAT(User, '@', Host) = ?";
        // Not all users may read this: for the others the catalogue has no rows.
        let found = catalogue::rows(db, look, [definer.as_str().into()]).await;
        if found.is_ok_and(|rows| rows.is_empty()) {
            faults.push(format!(
                "the user `{definer}`, who made the triggers, is gone, and every write fails: recreate them"
            ));
        }
    }
    Ok(faults)
}

pub(super) async fn installed<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Vec<Installed>, DbErr> {
    let sql = "SELECT CAST(TRIGGER_NAME AS CHAR) AS n, CAST(ACTION_TIMING AS CHAR) AS t, \
         CAST(EVENT_MANIPULATION AS CHAR) AS e, CAST(ACTION_STATEMENT AS CHAR) AS s \
         FROM information_schema.TRIGGERS \
         WHERE EVENT_OBJECT_SCHEMA = IFNULL(?, DATABASE()) AND EVENT_OBJECT_TABLE = ? \
         AND LEFT(TRIGGER_NAME, 14) = 'sea_orm_audit_' ORDER BY TRIGGER_NAME";
    let values = [plan.schema.clone().into(), plan.table.into()];
    let rows = catalogue::rows(db, sql, values).await?;
    let rows = rows.iter().map(|row| {
        let text = |name: &str| row.try_get::<String>("", name);
        Ok(Installed {
            name: text("n")?,
            definition: format!("{} {} {}", text("t")?, text("e")?, text("s")?),
            // No setting disables a trigger.
            enabled: true,
            shared: false,
        })
    });
    rows.collect()
}
