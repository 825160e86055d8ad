//! Streams. A write that returns rows cannot be captured while it streams, and is refused.

use std::pin::Pin;

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryStream, Statement, StreamTrait, TransactionStream,
};

use super::{AuditedConnection, AuditedTransaction, route};

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
            route::refuse_stream(&self.db, &self.binding, &self.server, sql).await?;
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
            route::refuse_stream(tx, &self.binding, &self.server, sql).await?;
            // What fails in a stream is not seen here.
            self.frames().suspect();
            tx.stream_raw(statement).await
        })
    }
}
