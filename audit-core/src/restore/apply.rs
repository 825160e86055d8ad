//! Writes the rows of an undo.

use sea_orm::prelude::Json;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::compute::Step;
use super::plan::WriteKind;
use crate::as_of::{add_key, add_table, read_rows};
use crate::connection::AuditedTransaction;
use crate::context::AuditContext;
use crate::error::AuditError;
use crate::record::is_contention;
use crate::sql::SqlBuilder;
use crate::value::canonical_eq;

/// Runs the writes in their order.
pub(super) async fn write(
    tx: &AuditedTransaction,
    steps: &[Step],
    reference: Json,
) -> Result<(), DbErr> {
    let context = AuditContext::new().metadata("undoes", reference);
    for step in steps {
        let run = tx.execute_raw(statement(tx, step));
        let rows = match context.clone().scope(run).await {
            Ok(result) => result.rows_affected(),
            Err(error) if is_contention(&error) || AuditError::of(&error).is_some() => {
                return Err(error);
            }
            Err(error) => return Err(conflict(step, &format!("the database refused it: {error}"))),
        };
        if rows != 1 && !(rows == 0 && is_done(tx, step).await?) {
            return Err(conflict(
                step,
                &format!("{rows} rows were written in place of one"),
            ));
        }
    }
    Ok(())
}

/// Whether an update of a key is done already: the database changes rows along with the row that they refer to.
async fn is_done(tx: &AuditedTransaction, step: &Step) -> Result<bool, DbErr> {
    let info = step.info;
    if step.kind != WriteKind::Update || !info.key.iter().any(|at| step.values.contains_key(at)) {
        return Ok(false);
    }
    let key: Vec<Value> = (info.key.iter().zip(&step.key))
        .map(|(at, now)| step.values.get(at).unwrap_or(now).clone())
        .collect();
    let rows = read_rows(tx, info, &[key], "").await?;
    let has_values = |row: &Vec<Value>| {
        (step.values.iter())
            .all(|(at, value)| (row.get(*at)).is_some_and(|now| canonical_eq(now, value)))
    };
    Ok(rows.first().is_some_and(has_values))
}

fn conflict(step: &Step, why: &str) -> DbErr {
    let what = match step.kind {
        WriteKind::Insert => "inserting",
        WriteKind::Update => "updating",
        WriteKind::Delete => "deleting",
    };
    let conflict = format!("{what} {} {}: {why}", step.info.model(), step.object_id);
    AuditError::UndoConflict {
        conflicts: vec![conflict],
    }
    .into()
}

fn statement(tx: &AuditedTransaction, step: &Step) -> Statement {
    let (info, backend) = (step.info, tx.get_database_backend());
    let mut sql = SqlBuilder::new(backend, &[]);
    let name = |at: &usize| info.columns[*at].name;
    match step.kind {
        WriteKind::Insert => {
            sql.text("INSERT INTO ");
            add_table(&mut sql, info);
            sql.text(" (");
            for (part, at) in step.values.keys().enumerate() {
                sql.text(if part == 0 { "" } else { ", " }).name(name(at));
            }
            sql.text(") VALUES (");
            for (part, (at, value)) in step.values.iter().enumerate() {
                let (before, after) = (info.access.cast)(backend, *at);
                sql.text(if part == 0 { "" } else { ", " }).text(&before);
                sql.value(value.clone()).text(&after);
            }
            sql.text(")");
        }
        WriteKind::Update => {
            sql.text("UPDATE ");
            add_table(&mut sql, info);
            for (part, (at, value)) in step.values.iter().enumerate() {
                let (before, after) = (info.access.cast)(backend, *at);
                sql.text(if part == 0 { " SET " } else { ", " })
                    .name(name(at));
                sql.text(" = ")
                    .text(&before)
                    .value(value.clone())
                    .text(&after);
            }
            sql.text(" WHERE ");
            add_key(&mut sql, info, &step.key, backend);
        }
        WriteKind::Delete => {
            sql.text("DELETE FROM ");
            add_table(&mut sql, info);
            sql.text(" WHERE ");
            add_key(&mut sql, info, &step.key, backend);
        }
    }
    sql.finish()
}
