//! Streams. A write that returns rows cannot be captured while it streams, and is refused.

use std::pin::Pin;

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryStream, Statement, StreamTrait, TransactionStream,
};

use super::{AuditedConnection, AuditedTransaction, indirect_change, route};
use crate::binding::Binding;
use crate::capture::ServerInfo;
use crate::sql::{ParsedStatement, understand};

/// Refuses to stream a write, and what may change rows of audited tables that it does not name.
fn refuse(
    binding: &Binding,
    server: &ServerInfo,
    understood: &ParsedStatement,
    text: (DbBackend, &str),
) -> Result<(), DbErr> {
    route::refuse_stream(binding, server, understood)?;
    match indirect_change::reported(binding, server, understood, text)? {
        Some(reported) => reported.refuse_stream(),
        None => Ok(()),
    }
}

impl StreamTrait for AuditedConnection {
    type Stream<'a> = QueryStream;

    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.db)
    }

    fn stream_raw<'a>(
        &'a self,
        statement: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
        Box::pin(async move {
            let sql = &statement.sql;
            let backend = ConnectionTrait::get_database_backend(&self.db);
            let understood = understand(backend, sql);
            let (binding, server) = (&self.binding, &self.server);
            if !matches!(*understood, ParsedStatement::Read) {
                indirect_change::fetch_catalogue(&self.db, binding, server).await?;
                refuse(binding, server, &understood, (backend, sql))?;
            }
            self.db.stream_raw(statement).await
        })
    }
}

impl StreamTrait for AuditedTransaction {
    type Stream<'a> = TransactionStream<'a>;

    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(self)
    }

    fn stream_raw<'a>(
        &'a self,
        statement: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
        Box::pin(async move {
            let tx = self.tx()?;
            self.run_queued().await?;
            let sql = &statement.sql;
            let backend = ConnectionTrait::get_database_backend(tx);
            let understood = understand(backend, sql);
            refuse(&self.binding, &self.server, &understood, (backend, sql))?;
            (self.frames().live_tables).observe(sql, &understood);
            // Failures of a stream are not seen here.
            self.frames().suspect();
            tx.stream_raw(statement).await
        })
    }
}
