//! Streams. A write that returns rows cannot be captured while it streams, and is refused.

use std::pin::Pin;

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryStream, Statement, StreamTrait, TransactionStream,
};

use super::{AuditedConnection, AuditedTransaction, indirect, route};
use crate::bound::Bound;
use crate::capture::Server;
use crate::sql::understand;

/// Refuses to stream what may change rows of audited tables that it does not name.
fn refuse_indirect(
    backend: DbBackend,
    binding: &Bound,
    server: &Server,
    sql: &str,
) -> Result<(), DbErr> {
    let understood = understand(backend, sql);
    match indirect::reported(binding, server, &understood, (backend, sql))? {
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
            route::refuse_stream(backend, &self.binding, &self.server, sql)?;
            indirect::ask_catalogue(&self.db, &self.binding, &self.server).await?;
            refuse_indirect(backend, &self.binding, &self.server, sql)?;
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
            let (binding, server) = (&self.binding, &self.server);
            route::refuse_stream(backend, binding, server, sql)?;
            refuse_indirect(backend, binding, server, sql)?;
            let understood = understand(backend, sql);
            (self.frames().live_tables).observe(sql, &understood);
            // What fails in a stream is not seen here.
            self.frames().suspect();
            tx.stream_raw(statement).await
        })
    }
}
