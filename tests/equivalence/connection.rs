//! One type for all connections, so that calls are compiled once; it delegates everything.

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement, StatementBuilder,
};
use sea_orm_audit::{AuditedConnection, AuditedTransaction};

pub(crate) enum Connection<'a> {
    Plain(&'a DatabaseConnection),
    Audited(&'a AuditedConnection),
    PlainTransaction(&'a DatabaseTransaction),
    AuditedTransaction(&'a AuditedTransaction),
}

/// The kinds of connection.
pub(crate) trait AsConnection {
    fn as_connection(&self) -> Connection<'_>;
}

impl AsConnection for DatabaseTransaction {
    fn as_connection(&self) -> Connection<'_> {
        Connection::PlainTransaction(self)
    }
}

impl AsConnection for AuditedTransaction {
    fn as_connection(&self) -> Connection<'_> {
        Connection::AuditedTransaction(self)
    }
}

macro_rules! each {
    ($self:expr, $db:ident => $run:expr) => {
        match $self {
            Self::Plain($db) => $run,
            Self::Audited($db) => $run,
            Self::PlainTransaction($db) => $run,
            Self::AuditedTransaction($db) => $run,
        }
    };
}

#[async_trait]
impl ConnectionTrait for Connection<'_> {
    fn get_database_backend(&self) -> DbBackend {
        each!(self, db => db.get_database_backend())
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        each!(self, db => db.execute_raw(statement).await)
    }

    async fn execute<S: StatementBuilder>(&self, statement: &S) -> Result<ExecResult, DbErr> {
        each!(self, db => db.execute(statement).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        each!(self, db => db.execute_unprepared(sql).await)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        each!(self, db => db.query_one_raw(statement).await)
    }

    async fn query_one<S: StatementBuilder>(
        &self,
        statement: &S,
    ) -> Result<Option<QueryResult>, DbErr> {
        each!(self, db => db.query_one(statement).await)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        each!(self, db => db.query_all_raw(statement).await)
    }

    async fn query_all<S: StatementBuilder>(
        &self,
        statement: &S,
    ) -> Result<Vec<QueryResult>, DbErr> {
        each!(self, db => db.query_all(statement).await)
    }

    fn support_returning(&self) -> bool {
        each!(self, db => db.support_returning())
    }

    fn is_mock_connection(&self) -> bool {
        each!(self, db => db.is_mock_connection())
    }
}
