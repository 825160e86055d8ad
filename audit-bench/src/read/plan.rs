//! The plans of queries.

use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use super::query::Query;
use crate::BoxError;
use crate::args::Server;
use crate::database::Database;

/// The plans of the statements that a query sends to a log of so many rows.
pub(super) async fn plans(
    database: &Database,
    query: Query,
    rows: u64,
) -> Result<Vec<String>, BoxError> {
    let sent = Arc::<Mutex<Vec<Statement>>>::default();
    let mut watched = database.another().await?;
    let keep = Arc::clone(&sent);
    watched.set_metric_callback(move |info| {
        (keep.lock().unwrap_or_else(PoisonError::into_inner)).push(info.statement.clone());
    });
    query.run(&watched, rows).await?;
    watched.close().await?;
    // A statement that takes the first rows in the order of their numbers stops early, whatever its plan says.
    let stops_early = |statement: &Statement| {
        let sql = &statement.sql;
        sql.contains(" LIMIT ") && !sql.contains(" WHERE ") && !sql.contains(" GROUP BY ")
    };
    let sent = std::mem::take(&mut *sent.lock().unwrap_or_else(PoisonError::into_inner));
    let mut plans = Vec::new();
    for statement in sent.into_iter().filter(|statement| !stops_early(statement)) {
        plans.push(explain(&database.conn, statement).await?);
    }
    Ok(plans)
}

async fn explain(db: &DatabaseConnection, mut statement: Statement) -> Result<String, BoxError> {
    let (word, columns) = match db.get_database_backend() {
        DbBackend::Sqlite => ("EXPLAIN QUERY PLAN", &["detail"][..]),
        DbBackend::MySql => ("EXPLAIN", &["table", "type", "key", "Extra"][..]),
        _ => ("EXPLAIN (COSTS OFF)", &["QUERY PLAN"][..]),
    };
    statement.sql = format!("{word} {}", statement.sql);
    let mut lines = Vec::new();
    for row in db.query_all_raw(statement).await? {
        let words = columns.iter().map(|column| {
            let word: Result<Option<String>, _> = row.try_get("", column);
            word.map(Option::unwrap_or_default)
        });
        lines.push(words.collect::<Result<Vec<_>, _>>()?.join(" "));
    }
    Ok(lines.join("\n"))
}

/// Whether a plan reads the log from its begin to its end.
pub(super) fn reads_all(server: Server, plan: &str) -> bool {
    plan.lines().any(|line| match server {
        Server::Sqlite => line.starts_with("SCAN audit_log"),
        Server::Postgres => line.contains("Seq Scan on audit_log"),
        Server::Mariadb => line.starts_with("audit_log ALL") || line.starts_with("audit_log index"),
    })
}

/// The access to the table, in one line.
pub(super) fn line(plan: &str) -> String {
    let is_access = |line: &&str| {
        ["Scan", "SCAN", "SEARCH", "audit_log "]
            .iter()
            .any(|word| line.contains(word))
    };
    let line = plan.lines().rev().find(is_access).unwrap_or_default();
    line.trim_start_matches([' ', '-', '>']).to_owned()
}
