//! Streams. A write that returns rows cannot be captured while it streams, and is refused.

use std::pin::Pin;

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryStream, Statement, StreamTrait, TransactionStream,
};

use super::{AuditedConnection, AuditedTransaction, indirect, route};
use crate::capture::Call;
use crate::sql::understand;

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
            let indirect = self.indirect(Call::QueryAll, sql, None).await?;
            indirect.map_or(Ok(()), route::Reported::refuse_stream)?;
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
            let frames = Some(self.frames());
            let indirect = indirect::reported(tx, binding, server, sql, frames).await?;
            indirect.map_or(Ok(()), route::Reported::refuse_stream)?;
            let understood = understand(backend, sql);
            (self.frames().live_tables).observe(sql, &understood);
            // What fails in a stream is not seen here.
            self.frames().suspect();
            tx.stream_raw(statement).await
        })
    }
}
