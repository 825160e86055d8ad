//! The plans of queries.

use std::sync::Mutex;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};

use crate::args::Server;

/// A connection that reads the plan of each query before it runs it.
pub(super) struct Explaining<'c> {
    db: &'c DatabaseConnection,
    plans: Mutex<Vec<String>>,
}

impl<'c> Explaining<'c> {
    pub(super) fn new(db: &'c DatabaseConnection) -> Self {
        let plans = Mutex::default();
        Self { db, plans }
    }

    pub(super) fn into_plans(self) -> Vec<String> {
        self.plans.into_inner().unwrap_or_default()
    }

    async fn explain(&self, statement: &Statement) -> Result<(), DbErr> {
        let (word, columns) = match self.db.get_database_backend() {
            DbBackend::Sqlite => ("EXPLAIN QUERY PLAN", &["detail"][..]),
            DbBackend::MySql => ("EXPLAIN", &["table", "type", "key", "Extra"][..]),
            _ => ("EXPLAIN (COSTS OFF)", &["QUERY PLAN"][..]),
        };
        let mut explain = statement.clone();
        explain.sql = format!("{word} {}", statement.sql);
        let mut lines = Vec::new();
        for row in self.db.query_all_raw(explain).await? {
            let mut words = Vec::new();
            for column in columns {
                words.push(
                    row.try_get::<Option<String>>("", column)?
                        .unwrap_or_default(),
                );
            }
            lines.push(words.join(" "));
        }
        if let Ok(mut plans) = self.plans.lock() {
            plans.push(lines.join("\n"));
        }
        Ok(())
    }
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

#[async_trait]
impl ConnectionTrait for Explaining<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.db.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.db.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.db.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.explain(&statement).await?;
        self.db.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.explain(&statement).await?;
        self.db.query_all_raw(statement).await
    }
}
