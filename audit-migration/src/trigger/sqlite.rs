//! Triggers on SQLite: one for each action, after each row.
//!
//! A trigger is one INSERT. The columns of the row are a list of values with their kinds, so that the SQL contains the
//! form of a kind once, whether there are two columns or two hundred. SQL as of SQLite 3.38. Records are in the same
//! database file as the table.

mod column_form;
mod context;
mod json;
mod label;
mod row;
mod secret;
mod sql;
mod timestamp;
mod value;

use sea_orm_audit_core::trigger_plan::{LabelPart, TriggerPlan};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{Installed, TriggerDefinition};
use row::Event;
use sql::name;

const PREFIX: &str = "sea_orm_audit_";

pub(super) async fn objects<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Vec<TriggerDefinition>, DbErr> {
    let plan = &of_table(plan, &columns(db, plan).await?);
    let events = [
        (Event::Insert, plan.create),
        (Event::Update, plan.update),
        (Event::Delete, plan.delete),
    ];
    let recorded = events.into_iter().filter(|(_, recorded)| *recorded);
    Ok(recorded.map(|(event, _)| object(plan, event)).collect())
}

/// The columns of the table; none where it does not exist.
async fn columns<C: ConnectionTrait>(db: &C, plan: &TriggerPlan) -> Result<Vec<String>, DbErr> {
    let schema = plan.schema.as_deref().unwrap_or("main");
    let statement = Statement::from_sql_and_values(
        DbBackend::Sqlite,
        "SELECT name FROM pragma_table_xinfo(?, ?)",
        [plan.table.into(), schema.into()],
    );
    let found = db.query_all_raw(statement).await?;
    found.iter().map(|row| row.try_get("", "name")).collect()
}

/// The plan without the columns that the table does not have: a trigger that names one makes every write fail.
fn of_table(plan: &TriggerPlan, there: &[String]) -> TriggerPlan {
    if there.is_empty() {
        return plan.clone();
    }
    let is_there = |at: usize| {
        let name = plan.columns[at].name;
        there.iter().any(|column| column.eq_ignore_ascii_case(name))
    };
    let kept: Vec<usize> = (0..plan.columns.len()).filter(|at| is_there(*at)).collect();
    let place = |at: usize| kept.iter().position(|kept| *kept == at);
    TriggerPlan {
        columns: kept.iter().map(|at| plan.columns[*at].clone()).collect(),
        key: plan.key.iter().filter_map(|at| place(*at)).collect(),
        label: (plan.label.iter())
            .filter_map(|part| match part {
                LabelPart::Text(text) => Some(LabelPart::Text(text.clone())),
                LabelPart::Column(at) => place(*at).map(LabelPart::Column),
            })
            .collect(),
        tenant: plan.tenant.and_then(place),
        ..plan.clone()
    }
}

fn object(plan: &TriggerPlan, event: Event) -> TriggerDefinition {
    let trigger = format!("{PREFIX}{}_{}", plan.table, event.sql().to_lowercase());
    let quoted = name(&trigger);
    let qualified = format!("{}{quoted}", schema(plan));
    let rest = format!(
        "AFTER {} ON {} FOR EACH ROW BEGIN {} END",
        event.sql(),
        name(plan.table),
        row::record(plan, event),
    );
    TriggerDefinition {
        drop: drop_one(plan, &trigger),
        name: trigger,
        // A pooled connection uses the schema that it has read, and reports a trigger that another connection dropped.
        // A query makes it read the schema again.
        create: format!(
            "SELECT 1 FROM {}sqlite_master LIMIT 0; CREATE TRIGGER {qualified} {rest}",
            schema(plan),
        ),
        // SQLite keeps the text as it was, but for the schema.
        definition: format!("CREATE TRIGGER {quoted} {rest}"),
    }
}

pub(super) fn drop_one(plan: &TriggerPlan, trigger: &str) -> String {
    format!("DROP TRIGGER IF EXISTS {}{}", schema(plan), name(trigger))
}

/// The schema before a name, where the entity names one: an attached database.
fn schema(plan: &TriggerPlan) -> String {
    (plan.schema.as_deref()).map_or_else(String::new, |schema| format!("{}.", name(schema)))
}

/// Triggers read the context where they find one, and SQLite looks for the table in any case.
pub(super) async fn faults<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Vec<String>, DbErr> {
    let context = plan.tables.trigger_context();
    let look = Statement::from_sql_and_values(
        DbBackend::Sqlite,
        "SELECT count(*) AS n FROM pragma_table_list WHERE lower(schema) = lower(?) AND lower(name) = lower(?)",
        [
            plan.tables.schema().unwrap_or("main").into(),
            context.into(),
        ],
    );
    let row = db.query_one_raw(look).await?;
    let there: i64 = row.map_or(Ok(0), |row| row.try_get("", "n"))?;
    let gone = format!("`{context}` is not there, and every write fails: run the audit migrations");
    Ok((there == 0).then_some(gone).into_iter().collect())
}

/// All triggers of ours on the table, also those that the plan does not have any more.
pub(super) async fn installed<C: ConnectionTrait>(
    db: &C,
    plan: &TriggerPlan,
) -> Result<Vec<Installed>, DbErr> {
    let find = format!(
        "SELECT name, sql FROM {}sqlite_master WHERE type = 'trigger' \
         AND tbl_name = ? COLLATE NOCASE AND substr(name, 1, {}) = ? ORDER BY rowid",
        schema(plan),
        PREFIX.len(),
    );
    let values = [plan.table.into(), PREFIX.into()];
    let rows = db
        .query_all_raw(Statement::from_sql_and_values(
            DbBackend::Sqlite,
            find,
            values,
        ))
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Installed {
                name: row.try_get("", "name")?,
                definition: row.try_get("", "sql")?,
                // There is no way to disable one.
                enabled: true,
                shared: false,
            })
        })
        .collect()
}
